import { createRequire } from 'node:module';
import { decodedBytes, pureLz4Blocks, worksAsPure, type BlockFunctions, type Lz4Blocks } from './lz4-block.ts';

/** Below this the way into WebAssembly and back costs what it saves, and JavaScript decodes the block. */
const decodeFromBytes = 1024;

/** The blocks of the package `lz4-wasm-nodejs`; undefined if it cannot be loaded (a bundle without it, `--jitless`) or gives wrong results. */
export function loadWasmLz4Blocks(load: () => unknown = loadPackage): Lz4Blocks | undefined {
  try {
    const found = load();
    if (typeof found !== 'object' || found === null || !('__wasm' in found)) return undefined;
    const functions = blockFunctions(found.__wasm as Exports);
    return worksAsPure(functions) ? wasmLz4Blocks(functions) : undefined;
  } catch {
    return undefined;
  }
}

function loadPackage(): unknown {
  return createRequire(import.meta.url)('lz4-wasm-nodejs');
}

/**
 * WebAssembly behind our interface; what it cannot do goes to the pure functions, which tell what is wrong with a block.
 *
 * A block is walked through before it is decoded. The walk finds the exact size, without which the package does not decode and which it
 * allocates unchecked, up to 2 GiB that WebAssembly never gives back. And it keeps malformed blocks from the package, whose decoder
 * takes a match at distance 0 for content: what an earlier block left in its memory would come out as a record. Blocks that reach back
 * into earlier ones do not pass the walk either.
 */
export function wasmLz4Blocks({ encode, decode }: BlockFunctions): Lz4Blocks {
  // After a trap or a refusal the module's stack stays where it was and what it had allocated is lost, so that there is no second call.
  // Malformed blocks never get there: only a lack of memory should bring this about, and a new instance would lack it, too.
  let isSound = true;
  return {
    compress(input, start, end, output) {
      if (isSound) {
        try {
          const size = encode(input.subarray(start, end), output);
          return size < end - start ? size : 0;
        } catch {
          isSound = false;
        }
      }
      return pureLz4Blocks.compress(input, start, end, output);
    },
    decompress(input, start, end, output, maxBytes) {
      const size = isSound ? decodedBytes(input, start, end, maxBytes) : -1;
      if (size >= decodeFromBytes) {
        output.reserve(output.length + size);
        try {
          const into = output.bytes.subarray(output.length, output.length + size);
          isSound = decode(input.subarray(start, end), into) === size;
        } catch {
          isSound = false;
        }
        if (isSound) {
          output.length += size;
          return;
        }
      }
      pureLz4Blocks.decompress(input, start, end, output, maxBytes);
    },
  };
}

/** What the package's own functions call; each answers with four words at an address on the module's stack. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  compress(answerAt: number, start: number, length: number): void;
  decompress(answerAt: number, start: number, length: number): void;
  __wbindgen_add_to_stack_pointer(bytes: number): number;
  __wbindgen_malloc(length: number): number;
  __wbindgen_free(start: number, length: number): void;
}

const answerBytes = 16;
/** The size of the content, 32 bits, which the package wants and writes before a block. */
const prefixBytes = 4;

/**
 * The package's functions without the copies that its JavaScript makes: it wants the block with its size in one array and answers with an
 * array of its own, which is half of the time of a block of 4 KiB.
 */
function blockFunctions(wasm: Exports): BlockFunctions {
  let bytes = Buffer.from(wasm.memory.buffer);

  /** The memory as it is now: every call may have let it grow. */
  function memory(): Buffer {
    if (bytes.buffer !== wasm.memory.buffer) bytes = Buffer.from(wasm.memory.buffer);
    return bytes;
  }

  /** Runs a step that takes over the input, and copies to `output` what it answers, from its byte `skip` on; 0 if there is no room. */
  function run(step: 'compress' | 'decompress', start: number, length: number, skip: number, output: Buffer): number {
    const answerAt = wasm.__wbindgen_add_to_stack_pointer(-answerBytes);
    wasm[step](answerAt, start, length);
    const found = memory();
    const at = found.readUInt32LE(answerAt);
    const size = found.readUInt32LE(answerAt + 4);
    if (step === 'decompress' && found.readUInt32LE(answerAt + 12) !== 0) throw new Error('the block was refused');
    const taken = size - skip <= output.length ? found.copy(output, 0, at + skip, at + size) : 0;
    wasm.__wbindgen_free(at, size);
    wasm.__wbindgen_add_to_stack_pointer(answerBytes);
    return taken;
  }

  return {
    encode(input, output) {
      const start = wasm.__wbindgen_malloc(input.length);
      memory().set(input, start);
      return run('compress', start, input.length, prefixBytes, output);
    },
    decode(input, output) {
      const start = wasm.__wbindgen_malloc(prefixBytes + input.length);
      memory().writeUInt32LE(output.length, start);
      memory().set(input, start + prefixBytes);
      return run('decompress', start, prefixBytes + input.length, 0, output);
    },
  };
}
