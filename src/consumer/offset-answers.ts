import type { TopicPartition } from '../model/topic-partition.ts';

/** Where a partition begins, or ends: {@link Consumer.beginningOffsets}, {@link Consumer.endOffsets}. */
export interface PartitionEnd extends TopicPartition {
  /** The first offset, or the one that the next record will have. */
  readonly offset: bigint;
}

/** How far a partition's reading is behind its end. */
export interface PartitionLag extends TopicPartition {
  /** The next offset to be handed out; undefined while it is not known. */
  readonly position: bigint | undefined;
  /** The end of the partition; with `read_committed`, of what is decided. */
  readonly endOffset: bigint;
  /** Undefined while the position is not known. */
  readonly lag: bigint | undefined;
}

/** The first offset at or after a time. */
export interface OffsetForTime extends TopicPartition {
  /** Undefined if the partition has no record as young. */
  readonly offset: bigint | undefined;
  /** The time of that record. */
  readonly timestamp: number | undefined;
}
