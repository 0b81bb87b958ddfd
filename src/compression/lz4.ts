import { pureLz4Blocks } from './lz4-block.ts';
import { compressing, decompressing, type Codec } from './codec.ts';
import { compressLz4Frame, decompressLz4Frames } from './lz4-frame.ts';
import { loadNativeLz4Blocks } from './lz4-native.ts';
import { loadWasmLz4Blocks } from './lz4-wasm.ts';
import type { Lz4Blocks } from './lz4-block.ts';

/** LZ4 in its frame format; native blocks if the optional peer `lz4` is there and works, else WebAssembly if it does, else JavaScript. */
export function loadLz4(): Codec {
  return lz4Codec(loadNativeLz4Blocks() ?? loadWasmLz4Blocks() ?? pureLz4Blocks);
}

/** LZ4 with these block functions. */
export function lz4Codec(blocks: Lz4Blocks): Codec {
  return {
    name: 'lz4',
    poolFromBytes: Infinity,
    compress: (body) => compressing('lz4', () => compressLz4Frame(blocks, body)),
    decompress: (body, maxBytes) => decompressing('lz4', () => decompressLz4Frames(blocks, body, maxBytes)),
  };
}
