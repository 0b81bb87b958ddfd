/**
 * What the producer's defaults `batchSizeBytes` and `lingerMs` cost and bring, against other values, Java's among them: to this
 * process and to the broker.
 *
 *     node benchmarks/producer/batch-sizes.ts [--rounds 5] [--seconds 3] [--output batch-sizes]
 *
 * The same records go to the same broker with each setting in turn, each in a process of its own. Every round begins with another
 * setting, and a first round only warms the broker up. Results go to benchmarks/results/batch-sizes.md.
 */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { Kafka, type ProducerOptions } from '../../src/index.ts';
import { startKafka } from '../../test/support/kafka/start-kafka.ts';
import { brokerProcesses, processorMicros } from '../broker-cpu.ts';
import { median } from '../report.ts';

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    output: { type: 'string', default: 'batch-sizes' },
    child: { type: 'string' },
  },
});
const rounds = Number(flags.rounds);
const measureMs = Number(flags.seconds) * 1000;
const warmUpMs = 500;
const recordsPerSend = 1000;
// As many records as fill a batch of 1 MB for each partition: with fewer, larger limits would change nothing.
const sendsUnderWay = 64;
const awaitedSends = 300;
const partitions = 6;
const value = Buffer.alloc(100, 'v');

interface Setting {
  readonly name: string;
  readonly options: Pick<ProducerOptions, 'batchSizeBytes' | 'lingerMs'>;
}

interface Figures {
  /** Records per second of sends of a thousand. */
  readonly bulkRate: number;
  /** Processor time of this process per record of those, in microseconds. */
  readonly cpuMicros: number;
  /** The same of the broker; null where it cannot be seen. */
  readonly brokerMicros: number | null;
  /** How large a batch was in the mean, in KiB: what was set is only the largest. */
  readonly batchKib: number;
  /** One awaited send at a time, the middle one, in milliseconds. */
  readonly awaitedMs: number;
}

/** What the measuring process is told. */
interface Job {
  readonly bootstrap: string;
  readonly topic: string;
  readonly setting: string;
  readonly brokers: readonly number[];
}

const settings: readonly Setting[] = [
  { name: 'default: 1 MB, linger 0', options: {} },
  { name: '256 KiB, linger 0', options: { batchSizeBytes: 256 * 1024 } },
  { name: '64 KiB, linger 0', options: { batchSizeBytes: 64 * 1024 } },
  { name: '16 KiB, linger 0', options: { batchSizeBytes: 16 * 1024 } },
  { name: '16 KiB, linger 5 (Java 4)', options: { batchSizeBytes: 16 * 1024, lingerMs: 5 } },
  { name: '1 MB, linger 5', options: { lingerMs: 5 } },
];

async function measure({ bootstrap, topic, setting, brokers }: Job): Promise<Figures> {
  const kafka = new Kafka({ clientId: 'batch-sizes', bootstrapServers: [bootstrap] });
  const batches = { count: 0, bytes: 0 };
  kafka.on('producer.batch.delivered', ({ bytes }) => {
    batches.count++;
    batches.bytes += bytes;
  });
  try {
    const producer = kafka.producer(settings.find(({ name }) => name === setting)?.options);
    const records = Array.from({ length: recordsPerSend }, (_, at) => ({ topic, key: `key-${at}`, value }));
    const bulk = async (forMs: number): Promise<number> => {
      const end = performance.now() + forMs;
      let count = 0;
      const sending = async (): Promise<void> => {
        while (performance.now() < end) {
          await producer.send(records);
          count += recordsPerSend;
        }
      };
      await Promise.all(Array.from({ length: sendsUnderWay }, sending));
      return count;
    };
    await bulk(warmUpMs);
    const before = { cpu: process.cpuUsage(), broker: processorMicros(brokers), ms: performance.now(), ...batches };
    const sent = await bulk(measureMs);
    const seconds = (performance.now() - before.ms) / 1000;
    const { user, system } = process.cpuUsage(before.cpu);
    const broker = processorMicros(brokers) - before.broker;
    const batchKib = (batches.bytes - before.bytes) / (batches.count - before.count) / 1024;
    const waits: number[] = [];
    for (let at = 0; at < awaitedSends; at++) {
      const from = performance.now();
      await producer.send({ topic, key: `key-${at}`, value });
      waits.push(performance.now() - from);
    }
    return {
      bulkRate: sent / seconds,
      cpuMicros: (user + system) / sent,
      brokerMicros: brokers.length === 0 ? null : broker / sent,
      batchKib,
      awaitedMs: median(waits),
    };
  } finally {
    await kafka.close();
  }
}

