/**
 * What each hot function costs, beside the least that its work can cost: a copy, or the loop of benchmarks/bare that does only what the
 * protocol asks for. Both sides take turns in one process, and only their ratio is judged.
 *
 *     node benchmarks/micro/functions.ts [--rounds 9] [--check]
 *
 * `--check` fails where a ratio is above its bound; bounds are about three times what was measured, so that a machine with other work on it passes.
 */
import zlib from 'node:zlib';
import { parseArgs } from 'node:util';
import { codecFor } from '../../src/compression/index.ts';
import { decodeResponseHeader, encodeRequestFrame, encodeResponseFrame, Reader } from '../../src/protocol/index.ts';
import { Fetch } from '../../src/protocol/generated/fetch.ts';
import { Produce } from '../../src/protocol/generated/produce.ts';
import { BatchBuilder, BatchReader, RecordCursor } from '../../src/protocol/records/index.ts';
import { crc32c } from '../../src/protocol/records/crc.ts';
import { VarintReader, writeVarint } from '../../src/protocol/records/varint.ts';
import { murmur2 } from '../../src/util/murmur2.ts';
import { readBatches, writeBatch, type ReadTotals } from '../bare/batch.ts';
import { median } from '../report.ts';

const { values: flags } = parseArgs({
  options: { rounds: { type: 'string', default: '9' }, check: { type: 'boolean', default: false } },
});

/** A function, what it is held against, and how many units of its work one call does. */
interface Row {
  readonly name: string;
  readonly unit: string;
  readonly against: string;
  /** Above this ratio `--check` fails. */
  readonly bound: number;
  readonly units: number;
  readonly ours: () => unknown;
  readonly theirs: () => unknown;
}

const records = Array.from({ length: 5000 }, (_, index) => ({
  key: Buffer.from(`key-${String(index).padStart(6, '0')}`),
  value: Buffer.alloc(100, 97 + (index % 26)),
}));
const batchBytes = 600_000;
const target = Buffer.alloc(batchBytes);
const facts = { producerId: 1n, producerEpoch: 0, baseSequence: 0, timestampMs: 1_700_000_000_000 };
const { count, end } = writeBatch(target, records, 0, facts);
const batch = Buffer.from(target.subarray(0, end));
const builder = new BatchBuilder({ initialBytes: batchBytes, maxBytes: 1 << 24 });
const closing = { ...facts, compression: 'none', transactional: false } as const;
const numbers = Array.from({ length: 4096 }, (_, index) => (index * 2_654_435_761) >> (index % 28));
const varints = Buffer.alloc(numbers.length * 5);
const copied = Buffer.alloc(1 << 20);
// Less than what goes to the thread pool, whose time would be counted with the next row.
const lines = Buffer.from(
  Array.from({ length: 900 }, (_, id) => JSON.stringify({ id, name: `user ${id % 97}`, at: id * 7_919 })).join('\n'),
).subarray(0, 7_900);

function writeNumbers(): number {
  let at = 0;
  for (const number of numbers) at = writeVarint(varints, at, number);
  return at;
}

const varintBytes = writeNumbers();

function readNumbers(): number {
  const reader = new VarintReader(varints, 0);
  let sum = 0;
  for (let index = 0; index < numbers.length; index++) sum = (sum + reader.varint()) | 0;
  return sum;
}

/** One look at each byte. */
function lookAt(bytes: Buffer, length: number): number {
  let sum = 0;
  for (let at = 0; at < length; at++) sum = (sum + (bytes[at] ?? 0)) | 0;
  return sum;
}

function build(): Buffer {
  builder.reset();
  for (let index = 0; index < count; index++) {
    const record = records[index % records.length];
    if (record !== undefined) builder.append(facts.timestampMs, record.key, record.value, undefined);
  }
  return builder.close(closing);
}

function walk(): number {
  let bytes = 0;
  const reader = new BatchReader(batch);
  for (let header = reader.next(); header !== undefined; header = reader.next()) {
    const cursor = new RecordCursor(header);
    while (cursor.next()) bytes += cursor.valueLength;
  }
  return bytes;
}

function walkBare(): ReadTotals {
  const totals: ReadTotals = { records: 0, bytes: 0, checksum: 0 };
  readBatches(batch, 0, batch.length, 0, totals);
  return totals;
}

const partitions = 100;
const topicId = 'b8Kp2kqzTfSvzXo2bT5g3A';
const small = Buffer.alloc(1024, 1);
const request = {
  acks: -1,
  timeoutMs: 30_000,
  topicData: [
    { topicId, partitionData: Array.from({ length: partitions }, (_, index) => ({ index, records: small })) },
  ],
};
const response = Buffer.concat(
  encodeResponseFrame(
    Fetch,
    {
      responses: [
        {
          topicId,
          partitions: Array.from({ length: partitions }, (_, partitionIndex) => ({
            partitionIndex,
            highWatermark: 1n,
            lastStableOffset: 1n,
            logStartOffset: 0n,
            records: small,
          })),
        },
      ],
    },
    17,
    1,
  ),
).subarray(4);

