import { batchPrefixBytes, codecMask, logAppendTimeBit, magicAt } from './batch-layout.ts';
import type { BatchHeader } from './batch-header.ts';
import { compressionNames, type CompressionName } from './compression-type.ts';
import { corruptBatch } from './corrupt-batch.ts';
import { crc32 } from './crc.ts';
import { writeVarint, writeVarlong } from './varint.ts';

/** The messages of a batch of magic 0 or 1, rewritten as records of magic 2, so that one cursor walks all formats. */
export interface ConvertedMessages {
  readonly bytes: Buffer;
  readonly baseOffset: bigint;
  readonly recordCount: number;
  readonly lastOffsetDelta: number;
  /** What the timestamps of the records are relative to: always a safe integer. */
  readonly baseTimestamp: number;
}

const crcAt = batchPrefixBytes;
const attributesAt = 17;
const timestampAt = 18;
/** Offset, size, checksum, magic, attributes and two lengths; magic 1 has 8 bytes more. */
const minMessageBytes = 26;
const maxOffsetDelta = 0x7fff_ffffn;

/**
 * The batch that begins at `start`: one compressed message, or as many uncompressed ones of the same kind as follow each other.
 *
 * @param end where the first message ends; it lies within `bytes`
 */
export function readLegacyBatch(bytes: Buffer, start: number, end: number, checkCrc: boolean): BatchHeader {
  const first = readMessage(bytes, start, end, checkCrc);
  if (first.compression !== 'none') return wrapperHeader(bytes, first);
  let last = first;
  let recordCount = 1;
  let maxTimestamp = first.timestamp;
  for (;;) {
    const next = readFollowing(bytes, last, checkCrc);
    if (next === undefined || next.attributes !== first.attributes || next.magic !== first.magic) break;
    if (next.offset <= last.offset || next.offset - first.offset > maxOffsetDelta) break;
    last = next;
    recordCount++;
    if (next.timestamp > maxTimestamp) maxTimestamp = next.timestamp;
  }
  return {
    ...commonHeader(bytes, first),
    lastOffsetDelta: Number(last.offset - first.offset),
    maxTimestamp: Number(maxTimestamp),
    recordCount,
    recordsStart: start,
    end: last.end,
  };
}

/** Rewrites what {@link readLegacyBatch} found; `decompressed` is the content of a compressed message. */
export function convertLegacyMessages(batch: BatchHeader, decompressed: Buffer | undefined): ConvertedMessages {
  const isWrapper = decompressed !== undefined;
  const source = decompressed ?? batch.bytes;
  const start = isWrapper ? 0 : batch.recordsStart;
  const end = isWrapper ? source.length : batch.end;
  // No record of magic 2 takes more than the same message in the old formats: 23 bytes and content against 26, 32 against 34.
  const output = Buffer.allocUnsafeSlow(end - start);
  // Walked twice: offsets within a compressed message are relative, and only the last one tells what they are relative to.
  const span = offsetSpan(batch, source, start, end);
  let written = 0;
  let recordCount = 0;
  for (let at = start; at < end; recordCount++) {
    const message = readInner(batch, source, at, end);
    const timestamp = isWrapper && batch.timestampType === 'logAppend' ? BigInt(batch.maxTimestamp) : message.timestamp;
    written = writeRecord(output, written, source, message, timestamp, Number(message.offset - span.first));
    at = message.end;
  }
  const lastOffset = isWrapper && batch.magic === 1 ? batch.baseOffset : span.last;
  const baseOffset = lastOffset - (span.last - span.first);
  if (baseOffset < 0n) throw corruptBatch(batch.baseOffset, 'its messages begin before offset 0');
  return {
    bytes: output.subarray(0, written),
    baseOffset,
    recordCount,
    lastOffsetDelta: Number(span.last - span.first),
    baseTimestamp: 0,
  };
}

interface Message {
  readonly offset: bigint;
  readonly magic: number;
  readonly crc: number;
  readonly attributes: number;
  readonly compression: CompressionName;
  /** -1 in magic 0, which has none. */
  readonly timestamp: bigint;
  readonly keyStart: number;
  readonly keyLength: number;
  readonly valueStart: number;
  readonly valueLength: number;
  readonly start: number;
  readonly end: number;
}

function readMessage(bytes: Buffer, start: number, end: number, checkCrc: boolean): Message {
  const offset = bytes.readBigInt64BE(start);
  if (offset < 0n) throw corruptBatch(offset, 'its offset is negative');
  if (end - start < minMessageBytes) throw corruptBatch(offset, `its length is ${end - start - batchPrefixBytes}`);
  const magic = bytes.readInt8(start + magicAt);
  if (magic !== 0 && magic !== 1) throw corruptBatch(offset, `its magic ${magic} is not known`);
  const crc = bytes.readUInt32BE(start + crcAt);
  if (checkCrc && crc32(bytes.subarray(start + magicAt, end)) !== crc) {
    throw corruptBatch(offset, 'its CRC32 is not that of its content');
  }
  const attributes = bytes.readInt8(start + attributesAt);
  const compression = compressionNames[attributes & codecMask];
  if (compression === undefined || compression === 'zstd') {
    throw corruptBatch(offset, `its codec ${attributes & codecMask} is not known in magic ${magic}`);
  }
  const keyLengthAt = magic === 0 ? timestampAt : timestampAt + 8;
  const keyStart = start + keyLengthAt + 4;
  const keyLength = lengthAt(bytes, keyStart - 4, end, offset, 'key');
  const valueStart = keyStart + Math.max(0, keyLength) + 4;
  const valueLength = lengthAt(bytes, valueStart - 4, end, offset, 'value');
  const contentEnd = valueStart + Math.max(0, valueLength);
  if (contentEnd !== end) throw corruptBatch(offset, `${end - contentEnd} bytes follow its value`);
  const timestamp = magic === 0 ? -1n : bytes.readBigInt64BE(start + timestampAt);
  return {
    offset,
    magic,
    crc,
    attributes,
    compression,
    timestamp,
    keyStart,
    keyLength,
    valueStart,
    valueLength,
    start,
    end,
  };
}

