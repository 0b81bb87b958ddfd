import { createRequire } from 'node:module';
import { useCrc32c } from '../protocol/records/crc.ts';

let isTried = false;
let isNative = false;

/**
 * Takes the CRC32C of the optional peer `@node-rs/crc32` if it is installed and loads; tries once per process.
 *
 * @returns whether the native one is in use
 */
export function installNativeCrc32c(): boolean {
  if (isTried) return isNative;
  isTried = true;
  try {
    // Not an import: the package is optional, and an import would make every caller wait for it.
    const found: unknown = createRequire(import.meta.url)('@node-rs/crc32');
    isNative = install(found);
  } catch {
    // Not installed, or built for another platform: the one in JavaScript stays.
  }
  return isNative;
}

function install(found: unknown): boolean {
  if (typeof found !== 'object' || found === null || !('crc32c' in found)) return false;
  const { crc32c } = found;
  if (typeof crc32c !== 'function') return false;
  const checksum = crc32c as (bytes: Uint8Array) => number;
  return useCrc32c((bytes) => checksum(bytes) >>> 0);
}
