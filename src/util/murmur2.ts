const seed = 0x9747b28c;
const m = 0x5bd1e995;

/**
 * Murmur2, 32 bits, with the seed of Kafka's Java client, as an int32.
 *
 * Every client that wants a key to land in the same partition as Java puts it must compute exactly this:
 * `(murmur2(key) & 0x7fffffff) % partitions`.
 */
export function murmur2(bytes: Uint8Array, length: number = bytes.length): number {
  let hash = seed ^ length;
  const blocksEnd = length & ~3;
  for (let at = 0; at < blocksEnd; at += 4) {
    hash = mixed(hash, byteAt(bytes, at), byteAt(bytes, at + 1), byteAt(bytes, at + 2), byteAt(bytes, at + 3));
  }
  const rest = length - blocksEnd;
  if (rest > 2) hash ^= byteAt(bytes, blocksEnd + 2) << 16;
  if (rest > 1) hash ^= byteAt(bytes, blocksEnd + 1) << 8;
  if (rest > 0) hash = Math.imul(hash ^ byteAt(bytes, blocksEnd), m);
  return finished(hash);
}

/**
 * The same for the bytes of a text, without making them; undefined if it is not all ASCII.
 *
 * Nearly all keys are, and the call into native code that encodes a text costs more than its hash.
 */
export function murmur2OfAscii(text: string): number | undefined {
  const { length } = text;
  let hash = seed ^ length;
  let seen = 0;
  const blocksEnd = length & ~3;
  for (let at = 0; at < blocksEnd; at += 4) {
    const a = text.charCodeAt(at);
    const b = text.charCodeAt(at + 1);
    const c = text.charCodeAt(at + 2);
    const d = text.charCodeAt(at + 3);
    seen |= a | b | c | d;
    hash = mixed(hash, a, b, c, d);
  }
  for (let at = length - 1; at >= blocksEnd; at--) {
    const code = text.charCodeAt(at);
    seen |= code;
    hash ^= code << (8 * (at - blocksEnd));
  }
  if (blocksEnd < length) hash = Math.imul(hash, m);
  return seen < 0x80 ? finished(hash) : undefined;
}

function mixed(hash: number, a: number, b: number, c: number, d: number): number {
  let k = Math.imul(a | (b << 8) | (c << 16) | (d << 24), m);
  k ^= k >>> 24;
  return Math.imul(hash, m) ^ Math.imul(k, m);
}

function finished(hash: number): number {
  const last = Math.imul(hash ^ (hash >>> 13), m);
  return last ^ (last >>> 15);
}

function byteAt(bytes: Uint8Array, position: number): number {
  return bytes[position] as number; // within `length`, which lies within the bytes
}
