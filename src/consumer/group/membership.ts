import type { Cluster } from '../../cluster/cluster.ts';
import type { ReaderTask } from './holding.ts';
import type { CommitIdentity } from '../offset-client.ts';
import type { ResolvedConsumerOptions } from '../options.ts';
import type { LeaveMode } from './reading-messages.ts';

/** The topics that a member wants. */
export interface WantedTopics {
  /** By name: those subscribed to, and those that a pattern of ours matches. */
  readonly names: readonly string[];
  /** A pattern that the coordinator evaluates (RE2/J), in the new protocol. */
  readonly re2: string | undefined;
}

/** What a membership needs of its consumer. */
export interface MembershipParts {
  readonly cluster: Cluster;
  readonly groupId: string;
  readonly options: ResolvedConsumerOptions;
  /** The connection of its own, on which a request may be held back. */
  readonly lane: string;
  readonly topics: () => WantedTopics;
  /** Resolves once the metadata of the subscribed topics is there, or it is known not to be; never rejects. */
  readonly topicsKnown: () => Promise<void>;
  /** Changes the assignment and tells the listener. */
  readonly runTask: (task: ReaderTask) => Promise<void>;
  /** The partitions are somebody else's from now on. */
  readonly endAssignment: () => void;
  /** Something waits for the reader, see {@link Membership.runReaderTasks}. */
  readonly onReaderNeeded: () => void;
  readonly onFatal: (error: Error) => void;
  /** How often the reader has asked so far: it asks too often to tell each time. */
  readonly askCount: () => number;
  /** What the user has in hand, for the report when a read stays away too long. */
  readonly inHand: () => string;
}

/** Being a member of a group, by whichever protocol. */
export interface Membership {
  /** Who commits now. */
  readonly identity: CommitIdentity;
  /** What kept the member from its assignment the last time it asked; undefined after an answer without an error. */
  readonly lastFailure: Error | undefined;
  /** Whether the reader must call {@link Membership.runReaderTasks} before it hands out anything. */
  readonly needsReader: boolean;
  /** Whether the group has given its partitions, and the listener has heard of them. */
  readonly isSettled: boolean;
  /** The topics are wanted from now on, instead of those before. */
  subscribed(): void;
  readerCame(): void;
  readerLeft(): void;
  /** A handler of `run` is at work for longer than the poll interval: the member leaves until the reader comes back. */
  readerOverdue(): void;
  /**
   * Runs what only a waiting reader may run: listeners, and the change of the assignment around them. Rejects with what a listener threw;
   * the change is made all the same.
   */
  runReaderTasks(): Promise<void>;
  /** Asks for a rebalance. */
  rejoin(reason: string): void;
  /**
   * A commit under `identity` was refused with this code. Resolves with true once there is another identity to try it with, with
   * false where there is none and the partitions may be lost.
   */
  refused(identity: CommitIdentity, errorCode: number): Promise<boolean>;
  /** Leaves the group; resolves when the coordinator knows, or cannot be told. */
  leave(reason: string, mode: LeaveMode): Promise<void>;
}
