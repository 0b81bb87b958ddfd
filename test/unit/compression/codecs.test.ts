import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import zlib from 'node:zlib';
import { codecFor, loadedCodec, type Codec } from '../../../src/compression/index.ts';
import { lz4Codec } from '../../../src/compression/lz4.ts';
import { pureLz4Blocks } from '../../../src/compression/lz4-block.ts';
import { loadWasmLz4Blocks } from '../../../src/compression/lz4-wasm.ts';
import { snappyCodec } from '../../../src/compression/snappy.ts';
import { pureSnappyBlocks } from '../../../src/compression/snappy-block.ts';
import { loadWasmSnappyBlocks } from '../../../src/compression/snappy-wasm.ts';
import { loadZstdWasm } from '../../../src/compression/zstd-wasm.ts';
import type { CompressionName } from '../../../src/protocol/records/index.ts';

const codecs: Readonly<Record<string, () => Codec | Promise<Codec>>> = {
  gzip: () => codecFor('gzip'),
  snappy: () => codecFor('snappy'),
  'snappy in JavaScript': () => snappyCodec(pureSnappyBlocks),
  'snappy in WebAssembly': () => snappyCodec(loadWasmSnappyBlocks() ?? assert.fail('there is no WebAssembly here')),
  lz4: () => codecFor('lz4'),
  'lz4 in JavaScript': () => lz4Codec(pureLz4Blocks),
  'lz4 in WebAssembly': () => lz4Codec(loadWasmLz4Blocks() ?? assert.fail('there is no WebAssembly here')),
  zstd: () => codecFor('zstd'),
  'zstd in WebAssembly': () => loadZstdWasm(),
};

const hasNodeZstd = typeof zlib.zstdCompressSync === 'function';

const json = Buffer.from(JSON.stringify(Array.from({ length: 4_000 }, (_, id) => ({ id, name: `user ${id % 97}` }))));
const noise = randomBytes(100_000);
const bodies: Readonly<Record<string, Buffer>> = {
  'no byte': Buffer.alloc(0),
  'one byte': Buffer.from('a'),
  '13 bytes': Buffer.from('aaaaaaaaaaaaa'),
  'a repeated text': Buffer.from('Kafka, Kavka, '.repeat(9)),
  'one block of 64 KiB': json.subarray(0, 65_536),
  'a block and a byte': json.subarray(0, 65_537),
  'half a megabyte of one byte': Buffer.alloc(500_000, 7),
  noise,
  'text and noise': Buffer.concat([json, noise, json]),
};

for (const [name, load] of Object.entries(codecs)) {
  describe(`codec ${name}`, () => {
    for (const [what, body] of Object.entries(bodies)) {
      it(`gives back ${what}, within exactly as many bytes`, async () => {
        const codec = await load();
        const compressed = await codec.compress(body, undefined);
        const found = await codec.decompress(compressed, Math.max(1, body.length));
        assert.ok(found.equals(body));
        assert.ok(compressed.length <= body.length + body.length / 64 + 64, `${compressed.length} bytes`);
      });
    }

    it('gives no more than is allowed', async () => {
      const codec = await load();
      for (const body of [json, noise, bodies['half a megabyte of one byte'] ?? json]) {
        const compressed = await codec.compress(body, undefined);
        await rejectsTooLarge(codec, compressed, body.length - 1);
        await rejectsTooLarge(codec, compressed, 100);
      }
    });

    it('ends a bomb of 64 MB early', { timeout: 60_000 }, async () => {
      const codec = await load();
      const bomb = await codec.compress(Buffer.alloc(64_000_000), undefined);
      const before = process.memoryUsage().arrayBuffers;
      await rejectsTooLarge(codec, bomb, 1_000_000);
      const kept = process.memoryUsage().arrayBuffers - before;
      assert.ok(kept < 30_000_000, `${kept} bytes more are held`);
    });

    it('refuses what is cut off anywhere', async () => {
      const codec = await load();
      const compressed = await codec.compress(Buffer.from('Kafka, Kavka, '.repeat(20)), undefined);
      for (let cut = 0; cut < compressed.length; cut++) {
        // Behind the header of its framing, snappy may end after any block: nothing is one of the possibilities.
        if (codec.name === 'snappy' && cut === 16) continue;
        await rejectsCorrupt(codec, compressed.subarray(0, cut));
      }
    });

    it('refuses noise, and never gives anything but a ProtocolError for a flipped bit', async () => {
      const codec = await load();
      await rejectsCorrupt(codec, noise.subarray(0, 1_000));
      const compressed = await codec.compress(json.subarray(0, 3_000), undefined);
      for (let bit = 0; bit < compressed.length * 8; bit += 3) {
        const flipped = Buffer.from(compressed);
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        try {
          const found = await codec.decompress(flipped, 100_000);
          assert.ok(found.length <= 100_000);
        } catch (error) {
          assert.ok(error instanceof Error && error.name === 'ProtocolError', String(error));
        }
      }
      assert.ok((await codec.decompress(compressed, 3_000)).equals(json.subarray(0, 3_000)), 'it works afterwards');
    });
  });
}

