const two28 = 2 ** 28;

/** How many bytes the zigzag varint of an int32 takes. */
export function varintSize(value: number): number {
  // A byte for each seven bits, (9 × bits + 64) >> 6 with bits = 32 - clz32: without branches it is small enough for V8 to put it into
  // its callers.
  return (352 - 9 * Math.clz32(((value << 1) ^ (value >> 31)) | 1)) >>> 6;
}

/** Writes an int32 as a zigzag varint; the caller has made room. Returns the position after it. */
export function writeVarint(bytes: Uint8Array, position: number, value: number): number {
  let at = position;
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  for (; zigzag > 0x7f; zigzag >>>= 7) bytes[at++] = zigzag | 0x80; // the array keeps the low eight bits
  bytes[at] = zigzag;
  return at + 1;
}

/** How many bytes the zigzag varint of an int64 takes. */
export function varlongSize(value: bigint): number {
  let zigzag = zigzag64(value);
  let size = 1;
  while (zigzag >= 0x80n) {
    zigzag >>= 7n;
    size++;
  }
  return size;
}

/** Writes an int64 as a zigzag varint; the caller has made room. Returns the position after it. */
export function writeVarlong(bytes: Uint8Array, position: number, value: bigint): number {
  let zigzag = zigzag64(value);
  let at = position;
  while (zigzag >= 0x80n) {
    bytes[at++] = Number(zigzag & 0x7fn) | 0x80;
    zigzag >>= 7n;
  }
  bytes[at++] = Number(zigzag);
  return at;
}

function zigzag64(value: bigint): bigint {
  return BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
}

/**
 * Reads one varint after the other, without an object for each: every read moves {@link VarintReader.position}.
 *
 * A read beyond the end of `bytes`, or of a varint longer than its type allows, gives `NaN`: callers compare the result with
 * bounds that `NaN` never meets, or ask {@link VarintReader.failed}.
 */
export class VarintReader {
  readonly bytes: Uint8Array;
  position: number;
  failed = false;
  /** Set by {@link VarintReader.varlong} when the value lies beyond the safe integers; the exact value. */
  exact = 0n;

  constructor(bytes: Uint8Array, position: number) {
    this.bytes = bytes;
    this.position = position;
  }

  /** A zigzag int32. */
  varint(): number {
    const bytes = this.bytes;
    let at = this.position;
    // `?? 0x100`: behind the end stands a byte that no varint can hold, so that it counts as malformed.
    let byte = bytes[at++] ?? 0x100;
    let zigzag = byte & 0x7f;
    let shift = 7;
    while (byte >= 0x80) {
      if (byte === 0x100) return this.#fail();
      byte = bytes[at++] ?? 0x100;
      if (shift === 28 && byte > 0x0f) return this.#fail();
      zigzag |= (byte & 0x7f) << shift;
      shift += 7;
    }
    this.position = at;
    return (zigzag >>> 1) ^ -(zigzag & 1);
  }

  /** A zigzag int64, rounded to the nearest number; {@link VarintReader.exact} has it in full if it is not a safe integer. */
  varlong(): number {
    const bytes = this.bytes;
    const start = this.position;
    let low = 0;
    let high = 0;
    let length = 0;
    for (;;) {
      const byte = bytes[start + length] ?? 0x100;
      if (byte === 0x100 || length === 10 || (length === 9 && byte > 1)) return this.#fail();
      if (length < 4) low |= (byte & 0x7f) << (7 * length);
      else if (length < 7) high |= (byte & 0x7f) << (7 * (length - 4));
      length++;
      if (byte < 0x80) break;
    }
    this.position = start + length;
    if (length > 7) return this.#wideVarlong(start, length);
    const zigzag = high * two28 + low; // at most 49 bits: exact
    return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
  }

  #wideVarlong(start: number, length: number): number {
    let zigzag = 0n;
    for (let index = length - 1; index >= 0; index--) {
      zigzag = (zigzag << 7n) | BigInt((this.bytes[start + index] ?? 0) & 0x7f);
    }
    this.exact = (zigzag >> 1n) ^ -(zigzag & 1n);
    return Number(this.exact);
  }

  #fail(): number {
    this.failed = true;
    return NaN;
  }
}
