/** How blocks of LZ4 are made and read: in JavaScript, in WebAssembly and, with the optional peer `lz4`, by native code. */
export interface Lz4Blocks {
  /** Writes the compressed block to the start of `output` and answers its size; 0 if it would not be smaller than the input. */
  compress(input: Buffer, start: number, end: number, output: Buffer): number;
  /** Appends the block's content to `output`. Throws if the block is malformed or has more than `maxBytes`. */
  decompress(input: Buffer, start: number, end: number, output: GrowingOutput, maxBytes: number): void;
}

/** Content that grows as it comes out, never beyond a limit; what a stream declares plays no part. */
export class GrowingOutput {
  bytes: Buffer;
  length = 0;
  /** How far back a match may reach: the start of the block, or of the frame if its blocks depend on each other. */
  matchStart = 0;
  readonly #maxBytes: number;
  readonly #tooLarge: () => Error;

  constructor(initialBytes: number, maxBytes: number, tooLarge: () => Error) {
    this.bytes = Buffer.allocUnsafeSlow(Math.min(initialBytes, maxBytes));
    this.#maxBytes = maxBytes;
    this.#tooLarge = tooLarge;
  }

  /** Whether so much more would be allowed. */
  hasRoom(moreBytes: number): boolean {
    return this.length + moreBytes <= this.#maxBytes;
  }

