import type { TopicPartition } from '../model/topic-partition.ts';

/** How far a partition's reading is behind its end. */
export interface PartitionLag extends TopicPartition {
  readonly position: bigint | undefined;
  readonly endOffset: bigint;
  /** Undefined while the position is not known. */
  readonly lag: bigint | undefined;
}

/** Who this consumer is in its group. */
export interface ConsumerGroupMetadata {
  readonly groupId: string;
  /** -1 while it is not a member. */
  readonly generationId: number;
  readonly memberId: string;
  readonly groupInstanceId: string | undefined;
}

/** The first offset at or after a time. */
export interface OffsetForTime extends TopicPartition {
  /** Undefined if the partition has no record as young. */
  readonly offset: bigint | undefined;
  /** The time of that record. */
  readonly timestamp: number | undefined;
}
