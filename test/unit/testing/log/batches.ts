import { BatchBuilder } from '../../../../src/protocol/records/batch-builder.ts';
import { BatchReader } from '../../../../src/protocol/records/batch-reader.ts';
import type { BatchHeader } from '../../../../src/protocol/records/batch-header.ts';
import { RecordCursor } from '../../../../src/protocol/records/record-cursor.ts';

/** What a batch for a test is made of; everything else is as a plain producer sends it. */
export interface TestBatch {
  readonly keys?: readonly (string | null)[];
  readonly value?: string | null;
  readonly values?: readonly (string | null)[];
  readonly timeMs?: number;
  readonly producerId?: bigint;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  readonly transactional?: boolean;
}

/** One uncompressed batch as a producer sends it. */
export function batchOf(options: TestBatch = {}): Buffer {
  const { keys = ['k'], value = 'v', values, timeMs = 1_000 } = options;
  const builder = new BatchBuilder({ initialBytes: 256, maxBytes: 64 * 1024 * 1024 });
  keys.forEach((key, index) =>
    builder.append(timeMs, key, values === undefined ? value : (values[index] ?? null), undefined),
  );
  return builder.close({
    compression: 'none',
    transactional: options.transactional ?? false,
    producerId: options.producerId ?? -1n,
    producerEpoch: options.producerEpoch ?? (options.producerId === undefined ? -1 : 0),
    baseSequence: options.baseSequence ?? (options.producerId === undefined ? -1 : 0),
  });
}

/** The whole batches in a stretch of records; their checksums are compared. */
export function headersIn(records: Buffer): BatchHeader[] {
  const headers: BatchHeader[] = [];
  const reader = new BatchReader(records);
  for (let header = reader.next(); header !== undefined; header = reader.next()) headers.push(header);
  return headers;
}

/** Offset, key and value of the records, control records left out. */
export function recordsIn(records: Buffer): [bigint, string | null, string | null][] {
  return headersIn(records)
    .filter(({ isControl }) => !isControl)
    .flatMap((header) => {
      const found: [bigint, string | null, string | null][] = [];
      const cursor = new RecordCursor(header);
      while (cursor.next()) {
        const { bytes, keyStart, keyLength, valueStart, valueLength } = cursor;
        const key = keyLength < 0 ? null : bytes.toString('utf8', keyStart, keyStart + keyLength);
        const value = valueLength < 0 ? null : bytes.toString('utf8', valueStart, valueStart + valueLength);
        found.push([cursor.offset, key, value]);
      }
      return found;
    });
}
