import type { ProtocolError } from '../../errors/kafka-error.ts';
import { baseTimestampAt, minRecordBytes } from './batch-layout.ts';
import type { BatchHeader } from './batch-header.ts';
import { corruptBatch } from './corrupt-batch.ts';
import { convertLegacyMessages } from './legacy-message-set.ts';
import type { PlaceCollector } from './record-places.ts';
import { VarintReader } from './varint.ts';

/** A header of a record that was read; its value is a view of the batch. */
export interface ReadRecordHeader {
  /** The name of the header. */
  readonly key: string;
  /** Null where it was sent so. */
  readonly value: Buffer | null;
}

/**
 * Walks the records of one batch without an object for any of them: {@link RecordCursor.next} moves on, the fields describe
 * where it stands. Keys and values are places in {@link RecordCursor.bytes}.
 */
export class RecordCursor {
  /** What the positions count in; the fetched bytes themselves if the batch is not compressed. */
  readonly bytes: Buffer;
  /** The offset that {@link RecordCursor.offsetDelta} counts from; in old formats it may differ from the batch's. */
  readonly baseOffset: bigint;
  /** How many records there are. */
  readonly recordCount: number;
  /** @internal The bytes of all records together, decompressed. */
  readonly contentBytes: number;

  /** The record's offset, counted from {@link RecordCursor.baseOffset}. */
  offsetDelta = -1;
  /** In milliseconds; -1 if the record has none. Beyond the safe integers, the nearest number. */
  timestampMs = -1;
  /** Where the key begins. */
  keyStart = 0;
  /** -1 if the key is null. */
  keyLength = -1;
  /** Where the value begins. */
  valueStart = 0;
  /** -1 if the value is null. */
  valueLength = -1;
  /** How many headers the record has. */
  headerCount = 0;
  /** Where the first header begins, for {@link readHeaders}. */
  headersStart = 0;
  /** What the record takes in the (decompressed) batch. */
  sizeBytes = 0;

  readonly #reader: VarintReader;
  readonly #end: number;
  readonly #lastOffsetDelta: number;
  readonly #appendTimeMs: number | undefined;
  readonly #baseTimestampMs: number;
  /** Only where the base timestamp is not a safe integer. */
  readonly #exactBaseTimestamp: bigint | undefined;
  #position: number;
  #index = 0;
  /** Whether no record was met yet that {@link RecordCursor.collect} leaves to {@link RecordCursor.next}. */
  #isPlain: boolean;

  /**
   * @param batch from a `BatchReader`
   * @param decompressed what the codec made of the batch's records; required if the batch is compressed
   * @throws ProtocolError with code CORRUPT_BATCH
   */
  constructor(batch: BatchHeader, decompressed?: Buffer) {
    if (batch.compression !== 'none' && decompressed === undefined) {
      throw corruptBatch(
        batch.baseOffset,
        `its records are compressed with ${batch.compression} and were not decompressed`,
      );
    }
    const content = batch.magic < 2 ? convertLegacyMessages(batch, decompressed) : undefined;
    this.bytes = content?.bytes ?? decompressed ?? batch.bytes;
    this.baseOffset = content?.baseOffset ?? batch.baseOffset;
    this.recordCount = content?.recordCount ?? batch.recordCount;
    this.#lastOffsetDelta = content?.lastOffsetDelta ?? batch.lastOffsetDelta;
    const isOwnBuffer = content !== undefined || decompressed !== undefined;
    this.#position = isOwnBuffer ? 0 : batch.recordsStart;
    this.#end = isOwnBuffer ? this.bytes.length : batch.end;
    this.contentBytes = this.#end - this.#position;
    this.#reader = new VarintReader(this.bytes, 0);
    // Old formats keep a time with each message; the conversion has put the wrapper's in its place where that is what counts.
    this.#appendTimeMs = content === undefined && batch.timestampType === 'logAppend' ? batch.maxTimestamp : undefined;
    this.#baseTimestampMs = content?.baseTimestamp ?? batch.baseTimestamp;
    const isExact = content !== undefined || Number.isSafeInteger(batch.baseTimestamp);
    this.#isPlain = isExact;
    this.#exactBaseTimestamp = isExact ? undefined : batch.bytes.readBigInt64BE(batch.start + baseTimestampAt);
    if (this.recordCount * minRecordBytes > this.contentBytes) {
      throw this.#corrupt(`it announces ${this.recordCount} records in ${this.contentBytes} bytes`);
    }
  }

