import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { BatchHeader } from '../../protocol/records/batch-header.ts';
import { BatchReader } from '../../protocol/records/batch-reader.ts';
import { batchHeaderBytes, batchLengthAt, batchPrefixBytes, magicAt } from '../../protocol/records/batch-layout.ts';
import { RecordCursor } from '../../protocol/records/record-cursor.ts';
import { codecFor } from '../../compression/index.ts';

/** What a topic asks of records that are written to it. */
export interface ProduceRules {
  /** Of the Produce request: zstd needs 7. */
  readonly version: number;
  readonly maxMessageBytes: number;
  /** Whether records need a key, as in a compacted topic. */
  readonly needsKeys: boolean;
  /** The earliest and latest time that a record may have; undefined where the broker sets the times itself. */
  readonly timestamps: { readonly earliestMs: number; readonly latestMs: number } | undefined;
}

/** Why one record of a batch is not taken (KIP-467). */
export interface RecordProblem {
  readonly batchIndex: number;
  readonly batchIndexErrorMessage: string;
}

/** Why a batch is not taken. */
export interface ProduceRefusal {
  readonly errorCode: number;
  readonly errorMessage: string;
  readonly recordErrors: readonly RecordProblem[];
  /** Whether the log was asked already: then the answer tells where it begins. */
  readonly isFromLog: boolean;
}

/** No batch is decompressed to more: one that claims it is refused. */
const MAX_DECOMPRESSED_BYTES = 128 * 1024 * 1024;

/**
 * Looks at what a client wants to have appended; undefined if it may.
 *
 * The records themselves are looked at only where the answer depends on them (a compacted topic, a time that cannot be), so
 * that nothing is decompressed without need. Kafka reads them always and finds records that contradict their header.
 */
export async function refusalOf(records: Buffer | null, rules: ProduceRules): Promise<ProduceRefusal | undefined> {
  const checked = checkBatch(records, rules);
  if ('errorCode' in checked) return checked;
  const { timestamps, needsKeys } = rules;
  const isLate = timestamps !== undefined && checked.maxTimestamp > timestamps.latestMs;
  const mayBeEarly = timestamps !== undefined && timestamps.earliestMs > 0;
  if (!needsKeys && !isLate && !mayBeEarly) return undefined;
  try {
    return refusalOfRecords(await cursorOver(checked), rules);
  } catch {
    return refuse(brokerErrorCodes.CORRUPT_MESSAGE, 'The records of the batch cannot be read');
  }
}

/** A cursor over the records of a batch, decompressed if need be. */
export async function cursorOver(batch: BatchHeader): Promise<RecordCursor> {
  if (batch.compression === 'none') return new RecordCursor(batch);
  const codec = await codecFor(batch.compression);
  const body = batch.bytes.subarray(batch.recordsStart, batch.end);
  return new RecordCursor(batch, await codec.decompress(body, MAX_DECOMPRESSED_BYTES));
}

function checkBatch(records: Buffer | null, { version, maxMessageBytes }: ProduceRules): BatchHeader | ProduceRefusal {
  if (records === null || records.length < batchHeaderBytes)
    return refuse(brokerErrorCodes.INVALID_RECORD, 'A partition is given exactly one batch');
  if (records.readInt8(magicAt) !== 2)
    return refuse(brokerErrorCodes.INVALID_RECORD, 'Only batches of magic 2 are taken');
  const sizeBytes = batchPrefixBytes + records.readInt32BE(batchLengthAt);
  if (sizeBytes > maxMessageBytes && sizeBytes <= records.length)
    return refuse(
      brokerErrorCodes.MESSAGE_TOO_LARGE,
      `The batch has ${sizeBytes} bytes; the topic allows ${maxMessageBytes}`,
    );
  try {
    const batch = new BatchReader(records).next();
    if (batch?.end !== records.length)
      return refuse(brokerErrorCodes.INVALID_RECORD, 'A partition is given exactly one batch');
    return checkHeader(batch, records, version);
  } catch {
    return refuse(brokerErrorCodes.CORRUPT_MESSAGE, 'The batch cannot be read, or its checksum is wrong');
  }
}

function checkHeader(batch: BatchHeader, records: Buffer, version: number): BatchHeader | ProduceRefusal {
  const invalid = (why: string): ProduceRefusal => refuse(brokerErrorCodes.INVALID_RECORD, why, true);
  if (batch.compression === 'zstd' && version < 7)
    return refuse(brokerErrorCodes.UNSUPPORTED_COMPRESSION_TYPE, 'zstd needs version 7 of Produce');
  if (batch.baseOffset !== 0n) return invalid('The base offset of a batch that is produced is 0');
  if (batch.isControl) return invalid('Clients write no control records');
  if (batch.recordCount !== batch.lastOffsetDelta + 1 || batch.recordCount === 0)
    return invalid(`The batch has ${batch.recordCount} records, and a last offset delta of ${batch.lastOffsetDelta}`);
  if (batch.producerId >= 0n && batch.baseSequence < 0) return invalid('An idempotent producer numbers its batches');
  return batch;
}

function refusalOfRecords(cursor: RecordCursor, rules: ProduceRules): ProduceRefusal | undefined {
  const recordErrors: RecordProblem[] = [];
  let errorCode = 0;
  for (let batchIndex = 0; cursor.next(); batchIndex++) {
    const problem = problemOf(cursor, rules);
    if (problem === undefined) continue;
    recordErrors.push({ batchIndex, batchIndexErrorMessage: problem.message });
    errorCode ||= problem.errorCode;
  }
  if (errorCode === 0) return undefined;
  const errorMessage = `${recordErrors.length} records of the batch are not taken`;
  return { errorCode, errorMessage, recordErrors, isFromLog: true };
}

function problemOf(
  cursor: RecordCursor,
  { needsKeys, timestamps }: ProduceRules,
): { readonly errorCode: number; readonly message: string } | undefined {
  if (needsKeys && cursor.keyLength === -1)
    return { errorCode: brokerErrorCodes.INVALID_RECORD, message: 'A record of a compacted topic needs a key' };
  if (timestamps === undefined || cursor.timestampMs === -1) return undefined;
  const { earliestMs, latestMs } = timestamps;
  if (cursor.timestampMs >= earliestMs && cursor.timestampMs <= latestMs) return undefined;
  return {
    errorCode: brokerErrorCodes.INVALID_TIMESTAMP,
    message: `The time ${cursor.timestampMs} is not between ${earliestMs} and ${latestMs}`,
  };
}

function refuse(errorCode: number, errorMessage: string, isFromLog = false): ProduceRefusal {
  return { errorCode, errorMessage, recordErrors: [], isFromLog };
}
