import zlib, { type ZstdOptions } from 'node:zlib';
import { compressing, decompressing, threadPoolFromBytes, type Codec } from './codec.ts';
import { chunkSize, compressedChunkSize, compressLater, decompressLater, decompressNow } from './zlib-task.ts';
import { zstdFrames, type ZstdFrame } from './zstd-frame.ts';

/** Zstandard: Node's own from 22.15 and 23.8 on, the package `zstd-codec` before. */
export async function loadZstd(): Promise<Codec> {
  if (typeof zlib.zstdCompressSync === 'function') return nodeZstd;
  return (await import('./zstd-wasm.ts')).loadZstdWasm();
}

/** Node's own; levels 1 to 22, 3 if none is given. */
const nodeZstd: Codec = {
  name: 'zstd',
  poolFromBytes: threadPoolFromBytes,
  compress(body, level) {
    const options: ZstdOptions = {
      // It stands in the frame then, and whoever reads it knows how much memory to take.
      pledgedSrcSize: body.length,
      chunkSize: compressedChunkSize(body.length),
      ...(level === undefined ? {} : { params: { [zlib.constants.ZSTD_c_compressionLevel]: level } }),
    };
    if (body.length < threadPoolFromBytes) return compressing('zstd', () => zlib.zstdCompressSync(body, options));
    return compressLater('zstd', (callback) => zlib.zstdCompress(body, options, callback));
  },
  decompress(body, maxBytes) {
    const frames = decompressing('zstd', () => zstdFrames(body));
    const [frame] = frames;
    if (frames.length === 1 && frame !== undefined) return decompressFrame(body, frame, maxBytes);
    return decompressFrames(body, frames, maxBytes);
  },
};

async function decompressFrames(body: Buffer, frames: readonly ZstdFrame[], maxBytes: number): Promise<Buffer> {
  const contents: Buffer[] = [];
  let total = 0;
  for (const frame of frames) {
    const content = await decompressFrame(body, frame, maxBytes - total);
    contents.push(content);
    total += content.length;
  }
  return Buffer.concat(contents);
}

function decompressFrame(body: Buffer, frame: ZstdFrame, maxBytes: number): Buffer | Promise<Buffer> {
  const bytes = body.subarray(frame.start, frame.end);
  const options = {
    maxOutputLength: Math.max(1, maxBytes),
    chunkSize: chunkSize(bytes.length, maxBytes, frame.contentBytes),
    params: { [zlib.constants.ZSTD_d_windowLogMax]: windowLogMax(maxBytes) },
  };
  if (bytes.length < threadPoolFromBytes)
    return decompressNow('zstd', options, () => zlib.zstdDecompressSync(bytes, options));
  return decompressLater('zstd', options, (callback) => zlib.zstdDecompress(bytes, options, callback));
}

/**
 * A decoder allocates the window that the frame declares, whatever comes then. Every reader must take 8 MiB; more is allowed
 * as far as content of that size would be, up to the 128 MiB of level 22.
 */
function windowLogMax(maxBytes: number): number {
  return Math.min(27, Math.max(23, Math.ceil(Math.log2(Math.max(1, maxBytes)))));
}
