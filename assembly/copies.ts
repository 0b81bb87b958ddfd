/** What the blocks of LZ4 and of snappy have in common: bytes that were there before are found again when compressing, and copied when decompressing. */

/** Copies go by vectors and may write up to so many bytes behind their end: whoever calls leaves that much room behind input and output. */
export const SLACK: usize = 32;

/** Up to where the bytes from `at` on are those from `before` on. */
export function endOfMatch(at: usize, before: usize, end: usize): usize {
  while (at + 8 <= end) {
    const difference = load<u64>(at) ^ load<u64>(before);
    if (difference != 0) return at + <usize>(ctz(difference) >> 3);
    at += 8;
    before += 8;
  }
  while (at < end && load<u8>(at) == load<u8>(before)) {
    at++;
    before++;
  }
  return at;
}

export function copy(to: usize, from: usize, length: usize): void {
  const end = to + length;
  do {
    v128.store(to, v128.load(from));
    to += 16;
    from += 16;
  } while (to < end);
}

/** What is copied may begin in front of `to` and end behind it: then it repeats itself. */
export function copyMatch(to: usize, distance: usize, length: usize): void {
  const from = to - distance;
  if (distance >= 16) return copy(to, from, length);
  const end = to + length;
  // What repeats itself after less than 8 bytes does so after twice as many, too; of these 8 the first `distance` are right.
  while (distance < 8) {
    store<u64>(to, load<u64>(from));
    to += distance;
    distance <<= 1;
  }
  while (to < end) {
    store<u64>(to, load<u64>(to - distance));
    to += 8;
  }
}
