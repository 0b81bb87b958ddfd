import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { loadLz4, lz4Codec } from '../../../src/compression/lz4.ts';
import { decodedBytes, GrowingOutput, pureLz4Blocks, type Lz4Blocks } from '../../../src/compression/lz4-block.ts';
import { loadNativeLz4Blocks } from '../../../src/compression/lz4-native.ts';
import { loadWasmLz4Blocks, wasmLz4Blocks } from '../../../src/compression/lz4-wasm.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const SEED = Number(process.env['SEED'] ?? 20_260_117);

interface Functions {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly compress: (answerAt: number, start: number, length: number) => void;
  readonly decompress: (answerAt: number, start: number, length: number) => void;
}
const { __wasm: functions } = createRequire(import.meta.url)('lz4-wasm-nodejs') as { __wasm: Functions };
const wasm = loadWasmLz4Blocks() ?? assert.fail('lz4-wasm-nodejs does not work here');
const random = seededRandom(SEED);
const text = Buffer.from(Array.from({ length: 9_000 }, (_, id) => `{"id":${id},"user":"user ${id % 97}"}\n`).join(''));
const noise = Buffer.from(Array.from({ length: 70_000 }, () => Math.floor(random() * 256)));
const sizes = [0, 1, 12, 13, 100, 1_023, 1_024, 1_025, 5_000, 65_535, 65_536];

