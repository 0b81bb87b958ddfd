import { instantiateWasm } from '../util/web-assembly.ts';
import { BlockMemory, type BlockExports } from './block-memory.ts';
import { lz4BlockWasm } from './generated/lz4-block.ts';
import { pureLz4Blocks, type Lz4Blocks } from './lz4-block.ts';

/** `assembly/lz4-block.ts`. */
interface Lz4Exports extends BlockExports {
  compress(input: number, inputEnd: number, output: number, outputEnd: number, table: number): number;
  decompress(input: number, inputEnd: number, output: number, outputEnd: number): number;
}

/**
 * Blocks in WebAssembly; undefined where there is none.
 *
 * They are those of the pure functions, byte for byte. A block that is refused is given to these: they say what is wrong with it, or read
 * it if it reaches back into earlier ones.
 */
export function loadWasmLz4Blocks(): Lz4Blocks | undefined {
  const exports = instantiateWasm<Lz4Exports>(lz4BlockWasm);
  return exports && blocksOf(exports);
}

function blocksOf(exports: Lz4Exports): Lz4Blocks {
  const memory = new BlockMemory(exports);
  const { inputAt } = memory;

  return {
    compress(input, start, end, output) {
      const room = Math.min(output.length, end - start - 1);
      const outputAt = memory.place(input.subarray(start, end), Math.max(room, 0));
      const size = exports.compress(inputAt, inputAt + end - start, outputAt, outputAt + room, 0);
      memory.bytes.copy(output, 0, outputAt, outputAt + size);
      return size;
    },
    decompress(input, start, end, output, maxBytes) {
      const outputAt = memory.place(input.subarray(start, end), maxBytes);
      const size = exports.decompress(inputAt, inputAt + end - start, outputAt, outputAt + maxBytes);
      if (size < 0) {
        pureLz4Blocks.decompress(input, start, end, output, maxBytes);
        return;
      }
      output.reserve(output.length + size);
      memory.bytes.copy(output.bytes, output.length, outputAt, outputAt + size);
      output.length += size;
    },
  };
}