function decodeFetch(): unknown {
  const reader = new Reader(response);
  decodeResponseHeader(reader, Fetch.responseHeaderVersion(17));
  return Fetch.readResponse(reader, 17);
}

const copy = (bytes: Buffer) => (): unknown => bytes.copy(copied);
const bytesOf = `a copy of the same bytes`;

const rows: Row[] = [
  {
    name: 'varints written',
    unit: 'varint',
    against: 'a look at each of their bytes',
    bound: 4,
    units: numbers.length,
    ours: writeNumbers,
    theirs: () => lookAt(varints, varintBytes),
  },
  {
    name: 'varints read',
    unit: 'varint',
    against: 'a look at each of their bytes',
    bound: 5,
    units: numbers.length,
    ours: readNumbers,
    theirs: () => lookAt(varints, varintBytes),
  },
  {
    name: 'records encoded, with CRC',
    unit: 'record',
    against: 'the bare loop',
    bound: 4,
    units: count,
    ours: build,
    theirs: () => writeBatch(target, records, 0, facts),
  },
  {
    name: 'records decoded, with CRC',
    unit: 'record',
    against: 'the bare loop',
    bound: 4,
    units: count,
    ours: walk,
    theirs: walkBare,
  },
  {
    name: 'CRC32C',
    unit: 'KiB',
    against: "zlib's CRC32 (native)",
    bound: 10,
    units: batch.length / 1024,
    ours: () => crc32c(batch),
    theirs: () => zlib.crc32(batch),
  },
  {
    name: 'murmur2 of keys of 10 bytes',
    unit: 'key',
    against: 'a look at each byte',
    bound: 4,
    units: records.length,
    ours: () => records.reduce((sum, { key }) => (sum + murmur2(key)) | 0, 0),
    theirs: () => records.reduce((sum, { key }) => (sum + lookAt(key, key.length)) | 0, 0),
  },
  {
    name: 'Produce v13 request encoded',
    unit: 'partition',
    against: 'a JSON text of the same without the records',
    bound: 30,
    units: partitions,
    ours: () => encodeRequestFrame(Produce, request, 13, 1, 'bench'),
    theirs: () => JSON.stringify(request.topicData.map(({ partitionData }) => partitionData.map(({ index }) => index))),
  },
  {
    name: 'Fetch v17 response decoded',
    unit: 'partition',
    against: bytesOf,
    bound: 12,
    units: partitions,
    ours: decodeFetch,
    theirs: copy(response),
  },
];

for (const name of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
  const codec = await codecFor(name);
  const compressed = await codec.compress(lines, undefined);
  const units = lines.length / 1024;
  rows.push({
    name: `${name} compressed (${(lines.length / compressed.length).toFixed(1)} times smaller)`,
    unit: 'KiB',
    against: "zlib's deflate, level 1",
    bound: 5,
    units,
    ours: () => codec.compress(lines, undefined),
    theirs: () => zlib.deflateRawSync(lines, { level: 1 }),
  });
  rows.push({
    name: `${name} decompressed`,
    unit: 'KiB',
    against: "zlib's inflate",
    bound: 6,
    units,
    ours: () => codec.decompress(compressed, lines.length),
    theirs: (
      (deflated) => () =>
        zlib.inflateRawSync(deflated)
    )(zlib.deflateRawSync(lines)),
  });
}

/** CPU time of one call, ns: as many calls as fill a few milliseconds. */
function nanoseconds(run: () => unknown): number {
  let calls = 1;
  for (;;) {
    const before = process.cpuUsage();
    for (let call = 0; call < calls; call++) run();
    const { user, system } = process.cpuUsage(before);
    if (user + system > 8_000) return ((user + system) * 1000) / calls;
    calls *= 2;
  }
}

const table: string[] = [];
const failed: string[] = [];
for (const { name, unit, against, bound, units, ours, theirs } of rows) {
  const found: { ours: number; ratio: number }[] = [];
  for (let round = 0; round <= Number(flags.rounds); round++) {
    const [mine, other] = [nanoseconds(ours), nanoseconds(theirs)];
    if (round > 0) found.push({ ours: mine, ratio: mine / other }); // the first one warms up
  }
  const ratio = median(found.map((each) => each.ratio));
  const cost = median(found.map((each) => each.ours)) / units;
  table.push(`| ${name} | ${cost.toFixed(1)} per ${unit} | ${ratio.toFixed(2)} × ${against} | ${bound} |`);
  if (ratio > bound) failed.push(`${name}: ${ratio.toFixed(2)} × ${against}, bound ${bound}`);
}
console.log(['| function | ns | ratio | bound |', '| --- | ---: | --- | ---: |', ...table].join('\n'));
if (flags.check && failed.length > 0) throw new Error(`Slower than allowed:\n${failed.join('\n')}`);
