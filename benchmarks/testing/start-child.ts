/**
 * One start, in a process of its own: from the import of the packages to the first record that is acknowledged and read.
 *
 *     node benchmarks/testing/start-child.ts <folder with the packages' entries>
 */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as Front from '../../src/index.ts';
import type * as Testing from '../../src/testing/index.ts';

async function load<T>(folder: string, file: string): Promise<T> {
  return (await import(pathToFileURL(path.join(folder, file)).href)) as T;
}

const begun = performance.now();
const folder = process.argv[2] ?? '';
const { TestCluster } = await load<typeof Testing>(folder, 'testing/index.js');
const imported = performance.now();
const { Kafka } = await load<typeof Front>(folder, 'index.js');
const importedClient = performance.now();
const cluster = await TestCluster.start({ topics: { orders: 1 } });
const started = performance.now();
const kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
await kafka.producer().send({ topic: 'orders', value: 'first' });
const acknowledged = performance.now();
const consumer = kafka.consumer({ autoOffsetReset: 'earliest' });
consumer.assign([{ topic: 'orders', partition: 0 }]);
const [record] = await consumer.poll({ timeoutMs: 10_000 });
if (record?.value?.toString() !== 'first') throw new Error('The first record did not come back');
const read = performance.now();
await kafka.close();
await cluster.close();

console.log(
  JSON.stringify({
    importTesting: imported - begun,
    importClient: importedClient - imported,
    start: started - importedClient,
    firstSend: acknowledged - started,
    firstRead: read - acknowledged,
    startToFirstRecord: read - importedClient,
    withImports: read - begun,
  }),
);
