import snappyjs from 'snappyjs';
import { compressing, decompressing, tooLarge, type Codec } from './codec.ts';
import { checkSnappyBlock } from './snappy-block.ts';

/**
 * Snappy as Java's client writes it: blocks with their sizes, behind the header of snappy-java ("xerial framing").
 *
 * A body without that header is read as one bare block, as some clients write it.
 */
export const snappy: Codec = {
  name: 'snappy',
  poolFromBytes: Infinity,
  compress: (body) => compressing('snappy', () => compressFramed(body)),
  decompress: (body, maxBytes) => decompressing('snappy', () => decompress(body, maxBytes)),
};

/** Magic number, version 1, compatible with version 1. */
const frameHeader: Buffer = Buffer.from('82534e415050590000000001' + '00000001', 'hex');
const magicBytes = 8;
/** Readers take blocks of any size; the format itself looks back 64 KiB at most. */
const blockBytes = 64 * 1024;

function compressFramed(body: Buffer): Buffer {
  const pieces: Uint8Array[] = [frameHeader];
  for (let at = 0; at < body.length; at += blockBytes) {
    const block = snappyjs.compress(body.subarray(at, at + blockBytes));
    const size = Buffer.allocUnsafe(4);
    size.writeInt32BE(block.length);
    pieces.push(size, block);
  }
  return Buffer.concat(pieces);
}

function decompress(body: Buffer, maxBytes: number): Buffer {
  const blocks = isFramed(body, 0) ? framedBlocks(body) : [body];
  // Every length is checked, and added up, before the first byte is allocated for it.
  let total = 0;
  for (const block of blocks) {
    total += checkSnappyBlock(block, maxBytes - total, () => tooLarge('snappy', maxBytes));
  }
  const contents = blocks.map((block) => asBuffer(snappyjs.uncompress(block)));
  const [only] = contents;
  return contents.length === 1 && only !== undefined ? only : Buffer.concat(contents);
}

function framedBlocks(body: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  let at = 0;
  while (at < body.length) {
    // Streams that were written one after the other each have their header.
    if (isFramed(body, at)) {
      at += frameHeader.length;
      if (at > body.length) throw new Error('the header is cut off');
      continue;
    }
    if (body.length - at < 4) throw new Error('the size of a block is cut off');
    const size = body.readInt32BE(at);
    at += 4;
    if (size <= 0 || size > body.length - at)
      throw new Error(`a block of ${size} bytes is announced, ${body.length - at} follow`);
    blocks.push(body.subarray(at, at + size));
    at += size;
  }
  return blocks;
}

function isFramed(body: Buffer, at: number): boolean {
  return body.length - at >= magicBytes && body.compare(frameHeader, 0, magicBytes, at, at + magicBytes) === 0;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
