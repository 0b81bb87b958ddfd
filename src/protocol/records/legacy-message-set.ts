import type { BatchHeader } from './batch-reader.ts';
import { corruptBatch } from './corrupt-batch.ts';

/** The messages of a batch of magic 0 or 1, rewritten as records of magic 2, so that one cursor walks all formats. */
export interface ConvertedMessages {
  readonly bytes: Buffer;
  readonly baseOffset: bigint;
  readonly recordCount: number;
  readonly lastOffsetDelta: number;
  /** What the timestamps of the records are relative to: always a safe integer. */
  readonly baseTimestamp: number;
}

export function readLegacyBatch(bytes: Buffer, start: number, _end: number, _checkCrc: boolean): BatchHeader {
  throw corruptBatch(bytes.readBigInt64BE(start), 'old');
}
export function convertLegacyMessages(batch: BatchHeader, _decompressed: Buffer | undefined): ConvertedMessages {
  throw corruptBatch(batch.baseOffset, 'old');
}
