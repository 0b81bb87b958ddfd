import type { ClassicMemberPlan } from './classic-member.ts';

/** A JoinGroup, without the differences of its versions. */
export interface ClassicJoin extends ClassicMemberPlan {
  /** Names the request in the effect that answers it. */
  readonly requestId: number;
  /** The id for a member that comes without one; chance is the caller's. */
  readonly newMemberId: string;
  /** From version 4 on a member without an id is sent back with one first (KIP-394). */
  readonly requiresMemberId: boolean;
  /** From version 9 on a leader that comes back can be told not to assign (KIP-814). */
  readonly canSkipAssignment: boolean;
}

/** A SyncGroup. */
export interface ClassicSync {
  readonly requestId: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[];
}

/** Who speaks: fields that several requests have. */
export interface ClassicIdentity {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

/** What a JoinGroup is answered. */
export interface JoinAnswer {
  readonly errorCode: number;
  readonly memberId: string;
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leader: string;
  readonly skipAssignment: boolean;
  readonly members: readonly {
    readonly memberId: string;
    readonly groupInstanceId: string | null;
    readonly metadata: Buffer;
  }[];
}

/** What a SyncGroup is answered. */
export interface SyncAnswer {
  readonly errorCode: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignment: Buffer;
}

/** What is to be done for a request that came in. */
export type ClassicEffect =
  | { readonly kind: 'join'; readonly requestId: number; readonly answer: JoinAnswer }
  | { readonly kind: 'sync'; readonly requestId: number; readonly answer: SyncAnswer }
  /** The member asked again, on another connection: Kafka never answers the first one. */
  | { readonly kind: 'superseded'; readonly requestId: number; readonly request: 'join' | 'sync' };

/** An answer that refuses a JoinGroup. */
export function joinRefusal(errorCode: number, memberId: string): JoinAnswer {
  return {
    errorCode,
    memberId,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    members: [],
  };
}

/** An answer that refuses a SyncGroup. */
export function syncRefusal(errorCode: number): SyncAnswer {
  return { errorCode, protocolType: null, protocolName: null, assignment: Buffer.alloc(0) };
}
