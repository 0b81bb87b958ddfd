import { murmur2, murmur2OfAscii } from '../util/murmur2.ts';

/**
 * Where a key belongs, as the Java client decides it.
 *
 * Text is hashed as UTF-8.
 */
export function partitionOfKey(key: string | Uint8Array, partitionCount: number): number {
  const hash = typeof key === 'string' ? (murmur2OfAscii(key) ?? murmur2OfText(key)) : murmur2(key);
  return (hash & 0x7fff_ffff) % partitionCount;
}

const scratch = Buffer.alloc(4096);

function murmur2OfText(text: string): number {
  // UTF-8 takes at most three bytes for each UTF-16 unit.
  if (text.length * 3 > scratch.length) return murmur2(Buffer.from(text, 'utf8'));
  return murmur2(scratch, scratch.write(text, 0, 'utf8'));
}
