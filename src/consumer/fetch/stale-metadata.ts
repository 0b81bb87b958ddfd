import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';

/** Errors of a partition that say: its leader is elsewhere, or our picture of the cluster is old. */
export const staleMetadata: ReadonlySet<number> = new Set([
  brokerErrorCodes.NOT_LEADER_OR_FOLLOWER,
  brokerErrorCodes.LEADER_NOT_AVAILABLE,
  brokerErrorCodes.REPLICA_NOT_AVAILABLE,
  brokerErrorCodes.FENCED_LEADER_EPOCH,
  brokerErrorCodes.UNKNOWN_LEADER_EPOCH,
  brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION,
  brokerErrorCodes.UNKNOWN_TOPIC_ID,
  brokerErrorCodes.INCONSISTENT_TOPIC_ID,
  brokerErrorCodes.KAFKA_STORAGE_ERROR,
]);
