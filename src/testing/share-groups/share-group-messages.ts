/** A ShareGroupHeartbeat. */
export interface ShareHeartbeat {
  readonly memberId: string;
  /** 0 joins, -1 leaves. */
  readonly memberEpoch: number;
  readonly rackId: string | null;
  /** Null if it has not changed. */
  readonly topicNames: readonly string[] | null;
  readonly clientId: string;
  readonly clientHost: string;
}

/** What a heartbeat is answered. */
export interface ShareHeartbeatAnswer {
  readonly errorCode: number;
  readonly memberId: string | null;
  readonly memberEpoch: number;
  readonly heartbeatIntervalMs: number;
  /** Partitions by `partitionKey`; null if they have not changed. */
  readonly assignment: readonly string[] | null;
}

/** An answer that refuses a heartbeat. */
export function shareHeartbeatRefusal(errorCode: number): ShareHeartbeatAnswer {
  return { errorCode, memberId: null, memberEpoch: 0, heartbeatIntervalMs: 0, assignment: null };
}
