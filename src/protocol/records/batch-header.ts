import type { CompressionName } from './compression-type.ts';

/**
 * The header of one batch, checked, with the place of its records.
 *
 * A compressed message, or a run of uncompressed ones, in the formats of magic 0 and 1 has the same shape; the fields that
 * those formats lack say so (-1), and where a wrapper's first offset is not known before its content is decompressed,
 * `baseOffset` is its last offset and `lastOffsetDelta` 0. `baseOffset + lastOffsetDelta + 1` is the next offset in any case.
 */
export interface BatchHeader {
  readonly baseOffset: bigint;
  readonly partitionLeaderEpoch: number;
  readonly magic: number;
  readonly crc: number;
  readonly compression: CompressionName;
  /** With `logAppend`, every record of the batch has the time {@link BatchHeader.maxTimestamp}. */
  readonly timestampType: 'create' | 'logAppend';
  readonly isTransactional: boolean;
  readonly isControl: boolean;
  readonly hasDeleteHorizon: boolean;
  /** May lie beyond the last record's, where records were compacted away. */
  readonly lastOffsetDelta: number;
  /** In milliseconds; -1 if there is none. */
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  /** 0 in a batch that only moves the position on; -1 in a compressed message of magic 0 or 1. */
  readonly recordCount: number;
  /** What the positions count in. */
  readonly bytes: Buffer;
  readonly start: number;
  readonly recordsStart: number;
  readonly end: number;
}
