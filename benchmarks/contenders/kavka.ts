import type * as Front from '../../src/index.ts';
import type { Contender, OnRead, OpenConsumer, OpenProducer, PlainRecord, Target } from '../contender.ts';

// The built package, as users have it; the path is resolved at run time, so that the harness can be checked without a build.
const entry = new URL(process.env['KAVKA_ENTRY'] ?? '../../dist/index.js', import.meta.url).href;

async function openProducer(target: Target, pool: readonly (readonly PlainRecord[])[]): Promise<OpenProducer> {
  const { Kafka } = (await import(entry)) as typeof Front;
  const kafka = new Kafka({ clientId: 'bench', bootstrapServers: target.bootstrap.split(',') });
  const producer = kafka.producer();
  const lists = pool.map((list) => list.map(({ key, value }) => ({ topic: target.topic, key, value })));
  return {
    sendMany: (list) => producer.send(lists[list] ?? []),
    sendOne: (list, index) => producer.send(lists[list]?.[index] ?? { topic: target.topic, value: null }),
    close: () => kafka.close(),
  };
}

async function openConsumer(target: Target, groupId: string, onRead: OnRead): Promise<OpenConsumer> {
  const { Kafka } = (await import(entry)) as typeof Front;
  const kafka = new Kafka({ clientId: 'bench', bootstrapServers: target.bootstrap.split(',') });
  const consumer = kafka.consumer({ groupId, autoOffsetReset: 'earliest' });
  consumer.subscribe([target.topic]);
  const reading = (async () => {
    for await (const batch of consumer.batches()) {
      let records = 0;
      let bytes = 0;
      for (const record of batch) {
        records++;
        bytes += record.value?.length ?? 0;
      }
      onRead(records, bytes);
    }
  })();
  return {
    close: async () => {
      await kafka.close();
      await reading;
    },
  };
}

/** This client, with its defaults. */
export const contender: Contender = {
  name: 'kavka',
  options: { produce: 'defaults (idempotent, acks=all)', consume: 'defaults, `batches()`' },
  bulkConcurrency: Number(process.env['BULK_CONCURRENCY'] ?? 64),
  openProducer,
  openConsumer,
};
