/**
 * What the producer's defaults `batchSizeBytes` and `lingerMs` cost and bring, against other values, Java's among them.
 *
 *     node benchmarks/producer/batch-sizes.ts
 *
 * The same records go to the same broker with each setting in turn, several rounds interleaved, each in a process of its own.
 * Results go to benchmarks/results/batch-sizes.md.
 */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Kafka, type ProducerOptions } from '../../src/index.ts';
import { startKafka } from '../../test/support/kafka/start-kafka.ts';

const MEASURE_MS = 2000;
const ROUNDS = 3;
const RECORDS_PER_SEND = 1000;
const PARTITIONS = 6;
const VALUE = Buffer.alloc(100, 'v');

interface Setting {
  readonly name: string;
  readonly options: Pick<ProducerOptions, 'batchSizeBytes' | 'lingerMs'>;
}

interface Figures {
  /** Records per second of sends of a thousand. */
  readonly bulkRate: number;
  /** Processor time of this process per record of those, in microseconds. */
  readonly cpuMicros: number;
  /** One awaited send at a time, the middle one, in milliseconds. */
  readonly awaitedMs: number;
}

const settings: readonly Setting[] = [
  { name: 'default: 1 MB, linger 0', options: {} },
  { name: '256 KiB, linger 0', options: { batchSizeBytes: 256 * 1024 } },
  { name: '64 KiB, linger 0', options: { batchSizeBytes: 64 * 1024 } },
  { name: '16 KiB, linger 0', options: { batchSizeBytes: 16 * 1024 } },
  { name: '16 KiB, linger 5 (Java 4)', options: { batchSizeBytes: 16 * 1024, lingerMs: 5 } },
  { name: '1 MB, linger 5', options: { lingerMs: 5 } },
];

async function measure(bootstrap: string, topic: string, options: ProducerOptions): Promise<Figures> {
  const kafka = new Kafka({ clientId: 'batch-sizes', bootstrapServers: [bootstrap] });
  try {
    const producer = kafka.producer(options);
    const records = Array.from({ length: RECORDS_PER_SEND }, (_, at) => ({ topic, key: `key-${at}`, value: VALUE }));
    await bulk(500);
    const cpuBefore = process.cpuUsage();
    const begun = performance.now();
    const sent = await bulk(MEASURE_MS);
    const seconds = (performance.now() - begun) / 1000;
    const { user, system } = process.cpuUsage(cpuBefore);
    const waits: number[] = [];
    for (let at = 0; at < 300; at++) {
      const from = performance.now();
      await producer.send({ topic, key: `key-${at}`, value: VALUE });
      waits.push(performance.now() - from);
    }
    waits.sort((a, b) => a - b);
    return { bulkRate: sent / seconds, cpuMicros: (user + system) / sent, awaitedMs: waits[150] ?? NaN };

    async function bulk(forMs: number): Promise<number> {
      const end = performance.now() + forMs;
      let count = 0;
      const sending = async (): Promise<void> => {
        while (performance.now() < end) {
          await producer.send(records);
          count += RECORDS_PER_SEND;
        }
      };
      await Promise.all(Array.from({ length: 10 }, sending));
      return count;
    }
  } finally {
    await kafka.close();
  }
}

async function main(): Promise<void> {
  const cluster = await startKafka({ brokers: 1 });
  try {
    const bootstrap = cluster.description.listeners.plaintext?.[0] ?? '';
    const kafka = new Kafka({ bootstrapServers: [bootstrap] });
    const admin = kafka.admin();
    const found = new Map<string, Figures[]>();
    for (let round = 1; round <= ROUNDS; round++) {
      for (const { name } of settings) {
        const topic = `batch-sizes-${round}-${settings.findIndex((setting) => setting.name === name)}`;
        await admin.createTopics({ topic, partitions: PARTITIONS, replicationFactor: 1 });
        const file = fileURLToPath(import.meta.url);
        const { stdout } = await promisify(execFile)(process.execPath, [file, 'child', bootstrap, topic, name]);
        found.set(name, [...(found.get(name) ?? []), JSON.parse(stdout) as Figures]);
        await admin.deleteTopics([topic]);
        process.stderr.write(`round ${round}: ${name} ${stdout}`);
      }
    }
    await kafka.close();
    const text = report(found);
    await mkdir(new URL('../results/', import.meta.url), { recursive: true });
    await writeFile(new URL('../results/batch-sizes.md', import.meta.url), text);
    process.stdout.write(text);
  } finally {
    await cluster.close();
  }
}

function report(found: ReadonlyMap<string, readonly Figures[]>): string {
  const middle = (name: string, of: (figures: Figures) => number): number => {
    const values = (found.get(name) ?? []).map(of).sort((a, b) => a - b);
    return values[Math.floor(values.length / 2)] ?? NaN;
  };
  const first = settings[0]?.name ?? '';
  const rows = settings.map(({ name }) => {
    const rate = middle(name, (figures) => figures.bulkRate);
    const ratio = rate / middle(first, (figures) => figures.bulkRate);
    const cpu = middle(name, (figures) => figures.cpuMicros);
    const awaited = middle(name, (figures) => figures.awaitedMs);
    return `| ${name} | ${(rate / 1e6).toFixed(2)} M | ${ratio.toFixed(2)} | ${cpu.toFixed(2)} | ${awaited.toFixed(3)} |`;
  });
  return [
    '# Batch sizes and linger',
    '',
    `Records of 100 bytes with keys, ${PARTITIONS} partitions, acks all, idempotent, one broker on the same machine; the median of`,
    `${ROUNDS} interleaved rounds, all settings in one run. Made by \`node benchmarks/producer/batch-sizes.ts\`; compare ratios, not`,
    'absolute figures of different machines.',
    '',
    '| setting | bulk, records/s | to the default | CPU µs/record | one awaited send, p50 ms |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

const [, , role, bootstrap = '', topic = '', name = ''] = process.argv;
if (role === 'child') {
  const { options } = settings.find((setting) => setting.name === name) ?? { options: {} };
  process.stdout.write(`${JSON.stringify(await measure(bootstrap, topic, options))}\n`);
} else {
  await main();
}