describe('codecFor', () => {
  it('codecFor answers at once from the second time on', async () => {
    for (const name of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] satisfies CompressionName[]) {
      const first = await codecFor(name);
      assert.equal(codecFor(name), first);
      assert.equal(first.name, name);
    }
  });

  it('codecs do small bodies at once and leave large ones to the thread pool', async () => {
    for (const name of ['gzip', 'zstd'] satisfies CompressionName[]) {
      const codec = await codecFor(name);
      const small = codec.compress(json.subarray(0, 1_000), undefined);
      assert.ok(Buffer.isBuffer(small) && Buffer.isBuffer(codec.decompress(small, 1_000)));
      const large = codec.compress(noise, undefined);
      assert.ok(large instanceof Promise || (name === 'zstd' && !hasNodeZstd));
      await large;
    }
  });

  it('codecs say from which size on they leave bodies to the thread pool', async () => {
    for (const load of Object.values(codecs)) {
      const codec = await load();
      for (const content of [noise.subarray(0, 30_000), noise]) {
        const body = await codec.compress(content, undefined);
        const result = codec.decompress(body, noise.length);
        await result;
        assert.equal(
          result instanceof Promise,
          body.length >= codec.poolFromBytes,
          `${codec.name}, ${body.length} bytes`,
        );
      }
    }
  });

  it('loadedCodec knows those that were used', async () => {
    const gzip = await codecFor('gzip');
    assert.equal(loadedCodec('gzip'), gzip);
  });

  it('gzip leaves bodies to the thread pool that zstd does at once', async () => {
    const body = noise.subarray(0, 10_000);
    const [gzip, zstd] = [await codecFor('gzip'), await codecFor('zstd')];
    assert.ok(gzip.compress(body, undefined) instanceof Promise);
    assert.ok(Buffer.isBuffer(zstd.compress(body, undefined)));
  });
});

describe('levels', () => {
  for (const [name, low, high] of [
    ['gzip', 1, 9],
    ['zstd', 1, hasNodeZstd ? 19 : 9],
    ['zstd in WebAssembly', 1, 9],
  ] as const) {
    // prettier-ignore
    it(`${name} takes them`, async () => {
      const codec = await codecs[name]?.();
      assert.ok(codec);
      const fast = await codec.compress(json, low);
      const small = await codec.compress(json, high);
      assert.ok(small.length < fast.length, `${small.length} and ${fast.length} bytes`);
      assert.ok((await codec.decompress(small, json.length)).equals(json));
    });
  }

  it('a level that gzip does not have is a COMPRESSION_FAILED', async () => {
    const gzip = await codecFor('gzip');
    for (const body of [json, json.subarray(0, 100)]) {
      await assert.rejects(async () => gzip.compress(body, 99), { name: 'ProtocolError', code: 'COMPRESSION_FAILED' });
    }
  });

  it('a level of zstd that needs more memory than WebAssembly has here names the Node that has it', async () => {
    const codec = await loadZstdWasm();
    const refused = { code: 'COMPRESSION_FAILED', message: /Node 22\.15/ };
    await assert.rejects(async () => codec.compress(json, 10), refused);
    assert.ok((await codec.compress(json, 9)).length < json.length / 4);
  });
});

async function rejectsTooLarge(codec: Codec, compressed: Buffer, maxBytes: number): Promise<void> {
  const expected = {
    name: 'ProtocolError',
    code: 'COMPRESSION_FAILED',
    message: new RegExp(`more than the ${maxBytes} bytes`),
  };
  await assert.rejects(async () => codec.decompress(compressed, maxBytes), expected);
}

async function rejectsCorrupt(codec: Codec, bytes: Buffer): Promise<void> {
  const expected = { name: 'ProtocolError', code: 'CORRUPT_BATCH', message: /^Cannot decompress records with / };
  await assert.rejects(async () => codec.decompress(bytes, 1_000_000), expected);
}

describe('codecs of Node', () => {
  const streams = { gzip: () => zlib.createGzip(), zstd: () => zlib.createZstdCompress() };
  for (const name of ['gzip', 'zstd'] as const) {
    it(
      `${name} compresses a batch in a few jobs of the thread pool`,
      { skip: name === 'zstd' && !hasNodeZstd && 'Node has no zstd' },
      async (test) => {
        // Node tells nobody how often it uses the pool: what its streams hand their work to is looked at.
        const { _handle: handle } = streams[name]() as unknown as { _handle: object };
        const jobs = test.mock.method(Object.getPrototypeOf(handle) as { write: () => void }, 'write');
        const codec = await codecFor(name);
        const text = Buffer.from(
          Array.from({ length: 20_000 }, (_, id) => `{"id":${id * 7919},"at":${id ** 3}}`).join(),
        );
        const compressed = await codec.compress(text, undefined);
        assert.ok(compressed.length > 200_000, 'a dozen of the pieces that are the default of Node');
        assert.ok(jobs.mock.callCount() > 0 && jobs.mock.callCount() <= 3, `${jobs.mock.callCount()} jobs`);
      },
    );
  }
});
