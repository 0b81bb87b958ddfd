/**
 * Blocks of LZ4, the same as src/compression/lz4-block.ts makes and reads, at several times its speed.
 *
 * Copies go by vectors and may write up to {@link SLACK} bytes behind their end: whoever calls leaves that much room behind input and output.
 */
import { copy, copyMatch, endOfMatch } from './copies';

export { SLACK } from './copies';

const MIN_MATCH: usize = 4;
/** The last bytes of a block are literals, and the last match begins well before the end: the format demands both. */
const LAST_LITERALS: usize = 5;
const MATCH_LIMIT: usize = 12;
const MAX_DISTANCE: usize = 65_535;
const HASH_BITS: u32 = 13;

/** How many bytes the table takes that {@link compress} is given. */
export const TABLE_BYTES: usize = 4 << HASH_BITS;

/** How many bytes the block in `[input, inputEnd)` became; -1 if it is malformed, has more, or reaches back before `output`. */
export function decompress(input: usize, inputEnd: usize, output: usize, outputEnd: usize): i32 {
  let from = input;
  let to = output;
  while (from < inputEnd) {
    const token = <usize>load<u8>(from++);
    let length = token >> 4;
    if (length == 15) {
      const extra = extraLength(from, inputEnd);
      if (extra < 0) return -1;
      length += extra;
      from += extraLengthBytes(extra);
    }
    if (length > inputEnd - from || length > outputEnd - to) return -1;
    copy(to, from, length);
    from += length;
    to += length;
    if (from == inputEnd) break; // the last sequence has no match

    if (inputEnd - from < 2) return -1;
    const distance = <usize>load<u16>(from);
    from += 2;
    if (distance == 0 || distance > to - output) return -1;
    length = token & 15;
    if (length == 15) {
      const extra = extraLength(from, inputEnd);
      if (extra < 0) return -1;
      length += extra;
      from += extraLengthBytes(extra);
    }
    length += MIN_MATCH;
    if (from == inputEnd || length > outputEnd - to) return -1;
    copyMatch(to, distance, length);
    to += length;
  }
  return <i32>(to - output);
}

/** What follows a length of 15: bytes that are added to it, up to and with the first that is not 255; -1 if that one is missing. */
function extraLength(start: usize, end: usize): isize {
  let at = start;
  while (at < end && load<u8>(at) == 255) at++;
  return at < end ? <isize>(255 * (at - start) + load<u8>(at)) : -1;
}

/** How many bytes such an addition takes. */
function extraLengthBytes(extra: usize): usize {
  return extra / 255 + 1;
}

/** How many bytes of `[output, outputEnd)` the block takes that `[input, inputEnd)` becomes; 0 if it does not fit. */
export function compress(input: usize, inputEnd: usize, output: usize, outputEnd: usize, table: usize): i32 {
  memory.fill(table, 0, TABLE_BYTES);
  const matchLimit = inputEnd - MATCH_LIMIT;
  const matchEnd = inputEnd - LAST_LITERALS;
  let anchor = input;
  let position = input;
  let to = output;
  let misses: usize = 0;
  while (position < matchLimit) {
    const sequence = load<u32>(position);
    const slot = slotOf(table, sequence);
    const candidate = <usize>load<u32>(slot);
    store<u32>(slot, <u32>position);
    if (candidate < input || position - candidate > MAX_DISTANCE || load<u32>(candidate) != sequence) {
      // The longer nothing is found, the larger the steps: content that cannot be compressed is passed quickly.
      position += 1 + (misses++ >> 6);
      continue;
    }
    misses = 0;
    let matchStart = position;
    let from = candidate;
    while (matchStart > anchor && from > input && load<u8>(matchStart - 1) == load<u8>(from - 1)) {
      matchStart--;
      from--;
    }
    const matched = endOfMatch(position + MIN_MATCH, candidate + MIN_MATCH, matchEnd);
    const literals = matchStart - anchor;
    const extra = matched - matchStart - MIN_MATCH;
    if (to + literals + (literals >> 7) + (extra >> 7) + 8 > outputEnd) return 0;
    store<u8>(to++, <u8>((min<usize>(literals, 15) << 4) | min<usize>(extra, 15)));
    to = writeLength(to, literals);
    copy(to, anchor, literals);
    to += literals;
    store<u16>(to, <u16>(matchStart - from));
    to = writeLength(to + 2, extra);
    position = matched;
    anchor = matched;
    if (position < matchLimit) store<u32>(slotOf(table, load<u32>(position - 2)), <u32>(position - 2));
  }
  const literals = inputEnd - anchor;
  if (to + literals + (literals >> 7) + 2 > outputEnd) return 0;
  store<u8>(to++, <u8>(min<usize>(literals, 15) << 4));
  to = writeLength(to, literals);
  copy(to, anchor, literals);
  return <i32>(to + literals - output);
}

function slotOf(table: usize, sequence: u32): usize {
  return table + ((<usize>((sequence * 0x9e3779b1) >> (32 - HASH_BITS))) << 2);
}

function writeLength(to: usize, length: usize): usize {
  if (length < 15) return to;
  let rest = length - 15;
  for (; rest >= 255; rest -= 255) store<u8>(to++, 255);
  store<u8>(to++, <u8>rest);
  return to;
}
