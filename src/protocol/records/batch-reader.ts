import type { BatchHeader } from './batch-header.ts';
import {
  attributesAt,
  batchHeaderBytes,
  batchLengthAt,
  batchPrefixBytes,
  baseOffsetAt,
  baseSequenceAt,
  baseTimestampAt,
  codecMask,
  controlBit,
  crcAt,
  deleteHorizonBit,
  lastOffsetDeltaAt,
  leaderEpochAt,
  logAppendTimeBit,
  magicAt,
  maxTimestampAt,
  minRecordBytes,
  producerEpochAt,
  producerIdAt,
  recordCountAt,
  transactionalBit,
} from './batch-layout.ts';
import { compressionNames, type CompressionName } from './compression-type.ts';
import { corruptBatch } from './corrupt-batch.ts';
import { crc32c } from './crc.ts';
import { readLegacyBatch } from './legacy-message-set.ts';

/** What is checked while reading. */
export interface ReadBatchesOptions {
  /** Whether checksums are compared. @defaultValue true */
  readonly checkCrcs?: boolean;
}

/** What a batch says of itself. */
export interface BatchPreview {
  /** Of its records, as they are stored. */
  readonly bodyBytes: number;
  /** How they are compressed. */
  readonly compression: CompressionName;
}

/**
 * Goes through the batches of a `records` field; each is checked when it is asked for, so that those before a corrupt one
 * can be used.
 */
export class BatchReader {
  readonly #records: Buffer;
  readonly #checkCrcs: boolean;
  #position = 0;

  constructor(records: Buffer, options: ReadBatchesOptions = {}) {
    this.#records = records;
    this.#checkCrcs = options.checkCrcs ?? true;
  }

  /** How many bytes were taken by whole batches. If it stays 0 though there are bytes, the first batch is incomplete. */
  get position(): number {
    return this.#position;
  }

  /** What the next batch says of itself, of which nothing is checked; undefined unless it is whole and not of the old formats. */
  peek(): BatchPreview | undefined {
    const start = this.#position;
    const records = this.#records;
    if (records.length - start < batchHeaderBytes || records.readInt8(start + magicAt) !== 2) return undefined;
    const end = start + batchPrefixBytes + records.readInt32BE(start + batchLengthAt);
    const compression = compressionNames[records.readInt16BE(start + attributesAt) & codecMask];
    if (compression === undefined || end > records.length) return undefined;
    return { bodyBytes: end - start - batchHeaderBytes, compression };
  }