describe(`lz4 blocks in WebAssembly, SEED=${SEED}`, () => {
  it('loadLz4 takes them, unless there are native ones', (t) => {
    if (loadNativeLz4Blocks() !== undefined) return t.skip('the package lz4 is installed');
    const inPure = lz4Codec(pureLz4Blocks).compress(text, undefined) as Buffer;
    const inWasm = lz4Codec(wasm).compress(text, undefined) as Buffer;
    assert.ok(!inWasm.equals(inPure), 'the two cannot be told apart');
    assert.deepEqual(loadLz4().compress(text, undefined), inWasm);
  });

  for (const size of sizes) {
    it(`compress and decompress agree with the pure functions for ${size} bytes`, () => {
      for (const content of [text, noise, Buffer.alloc(size, 7)]) {
        const input = content.subarray(0, size);
        for (const writer of [wasm, pureLz4Blocks]) {
          const block = compressed(writer, input);
          if (block === undefined) continue;
          for (const reader of [wasm, pureLz4Blocks]) assert.ok(decompressed(reader, block, size).equals(input));
        }
      }
      const compressible = compressed(wasm, text.subarray(0, size));
      assert.equal(compressible === undefined, size < 100);
    });
  }

  it('compress gives 0 for what does not become smaller, or does not fit', () => {
    assert.equal(compressed(wasm, noise.subarray(0, 65_536)), undefined);
    const input = text.subarray(0, 10_000);
    const size = compressed(wasm, input)?.length ?? 0;
    const around = Buffer.alloc(size + 1);
    assert.equal(wasm.compress(input, 0, input.length, around.subarray(0, size - 1)), 0);
    assert.ok(around.equals(Buffer.alloc(size + 1)), 'nothing is written');
    assert.equal(wasm.compress(input, 0, input.length, around.subarray(0, size)), size);
    assert.equal(around[size], 0, 'nothing is written behind the room there is');
  });

  it('compress takes a part of the input and decompress appends to the output', () => {
    const block = Buffer.alloc(20_000);
    const size = wasm.compress(text, 5_000, 15_000, block);
    const output = new GrowingOutput(10, 10_003, () => new Error('too large'));
    output.bytes.write('abc');
    output.length = output.matchStart = 3;
    wasm.decompress(block, 0, size, output, 65_536);
    assert.equal(output.toBuffer().toString(), `abc${text.toString('utf8', 5_000, 15_000)}`);
  });

  it('decompress leaves blocks that depend on earlier ones to the pure functions', () => {
    // 1,365 bytes from 3 back, then 5 literals.
    const block = Buffer.from('0f0300' + 'ffffffffff' + '47' + '50' + '3132333435', 'hex');
    const output = new GrowingOutput(2_000, 2_000, () => new Error('too large'));
    output.bytes.write('abc');
    output.length = 3;
    wasm.decompress(block, 0, block.length, output, 65_536);
    assert.equal(output.toBuffer().toString(), `${'abc'.repeat(456)}12345`);
  });

  it('decompress tells for malformed blocks exactly what the pure functions tell', () => {
    let refused = 0;
    const rounds = 20_000;
    for (let round = 0; round < rounds; round++) {
      const block = mutated(compressed(wasm, text.subarray(round % 1_000, (round % 1_000) + 3_000)));
      const [pure, found] = [outcome(pureLz4Blocks, block), outcome(wasm, block)];
      const isSame = typeof pure === 'string' ? found === pure : Buffer.isBuffer(found) && found.equals(pure);
      assert.ok(isSame, `round ${round}: ${block.toString('hex')}`); // not deepEqual, whose message takes minutes
      assert.equal(decodedBytes(block, 0, block.length, 65_536), typeof pure === 'string' ? -1 : pure.length);
      if (typeof pure === 'string') refused++;
    }
    assert.ok(refused > rounds / 4 && refused < rounds, `${refused} of ${rounds} were refused`);
    assert.ok(usesWasm(wasm), 'none of them has put the module out of use');
  });

  it('decompress does not answer with what an earlier block left in the memory', () => {
    compressed(wasm, Buffer.from('secret '.repeat(1_000)));
    // "abcd", 1,469 bytes from 0 back, 5 literals: the package takes it.
    const block = Buffer.from('4f61626364' + '0000' + 'ffffffffffaf' + '50' + '3132333435', 'hex');
    assert.throws(() => decompressed(wasm, block, 65_536), /a match reaches 0 bytes back/);
  });

  it('decompress gives no more than is allowed, of a block and of all', () => {
    const block = compressed(wasm, Buffer.alloc(60_000, 1)) ?? Buffer.alloc(0);
    for (const blocks of [wasm, pureLz4Blocks]) {
      assert.throws(() => decompressed(blocks, block, 59_999), /a block has more content than its frame allows/);
      const output = new GrowingOutput(10, 59_999, () => new Error('too large'));
      assert.throws(() => blocks.decompress(block, 0, block.length, output, 65_536), /too large/);
      assert.ok(output.bytes.length < 60_000);
    }
    assert.equal(decompressed(wasm, block, 60_000).length, 60_000);
  });

  it('the memory of WebAssembly does not grow over many blocks, well formed or not', () => {
    const whole = compressed(wasm, text.subarray(0, 3_000)) ?? Buffer.alloc(0);
    const tooFar = Buffer.concat([whole, Buffer.from('ffff', 'hex')]);
    const large = text.subarray(0, 65_536);
    const largeBlock = compressed(wasm, large) ?? Buffer.alloc(0);
    decompressed(wasm, largeBlock, large.length);
    const before = functions.memory.buffer.byteLength;
    for (let round = 0; round < 100_000; round++) {
      assert.throws(() => decompressed(wasm, tooFar, 3_000));
      decompressed(wasm, whole, 3_000);
      if (round % 50 !== 0) continue;
      compressed(wasm, large);
      decompressed(wasm, largeBlock, large.length);
    }
    assert.equal(functions.memory.buffer.byteLength, before);
    assert.ok(usesWasm(wasm));
  });
});

describe('wasmLz4Blocks', () => {
  it('wasmLz4Blocks goes to the pure functions for good when the module has trapped', () => {
    for (const failing of ['encode', 'decode'] as const) {
      let calls = 0;
      const trap = (): number => {
        calls++;
        throw new Error('unreachable');
      };
      const blocks = wasmLz4Blocks({ encode: trap, decode: trap });
      const input = text.subarray(0, 5_000);
      const block = compressed(pureLz4Blocks, input) ?? Buffer.alloc(0);
      if (failing === 'encode') assert.deepEqual(compressed(blocks, input), block);
      for (let round = 0; round < 3; round++) assert.ok(decompressed(blocks, block, 5_000).equals(input));
      assert.deepEqual(compressed(blocks, input), block);
      assert.equal(calls, 1, failing);
    }
  });

  it('wasmLz4Blocks does not believe a decoder that answers another size', () => {
    for (const answer of [0, 4_999, NaN]) {
      const blocks = wasmLz4Blocks({ encode: () => 0, decode: () => answer });
      const input = text.subarray(0, 5_000);
      assert.ok(decompressed(blocks, compressed(wasm, input) ?? Buffer.alloc(0), 5_000).equals(input));
    }
  });
});

