import { readFileSync } from 'node:fs';
import type { Contender, OnRead, OpenConsumer, OpenProducer, Target } from '../contender.ts';
import type { PlainRecord } from '../record-pool.ts';
import type { Workload } from '../scenarios.ts';
import { loadPeer } from './peer.ts';

interface Message {
  readonly key: string;
  readonly value: Buffer;
}
interface Read {
  readonly value: Buffer | null;
}
interface KafkaJs {
  readonly Kafka: new (options: object) => {
    producer(options: object): {
      connect(): Promise<void>;
      send(record: {
        topic: string;
        acks: number;
        compression: number;
        messages: readonly Message[];
      }): Promise<unknown>;
      disconnect(): Promise<void>;
    };
    consumer(options: object): {
      connect(): Promise<void>;
      subscribe(options: object): Promise<void>;
      run(options: {
        eachBatch?(payload: { batch: { messages: readonly Read[] } }): Promise<void>;
        eachMessage?(payload: { message: Read }): Promise<void>;
      }): Promise<void>;
      disconnect(): Promise<void>;
    };
  };
}

const gzip = 1;

function client({ bootstrap, caFile }: Target): InstanceType<KafkaJs['Kafka']> {
  process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1';
  const { Kafka } = loadPeer('kafkajs') as KafkaJs;
  const ssl = caFile === undefined ? {} : { ssl: { ca: readFileSync(caFile, 'utf8') } };
  return new Kafka({ clientId: 'bench', brokers: bootstrap.split(','), logLevel: 1, ...ssl });
}

async function openProducer(target: Target, pool: readonly (readonly PlainRecord[])[]): Promise<OpenProducer> {
  const producer = client(target).producer({
    idempotent: process.env['PEER_IDEMPOTENT'] !== 'false',
    maxInFlightRequests: 5,
  });
  await producer.connect();
  const { topic } = target;
  const compression = target.compression === 'gzip' ? gzip : 0;
  return {
    sendMany: (list) => producer.send({ topic, acks: -1, compression, messages: pool[list] ?? [] }),
    sendOne: (list, index) => {
      const record = pool[list]?.[index];
      return producer.send({ topic, acks: -1, compression, messages: record === undefined ? [] : [record] });
    },
    close: () => producer.disconnect(),
  };
}

async function openConsumer(
  target: Target,
  groupId: string,
  onRead: OnRead,
  workload: Workload,
): Promise<OpenConsumer> {
  const consumer = client(target).consumer({ groupId });
  await consumer.connect();
  await consumer.subscribe({ topics: [target.topic], fromBeginning: true });
  const sizeOf =
    workload === 'json'
      ? ({ value }: Read) => ((JSON.parse(String(value)) as { id: number }).id === 0 ? 0 : (value?.length ?? 0))
      : ({ value }: Read) => (workload === 'lazy' ? 0 : (value?.length ?? 0));
  if (workload === 'run') {
    await consumer.run({ eachMessage: async ({ message }) => onRead(1, sizeOf(message)) });
  } else {
    await consumer.run({
      eachBatch: async ({ batch }) => {
        let bytes = 0;
        for (const message of batch.messages) bytes += sizeOf(message);
        onRead(batch.messages.length, bytes);
      },
    });
  }
  return { close: () => consumer.disconnect() };
}

const produce = 'idempotent: true, acks: -1, maxInFlightRequests: 5';

/** KafkaJS. */
export const contender: Contender = {
  name: 'kafkajs',
  options: {
    bulk: produce,
    singles: produce,
    awaited: produce,
    consume: '`eachBatch`, defaults; checks no CRC',
    lazy: '`eachBatch`, nothing looked at',
    run: '`eachMessage`, defaults',
    json: '`eachBatch`, JSON.parse of each value',
  },
  bulkConcurrency: Number(process.env['BULK_CONCURRENCY'] ?? 4),
  refuses: (_workload, { compression }) =>
    compression === 'none' || compression === 'gzip' ? undefined : `it has no ${compression} of its own`,
  openProducer,
  openConsumer,
};
