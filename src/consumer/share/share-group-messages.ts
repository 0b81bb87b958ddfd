import type { RequestFailed } from '../group/reading-messages.ts';
import type { SharePartition } from './share-group-membership.ts';

/** What of an answer to ShareGroupHeartbeat the decisions need. */
export interface ShareHeartbeatAnswer {
  readonly errorCode: number;
  /** The broker's own words. */
  readonly errorMessage: string | null;
  readonly memberEpoch: number;
  readonly heartbeatIntervalMs: number;
  /** What the member should read, as far as the names of the topics are known; undefined where nothing has changed. */
  readonly assignment: readonly SharePartition[] | undefined;
  /** Whether one of the wanted topics exists: then partitions are to come. */
  readonly hasTopics: boolean;
}

/** Something that happened. Answers carry the attempt of the request that they answer. */
export type ShareGroupInput =
  /** The consumer wants to be a member, or wants other topics than before. */
  | { readonly kind: 'subscribed' }
  /** Nothing is wanted any more: the member leaves, until something is subscribed again. */
  | { readonly kind: 'unsubscribed' }
  | { readonly kind: 'heartbeatAnswered'; readonly attempt: number; readonly answer: ShareHeartbeatAnswer }
  | RequestFailed
  /** Topics of the assignment have a name by now that they did not have before. */
  | { readonly kind: 'assignmentResolved'; readonly partitions: readonly SharePartition[] }
  | { readonly kind: 'leave' };

/** Something that the driver must do now. */
export type ShareGroupEffect =
  | { readonly kind: 'forgetCoordinator' }
  | {
      readonly kind: 'sendHeartbeat';
      readonly attempt: number;
      readonly epoch: number;
      /** Whether the coordinator has to hear everything; else only what has changed. */
      readonly isFull: boolean;
      readonly withSubscription: boolean;
    }
  /** Epoch −1, once; whether it arrives or not. */
  | { readonly kind: 'sendLeave' }
  /** These partitions are to be read from now on, and no others. */
  | { readonly kind: 'assign'; readonly partitions: readonly SharePartition[] }
  /** The membership is over against our will. */
  | { readonly kind: 'lose'; readonly reason: string }
  | { readonly kind: 'joined'; readonly epoch: number; readonly partitions: readonly SharePartition[] }
  | { readonly kind: 'heartbeatFailed'; readonly error: Error }
  | { readonly kind: 'fail'; readonly error: Error };
