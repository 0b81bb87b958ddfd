/** One zstd frame within a body, without looking at its content. */
export interface ZstdFrame {
  readonly start: number;
  readonly end: number;
  /** What a decoder must keep at hand while reading it, as its header declares. */
  readonly windowBytes: number;
  /** How much content its header declares; where it does not, the most that its blocks can have. */
  readonly contentBytes: number;
  /** Positions that cut the frame into pieces, none of which can become more than 1 MiB; the last is its end. */
  readonly cuts: readonly number[];
}

const maxBlockContentBytes = 128 * 1024;
const blocksPerPiece = 8;

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;
const blockTypeRle = 1;
const blockTypeReserved = 3;

/**
 * Where the frames of a body begin and end, from the headers of their blocks.
 *
 * Needed because Node's zstd stops silently after the first frame, and because `zstd-codec` takes a body that is cut off for a whole one.
 */
export function zstdFrames(body: Buffer): ZstdFrame[] {
  const frames: ZstdFrame[] = [];
  let position = 0;
  while (position < body.length) {
    if (body.length - position < 5) throw new Error('the header of a frame is cut off');
    const magic = body.readUInt32LE(position);
    if (magic === frameMagic) {
      const frame = readFrame(body, position);
      frames.push(frame);
      position = frame.end;
    } else if ((magic & 0xffff_fff0) >>> 0 === skippableMagic) {
      position = skipFrame(body, position);
    } else {
      throw new Error(`0x${magic.toString(16)} is not the magic number of a frame`);
    }
  }
  if (frames.length === 0) throw new Error('there is no frame');
  return frames;
}

function skipFrame(body: Buffer, start: number): number {
  if (body.length - start < 8 || body.readUInt32LE(start + 4) > body.length - start - 8) {
    throw new Error('a skippable frame is cut off');
  }
  return start + 8 + body.readUInt32LE(start + 4);
}

function readFrame(body: Buffer, start: number): ZstdFrame {
  const descriptor = body.readUInt8(start + 4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const hasChecksum = (descriptor & 0x04) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const sizeCode = descriptor >>> 6;
  const contentSizeBytes = sizeCode === 0 ? Number(isSingleSegment) : 1 << sizeCode;
  const contentSizeAt = start + 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes;
  let position = contentSizeAt + contentSizeBytes;
  if (position > body.length) throw new Error('the header of a frame is cut off');
  const declaredBytes = contentSizeBytes === 0 ? undefined : contentSize(body, contentSizeAt, contentSizeBytes);
  const windowBytes = isSingleSegment ? (declaredBytes ?? 0) : windowSize(body.readUInt8(start + 5));
  const cuts: number[] = [];
  let blocks = 0;
  for (let isLast = false; !isLast;) {
    blocks++;
    if (body.length - position < 3) throw new Error('the header of a block is cut off');
    const blockHeader = body.readUIntLE(position, 3);
    const type = (blockHeader >>> 1) & 3;
    if (type === blockTypeReserved) throw new Error('a block has a reserved type');
    isLast = (blockHeader & 1) !== 0;
    position += 3 + (type === blockTypeRle ? 1 : blockHeader >>> 3);
    if (position > body.length) throw new Error('a block is cut off');
    if (blocks % blocksPerPiece === 0) cuts.push(position);
  }
  if (hasChecksum) position += 4;
  if (position > body.length) throw new Error('the checksum of a frame is cut off');
  cuts.push(position);
  const contentBytes = declaredBytes ?? blocks * maxBlockContentBytes;
  return { start, end: position, windowBytes, contentBytes, cuts };
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >>> 3));
  return base + (base / 8) * (descriptor & 7);
}

function contentSize(body: Buffer, position: number, bytes: number): number {
  if (bytes === 8) return Number(body.readBigUInt64LE(position));
  return body.readUIntLE(position, bytes) + (bytes === 2 ? 256 : 0);
}