function lengthAt(bytes: Buffer, position: number, end: number, offset: bigint, what: string): number {
  if (end - position < 4) throw corruptBatch(offset, `the length of its ${what} is cut off`);
  const length = bytes.readInt32BE(position);
  if (length < -1 || length > end - position - 4) throw corruptBatch(offset, `the length of its ${what} is ${length}`);
  return length;
}

/** The message behind `last` if it is whole and sound; what is wrong with it is told when its turn comes. */
function readFollowing(bytes: Buffer, last: Message, checkCrc: boolean): Message | undefined {
  const start = last.end;
  if (bytes.length - start < minMessageBytes) return undefined;
  const end = start + batchPrefixBytes + bytes.readInt32BE(start + 8);
  if (end > bytes.length || end - start < minMessageBytes) return undefined;
  try {
    return readMessage(bytes, start, end, checkCrc);
  } catch {
    return undefined;
  }
}

/** One message within a batch. */
function readInner(batch: BatchHeader, bytes: Buffer, start: number, end: number): Message {
  if (end - start < minMessageBytes) throw corruptBatch(batch.baseOffset, 'a message in it is cut off');
  const messageEnd = start + batchPrefixBytes + bytes.readInt32BE(start + 8);
  if (messageEnd > end || messageEnd - start < minMessageBytes) {
    throw corruptBatch(batch.baseOffset, `a message in it has the length ${messageEnd - start - batchPrefixBytes}`);
  }
  const message = readMessage(bytes, start, messageEnd, batch.compression !== 'none');
  if (message.magic !== batch.magic) throw corruptBatch(batch.baseOffset, `a message in it has magic ${message.magic}`);
  if (message.compression !== 'none') throw corruptBatch(batch.baseOffset, 'a message in it is compressed once more');
  return message;
}

function offsetSpan(batch: BatchHeader, bytes: Buffer, start: number, end: number): { first: bigint; last: bigint } {
  let first: bigint | undefined;
  let last = -1n;
  for (let at = start; at < end;) {
    const { offset, end: messageEnd } = readInner(batch, bytes, at, end);
    first ??= offset;
    if (offset <= last || offset - first > maxOffsetDelta) {
      throw corruptBatch(batch.baseOffset, `a message in it has offset ${offset}, after ${last}`);
    }
    last = offset;
    at = messageEnd;
  }
  if (first === undefined) throw corruptBatch(batch.baseOffset, 'it is compressed and has no message in it');
  return { first, last };
}

function writeRecord(
  output: Buffer,
  position: number,
  source: Buffer,
  message: Message,
  timestamp: bigint,
  offsetDelta: number,
): number {
  const { keyStart, keyLength, valueStart, valueLength } = message;
  // The body is written behind the longest possible length, and moved to where it belongs once its length is known.
  const bodyStart = position + 5;
  let at = bodyStart;
  output[at++] = 0;
  at = writeVarlong(output, at, timestamp);
  at = writeVarint(output, at, offsetDelta);
  at = writeVarint(output, at, keyLength);
  if (keyLength > 0) at += source.copy(output, at, keyStart, keyStart + keyLength);
  at = writeVarint(output, at, valueLength);
  if (valueLength > 0) at += source.copy(output, at, valueStart, valueStart + valueLength);
  output[at++] = 0;
  const lengthEnd = writeVarint(output, position, at - bodyStart);
  output.copyWithin(lengthEnd, bodyStart, at);
  return lengthEnd + (at - bodyStart);
}

function wrapperHeader(bytes: Buffer, wrapper: Message): BatchHeader {
  if (wrapper.valueLength < 0) throw corruptBatch(wrapper.offset, 'it is compressed and has no content');
  return {
    ...commonHeader(bytes, wrapper),
    lastOffsetDelta: 0,
    maxTimestamp: Number(wrapper.timestamp),
    recordCount: -1,
    recordsStart: wrapper.valueStart,
    end: wrapper.end,
  };
}

function commonHeader(
  bytes: Buffer,
  message: Message,
): Omit<BatchHeader, 'lastOffsetDelta' | 'maxTimestamp' | 'recordCount' | 'recordsStart' | 'end'> {
  const isLogAppend = message.magic === 1 && (message.attributes & logAppendTimeBit) !== 0;
  return {
    baseOffset: message.offset,
    partitionLeaderEpoch: -1,
    magic: message.magic,
    crc: message.crc,
    compression: message.compression,
    timestampType: isLogAppend ? 'logAppend' : 'create',
    isTransactional: false,
    isControl: false,
    hasDeleteHorizon: false,
    baseTimestamp: Number(message.timestamp),
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
    bytes,
    start: message.start,
  };
}
