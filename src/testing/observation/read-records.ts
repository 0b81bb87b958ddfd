import { codecFor } from '../../compression/index.ts';
import { RecordHeaders } from '../../model/record-headers.ts';
import { BatchReader } from '../../protocol/records/batch-reader.ts';
import type { BatchHeader } from '../../protocol/records/batch-header.ts';
import { readHeaders, RecordCursor } from '../../protocol/records/record-cursor.ts';
import type { AbortedTransaction } from '../log/aborted-transactions.ts';
import type { PartitionState } from '../state/partition-state.ts';

/** A record that lies in a topic. */
export interface TestRecord {
  /** Where it lies. */
  readonly topic: string;
  /** Where in the topic. */
  readonly partition: number;
  /** Where in the partition. */
  readonly offset: bigint;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  /** The key's bytes. */
  readonly key: Buffer | null;
  /** The value's bytes; null in a tombstone. */
  readonly value: Buffer | null;
  /** In the order in which they stand in the record. */
  readonly headers: RecordHeaders;
}

/** Which records are read. */
export interface ReadRecordsOptions {
  /** @defaultValue all partitions */
  readonly partition?: number;
  /**
   * `read_committed` leaves out what belongs to transactions that were aborted or have not ended.
   *
   * @defaultValue read_uncommitted
   */
  readonly isolationLevel?: 'read_uncommitted' | 'read_committed';
}

const chunkBytes = 1024 * 1024;
const maxDecompressedBytes = 1024 * 1024 * 1024;

/** The records of a partition that consumers may see, by offset; whoever leads it, and whether anybody does. */
export async function readRecords(
  { topic, partition, log }: PartitionState,
  { isolationLevel }: ReadRecordsOptions,
): Promise<TestRecord[]> {
  const until = isolationLevel === 'read_committed' ? 'lastStableOffset' : 'highWatermark';
  const records: TestRecord[] = [];
  let offset = log.startOffset;
  for (;;) {
    // Copied: retention may give the memory of the log to other records.
    const chunk = Buffer.from(log.read(offset, { maxBytes: chunkBytes, minOneBatch: true, until }).records);
    const reader = new BatchReader(chunk, { checkCrcs: false });
    let batch = reader.next();
    if (batch === undefined) return records;
    for (; batch !== undefined; batch = reader.next()) {
      const end = batch.baseOffset + BigInt(batch.lastOffsetDelta) + 1n;
      const isLeftOut =
        batch.isControl || (until === 'lastStableOffset' && isAborted(batch, log.abortedWithin(batch.baseOffset, end)));
      if (!isLeftOut)
        for await (const record of recordsOf(batch))
          if (record.offset >= offset) records.push({ topic, partition, ...record });
      offset = end;
    }
  }
}

function isAborted(batch: BatchHeader, aborted: readonly AbortedTransaction[]): boolean {
  if (!batch.isTransactional) return false;
  return aborted.some(
    ({ producerId, firstOffset, lastOffset }) =>
      producerId === batch.producerId && firstOffset <= batch.baseOffset && batch.baseOffset < lastOffset,
  );
}

async function* recordsOf(batch: BatchHeader): AsyncGenerator<Omit<TestRecord, 'topic' | 'partition'>> {
  const body = batch.compression === 'none' ? undefined : batch.bytes.subarray(batch.recordsStart, batch.end);
  const codec = await codecFor(batch.compression);
  const cursor = new RecordCursor(batch, body && (await codec.decompress(body, maxDecompressedBytes)));
  const { bytes } = cursor;
  const view = (start: number, length: number): Buffer | null =>
    length < 0 ? null : bytes.subarray(start, start + length);
  while (cursor.next()) {
    const headers = readHeaders(bytes, cursor.headersStart, cursor.headerCount);
    yield {
      offset: cursor.offset,
      timestamp: cursor.timestampMs,
      key: view(cursor.keyStart, cursor.keyLength),
      value: view(cursor.valueStart, cursor.valueLength),
      headers: new RecordHeaders(headers.map(({ key, value }) => [key, value] as const)),
    };
  }
}
