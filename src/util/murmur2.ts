const m = 0x5bd1e995;

/**
 * Murmur2, 32 bits, with the seed of Kafka's Java client, as an int32.
 *
 * Every client that wants a key to land in the same partition as Java puts it must compute exactly this:
 * `(murmur2(key) & 0x7fffffff) % partitions`.
 */
export function murmur2(bytes: Uint8Array, length: number = bytes.length): number {
  let hash = 0x9747b28c ^ length;
  const blocksEnd = length & ~3;
  for (let at = 0; at < blocksEnd; at += 4) {
    let k =
      byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8) | (byteAt(bytes, at + 2) << 16) | (byteAt(bytes, at + 3) << 24);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    hash = Math.imul(hash, m) ^ Math.imul(k, m);
  }
  const rest = length - blocksEnd;
  if (rest > 2) hash ^= byteAt(bytes, blocksEnd + 2) << 16;
  if (rest > 1) hash ^= byteAt(bytes, blocksEnd + 1) << 8;
  if (rest > 0) hash = Math.imul(hash ^ byteAt(bytes, blocksEnd), m);
  hash = Math.imul(hash ^ (hash >>> 13), m);
  return hash ^ (hash >>> 15);
}

function byteAt(bytes: Uint8Array, position: number): number {
  return bytes[position] as number; // within `length`, which lies within the bytes
}
