import type { TopicPartition } from '../../model/topic-partition.ts';
import type { ReadingEffect, ReadingInput } from './reading-messages.ts';

/** What the coordinator tells the leader about a member. */
export interface JoinedMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly metadata: Buffer;
}

/** What of a JoinGroup response the decisions need. */
export interface JoinAnswer {
  readonly errorCode: number;
  readonly memberId: string;
  readonly generationId: number;
  readonly protocolName: string;
  readonly leader: string;
  readonly skipAssignment: boolean;
  readonly members: readonly JoinedMember[];
}

/** One member's share, as the leader sends it. */
export interface EncodedAssignment {
  readonly memberId: string;
  readonly assignment: Buffer;
}

/** Something that happened. Answers carry the attempt of the request that they answer. */
export type GroupInput =
  | ReadingInput
  /** The consumer wants to be a member, or wants other topics than before. */
  | { readonly kind: 'subscribed'; readonly topics: readonly string[] }
  | { readonly kind: 'joinAnswered'; readonly attempt: number; readonly answer: JoinAnswer }
  | {
      readonly kind: 'assignmentComputed';
      readonly attempt: number;
      readonly assignments: readonly EncodedAssignment[];
    }
  | {
      readonly kind: 'syncAnswered';
      readonly attempt: number;
      readonly errorCode: number;
      readonly partitions: readonly TopicPartition[];
    }
  | { readonly kind: 'heartbeatAnswered'; readonly attempt: number; readonly errorCode: number }
  /** Something asks for a new generation: the leader saw other partitions, the user wants it. */
  | { readonly kind: 'rejoin'; readonly reason: string }
  /** The coordinator refused a commit because it does not know this member, or not in this generation. */
  | { readonly kind: 'disowned'; readonly generationId: number; readonly errorCode: number };

/** Something that the driver must do now. */
export type GroupEffect =
  | ReadingEffect
  | {
      readonly kind: 'sendJoin';
      readonly attempt: number;
      readonly memberId: string;
      readonly reason: string;
      /** What it goes on reading meanwhile, and the generation that gave it that. */
      readonly owned: readonly TopicPartition[];
      readonly generationId: number;
    }
  | {
      readonly kind: 'computeAssignment';
      readonly attempt: number;
      readonly protocolName: string;
      readonly members: readonly JoinedMember[];
    }
  | {
      readonly kind: 'sendSync';
      readonly attempt: number;
      readonly memberId: string;
      readonly generationId: number;
      readonly protocolName: string;
      readonly assignments: readonly EncodedAssignment[];
      /** Members that a leader got although it is not to assign (KIP-814): it watches their topics all the same. */
      readonly watched: readonly JoinedMember[];
    }
  | {
      readonly kind: 'sendHeartbeat';
      readonly attempt: number;
      readonly memberId: string;
      readonly generationId: number;
    }
  | { readonly kind: 'sendLeave'; readonly memberId: string; readonly reason: string }
  | {
      readonly kind: 'joined';
      readonly generationId: number;
      readonly memberId: string;
      readonly leader: boolean;
      readonly partitions: readonly TopicPartition[];
    }
  | { readonly kind: 'left'; readonly memberId: string; readonly reason: string }
  /** The event loop stood still for longer than the session lasts. */
  | { readonly kind: 'blocked'; readonly durationMs: number };
