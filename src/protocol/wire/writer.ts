import { refuse } from './refuse.ts';

/** Bytes from this size on are not copied, but handed out as a piece of their own. */
const REFERENCE_BYTES = 1024;

/** Up to here a loop over an ASCII text is faster than a call into the runtime. */
const SHORT_TEXT = 32;

const MAX_STRING_BYTES = 0x7fff;

const NONE: readonly never[] = [];

/**
 * Writes the primitive values of Kafka's protocol into one growing buffer.
 *
 * Large bytes and records are not copied: {@link Writer.takePieces} hands them out between the written parts, so they must not
 * change until the pieces have been sent. Every value is checked against the range of its type; the error names the field.
 */
export class Writer {
  private buffer: Buffer;
  private view: DataView;
  /** Where in `buffer` the part starts that is not yet in `pieces`. */
  private start = 0;
  private offset = 0;
  private pieces: Buffer[] = [];
  private pieceBytes = 0;
  /** Inside of a tagged field, whose size stands in front of it and may have to move it, everything is copied. */
  private openTags = 0;

  constructor(initialBytes = 512) {
    this.buffer = Buffer.allocUnsafe(initialBytes);
    this.view = new DataView(this.buffer.buffer, this.buffer.byteOffset, this.buffer.byteLength);
  }

  /** How many bytes have been written. */
  get length(): number {
    return this.pieceBytes + this.offset - this.start;
  }

  /** A byte, 1 or 0. */
  bool(value: boolean, field: string): void {
    if (typeof value !== 'boolean') throw refuse(field, value, 'a boolean');
    const at = this.reserve(1);
    this.view.setInt8(at, value ? 1 : 0);
  }

  /** A signed number in one byte. */
  int8(value: number, field: string): void {
    if ((value << 24) >> 24 !== value) throw refuse(field, value, 'an int8');
    const at = this.reserve(1);
    this.view.setInt8(at, value);
  }

  /** A signed number in two bytes, big-endian, as all of them. */
  int16(value: number, field: string): void {
    if ((value << 16) >> 16 !== value) throw refuse(field, value, 'an int16');
    const at = this.reserve(2);
    this.view.setInt16(at, value);
  }

  /** An unsigned number in two bytes. */
  uint16(value: number, field: string): void {
    if ((value & 0xffff) !== value) throw refuse(field, value, 'a uint16');
    const at = this.reserve(2);
    this.view.setUint16(at, value);
  }

  /** A signed number in four bytes. */
  int32(value: number, field: string): void {
    if ((value | 0) !== value) throw refuse(field, value, 'an int32');
    const at = this.reserve(4);
    this.view.setInt32(at, value);
  }

  /** An unsigned number in four bytes. */
  uint32(value: number, field: string): void {
    if (value >>> 0 !== value) throw refuse(field, value, 'a uint32');
    const at = this.reserve(4);
    this.view.setUint32(at, value);
  }

  /** A signed number in eight bytes; a `number` must be a safe integer. */
  int64(value: bigint | number, field: string): void {
    if (typeof value === 'bigint') {
      if (BigInt.asIntN(64, value) !== value) throw refuse(field, value, 'an int64');
      const at = this.reserve(8);
      this.view.setBigInt64(at, value);
      return;
    }
    if (!Number.isSafeInteger(value)) throw refuse(field, value, 'an int64 (a bigint, or a safe integer)');
    const at = this.reserve(8);
    this.view.setInt32(at, Math.floor(value / 0x1_0000_0000));
    this.view.setInt32(at + 4, value | 0);
  }

  /** A number in eight bytes, as IEEE 754 has it. */
  float64(value: number, field: string): void {
    if (typeof value !== 'number') throw refuse(field, value, 'a number');
    const at = this.reserve(8);
    this.view.setFloat64(at, value);
  }

  /** An unsigned number of up to 32 bits; lengths and counts only, so it is not checked. */
  uvarint(value: number): void {
    this.ensure(5);
    this.offset = this.putUvarint(value, this.offset);
  }

  /**
   * Sixteen bytes.
   *
   * @param value Kafka's base64 text
   */
  uuid(value: string, field: string): void {
    if (typeof value !== 'string' || value.length !== 22)
      throw refuse(field, value, 'a uuid in base64 of 22 characters');
    const at = this.reserve(16);
    if (this.buffer.write(value, at, 16, 'base64url') !== 16) throw refuse(field, value, 'a uuid in base64');
  }

  /**
   * UTF-8 text behind a length of two bytes.
   *
   * @param value `undefined` stands for the empty string
   */
  string(value: string | null | undefined, nullable: boolean, field: string): void {
    if (value === null && nullable) {
      const at = this.reserve(2);
      this.view.setInt16(at, -1);
      return;
    }
    const text = value === undefined ? '' : value;
    if (typeof text !== 'string') throw refuse(field, text, 'a string');
    const length = this.textBytes(text, field);
    const at = this.reserve(2);
    this.view.setInt16(at, length);
    this.text(text, length);
  }

  /** Like {@link Writer.string}, for the flexible versions. */
  compactString(value: string | null | undefined, nullable: boolean, field: string): void {
    if (value === null && nullable) {
      this.uvarint(0);
      return;
    }
    const text = value === undefined ? '' : value;
    if (typeof text !== 'string') throw refuse(field, text, 'a string');
    const length = this.textBytes(text, field);
    this.uvarint(length + 1);
    this.text(text, length);
  }

