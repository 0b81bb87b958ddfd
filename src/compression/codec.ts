import { ProtocolError } from '../errors/kafka-error.ts';
import { reasonOf } from '../errors/thrown.ts';
import type { CompressionName } from '../protocol/records/compression-type.ts';

/**
 * Compresses and decompresses the records of a batch.
 *
 * Small bodies are done at once; large ones, where Node's zlib does them, in the thread pool: then the answer is a promise and
 * `body` must stay as it is until it settles. Every failure is a ProtocolError.
 */
export interface Codec {
  readonly name: CompressionName;
  /** From this size on, a body is decompressed in the thread pool; Infinity where that never happens. */
  readonly poolFromBytes: number;
  /** `level` is the codec's own scale; a codec without levels ignores it. */
  compress(body: Buffer, level: number | undefined): Buffer | Promise<Buffer>;
  /** Never gives, nor holds, more than about `maxBytes`. */
  decompress(body: Buffer, maxBytes: number): Buffer | Promise<Buffer>;
}

/**
 * From this size on, work goes to the thread pool: the way there costs the main thread about 0.1 ms, which is what zstd takes for
 * 30 KiB; below, it would cost the main thread more than it frees, and latency on top. See docs/decisions/compression-off-thread.md.
 */
export const threadPoolFromBytes: number = 32 * 1024;

/** Runs a step of a codec; what it throws becomes a ProtocolError with that cause. */
export function compressing<T>(name: CompressionName, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw compressionFailed(name, error);
  }
}

/** Like {@link compressing}, for bytes that came from elsewhere. */
export function decompressing<T>(name: CompressionName, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw decompressionFailed(name, error);
  }
}

/** The records could not be compressed. */
export function compressionFailed(name: CompressionName, cause: unknown): ProtocolError {
  if (cause instanceof ProtocolError) return cause;
  return new ProtocolError(`Cannot compress records with ${name}: ${reasonOf(cause)}`, {
    code: 'COMPRESSION_FAILED',
    cause,
  });
}

/** The bytes are not what the codec allows. */
export function decompressionFailed(name: CompressionName, cause: unknown): ProtocolError {
  if (cause instanceof ProtocolError) return cause;
  return new ProtocolError(`Cannot decompress records with ${name}: ${reasonOf(cause)}`, {
    code: 'CORRUPT_BATCH',
    cause,
  });
}

/** The content would be larger than the caller allows: a bomb, or a limit set too low. */
export function tooLarge(name: CompressionName, maxBytes: number, cause?: unknown): ProtocolError {
  const message = `Cannot decompress records with ${name}: they have more than the ${maxBytes} bytes that are allowed`;
  return new ProtocolError(message, { code: 'COMPRESSION_FAILED', cause });
}
