import { codecFor } from '../../compression/index.ts';
import type { CompressionName } from '../../protocol/records/index.ts';

/** A decompressed batch may take this much, whatever the options say: Kafka's own limits allow batches of many MiB. */
const MIN_DECOMPRESSED_LIMIT = 64 * 1024 * 1024;

/** Turns the compressed records of a batch into plain ones; at once, or later. */
export type Decompress = (codec: CompressionName, body: Buffer) => Buffer | Promise<Buffer>;

/** Decompresses within what a consumer may hold. */
export function decompressor(maxBufferedBytes: number): Decompress {
  const limit = Math.max(MIN_DECOMPRESSED_LIMIT, maxBufferedBytes);
  return (name, body) => {
    const codec = codecFor(name);
    if (codec instanceof Promise) return codec.then((loaded) => loaded.decompress(body, limit));
    return codec.decompress(body, limit);
  };
}
