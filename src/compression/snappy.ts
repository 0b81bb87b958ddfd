import { compressing, decompressing, tooLarge, type Codec } from './codec.ts';
import { maxSnappyBlockBytes, pureSnappyBlocks, type SnappyBlocks } from './snappy-block.ts';
import { loadWasmSnappyBlocks } from './snappy-wasm.ts';

/** Snappy; blocks in WebAssembly if it works, else in JavaScript. */
export function loadSnappy(): Codec {
  return snappyCodec(loadWasmSnappyBlocks() ?? pureSnappyBlocks);
}

/**
 * Snappy as Java's client writes it: blocks with their sizes, behind the header of snappy-java ("xerial framing"), with these block
 * functions.
 *
 * A body without that header is read as one bare block, as some clients write it.
 */
export function snappyCodec(blocks: SnappyBlocks): Codec {
  return {
    name: 'snappy',
    poolFromBytes: Infinity,
    compress: (body) => compressing('snappy', () => compressFramed(blocks, body)),
    decompress: (body, maxBytes) => decompressing('snappy', () => decompress(blocks, body, maxBytes)),
  };
}

/** Magic number, version 1, compatible with version 1. */
const frameHeader: Buffer = Buffer.from('82534e415050590000000001' + '00000001', 'hex');
const magicBytes = 8;
/** Readers take blocks of any size; the format itself looks back 64 KiB at most. */
const blockBytes = 64 * 1024;

function compressFramed(blocks: SnappyBlocks, body: Buffer): Buffer {
  const blockCount = Math.ceil(body.length / blockBytes);
  const most = frameHeader.length + blockCount * (4 + maxSnappyBlockBytes(0)) + maxSnappyBlockBytes(body.length);
  const output = Buffer.allocUnsafeSlow(most);
  output.set(frameHeader);
  let out = frameHeader.length;
  for (let start = 0; start < body.length; start += blockBytes) {
    const end = blocks.compress(body.subarray(start, start + blockBytes), output, out + 4);
    output.writeInt32BE(end - out - 4, out);
    out = end;
  }
  return output.subarray(0, out);
}

function decompress(blocks: SnappyBlocks, body: Buffer, maxBytes: number): Buffer {
  const bare = isFramed(body, 0) ? framedBlocks(body) : [body];
  return blocks.decompress(bare, maxBytes, () => tooLarge('snappy', maxBytes));
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
