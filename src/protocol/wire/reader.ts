import { ProtocolError } from '../../errors/kafka-error.ts';
import { ZERO_UUID } from './uuid.ts';

/** Java's limit for any string, kept for compact strings too, whose length prefix could say more. */
const MAX_STRING_BYTES = 0x7fff;

const EMPTY = Buffer.alloc(0);

/**
 * Reads the primitive values of Kafka's protocol from a buffer, in order.
 *
 * Whatever the bytes are, nothing but a {@link ProtocolError} is thrown, and nothing is allocated for a declared length or
 * count before it has been compared with the bytes that are left. Bytes and records come out as views of the buffer.
 */
export class Reader {
  /** The bytes that are read. */
  readonly buffer: Buffer;
  /** Where the next value starts. */
  offset: number;
  /** Where the bytes end. */
  readonly end: number;
  /** What is being read, for error messages: `a Fetch response of version 12`. */
  readonly what: string;
  private readonly view: DataView;

  constructor(bytes: Uint8Array, what = 'a message', offset = 0) {
    this.buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.offset = offset;
    this.end = bytes.byteLength;
    this.what = what;
  }

  /** How many bytes are left. */
  get remaining(): number {
    return this.end - this.offset;
  }

  /** A byte: true unless it is 0. */
  bool(): boolean {
    return this.view.getInt8(this.take(1)) !== 0;
  }

  /** A signed number in one byte. */
  int8(): number {
    return this.view.getInt8(this.take(1));
  }

  /** A signed number in two bytes, big-endian, as all of them. */
  int16(): number {
    return this.view.getInt16(this.take(2));
  }

  /** An unsigned number in two bytes. */
  uint16(): number {
    return this.view.getUint16(this.take(2));
  }

  /** A signed number in four bytes. */
  int32(): number {
    return this.view.getInt32(this.take(4));
  }

  /** An unsigned number in four bytes. */
  uint32(): number {
    return this.view.getUint32(this.take(4));
  }

  /** A signed number in eight bytes. */
  int64(): bigint {
    return this.view.getBigInt64(this.take(8));
  }

  /** A number in eight bytes, as IEEE 754 has it. */
  float64(): number {
    return this.view.getFloat64(this.take(8));
  }

