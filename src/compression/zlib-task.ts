import type { CompressionName } from '../protocol/records/compression-type.ts';
import { compressionFailed, decompressionFailed, tooLarge } from './codec.ts';

/** How zlib's callback functions answer. */
export type ZlibCallback = (error: Error | null, result: Buffer) => void;

/** Compresses in the thread pool. */
export function compressLater(name: CompressionName, start: (callback: ZlibCallback) => void): Promise<Buffer> {
  return later(start, (error) => compressionFailed(name, error));
}

/** Decompresses in the thread pool. */
export function decompressLater(
  name: CompressionName,
  maxBytes: number,
  start: (callback: ZlibCallback) => void,
): Promise<Buffer> {
  return later(start, (error) => zlibError(name, maxBytes, error));
}

/** Decompresses here and now. */
export function decompressNow(name: CompressionName, maxBytes: number, step: () => Buffer): Buffer {
  try {
    return step();
  } catch (error) {
    throw zlibError(name, maxBytes, error);
  }
}

/** A first guess of what will come out, so that little is copied together; never above what is allowed. */
export function chunkSize(compressedBytes: number, maxBytes: number): number {
  return Math.max(64, Math.min(4 * compressedBytes, 256 * 1024, maxBytes));
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
