import type { CompressionName } from './compression-type.ts';

/**
 * The header of one batch, checked, with the place of its records.
 *
 * A compressed message, or a run of uncompressed ones, in the formats of magic 0 and 1 has the same shape; the fields that
 * those formats lack say so (-1), and where a wrapper's first offset is not known before its content is decompressed,
 * `baseOffset` is its last offset and `lastOffsetDelta` 0. `baseOffset + lastOffsetDelta + 1` is the next offset in any case.
 */
export interface BatchHeader {
  /** The offset of the first record. */
  readonly baseOffset: bigint;
  /** The epoch of the leader that appended the batch. */
  readonly partitionLeaderEpoch: number;
  /** The format: 2, or 0 and 1 from before Kafka 0.11. */
  readonly magic: number;
  /** The checksum that the batch carries. */
  readonly crc: number;
  /** The codec of the records. */
  readonly compression: CompressionName;
  /** With `logAppend`, every record of the batch has the time {@link BatchHeader.maxTimestamp}. */
  readonly timestampType: 'create' | 'logAppend';
  /** Whether the batch belongs to a transaction. */
  readonly isTransactional: boolean;
  /** Whether it holds a control record, which no consumer hands out. */
  readonly isControl: boolean;
  /** Whether the first timestamp is that from which tombstones may be removed (KIP-534). */
  readonly hasDeleteHorizon: boolean;
  /** May lie beyond the last record's, where records were compacted away. */
  readonly lastOffsetDelta: number;
  /** In milliseconds; -1 if there is none. */
  readonly baseTimestamp: number;
  /** The highest timestamp of its records, in milliseconds; -1 if there is none. */
  readonly maxTimestamp: number;
  /** Who wrote it; -1 if the producer was not idempotent. */
  readonly producerId: bigint;
  /** The epoch of that producer. */
  readonly producerEpoch: number;
  /** The sequence number of the first record. */
  readonly baseSequence: number;
  /** 0 in a batch that only moves the position on; -1 in a compressed message of magic 0 or 1. */
  readonly recordCount: number;
  /** What the positions count in. */
  readonly bytes: Buffer;
  /** Where the batch begins. */
  readonly start: number;
  /** Where its records begin, behind the header. */
  readonly recordsStart: number;
  /** Where the batch ends. */
  readonly end: number;
}
