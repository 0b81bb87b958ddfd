import type { TopicPartition } from '../../model/topic-partition.ts';
import type { LeaveMode } from './group-messages.ts';
import type { ReaderTask } from './holding.ts';

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
  /** The consumer wants to be a member, or wants other topics than before. */
  | { readonly kind: 'subscribed' }
  | { readonly kind: 'readerCame' }
  | { readonly kind: 'readerLeft' }
  | { readonly kind: 'heartbeatAnswered'; readonly attempt: number; readonly answer: HeartbeatAnswer }
  /** A heartbeat got no answer; `fatal` if trying again is of no use. */
  | { readonly kind: 'requestFailed'; readonly attempt: number; readonly error: Error; readonly fatal: boolean }
  /** More of the assignment has a name by now. */
  | { readonly kind: 'assignmentResolved'; readonly partitions: readonly TopicPartition[] }
  /** The task that the reader was given is done: the listener has run. */
  | { readonly kind: 'taskDone' }
  /** The coordinator refused a commit under this epoch. */
  | { readonly kind: 'refused'; readonly epoch: number; readonly errorCode: number }
  /** A handler took longer than it may: the member goes, as if no reader had come. */
  | { readonly kind: 'expired'; readonly reason: string }
  | { readonly kind: 'leave'; readonly reason: string; readonly mode: LeaveMode };

/** Something that the driver must do now. */
export type ConsumerGroupEffect =
  | { readonly kind: 'forgetCoordinator' }
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
  /** For the waiting reader; answer with `taskDone`. */
  | { readonly kind: 'runTask'; readonly task: ReaderTask }
  /** The partitions are not ours any more: nothing of them may be handed out or committed from now on. */
  | { readonly kind: 'endAssignment' }
  | { readonly kind: 'joined'; readonly epoch: number; readonly partitions: readonly TopicPartition[] }
  | { readonly kind: 'rebalancing'; readonly reason: string }
  | { readonly kind: 'left'; readonly reason: string }
  | { readonly kind: 'heartbeatFailed'; readonly error: Error }
  /** The event loop stood still for longer than the session lasts. */
  | { readonly kind: 'blocked'; readonly durationMs: number }
  | { readonly kind: 'fail'; readonly error: Error };
