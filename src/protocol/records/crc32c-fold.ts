import crc32cTables from 'crc-32/crc32c.js';

// TypeScript knows it as part of browsers only.
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

/**
 * The exponents of a multiple of the CRC32C polynomial with few terms: x^79 + x^75 + … + x + 1, found by search.
 *
 * So x^79 leaves the same remainder as the sum of the other terms. The same holds with each exponent doubled, and doubled again: squaring a
 * polynomial over GF(2) does just that. With x^128 for x, a unit of 16 bytes may be taken out of a text if it is added, which is XOR, to the
 * seven units that lie 79 minus each of the smaller exponents behind it: the checksum stays. Every unit but the last 79 goes that way, at a
 * few XORs for 16 bytes, which no way through tables comes near to; what is left is a text of 1,264 bytes for the tables.
 *
 * The idea is Chorba, Sam Russell 2024 (https://arxiv.org/abs/2412.16398), there for CRC32.
 */
export const multipleExponents = [0, 1, 12, 18, 58, 71, 75, 79] as const;

const UNIT_BYTES = 16;
const degreeBytes = (multipleExponents.at(-1) ?? 0) * UNIT_BYTES;

/** What is folded at a time: small enough to stay in the processor's cache. */
const CHUNK_BYTES = 64 * 1024;
const PAGE_BYTES = 64 * 1024;

/** From here on folding is faster than tables alone. */
export const FOLD_FROM_BYTES = 2560;

/**
 * CRC32C by folding, for {@link FOLD_FROM_BYTES} and more; undefined where WebAssembly or its vectors cannot be had (`--jitless`).
 */
export function loadFoldingCrc32c(): ((bytes: Uint8Array) => number) | undefined {
  try {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(foldingModule()));
    const { memory, fold } = exports as FoldingExports;
    return crc32cWith(new Uint8Array(memory.buffer), fold);
  } catch {
    return undefined;
  }
}

interface FoldingExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** Adds to each unit from `to` up to `end` those that lie at the smaller exponents from `from` on, which goes along with `to`. */
  readonly fold: (from: number, to: number, end: number) => void;
}

/** The memory holds, one after the other, the units that still reach into what follows, then what is folded. */
function crc32cWith(memory: Uint8Array, fold: FoldingExports['fold']): (bytes: Uint8Array) => number {
  const chunkAt = degreeBytes;
  const lastAt = 2 * degreeBytes;
  return (bytes) => {
    const { length } = bytes;
    const foldedBytes = length - (length % UNIT_BYTES) - degreeBytes;
    memory.fill(0, 0, degreeBytes);
    let position = 0;
    while (position < foldedBytes) {
      const next = Math.min(position + CHUNK_BYTES, foldedBytes);
      const chunkEnd = chunkAt + next - position;
      memory.set(bytes.subarray(position, next), chunkAt);
      // A checksum begins with ones, which is as if the first four bytes were inverted.
      if (position === 0) for (let at = chunkAt; at < chunkAt + 4; at++) memory[at] = ~(memory[at] ?? 0);
      fold(0, chunkAt, chunkEnd);
      memory.copyWithin(0, chunkEnd - degreeBytes, chunkEnd);
      position = next;
    }
    // The last units only take what is added to them; zeros stand where they would add to each other.
    const lastEnd = lastAt + length - position;
    memory.fill(0, degreeBytes, lastAt);
    memory.set(bytes.subarray(position), lastAt);
    fold(0, lastAt, lastAt + degreeBytes);
    return crc32cTables.buf(memory.subarray(lastAt, lastEnd), -1) >>> 0;
  };
}

/** The WebAssembly of `fold`, as its binary format wants it: one loop, made of the exponents. */
function foldingModule(): Uint8Array {
  const [from, to, end] = [getLocal(0), getLocal(1), getLocal(2)];
  const i32 = 0x7f;
  const memoryArgument = (exponent: number): Code => [0, ...leb128(exponent * UNIT_BYTES)];
  const load = (address: Code, exponent: number): Code => [...address, 0xfd, 0x00, ...memoryArgument(exponent)];
  const xor = [0xfd, 0x51];
  const store = [0xfd, 0x0b, ...memoryArgument(0)];
  const nextUnit = (address: Code): Code => [...address, 0x41, UNIT_BYTES, 0x6a];
  const smaller = multipleExponents.slice(0, -1);
  const loop = [
    ...[...to, ...load(to, 0), ...smaller.flatMap((exponent) => [...load(from, exponent), ...xor]), ...store],
    ...[...nextUnit(from), 0x21, 0],
    ...[...nextUnit(to), 0x22, 1, ...end, 0x49, 0x0d, 0],
  ];
  const body = [0, 0x03, 0x40, ...loop, 0x0b, 0x0b];
  const pages = Math.ceil((CHUNK_BYTES + 3 * degreeBytes) / PAGE_BYTES);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [1, 0x60, 3, i32, i32, i32, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, pages]),
    ...section(7, [2, ...name('memory'), 2, 0, ...name('fold'), 0, 0]),
    ...section(10, [1, ...leb128(body.length), ...body]),
  ]);
}

type Code = readonly number[];

const getLocal = (index: number): Code => [0x20, index];
const section = (id: number, content: Code): Code => [id, ...leb128(content.length), ...content];
const name = (text: string): Code => [text.length, ...Buffer.from(text)];
const leb128 = (value: number): Code => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb128(value >>> 7)]);