async function main(): Promise<void> {
  const cluster = await startKafka({ brokers: 1 });
  try {
    const bootstrap = cluster.description.listeners.plaintext?.[0] ?? '';
    const brokers = brokerProcesses([bootstrap], cluster.description.containers);
    if (brokers.length === 0) process.stderr.write("The broker's processor time cannot be seen from here\n");
    const kafka = new Kafka({ bootstrapServers: [bootstrap] });
    const admin = kafka.admin();
    const found = new Map<string, Figures[]>(settings.map(({ name }) => [name, []]));
    for (let round = 0; round <= rounds; round++) {
      for (const [turn] of settings.entries()) {
        // Every round begins with another one: who comes first after a deleted topic pays for its removal.
        const setting = settings[(round + turn) % settings.length]?.name ?? '';
        const topic = `batch-sizes-${Date.now().toString(36)}-${turn}`;
        await admin.createTopics({ topic, partitions, replicationFactor: 1 });
        const figures = await inChild({ bootstrap, topic, setting, brokers });
        await admin.deleteTopics([topic]);
        if (round > 0) found.get(setting)?.push(figures);
        process.stderr.write(`round ${round}: ${setting} ${JSON.stringify(figures)}\n`);
      }
    }
    await kafka.close();
    const text = report(found, cluster.description.version);
    await mkdir(new URL('../results/', import.meta.url), { recursive: true });
    await writeFile(new URL(`../results/${flags.output}.md`, import.meta.url), text);
    process.stdout.write(text);
  } finally {
    await cluster.close();
  }
}

async function inChild(job: Job): Promise<Figures> {
  const args = [fileURLToPath(import.meta.url), '--seconds', flags.seconds, '--child', JSON.stringify(job)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as Figures;
}

function report(found: ReadonlyMap<string, readonly Figures[]>, version: string): string {
  const middle = (name: string, of: (figures: Figures) => number): number => median((found.get(name) ?? []).map(of));
  const first = settings[0]?.name ?? '';
  const broker = (name: string): number => middle(name, ({ brokerMicros }) => brokerMicros ?? NaN);
  const rows = settings.map(({ name }) => {
    const rate = middle(name, ({ bulkRate }) => bulkRate);
    return [
      name,
      `${(rate / 1e6).toFixed(2)} M`,
      (rate / middle(first, ({ bulkRate }) => bulkRate)).toFixed(2),
      middle(name, ({ cpuMicros }) => cpuMicros).toFixed(2),
      broker(name).toFixed(2),
      (broker(name) / broker(first)).toFixed(2),
      middle(name, ({ batchKib }) => batchKib).toFixed(0),
      middle(name, ({ awaitedMs }) => awaitedMs).toFixed(3),
    ].join(' | ');
  });
  const head = [
    'setting',
    'bulk, records/s',
    'to the default',
    'CPU µs/record',
    'broker CPU µs/record',
    'to the default',
    'mean batch KiB',
    'one awaited send, p50 ms',
  ];
  return [
    '# Batch sizes and linger',
    '',
    `Records of 100 bytes with keys, ${partitions} partitions, acks all, idempotent, one broker (Kafka ${version}) on the same machine, Node ${process.version};`,
    `the median of ${rounds} interleaved rounds of ${flags.seconds} s, each of which begins with another setting. Made by`,
    '`node benchmarks/producer/batch-sizes.ts`; compare ratios, not absolute figures of different machines.',
    '',
    `| ${head.join(' | ')} |`,
    `| --- |${' ---: |'.repeat(head.length - 1)}`,
    ...rows.map((row) => `| ${row} |`),
    '',
  ].join('\n');
}

if (flags.child === undefined) await main();
else process.stdout.write(`${JSON.stringify(await measure(JSON.parse(flags.child) as Job))}\n`);
