import { murmur2 } from '../util/murmur2.ts';

/**
 * Where a key belongs, as the Java client decides it.
 *
 * Text is hashed as UTF-8. A short ASCII text is copied character by character into a buffer that all calls share, which is
 * cheaper than the call into native code and makes no garbage.
 */
export function partitionOfKey(key: string | Uint8Array, partitionCount: number): number {
  const hash = typeof key === 'string' ? murmur2OfText(key) : murmur2(key);
  return (hash & 0x7fff_ffff) % partitionCount;
}

const shortTextLength = 48;
const scratch = Buffer.alloc(4096);

function murmur2OfText(text: string): number {
  const length = text.length;
  if (length <= shortTextLength) {
    let index = 0;
    for (; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code >= 0x80) break;
      scratch[index] = code;
    }
    if (index === length) return murmur2(scratch, length);
  }
  // UTF-8 takes at most three bytes for each UTF-16 unit.
  if (length * 3 > scratch.length) return murmur2(Buffer.from(text, 'utf8'));
  return murmur2(scratch, scratch.write(text, 0, 'utf8'));
}
