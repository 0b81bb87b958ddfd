import { readFileSync } from 'node:fs';
import type { Contender, OnRead, OpenConsumer, OpenProducer, Target } from '../contender.ts';
import type { PlainRecord } from '../record-pool.ts';
import { isConsuming, type Workload } from '../scenarios.ts';
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

function client({ bootstrap, caFile }: Target): ReturnType<KafkaTs['createKafkaClient']> {
  const kafkaTs = loadPeer('kafka-ts') as KafkaTs;
  const quiet = (): void => undefined;
  kafkaTs.setLogger({ debug: quiet, info: quiet, warn: console.error, error: console.error });
  const bootstrapServers = bootstrap.split(',').map((server) => {
    const colon = server.lastIndexOf(':');
    return { host: server.slice(0, colon), port: Number(server.slice(colon + 1)) };
  });
  const ssl = caFile === undefined ? {} : { ssl: { ca: readFileSync(caFile, 'utf8') } };
  return kafkaTs.createKafkaClient({ clientId: 'bench', bootstrapServers, ...ssl });
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

async function openConsumer(
  target: Target,
  groupId: string,
  onRead: OnRead,
  workload: Workload,
): Promise<OpenConsumer> {
  const sizeOf =
    workload === 'json'
      ? (value: string) => ((JSON.parse(value) as { id: number }).id === 0 ? 0 : value.length)
      : (value: string) => (workload === 'lazy' ? 0 : value.length);
  const consumer = await client(target).startConsumer({
    groupId,
    topics: [target.topic],
    fromBeginning: true,
    onBatch(messages) {
      let bytes = 0;
      for (const { value } of messages) bytes += value === null ? 0 : sizeOf(value);
      onRead(messages.length, bytes);
    },
  });
  return { close: () => consumer.close() };
}

const produce = `maxBatchSize: ${maxBatchSize} (idempotent, acks=all always)`;

/** kafka-ts. */
export const contender: Contender = {
  name: 'kafka-ts',
  options: {
    bulk: produce,
    singles: produce,
    awaited: produce,
    consume: '`onBatch`, defaults; checks no CRC',
    lazy: '`onBatch`, nothing looked at',
    json: '`onBatch`, JSON.parse of each value',
  },
  bulkConcurrency: Number(process.env['BULK_CONCURRENCY'] ?? 16),
  refuses: (workload, { compression }) =>
    !isConsuming(workload) && compression !== 'none' ? 'its producer does not compress' : undefined,
  openProducer,
  openConsumer,
};
