import type { Contender, OnRead, OpenConsumer, OpenProducer, PlainRecord, Target } from '../contender.ts';
import { loadPeer } from './peer.ts';

interface Message {
  readonly key: string;
  readonly value: Buffer;
}
interface KafkaJs {
  readonly Kafka: new (options: object) => {
    producer(options: object): {
      connect(): Promise<void>;
      send(record: { topic: string; acks: number; messages: readonly Message[] }): Promise<unknown>;
      disconnect(): Promise<void>;
    };
    consumer(options: object): {
      connect(): Promise<void>;
      subscribe(options: object): Promise<void>;
      run(options: {
        partitionsConsumedConcurrently?: number;
        eachBatch(payload: { batch: { messages: readonly { value: Buffer | null }[] } }): Promise<void>;
      }): Promise<void>;
      disconnect(): Promise<void>;
    };
  };
}

function client(target: Target): InstanceType<KafkaJs['Kafka']> {
  process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1';
  const { Kafka } = loadPeer('kafkajs') as KafkaJs;
  return new Kafka({ clientId: 'bench', brokers: target.bootstrap.split(','), logLevel: 1 });
}

async function openProducer(target: Target, pool: readonly (readonly PlainRecord[])[]): Promise<OpenProducer> {
  const producer = client(target).producer({
    idempotent: process.env['PEER_IDEMPOTENT'] !== 'false',
    maxInFlightRequests: 5,
  });
  await producer.connect();
  const { topic } = target;
  return {
    sendMany: (list) => producer.send({ topic, acks: -1, messages: pool[list] ?? [] }),
    sendOne: (list, index) => {
      const record = pool[list]?.[index];
      return producer.send({ topic, acks: -1, messages: record === undefined ? [] : [record] });
    },
    close: () => producer.disconnect(),
  };
}

async function openConsumer(target: Target, groupId: string, onRead: OnRead): Promise<OpenConsumer> {
  const consumer = client(target).consumer({ groupId });
  await consumer.connect();
  await consumer.subscribe({ topics: [target.topic], fromBeginning: true });
  await consumer.run({
    eachBatch: async ({ batch }) => {
      let bytes = 0;
      for (const message of batch.messages) bytes += message.value?.length ?? 0;
      onRead(batch.messages.length, bytes);
    },
  });
  return { close: () => consumer.disconnect() };
}

/** KafkaJS. */
export const contender: Contender = {
  name: 'kafkajs',
  options: { produce: 'idempotent: true, acks: -1, maxInFlightRequests: 5', consume: '`eachBatch`, defaults' },
  bulkConcurrency: Number(process.env['BULK_CONCURRENCY'] ?? 4),
  openProducer,
  openConsumer,
};