  /**
   * Bytes behind a length of four bytes; large ones are kept by reference.
   *
   * @param value `undefined` stands for no bytes
   */
  bytes(value: Uint8Array | null | undefined, nullable: boolean, field: string): void {
    if (value === null && nullable) {
      const at = this.reserve(4);
      this.view.setInt32(at, -1);
      return;
    }
    if (value === undefined) {
      const at = this.reserve(4);
      this.view.setInt32(at, 0);
      return;
    }
    if (!(value instanceof Uint8Array)) throw refuse(field, value, 'bytes (a Uint8Array)');
    const at = this.reserve(4);
    this.view.setInt32(at, value.length);
    this.raw(value);
  }

  /** Like {@link Writer.bytes}, for the flexible versions. */
  compactBytes(value: Uint8Array | null | undefined, nullable: boolean, field: string): void {
    if (value === null && nullable) {
      this.uvarint(0);
      return;
    }
    if (value === undefined) {
      this.uvarint(1);
      return;
    }
    if (!(value instanceof Uint8Array)) throw refuse(field, value, 'bytes (a Uint8Array)');
    this.uvarint(value.length + 1);
    this.raw(value);
  }

  /**
   * Writes the count of an array and gives back the elements to write.
   *
   * @param value `undefined` stands for the empty array
   */
  array<T>(value: readonly T[] | null | undefined, nullable: boolean, field: string): readonly T[] {
    if (value === null && nullable) {
      const at = this.reserve(4);
      this.view.setInt32(at, -1);
      return NONE;
    }
    const elements: readonly T[] | null = value === undefined ? NONE : value;
    if (!isArray(elements)) throw refuse(field, elements, 'an array');
    const at = this.reserve(4);
    this.view.setInt32(at, elements.length);
    return elements;
  }

  /** Like {@link Writer.array}, for the flexible versions. */
  compactArray<T>(value: readonly T[] | null | undefined, nullable: boolean, field: string): readonly T[] {
    if (value === null && nullable) {
      this.uvarint(0);
      return NONE;
    }
    const elements: readonly T[] | null = value === undefined ? NONE : value;
    if (!isArray(elements)) throw refuse(field, elements, 'an array');
    this.uvarint(elements.length + 1);
    return elements;
  }

  /** Bytes as they are, without a length. */
  raw(value: Uint8Array): void {
    if (value.length < REFERENCE_BYTES || this.openTags > 0) {
      const at = this.reserve(value.length);
      this.buffer.set(value, at);
      return;
    }
    this.closePiece();
    this.pieces.push(Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength));
    this.pieceBytes += value.length;
  }

  /** Starts a tagged field; its size is put in front of it by {@link Writer.closeTag}, which wants what this gives back. */
  openTag(tag: number): number {
    this.uvarint(tag);
    this.openTags++;
    return this.reserve(1) - this.start;
  }

  /** Ends the tagged field that gave this mark. */
  closeTag(mark: number): void {
    this.openTags--;
    const size = this.offset - this.start - mark - 1;
    const prefix = uvarintBytes(size);
    if (prefix > 1) this.reserve(prefix - 1);
    // Only now is it known where the field lies: the buffer may have grown.
    const at = this.start + mark;
    if (prefix > 1) this.buffer.copyWithin(at + prefix, at + 1, at + 1 + size);
    this.putUvarint(size, at);
  }

  /** What has been written, in order, large bytes by reference. The writer is empty afterwards. */
  takePieces(): Buffer[] {
    this.closePiece();
    const { pieces } = this;
    this.pieces = [];
    this.pieceBytes = 0;
    return pieces;
  }

  /** What has been written, as one buffer. The writer is empty afterwards. */
  toBuffer(): Buffer {
    const pieces = this.takePieces();
    return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
  }

  private closePiece(): void {
    if (this.offset === this.start) return;
    this.pieces.push(this.buffer.subarray(this.start, this.offset));
    this.pieceBytes += this.offset - this.start;
    this.start = this.offset;
  }

  // Call it on a line of its own: in `this.view.setInt8(this.reserve(1), value)` the view would be the one from before it grew.
  private reserve(size: number): number {
    const at = this.offset;
    if (at + size > this.buffer.length) {
      this.grow(size);
      return this.reserve(size);
    }
    this.offset = at + size;
    return at;
  }

  // There must be room for it. Gives back where it ends.
  private putUvarint(value: number, start: number): number {
    let at = start;
    let rest = value;
    while (rest > 0x7f) {
      this.buffer[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.buffer[at++] = rest;
    return at;
  }

  private ensure(size: number): void {
    if (this.offset + size > this.buffer.length) this.grow(size);
  }

  // Only the part that no piece refers to moves on: the pieces keep the old buffer.
  private grow(size: number): void {
    const used = this.offset - this.start;
    const grown = Buffer.allocUnsafe(Math.max((used + size) * 2, 1024));
    grown.set(this.buffer.subarray(this.start, this.offset));
    this.buffer = grown;
    this.view = new DataView(grown.buffer, grown.byteOffset, grown.byteLength);
    this.start = 0;
    this.offset = used;
  }

  private textBytes(text: string, field: string): number {
    // Each character takes three bytes at most, so a short text needs no measuring to be within the limit.
    const length = text.length <= SHORT_TEXT && isAscii(text) ? text.length : Buffer.byteLength(text);
    if (length > MAX_STRING_BYTES)
      throw refuse(field, length, `the length of a string; ${MAX_STRING_BYTES} bytes are allowed`);
    return length;
  }

  private text(text: string, length: number): void {
    const at = this.reserve(length);
    if (length <= SHORT_TEXT && length === text.length) {
      for (let i = 0; i < length; i++) this.buffer[at + i] = text.charCodeAt(i);
    } else {
      this.buffer.write(text, at, length, 'utf8');
    }
  }
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

function uvarintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 0x7f; rest >>>= 7) bytes++;
  return bytes;
}

// Array.isArray alone makes `any[]` of a read-only array.
function isArray<T>(value: readonly T[] | null): value is readonly T[] {
  return Array.isArray(value);
}