  /** An unsigned number of up to 32 bits in at most five bytes. */
  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.view.getUint8(this.take(1));
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    const byte = this.view.getUint8(this.take(1));
    if (byte > 0x0f) throw this.fail('a varint has more than 32 bits');
    return value + byte * 0x1000_0000;
  }

  /** Kafka's base64 text of the 16 bytes. */
  uuid(): string {
    const at = this.take(16);
    // Most ids of a response that knows no ids are zero: they need no string of their own.
    if (this.view.getInt32(at) === 0 && isZero(this.view, at)) return ZERO_UUID;
    return this.buffer.toString('base64url', at, at + 16);
  }

  /** UTF-8 text behind a length of two bytes; null is refused. */
  string(): string {
    return this.text(this.present(this.int16(), 'a string'));
  }

  /** Like {@link Reader.string}; a length of -1 means null. */
  nullableString(): string | null {
    const length = this.int16();
    return length < 0 ? null : this.text(length);
  }

  /** Like {@link Reader.string}, for the flexible versions. */
  compactString(): string {
    return this.text(this.present(this.uvarint() - 1, 'a string'));
  }

  /** Like {@link Reader.nullableString}, for the flexible versions. */
  compactNullableString(): string | null {
    const length = this.uvarint() - 1;
    return length < 0 ? null : this.text(length);
  }

  /** Bytes behind a length of four bytes, as a view of the input; null is refused. */
  bytes(): Buffer {
    return this.slice(this.present(this.int32(), 'a byte field'));
  }

  /** Like {@link Reader.bytes}; a length of -1 means null. */
  nullableBytes(): Buffer | null {
    const length = this.int32();
    return length < 0 ? null : this.slice(length);
  }

  /** Like {@link Reader.bytes}, for the flexible versions. */
  compactBytes(): Buffer {
    return this.slice(this.present(this.uvarint() - 1, 'a byte field'));
  }

  /** Like {@link Reader.nullableBytes}, for the flexible versions. */
  compactNullableBytes(): Buffer | null {
    const length = this.uvarint() - 1;
    return length < 0 ? null : this.slice(length);
  }

  /**
   * The element count of an array that must not be null.
   *
   * @param minElementBytes the fewest bytes that one element takes: a count that the rest of the message cannot hold is refused
   */
  count(minElementBytes: number): number {
    return this.checkedCount(this.present(this.int32(), 'an array'), minElementBytes);
  }

  /** Like {@link Reader.count}; -1 means null. */
  nullableCount(minElementBytes: number): number {
    const count = this.int32();
    return count < 0 ? -1 : this.checkedCount(count, minElementBytes);
  }

  /** Like {@link Reader.count}, for the flexible versions. */
  compactCount(minElementBytes: number): number {
    return this.checkedCount(this.present(this.uvarint() - 1, 'an array'), minElementBytes);
  }

  /** Like {@link Reader.nullableCount}, for the flexible versions. */
  compactNullableCount(minElementBytes: number): number {
    const count = this.uvarint() - 1;
    return count < 0 ? -1 : this.checkedCount(count, minElementBytes);
  }

  /** How many tagged fields follow. */
  tagCount(): number {
    const count = this.uvarint();
    if (count * 2 > this.remaining) throw this.fail(`${count} tagged fields do not fit into ${this.remaining} bytes`);
    return count;
  }

  /** The number of the next tagged field; KIP-482 has them in ascending order, which also rules out a tag that comes twice. */
  nextTag(previous: number): number {
    const tag = this.uvarint();
    if (tag <= previous) throw this.fail(`tagged field ${tag} comes after tagged field ${previous}`);
    return tag;
  }

  /** Where the value of a tagged field ends. */
  tagEnd(): number {
    const size = this.uvarint();
    if (size > this.remaining) throw this.fail(`a tagged field of ${size} bytes does not fit into ${this.remaining}`);
    return this.offset + size;
  }

  /** Goes on behind a tagged field that this version does not know. */
  skipTo(end: number): void {
    this.offset = end;
  }

  /** Checks that a tagged field had the size that it declared. */
  endTag(end: number): void {
    if (this.offset !== end) throw this.fail('a tagged field is not as long as it declares');
  }

  /** Goes on behind all tagged fields, where the version has none of its own. */
  skipTags(): void {
    for (let count = this.tagCount(), tag = -1; count > 0; count--) {
      tag = this.nextTag(tag);
      this.skipTo(this.tagEnd());
    }
  }

  /** Refuses bytes behind the end of the message. */
  finish(): void {
    if (this.offset !== this.end) throw this.fail(`${this.remaining} bytes are left over`);
  }

  /** The error for bytes that cannot be what they should be. */
  fail(reason: string): ProtocolError {
    return new ProtocolError(`Cannot decode ${this.what}: ${reason}, at byte ${this.offset} of ${this.end}`);
  }

  private take(size: number): number {
    const at = this.offset;
    if (size > this.end - at) throw this.fail(`${size} bytes are needed`);
    this.offset = at + size;
    return at;
  }

  private present(length: number, what: string): number {
    if (length < 0) throw this.fail(`${what} is null that must not be`);
    return length;
  }

  private checkedCount(count: number, minElementBytes: number): number {
    if (count * minElementBytes > this.end - this.offset) {
      throw this.fail(`an array of ${count} elements does not fit into ${this.remaining} bytes`);
    }
    return count;
  }

  private text(length: number): string {
    if (length > MAX_STRING_BYTES) throw this.fail(`a string of ${length} bytes is longer than Kafka allows`);
    const at = this.take(length);
    return length === 0 ? '' : this.buffer.toString('utf8', at, at + length);
  }

  private slice(length: number): Buffer {
    const at = this.take(length);
    // A view costs about a hundred bytes: an array of empty ones would take far more memory than it has on the wire.
    return length === 0 ? EMPTY : this.buffer.subarray(at, at + length);
  }
}

function isZero(view: DataView, at: number): boolean {
  return view.getInt32(at + 4) === 0 && view.getInt32(at + 8) === 0 && view.getInt32(at + 12) === 0;
}
