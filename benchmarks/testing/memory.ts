/**
 * What a `TestCluster` takes in memory under a load that goes on: records are written and read for as long as it is told to, and once a
 * second what is in use is printed, after a collection. It fails if that goes on growing.
 *
 *     node --expose-gc benchmarks/testing/memory.ts [--seconds 20] [--retention-mib 64]
 */
import { parseArgs } from 'node:util';
import { Kafka } from '../../src/index.ts';
import { TestCluster } from '../../src/testing/index.ts';

const mib = 1024 * 1024;
const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '20' }, 'retention-mib': { type: 'string', default: '64' } },
});
const collect = globalThis.gc;
if (collect === undefined) throw new Error('Run it with node --expose-gc');

const retentionBytes = Number(values['retention-mib']) * mib;
const cluster = await TestCluster.start({ topics: { load: 6 }, retentionBytes });
const kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
const producer = kafka.producer();
const consumer = kafka.consumer({ groupId: 'load', autoOffsetReset: 'earliest' });
consumer.subscribe(['load']);

let [written, read] = [0, 0];
const stopping = new AbortController();
const reading = (async () => {
  for await (const batch of consumer.batches({ signal: stopping.signal })) read += batch.records.length;
})();
const records = Array.from({ length: 1000 }, () => ({ topic: 'load', value: Buffer.alloc(1000, 120) }));
const used: number[] = [];
const deadline = performance.now() + Number(values.seconds) * 1000;
let nextLook = performance.now() + 1000;
while (performance.now() < deadline) {
  await producer.send(records);
  written += records.length;
  if (performance.now() < nextLook) continue;
  nextLook += 1000;
  collect();
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  const { heapUsed, external } = process.memoryUsage();
  used.push((heapUsed + external) / mib);
  console.log(`${written} records written, ${read} read, ${used.at(-1)?.toFixed(0)} MiB in use`);
}
stopping.abort();
await reading.catch(() => undefined);
await kafka.close();
await cluster.close();

const most = Math.max(...used);
// Beside the records: what is on its way in both directions, the log of requests, the code.
const bound = (2 * retentionBytes) / mib + 96;
console.log(`${(written * 1000) / mib} MiB written; at most ${most.toFixed(0)} MiB in use (bound ${bound} MiB)`);
if (written * 1000 < 2 * retentionBytes) throw new Error('Too little was written to need retention');
if (most > bound) process.exitCode = 1;
