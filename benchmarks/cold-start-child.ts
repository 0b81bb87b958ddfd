/**
 * One cold start, in a process that has loaded nothing else: prints a {@link Start}.
 *
 *     node benchmarks/cold-start-child.ts <client> <bootstrap> <topic>
 */
import { createRequire } from 'node:module';
import type * as Front from '../src/index.ts';

const [, , client = '', bootstrap = '', topic = ''] = process.argv;
const entry = new URL(process.env['KAVKA_ENTRY'] ?? '../dist/index.js', import.meta.url);
const peers = new URL('../.cache/bench-peers/package.json', import.meta.url);

/** In milliseconds since the import began. */
export interface Start {
  readonly imported: number;
  readonly acknowledged: number;
  readonly read: number;
  readonly residentMb: number;
}

interface KafkaJs {
  readonly Kafka: new (options: object) => {
    producer(): { connect(): Promise<void>; send(record: object): Promise<unknown> };
    consumer(options: object): {
      connect(): Promise<void>;
      subscribe(options: object): Promise<void>;
      run(options: { eachMessage(): Promise<void> }): Promise<void>;
    };
  };
}

async function kavka(): Promise<Start> {
  const begun = performance.now();
  const { Kafka } = (await import(entry.href)) as typeof Front;
  const imported = performance.now() - begun;
  const residentMb = process.memoryUsage.rss() / 1e6;
  const kafka = new Kafka({ bootstrapServers: bootstrap.split(',') });
  await kafka.producer().send({ topic: topic, value: 'first' });
  const acknowledged = performance.now() - begun;
  const consumer = kafka.consumer({ autoOffsetReset: 'earliest' });
  consumer.assign([{ topic: topic, partition: 0 }]);
  const [record] = await consumer.poll({ timeoutMs: 10_000 });
  if (record?.value?.toString() !== 'first') throw new Error('The first record did not come back');
  return { imported, acknowledged, read: performance.now() - begun, residentMb };
}

/** It reads in groups only: joining one is part of its time to the first record. */
async function kafkajs(): Promise<Start> {
  process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1';
  const begun = performance.now();
  const { Kafka } = createRequire(peers)('kafkajs') as KafkaJs;
  const imported = performance.now() - begun;
  const residentMb = process.memoryUsage.rss() / 1e6;
  const kafka = new Kafka({ brokers: bootstrap.split(','), logLevel: 1 });
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic: topic, messages: [{ value: 'first' }] });
  const acknowledged = performance.now() - begun;
  const consumer = kafka.consumer({ groupId: topic });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    consumer.run({ eachMessage: async () => resolve() }).catch(reject);
  });
  return { imported, acknowledged, read: performance.now() - begun, residentMb };
}

console.log(JSON.stringify(await (client === 'kafkajs' ? kafkajs() : kavka())));
process.exit(0);
