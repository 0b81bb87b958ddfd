import type { Cluster } from '../../cluster/cluster.ts';

/** A partition that the coordinator gave to a member of a share group. Others may have it as well: what is shared are its records. */
export interface SharePartition {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
}

/** What a membership of a share group needs of its consumer. */
export interface ShareGroupMembershipParts {
  readonly cluster: Cluster;
  readonly groupId: string;
  /** The connection of its own: a heartbeat waits behind nothing. */
  readonly lane: string;
  /** What is subscribed to now; with none the member leaves the group until there is something again. */
  readonly topics: () => readonly string[];
  /** These partitions are to be read from now on, instead of those before; only called when something has changed. */
  readonly onAssignment: (partitions: readonly SharePartition[]) => void;
  /** The membership is over against our will: nothing is assigned until {@link onAssignment} is called again. The member rejoins by itself. */
  readonly onLost: () => void;
  /** The member is finished and stays so. */
  readonly onFatal: (error: Error) => void;
}

/** Being a member of a share group. */
export interface ShareGroupMembership {
  /** Chosen here, and kept for good: the brokers know share sessions and acquired records by it. */
  readonly memberId: string;
  /** Whether an assignment has come, or none is to come because no subscribed topic exists. */
  readonly isSettled: boolean;
  /** What kept the member from its assignment the last time it asked; undefined after an answer without an error. */
  readonly lastFailure: Error | undefined;
  /** The topics are wanted from now on, instead of those before; the first call joins the group. Does nothing after {@link leave}. */
  subscribed(): void;
  /** Leaves for good; resolves when the coordinator knows, cannot be told, or after `timeoutMs`. Never rejects. */
  leave(timeoutMs?: number): Promise<void>;
}
