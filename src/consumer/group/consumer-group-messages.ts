import type { TopicPartition } from '../../model/topic-partition.ts';
import type { ReadingEffect, ReadingInput } from './reading-messages.ts';

/** What of an answer to ConsumerGroupHeartbeat the decisions need. */
export interface HeartbeatAnswer {
  readonly errorCode: number;
  /** The broker's own words. */
  readonly errorMessage: string | null;
  readonly memberEpoch: number;
  readonly heartbeatIntervalMs: number;
  /** What the member should have, as far as the names of the topics are known; undefined where nothing has changed. */
  readonly assignment: readonly TopicPartition[] | undefined;
}

/** Something that happened. Answers carry the attempt of the request that they answer. */
export type ConsumerGroupInput =
  | ReadingInput
  /** The consumer wants to be a member, or wants other topics than before. */
  | { readonly kind: 'subscribed' }
  | { readonly kind: 'heartbeatAnswered'; readonly attempt: number; readonly answer: HeartbeatAnswer }
  /** More of the assignment has a name by now. */
  | { readonly kind: 'assignmentResolved'; readonly partitions: readonly TopicPartition[] }
  /** The coordinator refused a commit under this epoch. */
  | { readonly kind: 'refused'; readonly epoch: number; readonly errorCode: number };

/** Something that the driver must do now. */
export type ConsumerGroupEffect =
  | ReadingEffect
  | {
      readonly kind: 'sendHeartbeat';
      readonly attempt: number;
      readonly epoch: number;
      /** Whether the coordinator has to hear everything; else only what has changed. */
      readonly isFull: boolean;
      readonly withSubscription: boolean;
      /** What the member has, where that has changed. */
      readonly owned: readonly TopicPartition[] | undefined;
    }
  | { readonly kind: 'sendLeave'; readonly epoch: number }
  | { readonly kind: 'joined'; readonly epoch: number; readonly partitions: readonly TopicPartition[] }
  | { readonly kind: 'rebalancing'; readonly reason: string }
  | { readonly kind: 'left'; readonly reason: string }
  /** The event loop stood still for longer than the session lasts. */
  | { readonly kind: 'blocked'; readonly durationMs: number };
