import type { CompressionName } from '../protocol/records/compression-type.ts';
import { compressionFailed, type Codec } from './codec.ts';

export { type Codec } from './codec.ts';
export { freeContent, isFreeable, keepContent } from './own-memory.ts';

const none: Codec = {
  name: 'none',
  poolFromBytes: Infinity,
  compress: (body) => body,
  decompress: (body) => body,
};

const loaders: Readonly<Record<CompressionName, () => Promise<Codec>>> = {
  none: () => Promise.resolve(none),
  gzip: async () => (await import('./gzip.ts')).gzip,
  snappy: async () => (await import('./snappy.ts')).loadSnappy(),
  lz4: async () => (await import('./lz4.ts')).loadLz4(),
  zstd: async () => (await import('./zstd.ts')).loadZstd(),
};

const loaded = new Map<CompressionName, Codec>([['none', none]]);
const loading = new Map<CompressionName, Promise<Codec>>();

/**
 * The codec of this name: at once if it was used before, otherwise a promise of it, as its code is loaded with the first use.
 *
 * Rejects with a ProtocolError COMPRESSION_FAILED if that fails; the next call tries again.
 */
export function codecFor(name: CompressionName): Codec | Promise<Codec> {
  const codec = loaded.get(name);
  if (codec !== undefined) return codec;
  const underWay = loading.get(name);
  if (underWay !== undefined) return underWay;
  const promise = loaders[name]().then(
    (found) => {
      loading.delete(name);
      loaded.set(name, found);
      return found;
    },
    (error: unknown) => {
      loading.delete(name);
      throw compressionFailed(name, error);
    },
  );
  loading.set(name, promise);
  return promise;
}

/** The codec of this name if it was used before. */
export function loadedCodec(name: CompressionName): Codec | undefined {
  return loaded.get(name);
}
