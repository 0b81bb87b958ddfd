import { tooLarge } from './codec.ts';
import { GrowingOutput, type Lz4Blocks } from './lz4-block.ts';
import { ownMemory } from './own-memory.ts';
import { xxhash32 } from './xxhash32.ts';

const frameMagic = 0x184d2204;
const skippableMagic = 0x184d2a50;
const blockBytes = 64 * 1024;
/** The high bit of a block's size: the block is stored as it is. */
const storedBit = 0x8000_0000;

const versionBits = 0x40;
const independentBit = 0x20;
const blockChecksumBit = 0x10;
const contentSizeBit = 0x08;
const contentChecksumBit = 0x04;
const dictionaryBit = 0x01;

/** Version 1, independent blocks of at most 64 KiB, no checksums: what Java's client writes, and brokers accept nothing looser. */
const frameHeader: Buffer = makeFrameHeader();

/** One frame of `body`. */
export function compressLz4Frame(blocks: Lz4Blocks, body: Buffer): Buffer {
  const blockCount = Math.ceil(body.length / blockBytes);
  const output = Buffer.allocUnsafeSlow(frameHeader.length + body.length + 4 * blockCount + 4);
  output.set(frameHeader);
  let out = frameHeader.length;
  for (let start = 0; start < body.length; start += blockBytes) {
    const end = Math.min(start + blockBytes, body.length);
    const size = blocks.compress(body, start, end, output.subarray(out + 4));
    if (size > 0) {
      output.writeUInt32LE(size, out);
      out += 4 + size;
    } else {
      output.writeUInt32LE((storedBit | (end - start)) >>> 0, out);
      body.copy(output, out + 4, start, end);
      out += 4 + end - start;
    }
  }
  output.writeUInt32LE(0, out);
  return output.subarray(0, out + 4);
}

/** The content of all frames in `body`. */
export function decompressLz4Frames(blocks: Lz4Blocks, body: Buffer, maxBytes: number): Buffer {
  const output = new GrowingOutput(4 * body.length, maxBytes, () => tooLarge('lz4', maxBytes));
  let position = 0;
  do {
    if (body.length - position < 4) throw new Error('the magic number of a frame is cut off');
    const magic = body.readUInt32LE(position);
    if (magic === frameMagic) position = readFrame(blocks, body, position, output);
    else if ((magic & 0xffff_fff0) >>> 0 === skippableMagic) position = skipFrame(body, position);
    else throw new Error(`0x${magic.toString(16)} is not the magic number of a frame`);
  } while (position < body.length);
  return ownMemory(output.toBuffer());
}

function skipFrame(body: Buffer, start: number): number {
  if (body.length - start < 8) throw new Error('a skippable frame is cut off');
  const size = body.readUInt32LE(start + 4);
  if (size > body.length - start - 8) throw new Error('a skippable frame is cut off');
  return start + 8 + size;
}

interface FrameHeader {
  readonly flags: number;
  readonly maxBlockBytes: number;
  readonly contentSize: bigint | undefined;
  readonly end: number;
}

function readFrameHeader(body: Buffer, start: number): FrameHeader {
  if (body.length - start < 7) throw new Error('the header of a frame is cut off');
  const flags = body.readUInt8(start + 4);
  const blockDescriptor = body.readUInt8(start + 5);
  if ((flags & 0xc0) !== versionBits) throw new Error(`the version of the frame is ${flags >>> 6}`);
  if ((flags & dictionaryBit) !== 0) throw new Error('the frame needs a dictionary');
  const sizeCode = (blockDescriptor >>> 4) & 7;
  if (sizeCode < 4) throw new Error(`the block size code of the frame is ${sizeCode}`);
  const hasContentSize = (flags & contentSizeBit) !== 0;
  const checksumAt = start + 6 + (hasContentSize ? 8 : 0);
  if (checksumAt >= body.length) throw new Error('the header of a frame is cut off');
  const expected = body[checksumAt];
  // Java's first clients (magic 0) took the checksum from the magic number on; both are seen in old logs.
  const isRight =
    headerChecksum(body, start + 4, checksumAt) === expected || headerChecksum(body, start, checksumAt) === expected;
  if (!isRight) throw new Error('the checksum of the frame header is wrong');
  return {
    flags,
    maxBlockBytes: 1 << (8 + 2 * sizeCode),
    contentSize: hasContentSize ? body.readBigUInt64LE(start + 6) : undefined,
    end: checksumAt + 1,
  };
}

function readFrame(blocks: Lz4Blocks, body: Buffer, start: number, output: GrowingOutput): number {
  const { flags, maxBlockBytes, contentSize, end } = readFrameHeader(body, start);
  const isIndependent = (flags & independentBit) !== 0;
  const hasBlockChecksum = (flags & blockChecksumBit) !== 0;
  const contentStart = output.length;
  let position = end;
  for (;;) {
    if (body.length - position < 4) throw new Error('the size of a block is cut off');
    const sizeField = body.readUInt32LE(position);
    position += 4;
    if (sizeField === 0) break;
    const size = sizeField & ~storedBit;
    const blockEnd = position + size;
    if (size > maxBlockBytes) throw new Error(`a block of ${size} bytes is announced, ${maxBlockBytes} are allowed`);
    if (blockEnd + (hasBlockChecksum ? 4 : 0) > body.length) throw new Error(`a block of ${size} bytes is cut off`);
    if (hasBlockChecksum && xxhash32(body, position, blockEnd) !== body.readUInt32LE(blockEnd)) {
      throw new Error('the checksum of a block is wrong');
    }
    output.matchStart = isIndependent ? output.length : contentStart;
    if (sizeField >= storedBit) append(output, body, position, blockEnd);
    else blocks.decompress(body, position, blockEnd, output, maxBlockBytes);
    position = blockEnd + (hasBlockChecksum ? 4 : 0);
  }
  if (contentSize !== undefined && BigInt(output.length - contentStart) !== contentSize) {
    throw new Error(`the frame declares ${contentSize} bytes and has ${output.length - contentStart}`);
  }
  if ((flags & contentChecksumBit) === 0) return position;
  if (body.length - position < 4) throw new Error('the checksum of the content is cut off');
  if (xxhash32(output.bytes, contentStart, output.length) !== body.readUInt32LE(position)) {
    throw new Error('the checksum of the content is wrong');
  }
  return position + 4;
}

function append(output: GrowingOutput, body: Buffer, start: number, end: number): void {
  const length = end - start;
  output.reserve(output.length + length);
  body.copy(output.bytes, output.length, start, end);
  output.length += length;
}

function headerChecksum(body: Buffer, start: number, end: number): number {
  return (xxhash32(body, start, end) >>> 8) & 0xff;
}

function makeFrameHeader(): Buffer {
  const header = Buffer.alloc(7);
  header.writeUInt32LE(frameMagic);
  header[4] = versionBits | independentBit;
  header[5] = 4 << 4; // 64 KiB
  header[6] = headerChecksum(header, 4, 6);
  return header;
}
