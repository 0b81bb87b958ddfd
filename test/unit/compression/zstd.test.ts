import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import zlib from 'node:zlib';
import { codecFor, type Codec } from '../../../src/compression/index.ts';
import { chunkSize } from '../../../src/compression/zlib-task.ts';
import { zstdFrames } from '../../../src/compression/zstd-frame.ts';
import { loadZstdWasm } from '../../../src/compression/zstd-wasm.ts';

const hasNodeZstd = typeof zlib.zstdCompressSync === 'function';
const text = Buffer.from('Kafka and Kavka '.repeat(500));
const codecs: [string, () => Codec | Promise<Codec>][] = [
  ["Node's, if it has one", () => codecFor('zstd')],
  ['WebAssembly', loadZstdWasm],
];

for (const [name, load] of codecs) {
  describe(`zstd, ${name}`, () => {
    it('zstd reads every frame of a body and passes skippable ones', async () => {
      const codec = await load();
      const frame = await codec.compress(text, undefined);
      const skippable = Buffer.from('5f2a4d18' + '02000000' + 'aabb', 'hex');
      const found = await codec.decompress(Buffer.concat([frame, skippable, frame]), 2 * text.length);
      assert.ok(found.equals(Buffer.concat([text, text])));
      const bytes = Buffer.concat([frame, frame]);
      await assert.rejects(async () => codec.decompress(bytes, 2 * text.length - 1), { code: 'COMPRESSION_FAILED' });
    });

    it('zstd refuses bytes behind the last frame', async () => {
      const codec = await load();
      const bytes = Buffer.concat([await codec.compress(text, undefined), Buffer.from('more')]);
      await assert.rejects(async () => codec.decompress(bytes, 1_000_000), { code: 'CORRUPT_BATCH', message: /frame/ });
    });

    it('zstd does not allocate the window that a frame declares', async () => {
      const codec = await load();
      // A frame of one stored byte, with a window of 2 GiB: exponent 21, mantissa 0.
      const bytes = Buffer.from('28b52ffd' + '00' + 'a8' + '090000' + '61', 'hex');
      assert.equal(zstdFrames(bytes)[0]?.windowBytes, 2 ** 31);
      const refused = { name: 'ProtocolError', message: /^Cannot decompress records with zstd: / };
      await assert.rejects(async () => codec.decompress(bytes, 64 * 1024 * 1024), refused);
    });

    it('zstd bounds blocks of one repeated byte, the densest bomb there is', async () => {
      const codec = await load();
      const repeated = Buffer.from('02001061', 'hex'); // 128 KiB of "a"
      const last = Buffer.from('03001061', 'hex');
      const bytes = Buffer.concat([Buffer.from('28b52ffd0058', 'hex'), ...Array<Buffer>(2_000).fill(repeated), last]);
      await assert.rejects(async () => codec.decompress(bytes, 1_000_000), { code: 'COMPRESSION_FAILED' });
      const few = Buffer.concat([Buffer.from('28b52ffd0058', 'hex'), repeated, last]);
      assert.equal((await codec.decompress(few, 262_144)).length, 262_144);
    });
  });
}

describe('the memory that content comes out into', () => {
  it('chunkSize is that of the content where it is declared, and four times the body otherwise, within bounds', () => {
    const allowed = 64 * 1024 * 1024;
    assert.equal(chunkSize(300_000, allowed, 1_000_000), 1_000_001);
    assert.equal(chunkSize(300_000, allowed), 1_200_000);
    assert.equal(chunkSize(100, allowed, 2 ** 40), 6_400, 'what is declared is not believed');
    assert.equal(chunkSize(300_000, 1_000, 1_000_000), 1_000);
    assert.equal(chunkSize(10_000_000, allowed), 2 * 1024 * 1024);
    assert.equal(chunkSize(1, allowed, 0), 64, 'the least that zlib takes');
  });

  it('zstdFrames tells how much content a frame declares, or what its blocks have at most', async () => {
    const frame = await (await codecFor('zstd')).compress(text, undefined);
    if (hasNodeZstd) assert.equal(zstdFrames(frame)[0]?.contentBytes, text.length);
    const [undeclared] = zstdFrames(Buffer.from('28b52ffd' + '00' + '58' + '02001061' + '090000' + '61', 'hex'));
    assert.equal(undeclared?.contentBytes, 2 * 128 * 1024);
  });

  it('zstd of a whole batch comes out in one piece', { skip: !hasNodeZstd && 'Node has no zstd' }, async () => {
    const codec = await codecFor('zstd');
    const records = Buffer.from(Array.from({ length: 40_000 }, (_, index) => `record ${index * 7919}, `).join(''));
    const content = await codec.decompress(await codec.compress(records, undefined), 64 * 1024 * 1024);
    assert.ok(content.equals(records));
    assert.equal(
      content.buffer.byteLength,
      records.length + 1,
      'nothing was copied together, and no memory is left over',
    );
  });
});

describe('zstd in WebAssembly', () => {
  it('loadZstdWasm refuses a window above 8 MiB and names the Node that reads it', async () => {
    const codec = await loadZstdWasm();
    const bytes = Buffer.from('28b52ffd' + '00' + '70' + '090000' + '61', 'hex'); // 16 MiB
    await assert.rejects(async () => codec.decompress(bytes, 1_000), {
      code: 'COMPRESSION_FAILED',
      message: /a window of 16777216 bytes .* Node 22\.15/,
    });
  });

  it('loadZstdWasm prints nothing and works after it refused something', async (test) => {
    const printed = test.mock.method(console, 'warn', () => undefined);
    const codec = await loadZstdWasm();
    const frame = await codec.compress(text, 9);
    const bad = Buffer.from(frame);
    bad[9] = (bad[9] ?? 0) ^ 0xff;
    await assert.rejects(async () => codec.decompress(bad, 1_000_000), { code: 'CORRUPT_BATCH' });
    assert.ok((await codec.decompress(frame, text.length)).equals(text));
    assert.equal(printed.mock.callCount(), 0);
  });
});
