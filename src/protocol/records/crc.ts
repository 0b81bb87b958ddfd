import crc32Tables from 'crc-32';
import crc32cTables from 'crc-32/crc32c.js';

/** A checksum over all of `bytes`, as an unsigned 32-bit number. */
export type Checksum = (bytes: Uint8Array) => number;

const pureCrc32c: Checksum = (bytes) => crc32cTables.buf(bytes) >>> 0;

let activeCrc32c = pureCrc32c;

/** CRC32C (Castagnoli), which guards record batches of magic 2. */
export function crc32c(bytes: Uint8Array): number {
  return activeCrc32c(bytes);
}

/** CRC32 (IEEE), which guards the messages of magic 0 and 1. */
export function crc32(bytes: Uint8Array): number {
  return crc32Tables.buf(bytes) >>> 0;
}

/**
 * Takes a faster CRC32C, for example a native one; `undefined` goes back to the one in JavaScript.
 *
 * An implementation that does not give the known checksum of "123456789" is refused, because it would make every batch unreadable.
 *
 * @returns whether it was taken
 */
export function useCrc32c(implementation: Checksum | undefined): boolean {
  const candidate = implementation ?? pureCrc32c;
  if (candidate(Buffer.from('123456789')) !== 0xe3069283) return false;
  activeCrc32c = candidate;
  return true;
}
