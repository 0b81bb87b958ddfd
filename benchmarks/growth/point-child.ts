/** The client's side of one {@link Point}, in a process of its own: prints a {@link Cost}. */
import { Kafka, type Consumer } from '../../src/index.ts';
import type { Point } from './dimensions.ts';

/** What a point cost the client's process. */
export interface Cost {
  readonly produceCpuMs: number;
  readonly produceMs: number;
  readonly consumeCpuMs: number;
  readonly consumeMs: number;
  /** From the first subscription until every member has its partitions. */
  readonly joinCpuMs: number;
  readonly joinMs: number;
  readonly residentMb: number;
}

const bootstrapServers = JSON.parse(process.argv[2] ?? '[]') as string[];
const point = JSON.parse(process.argv[3] ?? '{}') as Point;
const topics = Array.from({ length: point.topics }, (_, at) => `growth-${at}`);
const kafka = new Kafka({ clientId: 'growth', bootstrapServers });

/** Once without being measured: the compiler is not what grows. */
await produce(Math.min(point.records, 50_000));
const producing = await measured(() => produce(point.records));
const consumers = Array.from({ length: point.members }, () =>
  kafka.consumer({ groupId: 'growth', autoOffsetReset: 'earliest' }),
);
let read = 0;
let isSettled = false;
const expected = point.records + Math.min(point.records, 50_000);
const joining = await measured(join);
const consuming = await measured(consume);
const residentMb = process.memoryUsage.rss() / 1e6;
console.log(
  JSON.stringify({
    produceCpuMs: producing.cpuMs,
    produceMs: producing.ms,
    joinCpuMs: joining.cpuMs,
    joinMs: joining.ms,
    consumeCpuMs: consuming.cpuMs,
    consumeMs: consuming.ms,
    residentMb,
  } satisfies Cost),
);
process.exit(0);

async function produce(count: number): Promise<void> {
  const producer = kafka.producer();
  const value = Buffer.alloc(point.valueBytes, 'v');
  let sent = 0;
  const worker = async (): Promise<void> => {
    while (sent < count) {
      const size = Math.min(point.listSize, count - sent);
      const first = sent;
      sent += size;
      const list = Array.from({ length: size }, (_, at) => {
        const topic = topics[(first + at) % topics.length] ?? '';
        return { topic, key: `key-${((first + at) * 7919) % 100_000}`, value };
      });
      await producer.send(list);
    }
  };
  await Promise.all(Array.from({ length: point.inFlight }, worker));
  await producer.close();
}

/** Every member reads from the beginning on, as only a waiting reader takes part in rebalances, but of paused partitions. */
async function join(): Promise<void> {
  for (const consumer of consumers) {
    const onPartitionsAssigned = (partitions: Parameters<Consumer['pause']>[0]): void => {
      if (!isSettled) consumer.pause(partitions);
    };
    consumer.subscribe(topics, { onPartitionsAssigned });
    void count(consumer);
  }
  const wanted = point.topics * point.partitions;
  const share = Math.floor(wanted / consumers.length);
  for (;;) {
    const counts = consumers.map((consumer) => consumer.assignment().length);
    if (counts.every((each) => each >= share) && counts.reduce((a, b) => a + b) === wanted) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function count(consumer: Consumer): Promise<void> {
  for await (const batch of consumer.batches()) for (const { value } of batch) if (value !== null) read++;
}

async function consume(): Promise<void> {
  isSettled = true;
  for (const consumer of consumers) consumer.resume(consumer.assignment());
  while (read < expected) await new Promise((resolve) => setTimeout(resolve, 2));
  if (read !== expected) throw new Error(`${read} records were read instead of ${expected}`);
}

async function measured(work: () => Promise<void>): Promise<{ cpuMs: number; ms: number }> {
  const begun = performance.now();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { cpuMs: (user + system) / 1000, ms: performance.now() - begun };
}
