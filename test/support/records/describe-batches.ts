import { codecFor } from '../../../src/compression/index.ts';
import {
  controlType,
  readBatches,
  readHeaders,
  RecordCursor,
  type BatchHeader,
} from '../../../src/protocol/records/index.ts';
import type { DescribedBatch, DescribedRecord } from './batch-vectors.ts';

const maxBytes = 64 * 1024 * 1024;

/** What our code finds in a `records` field, in the words of Kafka's classes. */
export async function describeBatches(bytes: Buffer): Promise<DescribedBatch[]> {
  const batches: DescribedBatch[] = [];
  for (const batch of readBatches(bytes)) batches.push(await describeBatch(batch));
  return batches;
}

/** The records of a batch as they are without compression; undefined where that is the batch itself. */
export async function decompressRecords(batch: BatchHeader): Promise<Buffer | undefined> {
  if (batch.compression === 'none') return undefined;
  const codec = await codecFor(batch.compression);
  return codec.decompress(batch.bytes.subarray(batch.recordsStart, batch.end), maxBytes);
}

async function describeBatch(batch: BatchHeader): Promise<DescribedBatch> {
  const cursor = new RecordCursor(batch, await decompressRecords(batch));
  const records: DescribedRecord[] = [];
  while (cursor.next()) records.push(describeRecord(cursor, batch.isControl));
  return {
    baseOffset: String(cursor.baseOffset),
    lastOffset: String(batch.baseOffset + BigInt(batch.lastOffsetDelta)),
    magic: batch.magic,
    compression: batch.compression,
    timestampType: timestampType(batch),
    maxTimestamp: String(BigInt(batch.maxTimestamp)),
    checksum: batch.crc,
    producerId: String(batch.producerId),
    producerEpoch: batch.producerEpoch,
    baseSequence: batch.baseSequence,
    partitionLeaderEpoch: batch.partitionLeaderEpoch,
    isTransactional: batch.isTransactional,
    isControl: batch.isControl,
    records,
  };
}

function timestampType(batch: BatchHeader): string {
  if (batch.magic === 0) return 'NoTimestampType';
  return batch.timestampType === 'create' ? 'CreateTime' : 'LogAppendTime';
}

function describeRecord(cursor: RecordCursor, isControl: boolean): DescribedRecord {
  const { bytes, keyStart, keyLength, valueStart, valueLength } = cursor;
  const headers = readHeaders(bytes, cursor.headersStart, cursor.headerCount);
  return {
    offset: String(cursor.offset),
    timestamp: String(BigInt(cursor.timestampMs)),
    key: keyLength < 0 ? null : bytes.toString('base64', keyStart, keyStart + keyLength),
    value: valueLength < 0 ? null : bytes.toString('base64', valueStart, valueStart + valueLength),
    ...(isControl ? { control: controlType(bytes.subarray(keyStart, keyStart + keyLength)).toUpperCase() } : {}),
    headers: headers.map(({ key, value }) => [key, value === null ? null : value.toString('base64')] as const),
  };
}
