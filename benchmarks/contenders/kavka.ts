import { readFileSync } from 'node:fs';
import type * as Front from '../../src/index.ts';
import {
  largestRecordBytes,
  type Contender,
  type OnRead,
  type OpenConsumer,
  type OpenProducer,
  type Target,
} from '../contender.ts';
import type { PlainRecord } from '../record-pool.ts';
import type { Workload } from '../scenarios.ts';
import { allHaveTheirShare, groupMembers } from './members.ts';

// The built package, as users have it; the path is resolved at run time, so that the harness can be checked without a build.
const entry = new URL(process.env['KAVKA_ENTRY'] ?? '../../dist/index.js', import.meta.url).href;
const front = (await import(entry)) as typeof Front;

function open({ bootstrap, caFile }: Target): Front.Kafka {
  const tls = caFile === undefined ? {} : { tls: { ca: readFileSync(caFile, 'utf8') } };
  return new front.Kafka({ clientId: 'bench', bootstrapServers: bootstrap.split(','), ...tls });
}

async function openProducer(target: Target, pool: readonly (readonly PlainRecord[])[]): Promise<OpenProducer> {
  const { topic, compression } = target;
  const kafka = open(target);
  const isLarge = (pool[0]?.[0]?.value.length ?? 0) > 1_000_000;
  const producer = kafka.producer({
    ...(compression === 'none' ? {} : { compression }),
    ...(isLarge ? { maxRequestBytes: largestRecordBytes } : {}),
  });
  const lists = pool.map((list) => list.map(({ key, value }) => ({ topic, key, value })));
  return {
    sendMany: (list) => producer.send(lists[list] ?? []),
    sendOne: (list, index) => producer.send(lists[list]?.[index] ?? { topic, value: null }),
    close: () => kafka.close(),
  };
}

type Reader = (consumer: Front.Consumer, onRead: OnRead) => Promise<void>;

const readers: Readonly<Partial<Record<Workload, Reader>>> = {
  consume: readBatches,
  group: readBatches,
  async lazy(consumer, onRead) {
    for await (const batch of consumer.batches()) onRead(batch.length, 0);
  },
  async each(consumer, onRead) {
    for await (const record of consumer) onRead(1, record.value?.length ?? 0);
  },
  async run(consumer, onRead) {
    await consumer.run({ eachRecord: (record) => onRead(1, record.value?.length ?? 0) });
  },
};

async function readBatches(consumer: Front.Consumer, onRead: OnRead): Promise<void> {
  for await (const batch of consumer.batches()) {
    let bytes = 0;
    for (const record of batch) bytes += record.value?.length ?? 0;
    onRead(batch.length, bytes);
  }
}

async function openConsumer(
  target: Target,
  groupId: string,
  onRead: OnRead,
  workload: Workload,
  special: { readonly checkCrcs?: boolean } = {},
): Promise<OpenConsumer> {
  const kafka = open(target);
  const options = { groupId, autoOffsetReset: 'earliest', ...special } as const;
  const readings: Promise<void>[] = [];
  if (workload === 'json') {
    const consumer = kafka.consumer({ ...options, value: front.json<{ id: number }>() });
    consumer.subscribe([target.topic]);
    const read = async (): Promise<void> => {
      for await (const batch of consumer.batches()) {
        let bytes = 0;
        for (const record of batch) if (record.value?.id !== 0) bytes += record.serializedValueSize;
        onRead(batch.length, bytes);
      }
    };
    readings.push(read());
  } else {
    const read = readers[workload] ?? readBatches;
    const members = Array.from({ length: workload === 'group' ? groupMembers : 1 }, () => kafka.consumer(options));
    let isSettled = members.length === 1;
    for (const member of members) {
      // A rebalance amid the reading would have records read twice: nothing is read until the group is settled.
      const onPartitionsAssigned = (partitions: readonly Front.TopicPartition[]): void => {
        if (!isSettled) member.pause(partitions);
      };
      member.subscribe([target.topic], { onPartitionsAssigned });
      readings.push(read(member, onRead));
    }
    if (!isSettled)
      await allHaveTheirShare(() => members.map((member) => member.assignment().length), target.partitions);
    isSettled = true;
    if (members.length > 1) for (const member of members) member.resume(member.assignment());
  }
  return {
    close: async () => {
      await kafka.close();
      await Promise.all(readings);
    },
  };
}

const produce = 'defaults (idempotent, acks=all)';

/** This client, with its defaults. */
export const contender: Contender = {
  name: 'kavka',
  options: {
    bulk: produce,
    singles: produce,
    awaited: produce,
    consume: 'defaults, `batches()`',
    lazy: 'defaults, `batches()`, nothing looked at',
    each: 'defaults, `for await` over records',
    run: 'defaults, `run({ eachRecord })`',
    json: 'defaults, `batches()`, `value: json()`',
    group: `defaults, \`batches()\`, ${groupMembers} members in one process`,
  },
  bulkConcurrency: Number(process.env['BULK_CONCURRENCY'] ?? 16),
  openProducer,
  openConsumer,
};

/** Where records are compressed, the codec counts and not the checksum. */
export function onlyUncompressed(_workload: Workload, { compression }: Target): string | undefined {
  return compression === 'none' ? undefined : 'only measured without compression';
}

/** This client as the other Node clients are: they read records without looking at their checksums. */
export const withoutCrcs: Contender = {
  ...contender,
  refuses: onlyUncompressed,
  name: 'kavka, CRC not checked',
  options: { consume: '`batches()`, `checkCrcs: false`, as the other Node clients are' },
  openConsumer: (...args) => openConsumer(...args, { checkCrcs: false }),
};
