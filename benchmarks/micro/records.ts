/**
 * What a record costs in the codecs alone: appended to a batch, checked, walked again with its value taken out, compressed.
 *
 *     node benchmarks/micro/records.ts [--codecs] [--lz4] [--snappy]      (and --cpu-prof before the file)
 *
 * Counts CPU time of this process, not wall time, and takes the best of five rounds: other load disturbs little.
 */
import { codecFor, type Codec } from '../../src/compression/index.ts';
import { lz4Codec } from '../../src/compression/lz4.ts';
import { pureLz4Blocks } from '../../src/compression/lz4-block.ts';
import { loadWasmLz4Blocks } from '../../src/compression/lz4-wasm.ts';
import { snappyCodec } from '../../src/compression/snappy.ts';
import { pureSnappyBlocks } from '../../src/compression/snappy-block.ts';
import { loadWasmSnappyBlocks } from '../../src/compression/snappy-wasm.ts';
import { BatchBuilder, BatchReader, RecordCursor } from '../../src/protocol/records/index.ts';
import { murmur2 } from '../../src/util/murmur2.ts';

const recordsPerBatch = 5_000;
const batchesPerRound = 200;
const closing = {
  compression: 'none',
  producerId: 1n,
  producerEpoch: 0,
  baseSequence: 0,
  transactional: false,
} as const;

const keys = Array.from({ length: 1_000 }, (_, index) => `key-${index}`);
const shapes = {
  'string key, 100-byte string value': 'x'.repeat(100),
  'string key, 100-byte Buffer value': Buffer.alloc(100, 120),
  'string key, 100-character Czech value': 'ž'.repeat(100),
  'string key, 1 KiB string value': 'x'.repeat(1_024),
};

for (const [shape, value] of Object.entries(shapes)) {
  const builder = new BatchBuilder({ initialBytes: 1 << 20, maxBytes: 1 << 24 });
  report(`append: ${shape}`, () => {
    for (let round = 0; round < batchesPerRound; round++) fill(builder, value);
  });
  const batch = builder.close(closing);
  report(`close:  ${shape}`, () => {
    for (let round = 0; round < batchesPerRound; round++) builder.close(closing);
  });
  report(`read:   ${shape}`, () => {
    let bytes = 0;
    for (let round = 0; round < batchesPerRound; round++) bytes += walk(batch);
    if (bytes === 0) throw new Error('Nothing was read');
  });
}

if (process.argv.includes('--codecs')) await reportCodecs();
if (process.argv.includes('--lz4')) reportSides('lz4', pureLz4Blocks, loadWasmLz4Blocks(), lz4Codec);
if (process.argv.includes('--snappy')) reportSides('snappy', pureSnappyBlocks, loadWasmSnappyBlocks(), snappyCodec);

const keyBytes = keys.map((key) => Buffer.from(key));
report('murmur2: 7-byte keys', () => {
  for (let round = 0; round < recordsPerBatch * batchesPerRound; round++) {
    murmur2(keyBytes[round % keyBytes.length] ?? Buffer.alloc(0));
  }
});

function fill(builder: BatchBuilder, value: string | Buffer): void {
  builder.reset();
  for (let index = 0; index < recordsPerBatch; index++) {
    builder.append(1_700_000_000_000 + (index & 63), keys[index % keys.length] ?? null, value, undefined);
  }
}

function walk(batch: Buffer): number {
  let bytes = 0;
  const reader = new BatchReader(batch, { checkCrcs: false });
  for (let header = reader.next(); header !== undefined; header = reader.next()) {
    const cursor = new RecordCursor(header);
    while (cursor.next()) {
      const value = cursor.bytes.subarray(cursor.valueStart, cursor.valueStart + cursor.valueLength);
      bytes += value.length;
    }
  }
  return bytes;
}

function report(name: string, round: () => void): void {
  const perSecond = (recordsPerBatch * batchesPerRound) / bestCpuMs(round) / 1_000;
  console.log(`${name.padEnd(48)} ${perSecond.toFixed(2)} M/s`);
}

function bestCpuMs(round: () => void): number {
  let best = Infinity;
  for (let attempt = 0; attempt < 5; attempt++) {
    const start = process.cpuUsage();
    round();
    const { user, system } = process.cpuUsage(start);
    best = Math.min(best, (user + system) / 1_000);
  }
  return best;
}

async function reportCodecs(): Promise<void> {
  const text = Array.from({ length: 400 }, (_, id) => JSON.stringify({ id, name: `user ${id % 97}`, at: id * 7_919 }));
  const body = Buffer.from(text.join('\n')); // below what goes to the thread pool, whose CPU time would count as well
  for (const name of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
    const codec = await codecFor(name);
    const compressed = await codec.compress(body, undefined);
    const [write, read] = ratesOf(codec, body, compressed);
    const ratio = (body.length / compressed.length).toFixed(1);
    console.log(`${name.padEnd(7)} ${ratio} times smaller, compresses ${write} MB/s, decompresses ${read} MB/s`);
  }
}

/** MB of content per second of CPU time, compressed and decompressed. */
function ratesOf(codec: Codec, body: Buffer, compressed: Buffer): [string, string] {
  const rounds = Math.ceil(20_000_000 / body.length);
  const rate = (step: () => unknown): string => {
    const ms = bestCpuMs(() => {
      for (let round = 0; round < rounds; round++) step();
    });
    return ((body.length * rounds) / 1e3 / ms).toFixed(0);
  };
  return [rate(() => codec.compress(body, undefined)), rate(() => codec.decompress(compressed, body.length))];
}

/** Both block functions of a codec beside each other; each reads what it wrote. */
function reportSides<Blocks>(
  name: string,
  pure: Blocks,
  wasm: Blocks | undefined,
  codecOf: (blocks: Blocks) => Codec,
): void {
  if (wasm === undefined) throw new Error('there is no WebAssembly here');
  console.log(`${name}:`);
  console.log('| content | KiB | compressed, JavaScript | WebAssembly | decompressed, JavaScript | WebAssembly |');
  console.log('| --- | ---: | ---: | ---: | ---: | ---: |');
  for (const [content, text] of Object.entries(texts())) {
    for (const kilobytes of [0.5, 1, 4, 16, 64, 1_000]) {
      const body = Buffer.from(text.slice(0, kilobytes * 1_024));
      const sides = [pure, wasm].map((blocks) => {
        const codec = codecOf(blocks);
        const compressed = codec.compress(body, undefined) as Buffer;
        const ratio = (body.length / compressed.length).toFixed(1);
        const [write, read] = ratesOf(codec, body, compressed);
        return { write: `${write} (÷ ${ratio})`, read };
      });
      const cells = [content, kilobytes, ...sides.map(({ write }) => write), ...sides.map(({ read }) => read)];
      console.log(`| ${cells.join(' | ')} |`);
    }
  }
}

/** What services put into records: lines that repeat much, and values of which two thirds are words and a third is noise. */
function texts(): Readonly<Record<string, string>> {
  const words = 'order user path cart item price total event click view login state error retry queue topic'.split(' ');
  let seed = 42;
  const word = (): string => {
    seed = (seed * 16_807) % 2_147_483_647;
    return seed % 3 === 0 ? seed.toString(36) : (words[seed % words.length] ?? '');
  };
  const line = (id: number): string => JSON.stringify({ id, name: `user ${id % 97}`, at: id * 7_919 });
  return {
    'JSON lines': Array.from({ length: 30_000 }, (_, id) => line(id)).join('\n'),
    'words and noise': Array.from({ length: 200_000 }, word).join(' '),
  };
}
