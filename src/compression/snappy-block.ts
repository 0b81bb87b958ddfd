import snappyjs from 'snappyjs';

/** How blocks of snappy are made and read: in WebAssembly, and in JavaScript where there is none. */
export interface SnappyBlocks {
  /**
   * Writes the block that `input` becomes, 64 KiB at most, to `output` from `at` on, where {@link maxSnappyBlockBytes} have room, and answers
   * where it ends.
   */
  compress(input: Buffer, output: Buffer, at: number): number;
  /**
   * The content of all blocks, one behind the other. Throws if one is malformed, and what `tooMuch` makes if they declare more than `maxBytes`
   * together; for what is declared and cannot be, nothing is allocated.
   */
  decompress(blocks: readonly Buffer[], maxBytes: number, tooMuch: () => Error): Buffer;
}

/** What the length in front of a block may take. */
const maxLengthBytes = 5;

/** Blocks in JavaScript. */
export const pureSnappyBlocks: SnappyBlocks = {
  compress(input, output, at) {
    const block = snappyjs.compress(input);
    output.set(block, at);
    return at + block.length;
  },
  decompress(blocks, maxBytes, tooMuch) {
    // Every length is checked, and added up, before the first byte is allocated for it.
    let total = 0;
    for (const block of blocks) total += checkSnappyBlock(block, maxBytes - total, tooMuch);
    const contents = blocks.map((block) => asBuffer(snappyjs.uncompress(block)));
    const [only] = contents;
    return contents.length === 1 && only !== undefined ? only : Buffer.concat(contents);
  },
};

/** What a block of so much content takes at most: 61 literals and a copy take 66 bytes for 65, and the length and the last literals 6 more. */
export function maxSnappyBlockBytes(contentLength: number): number {
  return contentLength + (contentLength >> 6) + 8;
}

/** The length that a block declares in front, up to 35 bits of it; Infinity if that is cut off or has more bytes than it may have. */
export function declaredBytes(block: Uint8Array): number {
  let declared = 0;
  for (let position = 0, factor = 1; position < Math.min(block.length, maxLengthBytes); position++, factor *= 0x80) {
    const byte = block[position] as number;
    declared += (byte & 0x7f) * factor;
    if (byte < 0x80) return declared;
  }
  return Infinity;
}

/**
 * Walks the elements of a bare snappy block without producing anything, and answers the length that it declares.
 *
 * The decoder trusts the declared length, fills what is missing with zeros, and drops what is too much; so all of it is
 * checked before: the elements fit the input, each copy lies within what is there, and together they give what is declared.
 *
 * @param tooMuch makes the error for a declared length above `maxBytes`
 */
function checkSnappyBlock(block: Uint8Array, maxBytes: number, tooMuch: () => Error): number {
  const declared = declaredBytes(block);
  if (declared === Infinity) throw new Error('the length of a block is cut off or too long');
  if (declared > 0xffff_ffff) throw new Error(`a block declares ${declared} bytes`);
  const produced = producedBytes(block, block.findIndex((byte) => byte < 0x80) + 1, declared);
  if (produced !== declared) throw new Error(`a block declares ${declared} bytes and has ${produced}`);
  if (declared > maxBytes) throw tooMuch();
  return declared;
}

function producedBytes(block: Uint8Array, start: number, declared: number): number {
  const end = block.length;
  let position = start;
  let produced = 0;
  while (position < end) {
    const tag = block[position++] as number;
    const kind = tag & 3;
    if (kind === 0) {
      let length = (tag >>> 2) + 1;
      if (length > 60) {
        const lengthBytes = length - 60;
        if (end - position < lengthBytes) throw new Error('a literal is cut off');
        length = littleEndian(block, position, lengthBytes) + 1;
        position += lengthBytes;
      }
      if (length > end - position) throw new Error(`a literal of ${length} bytes is cut off`);
      position += length;
      produced += length;
    } else {
      const offsetBytes = kind === 3 ? 4 : kind;
      if (end - position < offsetBytes) throw new Error('a copy is cut off');
      const low = littleEndian(block, position, offsetBytes);
      const offset = kind === 1 ? low + ((tag >>> 5) << 8) : low;
      if (offset === 0 || offset > produced)
        throw new Error(`a copy reaches ${offset} bytes back, ${produced} are there`);
      position += offsetBytes;
      produced += kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    }
    if (produced > declared) throw new Error(`a block declares ${declared} bytes and has more`);
  }
  return produced;
}

function littleEndian(bytes: Uint8Array, position: number, count: number): number {
  let value = 0;
  for (let index = count - 1; index >= 0; index--) value = value * 0x100 + (bytes[position + index] ?? 0);
  return value;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
