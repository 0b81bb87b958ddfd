import crc32Tables from 'crc-32';
import crc32cTables from 'crc-32/crc32c.js';
import { FOLD_FROM_BYTES, loadFoldingCrc32c } from './crc32c-fold.ts';

let largeCrc32c: (bytes: Uint8Array) => number = (bytes) => {
  // Not before it is needed: compiling it takes a fraction of a millisecond of every start.
  largeCrc32c = loadFoldingCrc32c() ?? smallCrc32c;
  return largeCrc32c(bytes);
};

/** CRC32C (Castagnoli) over all of `bytes`, as an unsigned 32-bit number. It guards record batches of magic 2. */
export function crc32c(bytes: Uint8Array): number {
  return bytes.length < FOLD_FROM_BYTES ? smallCrc32c(bytes) : largeCrc32c(bytes);
}

function smallCrc32c(bytes: Uint8Array): number {
  return crc32cTables.buf(bytes) >>> 0;
}

/** CRC32 (IEEE) over all of `bytes`, as an unsigned 32-bit number. It guards the messages of magic 0 and 1. */
export function crc32(bytes: Uint8Array): number {
  return crc32Tables.buf(bytes) >>> 0;
}
