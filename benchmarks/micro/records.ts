/**
 * What a record costs in the codec alone: appended to a batch, and walked again with its value taken out.
 *
 *     node benchmarks/micro/records.ts [--cpu-prof]
 *
 * Prints records per second, the best of five rounds, so that other load on the machine disturbs less.
 */
import { installNativeCrc32c } from '../../src/compression/index.ts';
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
  let batch = fill(builder, value);
  report(`append: ${shape}`, () => {
    for (let round = 0; round < batchesPerRound; round++) {
      builder.reset();
      batch = fill(builder, value);
    }
  });
  report(`read:   ${shape}`, () => {
    let bytes = 0;
    for (let round = 0; round < batchesPerRound; round++) bytes += walk(batch);
    if (bytes === 0) throw new Error('Nothing was read');
  });
}

const keyBytes = keys.map((key) => Buffer.from(key));
report('murmur2: 7-byte keys', () => {
  for (let round = 0; round < recordsPerBatch * batchesPerRound; round++) {
    murmur2(keyBytes[round % keyBytes.length] ?? Buffer.alloc(0));
  }
});

function fill(builder: BatchBuilder, value: string | Buffer): Buffer {
  for (let index = 0; index < recordsPerBatch; index++) {
    builder.append(1_700_000_000_000 + (index & 63), keys[index % keys.length] ?? null, value, undefined);
  }
  return builder.close(closing);
}

function walk(batch: Buffer): number {
  let bytes = 0;
  const reader = new BatchReader(batch);
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
  let best = Infinity;
  for (let attempt = 0; attempt < 5; attempt++) {
    const startMs = performance.now();
    round();
    best = Math.min(best, performance.now() - startMs);
  }
  const perSecond = (recordsPerBatch * batchesPerRound) / best / 1_000;
  console.log(`${name.padEnd(48)} ${perSecond.toFixed(2)} M/s`);
}
