import { readFileSync } from 'node:fs';
import type { Contender, OnRead, OpenConsumer, OpenProducer, Target } from '../contender.ts';
import type { PlainRecord } from '../record-pool.ts';
import type { Workload } from '../scenarios.ts';
import { loadPeer } from './peer.ts';

interface Message {
  readonly topic: string;
  readonly key: Buffer;
  readonly value: Buffer;
}
interface Read {
  readonly value: Buffer | undefined;
}
interface Stream extends AsyncIterable<Read> {
  on(event: 'data', listener: (message: Read) => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  close(): Promise<void>;
}
interface Platformatic {
  readonly Producer: new (options: object) => {
    send(options: {
      messages: readonly Message[];
      acks: number;
      idempotent: boolean;
      compression: string;
    }): Promise<unknown>;
    close(force?: boolean): Promise<void>;
  };
  readonly Consumer: new (options: object) => {
    consume(options: object): Promise<Stream>;
    close(force?: boolean): Promise<void>;
  };
}

const highWaterMark = Number(process.env['PLATFORMATIC_HIGH_WATER_MARK'] ?? 8192);

function connection({ bootstrap, caFile }: Target): object {
  const tls = caFile === undefined ? {} : { tls: { ca: readFileSync(caFile, 'utf8') } };
  return { clientId: 'bench', bootstrapBrokers: bootstrap.split(','), ...tls };
}

async function openProducer(target: Target, pool: readonly (readonly PlainRecord[])[]): Promise<OpenProducer> {
  const { Producer } = loadPeer('@platformatic/kafka') as Platformatic;
  const producer = new Producer({ ...connection(target), retries: 3 });
  const lists = pool.map((list) =>
    list.map(({ key, value }) => ({ topic: target.topic, key: Buffer.from(key), value })),
  );
  const options = {
    acks: -1,
    idempotent: process.env['PEER_IDEMPOTENT'] !== 'false',
    compression: target.compression,
  };
  return {
    sendMany: (list) => producer.send({ messages: lists[list] ?? [], ...options }),
    sendOne: (list, index) => {
      const message = lists[list]?.[index];
      return producer.send({ messages: message === undefined ? [] : [message], ...options });
    },
    close: () => producer.close(true),
  };
}

async function openConsumer(
  target: Target,
  groupId: string,
  onRead: OnRead,
  workload: Workload,
): Promise<OpenConsumer> {
  const { Consumer } = loadPeer('@platformatic/kafka') as Platformatic;
  const consumer = new Consumer({ ...connection(target), groupId });
  const stream = await consumer.consume({ topics: [target.topic], mode: 'earliest', autocommit: 5000, highWaterMark });
  const sizeOf =
    workload === 'json'
      ? ({ value }: Read) => ((JSON.parse(String(value)) as { id: number }).id === 0 ? 0 : (value?.length ?? 0))
      : ({ value }: Read) => (workload === 'lazy' ? 0 : (value?.length ?? 0));
  let reading: Promise<void> = Promise.resolve();
  if (workload === 'each') {
    reading = (async () => {
      for await (const message of stream) onRead(1, sizeOf(message));
    })();
  } else stream.on('data', (message) => onRead(1, sizeOf(message)));
  stream.on('error', (error) => {
    throw error;
  });
  return {
    close: async () => {
      await stream.close();
      await reading;
      await consumer.close(true);
    },
  };
}

const produce = 'idempotent: true, acks: -1, keys and values as Buffers';
const consume = `autocommit every 5 s, highWaterMark: ${highWaterMark}`;

/** \@platformatic/kafka. */
export const contender: Contender = {
  name: '@platformatic/kafka',
  options: {
    bulk: produce,
    singles: produce,
    awaited: produce,
    consume: `stream with 'data' events, ${consume}; checks no CRC`,
    lazy: `stream with 'data' events, nothing looked at, ${consume}`,
    each: `\`for await\` over the stream, ${consume}`,
    json: `stream with 'data' events, JSON.parse of each value, ${consume}`,
  },
  bulkConcurrency: Number(process.env['BULK_CONCURRENCY'] ?? 4),
  openProducer,
  openConsumer,
};
