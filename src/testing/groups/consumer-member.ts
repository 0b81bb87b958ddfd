import type { GroupProtocol } from './group-protocols.ts';

/** What a member of a consumer group that speaks the classic protocol has more (KIP-848, migration). */
export interface ClassicMembership {
  readonly sessionTimeoutMs: number;
  readonly protocols: readonly GroupProtocol[];
}

/** Where a member is on its way to what it shall have. */
export type ConsumerMemberState = 'stable' | 'unrevoked' | 'unreleased';

/** A member of a consumer group (KIP-848), as its coordinator keeps it. Never changed: a change makes another. */
export interface ConsumerMember {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeoutMs: number;
  readonly topicNames: readonly string[];
  /** Empty for none. */
  readonly topicRegex: string;
  readonly serverAssignor: string | null;
  /** -2 while a static member is away. */
  readonly epoch: number;
  readonly previousEpoch: number;
  readonly state: ConsumerMemberState;
  /** The epoch in which each partition was given to it. */
  readonly assigned: ReadonlyMap<string, number>;
  /** What it must give up before others get it. */
  readonly revoking: ReadonlyMap<string, number>;
  readonly classic: ClassicMembership | undefined;
}

/** The epoch of a static member that is away. */
export const AWAY_EPOCH = -2;

/** A member that has just come and has nothing. */
export function newConsumerMember(memberId: string): ConsumerMember {
  return {
    memberId,
    instanceId: null,
    rackId: null,
    clientId: '',
    clientHost: '',
    rebalanceTimeoutMs: -1,
    topicNames: [],
    topicRegex: '',
    serverAssignor: null,
    epoch: 0,
    previousEpoch: -1,
    state: 'stable',
    assigned: new Map(),
    revoking: new Map(),
    classic: undefined,
  };
}

/** The same member in another epoch. */
export function inEpoch(member: ConsumerMember, epoch: number): ConsumerMember {
  return epoch === member.epoch ? member : { ...member, epoch, previousEpoch: member.epoch };
}