describe('loadWasmLz4Blocks', () => {
  it('loadWasmLz4Blocks gives blocks that do not take an answer that is marked as refused', () => {
    let [refuses, calls] = [false, 0];
    const decompress = (answerAt: number, start: number, length: number): void => {
      calls++;
      functions.decompress(answerAt, start, length);
      if (refuses) Buffer.from(functions.memory.buffer).writeUInt32LE(1, answerAt + 12);
    };
    const blocks = loadWasmLz4Blocks(() => ({ __wasm: { ...functions, decompress } })) ?? assert.fail();
    const input = text.subarray(0, 5_000);
    const block = compressed(wasm, input) ?? Buffer.alloc(0);
    assert.ok(decompressed(blocks, block, 5_000).equals(input));
    [refuses, calls] = [true, 0];
    for (let round = 0; round < 3; round++) assert.ok(decompressed(blocks, block, 5_000).equals(input));
    assert.equal(calls, 1);
  });

  it('loadWasmLz4Blocks gives nothing if the package cannot be loaded or is another one', () => {
    const missing = (): unknown => createRequire(import.meta.url)('no-such-package-as-this');
    assert.equal(loadWasmLz4Blocks(missing), undefined);
    for (const found of [undefined, null, 1, {}, { __wasm: undefined }, { __wasm: {} }]) {
      assert.equal(
        loadWasmLz4Blocks(() => found),
        undefined,
      );
    }
  });

  it('loadWasmLz4Blocks gives nothing if a function gives wrong results', () => {
    assert.ok(loadWasmLz4Blocks(() => ({ __wasm: { ...functions } })) !== undefined);
    for (const step of ['compress', 'decompress'] as const) {
      const wrong = (answerAt: number, start: number, length: number): void => {
        functions[step](answerAt, start, length);
        const memory = Buffer.from(functions.memory.buffer);
        const at = memory.readUInt32LE(answerAt) + 10;
        memory.writeUInt8(memory.readUInt8(at) ^ 1, at);
      };
      assert.equal(
        loadWasmLz4Blocks(() => ({ __wasm: { ...functions, [step]: wrong } })),
        undefined,
      );
    }
  });
});

/** Whether blocks still go to the module: its encoder writes another block than the pure one. */
function usesWasm(blocks: Lz4Blocks): boolean {
  return compressed(blocks, text)?.equals(compressed(pureLz4Blocks, text) ?? Buffer.alloc(0)) === false;
}

function compressed(blocks: Lz4Blocks, input: Buffer): Buffer | undefined {
  const output = Buffer.alloc(input.length + 100);
  const size = blocks.compress(input, 0, input.length, output);
  return size === 0 ? undefined : output.subarray(0, size);
}

function decompressed(blocks: Lz4Blocks, block: Buffer, maxBytes: number): Buffer {
  const output = new GrowingOutput(64, maxBytes, () => new Error('too large'));
  blocks.decompress(block, 0, block.length, output, maxBytes);
  return output.toBuffer();
}

function outcome(blocks: Lz4Blocks, block: Buffer): Buffer | string {
  try {
    return decompressed(blocks, block, 65_536);
  } catch (error) {
    return String(error);
  }
}

/** A copy with a few bytes changed, cut off, or both. */
function mutated(block: Buffer | undefined): Buffer {
  assert.ok(block !== undefined);
  const changed = Buffer.from(block.subarray(0, random() < 0.2 ? Math.floor(random() * block.length) + 1 : undefined));
  for (let left = Math.floor(random() * 4); left > 0; left--) {
    changed[Math.floor(random() * changed.length)] =
      random() < 0.5 ? Math.floor(random() * 256) : random() < 0.5 ? 0 : 255;
  }
  return changed;
}
