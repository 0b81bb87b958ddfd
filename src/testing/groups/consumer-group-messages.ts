/** A ConsumerGroupHeartbeat. */
export interface ConsumerHeartbeat {
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  /** -1 if it has not changed. */
  readonly rebalanceTimeoutMs: number;
  readonly topicNames: readonly string[] | null;
  readonly topicRegex: string | null;
  readonly serverAssignor: string | null;
  /** Partitions by {@link partitionKey}; null if they have not changed. */
  readonly owned: ReadonlySet<string> | null;
  readonly clientId: string;
  readonly clientHost: string;
}

/** What a heartbeat is answered. */
export interface ConsumerHeartbeatAnswer {
  readonly errorCode: number;
  readonly memberId: string | null;
  readonly memberEpoch: number;
  readonly heartbeatIntervalMs: number;
  /** Partitions by {@link partitionKey}; null if they have not changed. */
  readonly assignment: readonly string[] | null;
}

/** An answer that refuses a heartbeat. */
export function heartbeatRefusal(errorCode: number): ConsumerHeartbeatAnswer {
  return { errorCode, memberId: null, memberEpoch: 0, heartbeatIntervalMs: 0, assignment: null };
}
