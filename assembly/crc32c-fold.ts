/**
 * Shortens a text without changing its CRC32C, see src/protocol/records/crc32c-fold.ts.
 *
 * A unit of 16 bytes each: adds to the units from `to` up to `end` those that lie, from `from` on, at the smaller exponents of
 * x^79 + x^75 + x^71 + x^58 + x^18 + x^12 + x + 1. Of what lies between `from` and `to`, 79 units are looked at.
 */
export function fold(from: usize, to: usize, end: usize): void {
  for (; to < end; from += 16, to += 16) {
    let sum = v128.xor(v128.load(to), v128.load(from));
    sum = v128.xor(sum, v128.load(from, 16 * 1));
    sum = v128.xor(sum, v128.load(from, 16 * 12));
    sum = v128.xor(sum, v128.load(from, 16 * 18));
    sum = v128.xor(sum, v128.load(from, 16 * 58));
    sum = v128.xor(sum, v128.load(from, 16 * 71));
    sum = v128.xor(sum, v128.load(from, 16 * 75));
    v128.store(to, sum);
  }
}
