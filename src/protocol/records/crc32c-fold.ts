import crc32cTables from 'crc-32/crc32c.js';
import { instantiateWasm, type WasmMemory } from '../../util/web-assembly.ts';
import { crc32cFoldWasm } from './generated/crc32c-fold.ts';

const UNIT_BYTES = 16;
/** The largest exponent, in units. */
const DEGREE_BYTES = 79 * UNIT_BYTES;
/** What is folded at a time: small enough to stay in the processor's cache. */
const CHUNK_BYTES = 64 * 1024;

/** From here on folding is faster than tables alone. */
export const FOLD_FROM_BYTES = 2560;

/** `assembly/crc32c-fold.ts`. */
interface FoldingExports {
  readonly memory: WasmMemory;
  fold(from: number, to: number, end: number): void;
}

/**
 * CRC32C by folding, for {@link FOLD_FROM_BYTES} and more; undefined where there is no WebAssembly.
 *
 * x^79 + x^75 + x^71 + x^58 + x^18 + x^12 + x + 1 is a multiple of the CRC32C polynomial, found by search: x^79 leaves the same remainder as
 * the sum of the other terms. That holds with each exponent doubled, and doubled again, too: squaring a polynomial over GF(2) does just that.
 * With x^128 for x, a unit of 16 bytes may be taken out of a text if it is added, which is XOR, to the seven units that lie 79 minus each of
 * the smaller exponents behind it: the checksum stays. Every unit but the last 79 goes that way, at a few XORs for 16 bytes, which no way
 * through tables comes near to; what is left is a text of 1,264 bytes for the tables.
 *
 * The idea is Chorba, Sam Russell 2024 (https://arxiv.org/abs/2412.16398), there for CRC32.
 */
export function loadFoldingCrc32c(): ((bytes: Uint8Array) => number) | undefined {
  const exports = instantiateWasm<FoldingExports>(crc32cFoldWasm);
  if (exports === undefined) return undefined;
  const memory = new Uint8Array(exports.memory.buffer);
  // In the memory: the units that still reach into what follows, then what is folded.
  const chunkAt = DEGREE_BYTES;
  const lastAt = 2 * DEGREE_BYTES;
  return (bytes) => {
    const { length } = bytes;
    const foldedBytes = length - (length % UNIT_BYTES) - DEGREE_BYTES;
    memory.fill(0, 0, DEGREE_BYTES);
    let position = 0;
    while (position < foldedBytes) {
      const next = Math.min(position + CHUNK_BYTES, foldedBytes);
      const chunkEnd = chunkAt + next - position;
      memory.set(bytes.subarray(position, next), chunkAt);
      // A checksum begins with ones, which is as if the first four bytes were inverted.
      if (position === 0) for (let at = chunkAt; at < chunkAt + 4; at++) memory[at] = ~(memory[at] ?? 0);
      exports.fold(0, chunkAt, chunkEnd);
      memory.copyWithin(0, chunkEnd - DEGREE_BYTES, chunkEnd);
      position = next;
    }
    // The last units only take what is added to them; zeros stand where they would add to each other.
    const lastEnd = lastAt + length - position;
    memory.fill(0, DEGREE_BYTES, lastAt);
    memory.set(bytes.subarray(position), lastAt);
    exports.fold(0, lastAt, lastAt + DEGREE_BYTES);
    return crc32cTables.buf(memory.subarray(lastAt, lastEnd), -1) >>> 0;
  };
}
