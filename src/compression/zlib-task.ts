import type { CompressionName } from '../protocol/records/compression-type.ts';
import { compressionFailed, decompressionFailed, tooLarge } from './codec.ts';
import { ownMemory } from './own-memory.ts';

/** How zlib's callback functions answer. */
export type ZlibCallback = (error: Error | null, result: Buffer) => void;

/** Compresses in the thread pool. */
export function compressLater(name: CompressionName, start: (callback: ZlibCallback) => void): Promise<Buffer> {
  return later(start, (error) => compressionFailed(name, error));
}

/** What a body is decompressed with. */
export interface DecompressionLimits {
  /** More must not come out. */
  readonly maxOutputLength: number;
  /** The pieces of memory that zlib takes. */
  readonly chunkSize: number;
}

/** Decompresses in the thread pool. */
export async function decompressLater(
  name: CompressionName,
  { maxOutputLength, chunkSize: chunkBytes }: DecompressionLimits,
  start: (callback: ZlibCallback) => void,
): Promise<Buffer> {
  const content = await later(start, (error) => zlibError(name, maxOutputLength, error));
  return ownMemory(content, chunkBytes);
}

/** Decompresses here and now. */
export function decompressNow(
  name: CompressionName,
  { maxOutputLength, chunkSize: chunkBytes }: DecompressionLimits,
  step: () => Buffer,
): Buffer {
  try {
    return ownMemory(step(), chunkBytes);
  } catch (error) {
    throw zlibError(name, maxOutputLength, error);
  }
}

/** More is never allocated at once, whatever is declared. */
const largestChunkBytes = 2 * 1024 * 1024;

/**
 * How large a piece of memory the content should come out into: one that holds all of it saves copying pieces together, which costs more
 * than decompressing. Never above what is allowed.
 *
 * @param contentBytes what the content is said to have, or has at most; believed only as far as the body is from being a bomb
 */
export function chunkSize(compressedBytes: number, maxBytes: number, contentBytes?: number): number {
  // One byte more than the content: zlib takes another piece when the last one is full.
  const guess = contentBytes === undefined ? 4 * compressedBytes : Math.min(contentBytes + 1, 64 * compressedBytes);
  return Math.max(64, Math.min(guess, largestChunkBytes, maxBytes));
}

/**
 * The same for what a body becomes when it is compressed: half of it is enough for text. With Node's pieces of 16 KiB, each of which is a
 * job of its own for the thread pool, zstd took half as long again.
 */
export function compressedChunkSize(bytes: number): number {
  return Math.max(16 * 1024, Math.min(Math.ceil(bytes / 2), largestChunkBytes));
}

function later(start: (callback: ZlibCallback) => void, wrap: (error: unknown) => Error): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    try {
      start((error, result) => {
        if (error === null) resolve(result);
        else reject(wrap(error));
      });
    } catch (error) {
      reject(wrap(error));
    }
  });
}

function zlibError(name: CompressionName, maxBytes: number, error: unknown): Error {
  const isTooLarge = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
  return isTooLarge ? tooLarge(name, maxBytes, error) : decompressionFailed(name, error);
}
