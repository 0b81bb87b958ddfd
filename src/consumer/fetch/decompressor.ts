import { codecFor, loadedCodec } from '../../compression/index.ts';
import type { CompressionName } from '../../protocol/records/index.ts';

/** A decompressed batch may take this much, whatever the options say: Kafka's own limits allow batches of many MiB. */
const MIN_DECOMPRESSED_LIMIT = 64 * 1024 * 1024;

/** Turns the compressed records of batches into plain ones. */
export interface Decompressor {
  /** At once, or later. */
  decompress(codec: CompressionName, body: Buffer): Buffer | Promise<Buffer>;
  /** Whether the thread pool would do it, so that beginning before it is needed takes nothing from others. */
  isAside(codec: CompressionName, bytes: number): boolean;
}

/** Decompresses within what a consumer may hold. */
export function decompressor(maxBufferedBytes: number): Decompressor {
  const limit = Math.max(MIN_DECOMPRESSED_LIMIT, maxBufferedBytes);
  return {
    decompress: (name, body) => {
      const codec = codecFor(name);
      if (codec instanceof Promise) return codec.then((loaded) => loaded.decompress(body, limit));
      return codec.decompress(body, limit);
    },
    isAside: (name, bytes) => bytes >= (loadedCodec(name)?.poolFromBytes ?? Infinity),
  };
}