  /** Makes room up to `end`. */
  reserve(end: number): void {
    if (end <= this.bytes.length) return;
    if (end > this.#maxBytes) throw this.#tooLarge();
    const larger = Buffer.allocUnsafeSlow(Math.min(this.#maxBytes, Math.max(end, this.bytes.length * 2)));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }

  /** What came out, and nothing of the memory behind it. */
  toBuffer(): Buffer {
    return this.bytes.subarray(0, this.length);
  }
}

const minMatch = 4;
/** The last bytes of a block are literals, and the last match begins well before the end: the format demands both. */
const lastLiterals = 5;
const matchLimitBytes = 12;
const hashBits = 13;
const maxDistance = 65_535;
const hashTable = new Int32Array(1 << hashBits);

/** Blocks in JavaScript. */
export const pureLz4Blocks: Lz4Blocks = { compress: compressBlock, decompress: decompressBlock };

/** What follows a length of 15: bytes that are added to it, up to and with the first that is not 255; -1 if that one is missing. */
function extraLength(input: Buffer, start: number, end: number): number {
  let position = start;
  while (position < end && input[position] === 255) position++;
  return position < end ? 255 * (position - start) + (input[position] as number) : -1;
}

/** How many bytes such an addition takes. */
function extraLengthBytes(extra: number): number {
  return Math.floor(extra / 255) + 1;
}

function compressBlock(input: Buffer, start: number, end: number, output: Buffer): number {
  const room = Math.min(output.length, end - start - 1);
  hashTable.fill(-1);
  const matchLimit = end - matchLimitBytes;
  const matchEnd = end - lastLiterals;
  let anchor = start;
  let position = start;
  let out = 0;
  let misses = 0;
  while (position < matchLimit) {
    const sequence = word(input, position);
    const slot = Math.imul(sequence, 0x9e3779b1) >>> (32 - hashBits);
    const candidate = hashTable[slot] as number;
    hashTable[slot] = position;
    if (candidate < 0 || position - candidate > maxDistance || word(input, candidate) !== sequence) {
      // The longer nothing is found, the larger the steps: content that cannot be compressed is passed quickly.
      position += 1 + (misses++ >>> 6);
      continue;
    }
    misses = 0;
    let matchStart = position;
    let from = candidate;
    while (matchStart > anchor && from > start && input[matchStart - 1] === input[from - 1]) {
      matchStart--;
      from--;
    }
    let matched = position + minMatch;
    let behind = candidate + minMatch;
    while (matched < matchEnd && input[matched] === input[behind]) {
      matched++;
      behind++;
    }
    const literals = matchStart - anchor;
    const extra = matched - matchStart - minMatch;
    if (out + literals + (literals >> 7) + (extra >> 7) + 8 > room) return 0;
    output[out++] = (Math.min(literals, 15) << 4) | Math.min(extra, 15);
    out = writeLength(output, out, literals);
    out = copyLiterals(input, anchor, matchStart, output, out);
    const distance = matchStart - from;
    output[out++] = distance & 0xff;
    output[out++] = distance >>> 8;
    out = writeLength(output, out, extra);
    position = matched;
    anchor = matched;
    if (position < matchLimit) {
      hashTable[Math.imul(word(input, position - 2), 0x9e3779b1) >>> (32 - hashBits)] = position - 2;
    }
  }
  const literals = end - anchor;
  if (out + literals + (literals >> 7) + 2 > room) return 0;
  output[out++] = Math.min(literals, 15) << 4;
  out = writeLength(output, out, literals);
  return copyLiterals(input, anchor, end, output, out);
}

function writeLength(output: Buffer, position: number, length: number): number {
  if (length < 15) return position;
  let at = position;
  let rest = length - 15;
  for (; rest >= 255; rest -= 255) output[at++] = 255;
  output[at++] = rest;
  return at;
}

function copyLiterals(input: Buffer, start: number, end: number, output: Buffer, position: number): number {
  const length = end - start;
  if (length > 32) {
    input.copy(output, position, start, end);
    return position + length;
  }
  for (let index = 0; index < length; index++) output[position + index] = input[start + index] as number;
  return position + length;
}

function decompressBlock(input: Buffer, start: number, end: number, output: GrowingOutput, maxBytes: number): void {
  const limit = output.length + maxBytes;
  const matchStart = output.matchStart;
  let out = output.length;
  let bytes = output.bytes;
  let position = start;
  while (position < end) {
    const token = input[position++] as number;
    let length = token >>> 4;
    if (length === 15) {
      const extra = extraLength(input, position, end);
      if (extra < 0) throw new Error('the length of literals is cut off');
      length += extra;
      position += extraLengthBytes(extra);
    }
    if (length > end - position) throw new Error(`${length} literals are announced, ${end - position} bytes follow`);
    if (out + length > limit) throw new Error('a block has more content than its frame allows');
    if (out + length > bytes.length) bytes = grow(output, out, length);
    if (length > 32) input.copy(bytes, out, position, position + length);
    else for (let index = 0; index < length; index++) bytes[out + index] = input[position + index] as number;
    position += length;
    out += length;
    if (position === end) break; // the last sequence has no match

    if (end - position < 2) throw new Error('the distance of a match is cut off');
    const distance = (input[position] as number) | ((input[position + 1] as number) << 8);
    position += 2;
    if (distance === 0 || distance > out - matchStart) throw new Error(`a match reaches ${distance} bytes back`);
    length = token & 15;
    if (length === 15) {
      const extra = extraLength(input, position, end);
      if (extra < 0) throw new Error('the length of a match is cut off');
      length += extra;
      position += extraLengthBytes(extra);
    }
    length += minMatch;
    if (position === end) throw new Error('the last literals are missing');
    if (out + length > limit) throw new Error('a block has more content than its frame allows');
    if (out + length > bytes.length) bytes = grow(output, out, length);
    copyMatch(bytes, out, distance, length);
    out += length;
  }
  output.length = out;
}

function grow(output: GrowingOutput, filled: number, more: number): Buffer {
  output.length = filled;
  output.reserve(filled + more);
  return output.bytes;
}

function copyMatch(bytes: Buffer, position: number, distance: number, length: number): void {
  if (length > 48 && distance >= length) {
    bytes.copyWithin(position, position - distance, position - distance + length);
    return;
  }
  if (length > 48 && distance === 1) {
    bytes.fill(bytes[position - 1] as number, position, position + length);
    return;
  }
  for (let index = 0; index < length; index++) bytes[position + index] = bytes[position + index - distance] as number;
}

function word(bytes: Buffer, position: number): number {
  return (
    (bytes[position] as number) |
    ((bytes[position + 1] as number) << 8) |
    ((bytes[position + 2] as number) << 16) |
    ((bytes[position + 3] as number) << 24)
  );
}
