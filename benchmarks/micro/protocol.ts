/**
 * How fast the codec is on its two hot paths: Fetch responses decoded, Produce requests encoded.
 *
 *     node benchmarks/micro/protocol.ts
 */
import { encodeRequestFrame, encodeResponseFrame, decodeResponseHeader, Reader } from '../../src/protocol/index.ts';
import { Fetch } from '../../src/protocol/generated/fetch.ts';
import { Produce } from '../../src/protocol/generated/produce.ts';

const PARTITIONS = 100;
const ROUNDS = 5;
const ROUND_MS = 300;
const topicId = 'b8Kp2kqzTfSvzXo2bT5g3A';
const records = Buffer.alloc(16 * 1024, 1);

const produceV9 = {
  acks: -1,
  timeoutMs: 30_000,
  topicData: [{ name: 'orders', partitionData: partitions((index) => ({ index, records })) }],
};
const produceV13 = {
  acks: -1,
  timeoutMs: 30_000,
  topicData: [{ topicId, partitionData: partitions((index) => ({ index, records })) }],
};
const fetched = partitions((partitionIndex) => ({
  partitionIndex,
  highWatermark: 1_000_000n,
  lastStableOffset: 1_000_000n,
  logStartOffset: 0n,
  records,
}));
const fetchV17 = frame(17, { responses: [{ topicId, partitions: fetched }] });
const fetchV11 = frame(11, { responses: [{ topic: 'orders', partitions: fetched }] });

report('Produce v9 request encoded', () => encodeRequestFrame(Produce, produceV9, 9, 1, 'bench'));
report('Produce v13 request encoded', () => encodeRequestFrame(Produce, produceV13, 13, 1, 'bench'));
report('Fetch v11 response decoded', () => decodeFetch(fetchV11, 11));
report('Fetch v17 response decoded', () => decodeFetch(fetchV17, 17));

function partitions<T>(make: (index: number) => T): T[] {
  return Array.from({ length: PARTITIONS }, (_, index) => make(index));
}

function frame(version: number, message: Parameters<typeof Fetch.encodeResponse>[0]): Buffer {
  return Buffer.concat(encodeResponseFrame(Fetch, message, version, 1)).subarray(4);
}

function decodeFetch(bytes: Buffer, version: number): unknown {
  const reader = new Reader(bytes);
  decodeResponseHeader(reader, Fetch.responseHeaderVersion(version));
  return Fetch.readResponse(reader, version);
}

function report(name: string, run: () => unknown): void {
  const rates = Array.from({ length: ROUNDS }, () => nanosecondsPerPartition(run)).sort((a, b) => a - b);
  console.log(`${name}: ${(rates[ROUNDS >> 1] ?? 0).toFixed(0)} ns per partition (median of ${ROUNDS})`);
}

function nanosecondsPerPartition(run: () => unknown): number {
  const start = performance.now();
  let calls = 0;
  while (performance.now() - start < ROUND_MS) {
    for (let i = 0; i < 20; i++) run();
    calls += 20;
  }
  return ((performance.now() - start) * 1e6) / calls / PARTITIONS;
}
