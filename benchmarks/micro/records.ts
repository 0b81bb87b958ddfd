/**
 * What a record costs in the codecs alone: appended to a batch, checked, walked again with its value taken out, compressed.
 *
 *     node benchmarks/micro/records.ts [--native-crc] [--codecs]      (and --cpu-prof before the file)
 *
 * Counts CPU time of this process, not wall time, and takes the best of five rounds: other load disturbs little.
 */
import { codecFor, installNativeCrc32c } from '../../src/compression/index.ts';
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

if (process.argv.includes('--native-crc')) console.log(`native CRC32C: ${installNativeCrc32c()}`);

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
    const rounds = 300;
    const writing = bestCpuMs(() => {
      for (let round = 0; round < rounds; round++) void codec.compress(body, undefined);
    });
    const reading = bestCpuMs(() => {
      for (let round = 0; round < rounds; round++) void codec.decompress(compressed, body.length);
    });
    const megabytes = (body.length * rounds) / 1e6;
    const ratio = (body.length / compressed.length).toFixed(1);
    const [write, read] = [writing, reading].map((ms) => ((megabytes / ms) * 1_000).toFixed(0));
    console.log(`${name.padEnd(7)} ${ratio} times smaller, compresses ${write} MB/s, decompresses ${read} MB/s`);
  }
}
