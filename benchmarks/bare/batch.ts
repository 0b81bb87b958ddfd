/** Record batches by hand: what any client has to do at least for each record, and nothing else. */
import { crc32c } from '../../src/protocol/records/crc.ts';

/** The record batch header's length. */
const headerBytes = 61;

/** Key and value of a record, as bytes. */
export interface BareRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** What stands in a batch's header. */
export interface BatchFacts {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly timestampMs: number;
}

/** Fills `bytes` with a batch of the records from `start` on (around the end of the list) and says how many went in. */
export function writeBatch(
  bytes: Buffer,
  records: readonly BareRecord[],
  start: number,
  facts: BatchFacts,
): { readonly count: number; readonly end: number } {
  let position = headerBytes;
  let count = 0;
  let index = start;
  const total = records.length;
  for (;;) {
    const record = records[index];
    if (record === undefined) throw new RangeError('start is outside of the list');
    const { key, value } = record;
    const keyLength = key.length;
    const valueLength = value.length;
    const size =
      3 +
      varintBytes(count << 1) +
      varintBytes(keyLength << 1) +
      varintBytes(valueLength << 1) +
      keyLength +
      valueLength;
    if (position + size + 5 > bytes.length) break;
    position = writeVarint(bytes, position, size << 1);
    bytes[position++] = 0;
    bytes[position++] = 0;
    position = writeVarint(bytes, position, count << 1);
    position = writeVarint(bytes, position, keyLength << 1);
    // Short copies are faster in a loop than through the call.
    for (let at = 0; at < keyLength; at++) bytes[position + at] = key[at] ?? 0;
    position += keyLength;
    position = writeVarint(bytes, position, valueLength << 1);
    bytes.set(value, position);
    position += valueLength;
    bytes[position++] = 0;
    count++;
    index++;
    if (index === total) index = 0;
  }
  writeHeader(bytes, position, count, facts);
  return { count, end: position };
}

function writeHeader(bytes: Buffer, end: number, count: number, facts: BatchFacts): void {
  bytes.writeBigInt64BE(0n, 0);
  bytes.writeInt32BE(end - 12, 8);
  bytes.writeInt32BE(-1, 12);
  bytes[16] = 2;
  bytes.writeInt16BE(0, 21);
  bytes.writeInt32BE(count - 1, 23);
  bytes.writeBigInt64BE(BigInt(facts.timestampMs), 27);
  bytes.writeBigInt64BE(BigInt(facts.timestampMs), 35);
  bytes.writeBigInt64BE(facts.producerId, 43);
  bytes.writeInt16BE(facts.producerEpoch, 51);
  bytes.writeInt32BE(facts.baseSequence, 53);
  bytes.writeInt32BE(count, 57);
  bytes.writeUInt32BE(crc32c(bytes.subarray(21, end)), 17);
}

function varintBytes(zigzagged: number): number {
  return zigzagged < 0x80 ? 1 : zigzagged < 0x4000 ? 2 : zigzagged < 0x200000 ? 3 : zigzagged < 0x10000000 ? 4 : 5;
}

function writeVarint(bytes: Buffer, at: number, zigzagged: number): number {
  let position = at;
  let rest = zigzagged;
  while (rest >= 0x80) {
    bytes[position++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[position++] = rest;
  return position;
}

/** The offset after the last whole batch of `bytes[start, end)`, or undefined where there is none. */
export function nextOffsetOf(bytes: Buffer, start: number, end: number): number | undefined {
  let position = start;
  let next: number | undefined;
  while (position + headerBytes <= end) {
    const batchEnd = position + 12 + bytes.readInt32BE(position + 8);
    if (batchEnd > end) break;
    next = Number(bytes.readBigInt64BE(position)) + bytes.readInt32BE(position + 23) + 1;
    position = batchEnd;
  }
  return next;
}

/** What was read out of fetched batches. */
export interface ReadTotals {
  records: number;
  bytes: number;
  /** Takes one byte of each value in, so that a value is looked at and not only stepped over. */
  checksum: number;
}

/** Checks and walks the batches of `bytes[start, end)`, skipping the records before `from`. */
export function readBatches(bytes: Buffer, start: number, end: number, from: number, totals: ReadTotals): void {
  let position = start;
  while (position + headerBytes <= end) {
    const batchEnd = position + 12 + bytes.readInt32BE(position + 8);
    if (batchEnd > end) break;
    if (crc32c(bytes.subarray(position + 21, batchEnd)) !== bytes.readUInt32BE(position + 17)) {
      throw new Error('A batch does not match its checksum');
    }
    const skipped = Math.max(0, from - Number(bytes.readBigInt64BE(position)));
    readRecords(bytes, position + headerBytes, bytes.readInt32BE(position + 57), skipped, totals);
    position = batchEnd;
  }
}

let varint = 0;

/** Leaves the value in `varint` and answers with the next position: two results without an object. */
function readVarint(bytes: Buffer, at: number): number {
  let position = at;
  let byte = bytes[position++] ?? 0;
  let raw = byte & 0x7f;
  for (let shift = 7; byte >= 0x80; shift += 7) {
    byte = bytes[position++] ?? 0;
    raw |= (byte & 0x7f) << shift;
  }
  varint = (raw >>> 1) ^ -(raw & 1);
  return position;
}

function readRecords(bytes: Buffer, start: number, count: number, skipped: number, totals: ReadTotals): void {
  let position = start;
  let valueBytes = 0;
  let checksum = 0;
  for (let index = 0; index < count; index++) {
    position = readVarint(bytes, position);
    const end = position + varint;
    position = readVarint(bytes, position + 1);
    position = readVarint(bytes, position);
    position = readVarint(bytes, position);
    position = readVarint(bytes, position + Math.max(0, varint));
    if (index >= skipped) {
      valueBytes += varint;
      checksum = (checksum + (bytes[position] ?? 0)) | 0;
    }
    position = end;
  }
  totals.records += Math.max(0, count - skipped);
  totals.bytes += valueBytes;
  totals.checksum = (totals.checksum + checksum) | 0;
}
