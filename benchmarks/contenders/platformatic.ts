import type { Contender, OnRead, OpenConsumer, OpenProducer, PlainRecord, Target } from '../contender.ts';
import { loadPeer } from './peer.ts';

interface Message {
  readonly topic: string;
  readonly key: Buffer;
  readonly value: Buffer;
}
interface Stream {
  on(event: 'data', listener: (message: { readonly value: Buffer | undefined }) => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  close(): Promise<void>;
}
interface Platformatic {
  readonly Producer: new (options: object) => {
    send(options: { messages: readonly Message[]; acks: number; idempotent: boolean }): Promise<unknown>;
    close(force?: boolean): Promise<void>;
  };
  readonly Consumer: new (options: object) => {
    consume(options: object): Promise<Stream>;
    close(force?: boolean): Promise<void>;
  };
  readonly compatibilityPartitioner: unknown;
}

const highWaterMark = Number(process.env['PLATFORMATIC_HIGH_WATER_MARK'] ?? 8192);

async function openProducer(target: Target, pool: readonly (readonly PlainRecord[])[]): Promise<OpenProducer> {
  const { Producer } = loadPeer('@platformatic/kafka') as Platformatic;
  const producer = new Producer({ clientId: 'bench', bootstrapBrokers: target.bootstrap.split(','), retries: 3 });
  const lists = pool.map((list) =>
    list.map(({ key, value }) => ({ topic: target.topic, key: Buffer.from(key), value })),
  );
  const options = { acks: -1, idempotent: process.env['PEER_IDEMPOTENT'] !== 'false' };
  return {
    sendMany: (list) => producer.send({ messages: lists[list] ?? [], ...options }),
    sendOne: (list, index) => {
      const message = lists[list]?.[index];
      return producer.send({ messages: message === undefined ? [] : [message], ...options });
    },
    close: () => producer.close(true),
  };
}

async function openConsumer(target: Target, groupId: string, onRead: OnRead): Promise<OpenConsumer> {
  const { Consumer } = loadPeer('@platformatic/kafka') as Platformatic;
  const consumer = new Consumer({ clientId: 'bench', bootstrapBrokers: target.bootstrap.split(','), groupId });
  const stream = await consumer.consume({ topics: [target.topic], mode: 'earliest', autocommit: 5000, highWaterMark });
  stream.on('data', ({ value }) => onRead(1, value?.length ?? 0));
  stream.on('error', (error) => {
    throw error;
  });
  return {
    close: async () => {
      await stream.close();
      await consumer.close(true);
    },
  };
}

/** \@platformatic/kafka. */
export const contender: Contender = {
  name: '@platformatic/kafka',
  options: {
    produce: 'idempotent: true, acks: -1, keys and values as Buffers',
    consume: `stream with 'data' events, autocommit every 5 s, highWaterMark: ${highWaterMark}`,
  },
  bulkConcurrency: Number(process.env['BULK_CONCURRENCY'] ?? 4),
  openProducer,
  openConsumer,
};
