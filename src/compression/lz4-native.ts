import { createRequire } from 'node:module';
import { GrowingOutput, pureLz4Blocks, type Lz4Blocks } from './lz4-block.ts';

/** What a package has for single blocks; both answer how many bytes of `output` they wrote. */
export interface BlockFunctions {
  readonly encode: (input: Buffer, output: Buffer) => number;
  readonly decode: (input: Buffer, output: Buffer) => number;
}

/** The blocks of the package `lz4`; undefined if it is not installed, was built for another Node, or gives wrong results. */
export function loadNativeLz4Blocks(): Lz4Blocks | undefined {
  try {
    const found: unknown = createRequire(import.meta.url)('lz4');
    if (typeof found !== 'object' || found === null) return undefined;
    const encode = 'encodeBlock' in found ? found.encodeBlock : undefined;
    const decode = 'decodeBlock' in found ? found.decodeBlock : undefined;
    if (typeof encode !== 'function' || typeof decode !== 'function') return undefined;
    const functions = { encode, decode } as BlockFunctions;
    return worksAsPure(functions) ? nativeLz4Blocks(functions) : undefined;
  } catch {
    return undefined;
  }
}

/** Native functions behind our interface; whatever they do not do goes to the pure ones. */
export function nativeLz4Blocks({ encode, decode }: BlockFunctions): Lz4Blocks {
  return {
    compress(input, start, end, output) {
      const size = encode(input.subarray(start, end), output);
      return size > 0 && size < end - start ? size : 0;
    },
    decompress(input, start, end, output, maxBytes) {
      // A native decoder wants its room beforehand: no block becomes more than 255 times as large.
      const room = Math.min(maxBytes, 255 * (end - start));
      const canDecode = output.matchStart === output.length && output.hasRoom(room);
      if (!canDecode) {
        pureLz4Blocks.decompress(input, start, end, output, maxBytes);
        return;
      }
      output.reserve(output.length + room);
      const size = decode(input.subarray(start, end), output.bytes.subarray(output.length, output.length + room));
      if (!(size >= 0 && size <= room)) throw new Error(`the native decoder answered ${size}`);
      output.length += size;
    },
  };
}

/** Whether such functions read what the pure ones write, and the other way round. */
function worksAsPure({ encode, decode }: BlockFunctions): boolean {
  const sample = Buffer.from('Kafka, Kavka, Kafka, Kavka, Kafka, Kavka and once more: Kafka, Kavka');
  const block = Buffer.alloc(256);
  const decoded = Buffer.alloc(sample.length);
  const pureSize = pureLz4Blocks.compress(sample, 0, sample.length, block);
  const reads = decode(block.subarray(0, pureSize), decoded) === sample.length && decoded.equals(sample);
  const size = encode(sample, block);
  const output = new GrowingOutput(sample.length, sample.length, () => new Error('more than the sample'));
  if (size > 0) pureLz4Blocks.decompress(block, 0, size, output, sample.length);
  return reads && output.toBuffer().equals(sample);
}