  /** Where the next record begins; after the last one, the end. */
  get position(): number {
    return this.#position;
  }

  /** The offset of the record. */
  get offset(): bigint {
    return this.baseOffset + BigInt(this.offsetDelta);
  }

  /**
   * Moves to the next record; false at the end.
   *
   * @throws ProtocolError with code CORRUPT_BATCH
   */
  next(): boolean {
    if (this.#index === this.recordCount) {
      if (this.#position !== this.#end)
        throw this.#corrupt(`${this.#end - this.#position} bytes follow its last record`);
      return false;
    }
    const bytes = this.bytes;
    const start = this.#position;
    // Every varint is read here if it has one byte, as most have, and by the reader otherwise. A read beyond the end gives
    // undefined, which no bound below admits.
    let at = start;
    let byte = bytes[at] as number;
    let size: number;
    if (byte < 0x80) {
      size = (byte >>> 1) ^ -(byte & 1);
      at++;
    } else {
      size = this.#varint(at);
      at = this.#reader.position;
    }
    const end = at + size;
    if (!(size >= minRecordBytes - 1 && end <= this.#end)) throw this.#corruptRecord(`its length is ${size}`);
    at++; // attributes, unused

    byte = bytes[at] as number;
    let timestampMs: number;
    if (byte < 0x80 && this.#exactBaseTimestamp === undefined) {
      timestampMs = this.#baseTimestampMs + ((byte >>> 1) ^ -(byte & 1));
      at++;
    } else {
      timestampMs = this.#timestamp(at);
      at = this.#reader.position;
    }
    byte = bytes[at] as number;
    let offsetDelta: number;
    if (byte < 0x80) {
      offsetDelta = (byte >>> 1) ^ -(byte & 1);
      at++;
    } else {
      offsetDelta = this.#varint(at);
      at = this.#reader.position;
    }
    if (!(offsetDelta > this.offsetDelta && offsetDelta <= this.#lastOffsetDelta)) {
      throw this.#corruptRecord(
        `its offset delta is ${offsetDelta}, after ${this.offsetDelta} and up to ${this.#lastOffsetDelta}`,
      );
    }

    byte = bytes[at] as number;
    let keyLength: number;
    if (byte < 0x80) {
      keyLength = (byte >>> 1) ^ -(byte & 1);
      at++;
    } else {
      keyLength = this.#varint(at);
      at = this.#reader.position;
    }
    if (!(keyLength >= -1 && keyLength <= end - at)) throw this.#corruptRecord(`the length of its key is ${keyLength}`);
    const keyStart = at;
    if (keyLength > 0) at += keyLength;

    byte = bytes[at] as number;
    let valueLength: number;
    if (byte < 0x80) {
      valueLength = (byte >>> 1) ^ -(byte & 1);
      at++;
    } else {
      valueLength = this.#varint(at);
      at = this.#reader.position;
    }
    if (!(valueLength >= -1 && valueLength <= end - at)) {
      throw this.#corruptRecord(`the length of its value is ${valueLength}`);
    }
    const valueStart = at;
    if (valueLength > 0) at += valueLength;

    byte = bytes[at] as number;
    if (byte === 0) {
      this.headerCount = 0;
      at++;
      this.headersStart = at;
    } else {
      at = this.#checkHeaders(at, end);
    }
    if (at !== end) throw this.#corruptRecord(`its content has ${at - end} bytes more than its length says`);

    this.offsetDelta = offsetDelta;
    this.timestampMs = this.#appendTimeMs ?? timestampMs;
    this.keyStart = keyStart;
    this.keyLength = keyLength;
    this.valueStart = valueStart;
    this.valueLength = valueLength;
    this.sizeBytes = end - start;
    this.#position = end;
    this.#index++;
    return true;
  }

  /**
   * Adds where the next records stand to `into`, until it holds `limit` of them: the same as {@link RecordCursor.next} for each, in half
   * the time. Passes over those whose offset delta is below `from`. False if that was the last one.
   *
   * @internal
   * @throws ProtocolError with code CORRUPT_BATCH; what lies before the corrupt record is added
   */
  collect(into: PlaceCollector, limit: number, from: number): boolean {
    const baseMs = this.#appendTimeMs ?? this.#baseTimestampMs;
    if (into.count === 0) into.baseTimestampMs = baseMs;
    // Where the collector counts times from another one, each is to be looked at.
    const isSameBase = into.baseTimestampMs === baseMs;
    while (into.count < limit) {
      if (this.#isPlain && isSameBase) this.#collectPlain(into, limit, from);
      if (into.count === limit) return true;
      if (!this.next()) return false;
      if (this.offsetDelta >= from) into.add(this);
    }
    return true;
  }

  /**
   * As far as records have no headers, and no number of more than three bytes. Whatever is not so, or wrong, stays for {@link RecordCursor.next},
   * which looks closer: so this needs no fields, and keeps to what the processor has in registers.
   */
  #collectPlain(into: PlaceCollector, limit: number, from: number): void {
    const { bytes } = this;
    const batchEnd = this.#end;
    const lastOffsetDelta = this.#lastOffsetDelta;
    const hasOwnTimes = this.#appendTimeMs === undefined;
    let start = this.#position;
    let offsetDelta = this.offsetDelta;
    let index = this.#index;
    while (into.count < limit && index < this.recordCount) {
      let at = start;
      // Each number as it stands there, one byte after the other as long as the highest bit says that there are more.
      let size = bytes[at++] as number;
      if (size >= 0x80) size = (size & 0x7f) | ((bytes[at++] as number) << 7);
      if (size >= 0x4000) size = (size & 0x3fff) | ((bytes[at++] as number) << 14);
      const end = at + (size >>> 1);
      // An odd one is negative. Up to here nothing may be read beyond the end; the sum of the lengths is compared with it below.
      if ((size & 1) === 1 || size >= 0x20_0000 || end > batchEnd) break;
      at++; // attributes, unused

      let time = bytes[at++] as number;
      if (time >= 0x80) time = (time & 0x7f) | ((bytes[at++] as number) << 7);
      if (time >= 0x4000) time = (time & 0x3fff) | ((bytes[at++] as number) << 14);

      let delta = bytes[at++] as number;
      if (delta >= 0x80) delta = (delta & 0x7f) | ((bytes[at++] as number) << 7);
      if (delta >= 0x4000) delta = (delta & 0x3fff) | ((bytes[at++] as number) << 14);

      let key = bytes[at++] as number;
      if (key >= 0x80) key = (key & 0x7f) | ((bytes[at++] as number) << 7);
      if (key >= 0x4000) key = (key & 0x3fff) | ((bytes[at++] as number) << 14);
      const keyStart = at;
      const keyLength = (key >>> 1) ^ -(key & 1);
      if (keyLength > 0) at += keyLength;
      if (at >= end) break;

      let value = bytes[at++] as number;
      if (value >= 0x80) value = (value & 0x7f) | ((bytes[at++] as number) << 7);
      if (value >= 0x4000) value = (value & 0x3fff) | ((bytes[at++] as number) << 14);
      const valueStart = at;
      const valueLength = (value >>> 1) ^ -(value & 1);
      if (valueLength > 0) at += valueLength;

      const isShort = time < 0x20_0000 && delta < 0x20_0000 && key < 0x20_0000 && value < 0x20_0000;
      const isWhole = keyLength >= -1 && valueLength >= -1 && at === end - 1 && bytes[at] === 0;
      const next = (delta >>> 1) ^ -(delta & 1);
      if (!isShort || !isWhole || next <= offsetDelta || next > lastOffsetDelta) break;
      offsetDelta = next;
      start = end;
      index++;
      if (next < from) continue;
      const timestampDelta = hasOwnTimes ? (time >>> 1) ^ -(time & 1) : 0;
      into.put(next, timestampDelta, keyStart, keyLength, valueStart, valueLength, end, 0);
    }
    this.#isPlain = into.count === limit || index === this.recordCount;
    this.#position = start;
    this.offsetDelta = offsetDelta;
    this.#index = index;
  }

  #varint(position: number): number {
    this.#reader.position = position;
    const value = this.#reader.varint();
    if (this.#reader.failed) throw this.#corruptRecord('a varint is longer than 5 bytes, or cut off');
    return value;
  }

  #timestamp(position: number): number {
    const reader = this.#reader;
    reader.position = position;
    const delta = reader.varlong();
    if (reader.failed) throw this.#corruptRecord('a varint is longer than 10 bytes, or cut off');
    if (this.#exactBaseTimestamp === undefined && Number.isSafeInteger(delta)) return this.#baseTimestampMs + delta;
    const exactDelta = Number.isSafeInteger(delta) ? BigInt(delta) : reader.exact;
    const base = this.#exactBaseTimestamp ?? BigInt(this.#baseTimestampMs);
    return Number(BigInt.asIntN(64, base + exactDelta));
  }

  /** Sets count and start of the headers and answers where they end. */
  #checkHeaders(position: number, end: number): number {
    const count = this.#varint(position);
    let at = this.#reader.position;
    this.headersStart = at;
    if (!(count >= 0 && count <= (end - at) / 2)) throw this.#corruptRecord(`the number of its headers is ${count}`);
    for (let index = 0; index < count; index++) {
      const keyLength = this.#varint(at);
      at = this.#reader.position;
      if (!(keyLength >= 0 && keyLength <= end - at)) {
        throw this.#corruptRecord(`the length of the key of a header is ${keyLength}`);
      }
      const valueLength = this.#varint(at + keyLength);
      at = this.#reader.position;
      if (!(valueLength >= -1 && valueLength <= end - at)) {
        throw this.#corruptRecord(`the length of the value of a header is ${valueLength}`);
      }
      at += Math.max(0, valueLength);
    }
    this.headerCount = count;
    return at;
  }

  #corruptRecord(what: string): ProtocolError {
    return this.#corrupt(`in record ${this.#index + 1} of ${this.recordCount}, ${what}`);
  }

  #corrupt(what: string): ProtocolError {
    return corruptBatch(this.baseOffset, what);
  }
}

/** The headers of a record, read from {@link RecordCursor.headersStart} on; values are views, keys are copies. */
export function readHeaders(bytes: Buffer, headersStart: number, headerCount: number): ReadRecordHeader[] {
  const reader = new VarintReader(bytes, headersStart);
  const headers: ReadRecordHeader[] = [];
  for (let index = 0; index < headerCount; index++) {
    const key = take(reader, bytes);
    headers.push({ key: key?.toString('utf8') ?? '', value: take(reader, bytes) });
  }
  return headers;
}

function take(reader: VarintReader, bytes: Buffer): Buffer | null {
  const length = reader.varint();
  if (length === -1) return null;
  const start = reader.position;
  if (!(length >= 0 && length <= bytes.length - start)) throw corruptBatch(-1n, `the length in a header is ${length}`);
  reader.position = start + length;
  return bytes.subarray(start, start + length);
}