  /**
   * The next batch; undefined at the end and before a partial last batch, which is ignored, as brokers cut off at a size.
   *
   * @throws ProtocolError with code CORRUPT_BATCH
   */
  next(): BatchHeader | undefined {
    const start = this.#position;
    const records = this.#records;
    if (records.length - start < batchPrefixBytes) return undefined;
    const baseOffset = records.readBigInt64BE(start + baseOffsetAt);
    const length = records.readInt32BE(start + batchLengthAt);
    if (length < minLegacyBytes) throw corruptBatch(baseOffset, `its length is ${length}`);
    const end = start + batchPrefixBytes + length;
    if (end > records.length) return undefined;
    const magic = records.readInt8(start + magicAt);
    const batch =
      magic === 2
        ? readHeader(records, start, end, this.#checkCrcs)
        : readLegacyBatch(records, start, end, this.#checkCrcs);
    this.#position = batch.end;
    return batch;
  }
}

/**
 * All batches of a `records` field, one after the other; see {@link BatchReader} for what is checked and when.
 *
 * @throws ProtocolError with code CORRUPT_BATCH, when a corrupt batch is reached
 */
export function* readBatches(
  records: Buffer,
  options: ReadBatchesOptions = {},
): Generator<BatchHeader, void, undefined> {
  const reader = new BatchReader(records, options);
  for (let batch = reader.next(); batch !== undefined; batch = reader.next()) yield batch;
}

/** No message of magic 0 is shorter, without offset and length: checksum, magic, attributes, two lengths. */
const minLegacyBytes = 14;

function readHeader(bytes: Buffer, start: number, end: number, checkCrc: boolean): BatchHeader {
  const baseOffset = bytes.readBigInt64BE(start + baseOffsetAt);
  if (end - start < batchHeaderBytes) {
    throw corruptBatch(baseOffset, `its length is ${end - start - batchPrefixBytes}, less than its header`);
  }
  const crc = bytes.readUInt32BE(start + crcAt);
  if (checkCrc) checkCrc32c(bytes.subarray(start + attributesAt, end), crc, baseOffset);
  const attributes = bytes.readInt16BE(start + attributesAt);
  const header: BatchHeader = {
    baseOffset,
    partitionLeaderEpoch: bytes.readInt32BE(start + leaderEpochAt),
    magic: 2,
    crc,
    compression: compressionOf(attributes, baseOffset),
    timestampType: (attributes & logAppendTimeBit) === 0 ? 'create' : 'logAppend',
    isTransactional: (attributes & transactionalBit) !== 0,
    isControl: (attributes & controlBit) !== 0,
    hasDeleteHorizon: (attributes & deleteHorizonBit) !== 0,
    lastOffsetDelta: bytes.readInt32BE(start + lastOffsetDeltaAt),
    baseTimestamp: readInt64(bytes, start + baseTimestampAt),
    maxTimestamp: readInt64(bytes, start + maxTimestampAt),
    producerId: bytes.readBigInt64BE(start + producerIdAt),
    producerEpoch: bytes.readInt16BE(start + producerEpochAt),
    baseSequence: bytes.readInt32BE(start + baseSequenceAt),
    recordCount: bytes.readInt32BE(start + recordCountAt),
    bytes,
    start,
    recordsStart: start + batchHeaderBytes,
    end,
  };
  const problem = contradiction(header);
  if (problem !== undefined) throw corruptBatch(baseOffset, problem);
  return header;
}

function checkCrc32c(covered: Buffer, expected: number, baseOffset: bigint): void {
  const actual = crc32c(covered);
  if (actual === expected) return;
  throw corruptBatch(baseOffset, `its CRC32C is ${hex(actual)}, its header says ${hex(expected)}`);
}

/** The codec in a batch's attributes. */
function compressionOf(attributes: number, baseOffset: bigint): CompressionName {
  const compression = compressionNames[attributes & codecMask];
  if (compression === undefined) throw corruptBatch(baseOffset, `its codec ${attributes & codecMask} is not known`);
  return compression;
}

function contradiction(header: BatchHeader): string | undefined {
  const { baseOffset, lastOffsetDelta, recordCount, compression } = header;
  const bodyBytes = header.end - header.recordsStart;
  if (baseOffset < 0n) return 'its offset is negative';
  if (recordCount < 0) return `its record count is ${recordCount}`;
  if (compression === 'none' && recordCount * minRecordBytes > bodyBytes) {
    return `it announces ${recordCount} records in ${bodyBytes} bytes`;
  }
  if (lastOffsetDelta < 0 || lastOffsetDelta < recordCount - 1) {
    return `its last offset delta is ${lastOffsetDelta}, with ${recordCount} records`;
  }
  if (baseOffset + BigInt(lastOffsetDelta) >= 2n ** 63n - 1n) return 'its last offset leaves no room for a next one';
  return undefined;
}

function hex(crc: number): string {
  return `0x${crc.toString(16).padStart(8, '0')}`;
}

/** An int64 as a number; beyond the safe integers, the nearest. */
function readInt64(bytes: Buffer, position: number): number {
  const high = bytes.readInt32BE(position);
  const low = bytes.readUInt32BE(position + 4);
  // 2 ** 32 * high is exact, so that the one addition rounds correctly, to the same value as Number(bigint).
  return high * 0x1_0000_0000 + low;
}
