import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadLz4 } from '../../../src/compression/lz4.ts';
import { GrowingOutput, pureLz4Blocks, type Lz4Blocks } from '../../../src/compression/lz4-block.ts';
import { loadNativeLz4Blocks } from '../../../src/compression/lz4-native.ts';
import { loadWasmLz4Blocks } from '../../../src/compression/lz4-wasm.ts';
import { mutated, someContent, someNoise, text } from '../../support/block-contents.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { counting, watched, withWebAssembly, type Exports } from '../../support/web-assembly.ts';

const SEED = Number(process.env['SEED'] ?? 20_260_117);

const wasm = loadWasmLz4Blocks() ?? assert.fail('there is no WebAssembly here');
const random = seededRandom(SEED);
const noise = someNoise(random, 70_000);
const sizes = [0, 1, 12, 13, 100, 1_023, 1_024, 1_025, 5_000, 65_535, 65_536];

describe(`lz4 blocks in WebAssembly, SEED=${SEED}`, () => {
  it('loadLz4 takes them, unless there are native ones, and does without where there is no WebAssembly', (t) => {
    if (loadNativeLz4Blocks() !== undefined) return t.skip('the package lz4 is installed');
    const calls = { compress: 0, decompress: 0 };
    const codec = withWebAssembly(counting(calls), loadLz4);
    const frame = codec.compress(text, undefined) as Buffer;
    assert.ok((codec.decompress(frame, text.length) as Buffer).equals(text));
    const blocks = Math.ceil(text.length / 65_536);
    assert.deepEqual(calls, { compress: blocks, decompress: blocks });

    assert.equal(withWebAssembly(undefined, loadWasmLz4Blocks), undefined);
    const without = withWebAssembly(undefined, loadLz4);
    assert.deepEqual(without.compress(text, undefined), frame);
    assert.ok((without.decompress(frame, text.length) as Buffer).equals(text));
  });

  for (const size of sizes) {
    it(`compress and decompress do what the pure functions do for ${size} bytes`, () => {
      for (const content of [text, noise, Buffer.alloc(size, 7)]) {
        const input = content.subarray(0, size);
        const block = compressed(wasm, input);
        assert.deepEqual(block, compressed(pureLz4Blocks, input));
        if (block !== undefined) assert.ok(decompressed(wasm, block, size).equals(input));
      }
      const compressible = compressed(wasm, text.subarray(0, size));
      assert.equal(compressible === undefined, size < 100);
    });
  }

  it('compress writes the blocks that the pure functions write, and decompress reads them, for any content', () => {
    for (let round = 0; round < 2_000; round++) {
      const input = someContent(random, Math.floor(random() * (round % 20 === 0 ? 65_536 : 2_000)));
      const block = compressed(wasm, input);
      assert.ok(same(block, compressed(pureLz4Blocks, input)), `round ${round}`);
      if (block !== undefined) assert.ok(decompressed(wasm, block, input.length).equals(input), `round ${round}`);
    }
  });

  it('compress gives 0 for what does not become smaller, or does not fit', () => {
    assert.equal(compressed(wasm, noise.subarray(0, 65_536)), undefined);
    const input = text.subarray(0, 10_000);
    const size = compressed(wasm, input)?.length ?? 0;
    for (let room = size - 1; room < size + 8; room++) {
      const [around, byPure] = [Buffer.alloc(size + 16), Buffer.alloc(size + 16)];
      const written = wasm.compress(input, 0, input.length, around.subarray(0, room));
      assert.equal(written, pureLz4Blocks.compress(input, 0, input.length, byPure.subarray(0, room)));
      assert.equal(written, room < size ? 0 : written);
      assert.ok(around.equals(Buffer.concat([around.subarray(0, written), Buffer.alloc(size + 16 - written)])));
    }
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
      const block = mutated(
        random,
        compressed(wasm, text.subarray(round % 1_000, (round % 1_000) + 3_000)) ?? assert.fail(),
      );
      const [pure, found] = [outcome(pureLz4Blocks, block), outcome(wasm, block)];
      const isSame = typeof pure === 'string' ? found === pure : Buffer.isBuffer(found) && found.equals(pure);
      assert.ok(isSame, `round ${round}: ${block.toString('hex')}`); // not deepEqual, whose message takes minutes
      if (typeof pure === 'string') refused++;
    }
    assert.ok(refused > rounds / 4 && refused < rounds, `${refused} of ${rounds} were refused`);
  });

  it('decompress does not answer with what an earlier block left in the memory', () => {
    compressed(wasm, Buffer.from('secret '.repeat(1_000)));
    // "abcd", 1,469 bytes from 0 back, 5 literals.
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

  it('copies by vectors stay inside of the memory, however full it is', () => {
    // Two pages to begin with, half of one taken by the encoder's table: all that could fill the rest to the last byte, one way or the other.
    const room = 2 * 65_536 - 32_768;
    let tried = 0;
    for (let size = 60_000; size < room; size++) {
      const block = compressed(wasm, text.subarray(0, size));
      const used = size + (block?.length ?? 0);
      if (block === undefined || used < room - 100) {
        size += 40;
        continue;
      }
      if (used > room) break;
      const anew = loadWasmLz4Blocks() ?? assert.fail();
      assert.ok(decompressed(anew, block, size).equals(text.subarray(0, size)), `${size} bytes`);
      tried++;
    }
    assert.ok(tried > 20, `${tried} sizes`);
  });

  it('the memory grows with the largest block, and not with the number of them', () => {
    let memory: Exports['memory'] | undefined;
    const blocks = withWebAssembly(
      watched((exports) => {
        ({ memory } = exports);
        return exports;
      }),
      loadWasmLz4Blocks,
    );
    assert.ok(blocks !== undefined);
    const size = (): number => memory?.buffer.byteLength ?? 0;
    const before = size();
    const large = Buffer.alloc(4_194_304, 'large ');
    const block = compressed(blocks, large) ?? assert.fail();
    assert.ok(decompressed(blocks, block, large.length).equals(large));
    const after = size();
    assert.ok(after > before && after < 9_000_000, `${before} bytes, then ${after}`);
    for (let round = 0; round < 1_000; round++) {
      const input = text.subarray(round, round + 3_000);
      const small = compressed(blocks, input) ?? assert.fail();
      assert.ok(decompressed(blocks, small, 3_000).equals(input));
      assert.throws(() => decompressed(blocks, Buffer.concat([small, Buffer.from('ffff', 'hex')]), 3_000));
    }
    assert.equal(size(), after);
  });
});

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

/** Not deepEqual, whose message takes minutes. */
function same(one: Buffer | undefined, other: Buffer | undefined): boolean {
  return one === undefined || other === undefined ? one === other : one.equals(other);
}
