import type { Contender, OnRead, OpenConsumer, OpenProducer, PlainRecord, Target } from '../contender.ts';
import { loadPeer } from './peer.ts';

interface Message {
  readonly topic: string;
  readonly key: string;
  readonly value: string | null;
}
interface KafkaTs {
  setLogger(logger: Record<'debug' | 'info' | 'warn' | 'error', (...args: unknown[]) => void>): void;
  createKafkaClient(options: object): {
    createProducer(options: object): { send(messages: readonly Message[]): Promise<void>; close(): Promise<void> };
    startConsumer(options: {
      groupId: string;
      topics: readonly string[];
      fromBeginning: boolean;
      onBatch(messages: readonly { readonly value: string | null }[]): void;
    }): Promise<{ close(): Promise<void> }>;
  };
}

const maxBatchSize = Number(process.env['KAFKA_TS_BATCH'] ?? 1000);

function client(target: Target): ReturnType<KafkaTs['createKafkaClient']> {
  const kafkaTs = loadPeer('kafka-ts') as KafkaTs;
  const quiet = (): void => undefined;
  kafkaTs.setLogger({ debug: quiet, info: quiet, warn: console.error, error: console.error });
  const bootstrapServers = target.bootstrap.split(',').map((server) => {
    const colon = server.lastIndexOf(':');
    return { host: server.slice(0, colon), port: Number(server.slice(colon + 1)) };
  });
  return kafkaTs.createKafkaClient({ clientId: 'bench', bootstrapServers });
}

async function openProducer(target: Target, pool: readonly (readonly PlainRecord[])[]): Promise<OpenProducer> {
  const producer = client(target).createProducer({ maxBatchSize });
  // It takes strings only; the values are ASCII, so the bytes are the same.
  const lists = pool.map((list) =>
    list.map(({ key, value }) => ({ topic: target.topic, key, value: value.toString('latin1') })),
  );
  return {
    sendMany: (list) => producer.send(lists[list] ?? []),
    sendOne: (list, index) => {
      const message = lists[list]?.[index];
      return producer.send(message === undefined ? [] : [message]);
    },
    close: () => producer.close(),
  };
}

async function openConsumer(target: Target, groupId: string, onRead: OnRead): Promise<OpenConsumer> {
  const consumer = await client(target).startConsumer({
    groupId,
    topics: [target.topic],
    fromBeginning: true,
    onBatch(messages) {
      let bytes = 0;
      for (const message of messages) bytes += message.value?.length ?? 0;
      onRead(messages.length, bytes);
    },
  });
  return { close: () => consumer.close() };
}

/** kafka-ts. */
export const contender: Contender = {
  name: 'kafka-ts',
  options: { produce: `maxBatchSize: ${maxBatchSize} (idempotent, acks=all always)`, consume: '`onBatch`, defaults' },
  bulkConcurrency: Number(process.env['BULK_CONCURRENCY'] ?? 16),
  openProducer,
  openConsumer,
};
