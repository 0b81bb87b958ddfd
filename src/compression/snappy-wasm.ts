import { instantiateWasm } from '../util/web-assembly.ts';
import { BlockMemory, type BlockExports } from './block-memory.ts';
import { snappyBlockWasm } from './generated/snappy-block.ts';
import { ownMemory } from './own-memory.ts';
import { declaredBytes, maxSnappyBlockBytes, pureSnappyBlocks, type SnappyBlocks } from './snappy-block.ts';

/** `assembly/snappy-block.ts`. */
interface SnappyExports extends BlockExports {
  compress(input: number, inputEnd: number, output: number, table: number): number;
  /** 0 where the block is refused. */
  decompress(input: number, inputEnd: number, output: number, outputEnd: number): number;
}

/** More content than this no element has for so many bytes: a copy of 64 bytes takes three. */
const contentBytes = 64;
const elementBytes = 3;

/** What a block and its content may take in a memory that never becomes smaller; Kafka's are of 64 KiB, or of a batch where others write them. */
const largestBytes = 8 * 1024 * 1024;

/**
 * Blocks in WebAssembly; undefined where there is none.
 *
 * The content of all blocks goes into one Buffer, for which their declared lengths are added up before. If any block declares what cannot
 * be, or is refused, all go to the pure functions, which look at everything before they make any of it, and say what is wrong. Those read
 * blocks of many megabytes, too: the memory of WebAssembly stays below 9 MB.
 */
export function loadWasmSnappyBlocks(): SnappyBlocks | undefined {
  const exports = instantiateWasm<SnappyExports>(snappyBlockWasm);
  return exports && blocksOf(exports);
}

function blocksOf(exports: SnappyExports): SnappyBlocks {
  const memory = new BlockMemory(exports);
  const { inputAt } = memory;

  /** The content of all blocks; undefined if that is left to the pure functions. */
  function decompress(blocks: readonly Buffer[], maxBytes: number): Buffer | undefined {
    let total = 0;
    for (const block of blocks) {
      const declared = declaredBytes(block);
      if (declared * elementBytes > block.length * contentBytes || block.length + declared > largestBytes)
        return undefined;
      total += declared;
    }
    if (total > maxBytes) return undefined;
    const content = Buffer.allocUnsafeSlow(total);
    let at = 0;
    for (const block of blocks) {
      const declared = declaredBytes(block);
      const outputAt = memory.place(block, declared);
      const outputEnd = outputAt + declared;
      if (exports.decompress(inputAt, inputAt + block.length, outputAt, outputEnd) === 0) return undefined;
      memory.bytes.copy(content, at, outputAt, outputEnd);
      at += declared;
    }
    return ownMemory(content);
  }

  return {
    compress(input, output, at) {
      const outputAt = memory.place(input, maxSnappyBlockBytes(input.length));
      const size = exports.compress(inputAt, inputAt + input.length, outputAt, 0);
      memory.bytes.copy(output, at, outputAt, outputAt + size);
      return at + size;
    },
    decompress: (blocks, maxBytes, tooMuch) =>
      decompress(blocks, maxBytes) ?? pureSnappyBlocks.decompress(blocks, maxBytes, tooMuch),
  };
}
