import zlib, { type ZlibOptions } from 'node:zlib';
import { compressing, threadPoolFromBytes, type Codec } from './codec.ts';
import { chunkSize, compressedChunkSize, compressLater, decompressLater, decompressNow } from './zlib-task.ts';

/** The same for compressing with gzip, which takes several times as long as zstd for the same bytes. */
const compressInPoolFromBytes = 8 * 1024;

/** Levels 1 to 9, as zlib has them; 6 if none is given. */
export const gzip: Codec = {
  name: 'gzip',
  poolFromBytes: threadPoolFromBytes,
  compress(body, level) {
    const options: ZlibOptions = {
      chunkSize: compressedChunkSize(body.length),
      ...(level === undefined ? {} : { level }),
    };
    if (body.length < compressInPoolFromBytes) return compressing('gzip', () => zlib.gzipSync(body, options));
    return compressLater('gzip', (callback) => zlib.gzip(body, options, callback));
  },
  decompress(body, maxBytes) {
    const options = { maxOutputLength: Math.max(1, maxBytes), chunkSize: chunkSize(body.length, maxBytes) };
    if (body.length < threadPoolFromBytes) return decompressNow('gzip', options, () => zlib.gunzipSync(body, options));
    return decompressLater('gzip', options, (callback) => zlib.gunzip(body, options, callback));
  },
};
