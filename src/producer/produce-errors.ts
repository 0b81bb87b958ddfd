import { brokerErrorByNumber, type BrokerErrorName } from '../errors/broker-error-codes.ts';

/**
 * What a broker's answer for one batch means for it.
 *
 * - `delivered`: it is in the log, perhaps through an earlier attempt
 * - `retry`: it may be accepted later
 * - `sequence-gap`: the broker misses the batch before this one
 * - `identity-lost`: the broker does not know the producer id (any more) under which the batch was sent
 * - `too-large`: it will never be accepted as it is, but perhaps in parts
 * - `refused`: it will never be accepted
 */
export type ProduceVerdict = 'delivered' | 'retry' | 'sequence-gap' | 'identity-lost' | 'too-large' | 'refused';

/** A verdict and whether the batch may be in the log in spite of it. */
export interface ProduceAnswer {
  readonly verdict: ProduceVerdict;
  /** Whether the batch may have been written although the answer is an error. */
  readonly maybeWritten: boolean;
  /** Whether the metadata that led the batch there is out of date. */
  readonly staleMetadata: boolean;
}

const staleMetadataErrors: ReadonlySet<string> = new Set<BrokerErrorName>([
  'NOT_LEADER_OR_FOLLOWER',
  'LEADER_NOT_AVAILABLE',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'UNKNOWN_TOPIC_ID',
  'INCONSISTENT_TOPIC_ID',
  'REPLICA_NOT_AVAILABLE',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'KAFKA_STORAGE_ERROR',
]);

/** Answers that a broker gives before it appends; after any other retriable one the batch may be in the log. */
const beforeAppend: ReadonlySet<string> = new Set<BrokerErrorName>([
  'NOT_ENOUGH_REPLICAS',
  'LEADER_NOT_AVAILABLE',
  'UNKNOWN_TOPIC_ID',
  'INCONSISTENT_TOPIC_ID',
  'CORRUPT_MESSAGE',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING',
  'THROTTLING_QUOTA_EXCEEDED',
  'CONCURRENT_TRANSACTIONS',
]);

const identityErrors: ReadonlySet<string> = new Set<BrokerErrorName>([
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING',
]);

/** Reads the error code of one partition of a Produce response. */
export function answerOf(errorCode: number): ProduceAnswer {
  const error = brokerErrorByNumber(errorCode);
  const name = error?.name ?? 'UNKNOWN_SERVER_ERROR';
  const verdict = verdictOf(name, error?.retriable ?? false);
  return {
    verdict,
    maybeWritten: name === 'UNKNOWN_SERVER_ERROR' || (verdict === 'retry' && !beforeAppend.has(name)),
    staleMetadata: staleMetadataErrors.has(name),
  };
}

function verdictOf(name: BrokerErrorName, retriable: boolean): ProduceVerdict {
  // A duplicate is a batch that an earlier attempt wrote, so long ago that the broker has forgotten at which offset.
  if (name === 'NONE' || name === 'DUPLICATE_SEQUENCE_NUMBER') return 'delivered';
  if (name === 'OUT_OF_ORDER_SEQUENCE_NUMBER') return 'sequence-gap';
  if (name === 'MESSAGE_TOO_LARGE' || name === 'RECORD_LIST_TOO_LARGE') return 'too-large';
  if (identityErrors.has(name)) return 'identity-lost';
  return retriable || staleMetadataErrors.has(name) ? 'retry' : 'refused';
}
