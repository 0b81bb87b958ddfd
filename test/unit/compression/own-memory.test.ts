import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import zlib from 'node:zlib';
import { codecFor, freeContent, isFreeable, keepContent } from '../../../src/compression/index.ts';
import { ownMemory } from '../../../src/compression/own-memory.ts';
import type { CompressionName } from '../../../src/protocol/records/index.ts';
import { canFreeMemory } from '../../../src/util/free-memory.ts';

const limit = 1 << 30;
const repeated = Buffer.from('The memory of a batch serves the next one. '.repeat(5000));
const text = Buffer.from(Array.from({ length: 40_000 }, (_, at) => Math.sqrt(at).toString(36)).join());

async function decompressed(name: CompressionName, content: Buffer): Promise<Buffer> {
  const codec = await codecFor(name);
  return codec.decompress(await codec.compress(content, undefined), limit);
}

describe('The memory of what was decompressed', { skip: !canFreeMemory && 'this Node cannot free memory' }, () => {
  const names = ['gzip', 'snappy', 'lz4', 'zstd'] as const;
  for (const name of names.filter((each) => each !== 'zstd' || typeof zlib.zstdCompressSync === 'function')) {
    it(`${name}: can be freed, once, where it is worth it`, async () => {
      for (const expected of [text, repeated]) {
        const content = await decompressed(name, expected);
        assert.ok(isFreeable(content));
        assert.ok(content.equals(expected));
        freeContent(content);
        assert.equal(content.buffer.byteLength, 0);
        assert.equal(isFreeable(content), false);
        freeContent(content);
      }

      const small = await decompressed(name, text.subarray(0, 1000));
      assert.equal(isFreeable(small), false);
      freeContent(small);
      assert.ok(small.equals(text.subarray(0, 1000)));
    });
  }

  it('is never freed where it is a part of the pool of Buffer', async () => {
    const poolSize = Buffer.poolSize;
    Buffer.poolSize = 16 * 1024 * 1024;
    try {
      // One to begin a pool of that size.
      const neighbour = Buffer.allocUnsafe(1000).fill(7);
      for (const name of ['gzip', 'zstd'] as const) {
        const content = await decompressed(name, text);
        freeContent(content);
        assert.ok(content.equals(text), name);
      }
      assert.ok(neighbour.every((byte) => byte === 7));
    } finally {
      Buffer.poolSize = poolSize;
    }
  });

  it('stays where somebody keeps views of it', () => {
    const content = ownMemory(Buffer.allocUnsafeSlow(100_000));
    keepContent(content);
    freeContent(content);
    assert.equal(content.buffer.byteLength, 100_000);
  });
});
