/**
 * Blocks of snappy; src/compression/snappy-block.ts does the same with a package in JavaScript, at a fraction of the speed.
 *
 * Copies go by vectors and may write up to {@link SLACK} bytes behind their end: whoever calls leaves that much room behind input and output.
 */
import { copy, copyMatch, endOfMatch } from './copies';

export { SLACK } from './copies';

const MIN_MATCH: usize = 4;
/** What a copy of two bytes can say. */
const SHORT_LENGTH: usize = 11;
const SHORT_DISTANCE: usize = 2_047;
/** What any copy can say. */
const MAX_LENGTH: usize = 64;
/** Literals up to here have their length in the tag. */
const TAGGED_LITERALS: usize = 60;
const MIN_HASH_BITS: u32 = 8;
const MAX_HASH_BITS: u32 = 14;

/** How many bytes the table takes that {@link compress} is given. */
export const TABLE_BYTES: usize = 2 << MAX_HASH_BITS;

/** Whether the block in `[input, inputEnd)`, whose length in front was read before, is well-formed and fills `[output, outputEnd)` exactly. */
export function decompress(input: usize, inputEnd: usize, output: usize, outputEnd: usize): bool {
  let from = input;
  let to = output;
  while (load<u8>(from++) >= 0x80) {} // the length
  while (from < inputEnd) {
    const tag = <usize>load<u8>(from++);
    const kind = tag & 3;
    let length = (tag >> 2) + 1;
    if (kind == 0) {
      if (length > TAGGED_LITERALS) {
        // The reader in JavaScript wants four bytes here, however many the length takes: both refuse the same.
        if (inputEnd - from < 4) return false;
        const lengthBytes = length - TAGGED_LITERALS;
        length = load<u32>(from) & (u32.MAX_VALUE >> (32 - 8 * <u32>lengthBytes));
        from += lengthBytes;
        if (length >= inputEnd - from) return false; // one less than it is, which may be 4 GiB
        length++;
      }
      if (length > inputEnd - from || length > outputEnd - to) return false;
      copy(to, from, length);
      from += length;
    } else {
      const offsetBytes: usize = kind == 3 ? 4 : kind;
      if (offsetBytes > inputEnd - from) return false;
      let offset: usize;
      if (kind == 1) {
        offset = ((tag >> 5) << 8) | load<u8>(from);
        length = ((tag >> 2) & 7) + MIN_MATCH;
      } else {
        offset = kind == 2 ? load<u16>(from) : load<u32>(from);
      }
      if (offset == 0 || offset > to - output || length > outputEnd - to) return false;
      copyMatch(to, offset, length);
      from += offsetBytes;
    }
    to += length;
  }
  return to == outputEnd;
}

/**
 * How many bytes from `output` on the block takes that `[input, inputEnd)` becomes, 64 KiB at most.
 *
 * Between two copies of at least {@link MIN_MATCH} bytes stand literals, so 65 bytes grow by one at most: there is room for a 64th more and 8.
 */
export function compress(input: usize, inputEnd: usize, output: usize, table: usize): i32 {
  let to = writeVarint(output, <u32>(inputEnd - input));
  const hashBits = min<u32>(MAX_HASH_BITS, max<u32>(MIN_HASH_BITS, 32 - clz<u32>(<u32>(inputEnd - input))));
  const hashShift = 32 - hashBits;
  memory.fill(table, 0, 2 << hashBits);
  let anchor = input;
  // The table says 0 where nothing was seen, too: what stands there is compared as everything else is.
  let position = input + 1;
  let misses: usize = 0;
  while (position + MIN_MATCH <= inputEnd) {
    const sequence = load<u32>(position);
    const slot = slotOf(table, sequence, hashShift);
    const candidate = input + load<u16>(slot);
    store<u16>(slot, <u16>(position - input));
    if (load<u32>(candidate) != sequence) {
      // The longer nothing is found, the larger the steps: content that cannot be compressed is passed quickly.
      position += 1 + (misses++ >> 5);
      continue;
    }
    misses = 0;
    const matched = endOfMatch(position + MIN_MATCH, candidate + MIN_MATCH, inputEnd);
    const distance = position - candidate;
    let matchStart = position;
    while (
      matchStart > anchor &&
      matchStart - distance > input &&
      load<u8>(matchStart - 1) == load<u8>(matchStart - distance - 1)
    ) {
      matchStart--;
    }
    to = writeLiterals(to, anchor, matchStart - anchor);
    to = writeCopies(to, distance, matched - matchStart);
    position = matched;
    anchor = matched;
    if (position + 2 <= inputEnd)
      store<u16>(slotOf(table, load<u32>(position - 2), hashShift), <u16>(position - 2 - input));
  }
  return <i32>(writeLiterals(to, anchor, inputEnd - anchor) - output);
}

function slotOf(table: usize, sequence: u32, hashShift: u32): usize {
  return table + ((<usize>((sequence * 0x9e3779b1) >> hashShift)) << 1);
}

function writeVarint(to: usize, value: u32): usize {
  for (; value >= 0x80; value >>= 7) store<u8>(to++, <u8>(value | 0x80));
  store<u8>(to, <u8>value);
  return to + 1;
}

function writeLiterals(to: usize, from: usize, length: usize): usize {
  if (length == 0) return to;
  const less = length - 1;
  if (length <= TAGGED_LITERALS) {
    store<u8>(to++, <u8>(less << 2));
  } else if (less < 256) {
    store<u16>(to, <u16>((TAGGED_LITERALS << 2) | (less << 8)));
    to += 2;
  } else {
    store<u32>(to, <u32>(((TAGGED_LITERALS + 1) << 2) | (less << 8)));
    to += 3;
  }
  copy(to, from, length);
  return to + length;
}

/** Copies of a match that is longer than one can say; the last one keeps as much as a short one needs. */
function writeCopies(to: usize, distance: usize, length: usize): usize {
  while (length > MAX_LENGTH) {
    const part = length < MAX_LENGTH + MIN_MATCH ? MAX_LENGTH - MIN_MATCH : MAX_LENGTH;
    to = writeCopy(to, distance, part);
    length -= part;
  }
  return writeCopy(to, distance, length);
}

function writeCopy(to: usize, distance: usize, length: usize): usize {
  if (length <= SHORT_LENGTH && distance <= SHORT_DISTANCE) {
    store<u16>(to, <u16>(1 | ((length - MIN_MATCH) << 2) | ((distance >> 8) << 5) | (distance << 8)));
    return to + 2;
  }
  store<u8>(to, <u8>(2 | ((length - 1) << 2)));
  store<u16>(to + 1, <u16>distance);
  return to + 3;
}
