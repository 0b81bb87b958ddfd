/**
 * What a member of a share group reads in a second, beside Java's own measure of its share consumer, ShareConsumerPerformance.
 *
 *     node benchmarks/share-consumer.ts [--rounds 3] [--records 1000000] [--output share-consumer]
 *
 * The same records are read by one side after the other, each time by a new group in a process of its own, one after the other. Every round
 * begins with the other side, and a first one only warms the broker up. Both count the time from the first call until the last record,
 * joining the group included, as Java's program does. Results go to benchmarks/results/share-consumer.md.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { execFile } from 'node:child_process';
import { Kafka } from '../src/index.ts';
import { javaArguments, kafkaJars } from '../test/support/kafka/jars.ts';
import { defaultKafkaVersion } from '../test/support/kafka/options.ts';
import { startKafka } from '../test/support/kafka/start-kafka.ts';
import { ShareObserver } from '../test/support/consumer/share-progress.ts';
import { brokerProcesses, processorMicros } from './broker-cpu.ts';
import { median } from './report.ts';

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    records: { type: 'string', default: '1000000' },
    output: { type: 'string', default: 'share-consumer' },
    child: { type: 'string' },
  },
});
const rounds = Number(flags.rounds);
const total = Number(flags.records);
const partitions = 6;
const valueBytes = 100;
const recordsPerSend = 1000;

interface Job {
  readonly bootstrapServers: readonly string[];
  readonly topic: string;
  readonly groupId: string;
}

interface Figures {
  readonly rate: number;
  /** Processor time of the whole process per record, its start included, in microseconds. */
  readonly cpuMicros: number;
  /** The same of the broker; undefined where it cannot be seen. */
  readonly brokerMicros: number | undefined;
}

type Side = 'kavka, poll' | 'kavka, for await' | 'Java, ShareConsumerPerformance';
const sides: readonly Side[] = ['kavka, poll', 'kavka, for await', 'Java, ShareConsumerPerformance'];

/** Reads everything once, implicitly acknowledged as Java's program does, and prints how long it took, in milliseconds. */
async function read({ bootstrapServers, topic, groupId }: Job, side: Side): Promise<void> {
  const kafka = new Kafka({ bootstrapServers: [...bootstrapServers] });
  const consumer = kafka.shareConsumer({ groupId });
  consumer.subscribe(topic);
  const beganMs = performance.now();
  let [records, bytes] = [0, 0];
  if (side === 'kavka, poll') {
    while (records < total) {
      for (const { value } of await consumer.poll()) {
        records++;
        bytes += value?.length ?? 0;
      }
    }
    await consumer.commit();
  } else {
    for await (const { value } of consumer.records({ limit: total })) {
      records++;
      bytes += value?.length ?? 0;
    }
  }
  console.log(`${performance.now() - beganMs} ${records} ${bytes}`);
  await kafka.close();
}

/** Milliseconds that reading took, and microseconds of processor time. */
async function measure(job: Job, side: Side): Promise<{ readonly ms: number; readonly cpuMicros: number }> {
  const isOurs = side !== 'Java, ShareConsumerPerformance';
  const command = isOurs
    ? [
        process.execPath,
        fileURLToPath(import.meta.url),
        '--records',
        String(total),
        '--child',
        JSON.stringify({ job, side }),
      ]
    : ['java', ...javaArguments(kafkaJars(defaultKafkaVersion, console.error), '512m', 'error'), ...javaProgram(job)];
  // The shell counts the time of what it runs; the process itself could not tell of its own end.
  const script = 'TIMEFORMAT="%U %S"; time "$@"';
  const { stdout, stderr } = await promisify(execFile)('bash', ['-c', script, 'bash', ...command], {
    timeout: 500_000,
  });
  const [user = NaN, system = NaN] = (stderr.trim().split('\n').at(-1) ?? '').split(' ').map(Number);
  const { ms, records } = isOurs ? oursOf(stdout) : javasOf(stdout);
  if (records < total) throw new Error(`${side} read ${records} of ${total} records: ${stdout}`);
  return { ms, cpuMicros: (user + system) * 1e6 };
}

function javaProgram({ bootstrapServers, topic, groupId }: Job): string[] {
  return [
    'org.apache.kafka.tools.ShareConsumerPerformance',
    ...['--bootstrap-server', bootstrapServers.join(','), '--topic', topic, '--group', groupId],
    ...['--num-records', String(total), '--timeout', '60000'],
  ];
}

function oursOf(stdout: string): { ms: number; records: number } {
  const [ms = NaN, records = 0, bytes] = stdout.trim().split(' ').map(Number);
  if (bytes !== records * valueBytes) throw new Error(`${records} records had ${bytes} bytes`);
  return { ms, records };
}

/** Columns by their names, as the program prints them in a line of its own. */
function javasOf(stdout: string): { ms: number; records: number } {
  const rows = stdout.split('\n').filter((line) => line.includes(','));
  const names = (rows[0] ?? '').split(',').map((name) => name.trim());
  const cells = (rows.at(-1) ?? '').split(',').map((cell) => cell.trim());
  const cell = (name: string): string => cells[names.indexOf(name)] ?? '';
  const ms = Number(cell('fetch.time.ms'));
  const records = Number(cell('data.consumed.in.nMsg'));
  if (!(ms > 0)) throw new Error(`Cannot read what ShareConsumerPerformance prints:\n${stdout}`);
  return { ms, records };
}

async function fill(kafka: Kafka, topic: string): Promise<void> {
  await kafka.admin().createTopics({ topic, partitions, replicationFactor: 1 });
  const producer = kafka.producer();
  const value = Buffer.alloc(valueBytes, 'v');
  for (let first = 0; first < total; first += recordsPerSend) {
    const count = Math.min(recordsPerSend, total - first);
    await producer.send(Array.from({ length: count }, (_, at) => ({ topic, partition: at % partitions, value })));
  }
  await producer.close();
}

async function compare(): Promise<Record<Side, Figures[]>> {
  const cluster = await startKafka({ listeners: ['plaintext'] });
  const bootstrapServers = [...(cluster.description.listeners.plaintext ?? [])];
  const kafka = new Kafka({ bootstrapServers });
  const observer = new ShareObserver(bootstrapServers);
  const figures: Record<Side, Figures[]> = {
    'kavka, poll': [],
    'kavka, for await': [],
    'Java, ShareConsumerPerformance': [],
  };
  try {
    const topic = `share-${randomUUID()}`;
    await fill(kafka, topic);
    const broker = brokerProcesses(bootstrapServers, cluster.description.containers);
    for (let round = -1; round < rounds; round++) {
      for (const [at] of sides.entries()) {
        const side = sides[(at + round + sides.length) % sides.length];
        if (side === undefined) continue;
        const groupId = `share-${randomUUID()}`;
        const set = { 'share.auto.offset.reset': 'earliest' };
        await kafka.admin().incrementalAlterConfigs({ type: 'group', name: groupId, set });
        const before = processorMicros(broker);
        const { ms, cpuMicros } = await measure({ bootstrapServers, topic, groupId }, side);
        const brokerMicros = broker.length === 0 ? undefined : (processorMicros(broker) - before) / total;
        const left = (await observer.progress(groupId, topic)).reduce((sum, { lag }) => sum + Number(lag), 0);
        console.log(`${round < 0 ? 'warm-up' : `round ${round + 1}`}: ${side}: ${Math.round(ms)} ms, ${left} left`);
        // One whose records were not acknowledged was not measured doing the same.
        if (left > 0) throw new Error(`${side} left ${left} records unacknowledged`);
        if (round >= 0) figures[side].push({ rate: (total / ms) * 1000, cpuMicros: cpuMicros / total, brokerMicros });
      }
    }
  } finally {
    await observer[Symbol.asyncDispose]();
    await kafka.close();
    await cluster.close();
  }
  return figures;
}

function markdown(figures: Record<Side, Figures[]>): string {
  const java = median(figures['Java, ShareConsumerPerformance'].map(({ rate }) => rate));
  const rows = sides.map((side) => {
    const of = figures[side];
    const rate = median(of.map((one) => one.rate));
    const spread = of.map((one) => (one.rate / 1000).toFixed(0)).join(' / ');
    const brokers = of.flatMap(({ brokerMicros }) => (brokerMicros === undefined ? [] : [brokerMicros]));
    const cells = [
      side,
      `${(rate / 1000).toFixed(0)} k`,
      (rate / java).toFixed(2),
      median(of.map((one) => one.cpuMicros)).toFixed(2),
      brokers.length === 0 ? 'not seen' : median(brokers).toFixed(2),
      spread,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return `# Share consumer

One member of a share group reads ${total.toLocaleString('en')} records of ${valueBytes} bytes from ${partitions} partitions and acknowledges all of them, implicitly, with the
defaults of either client; one broker of Kafka ${defaultKafkaVersion} on the same machine; the median of ${rounds} interleaved rounds, a new group for each. The time
is from the first call to the last record, joining included, as Java's ShareConsumerPerformance counts it; processor time is that of the whole process, from
its start. Made by \`node benchmarks/share-consumer.ts\`; compare ratios, not absolute figures of different machines.

| client | records/s | to Java | CPU µs/record | broker CPU µs/record | thousand records/s in each round |
| --- | --- | --- | --- | --- | --- |
${rows.join('\n')}
`;
}

if (flags.child !== undefined) {
  const { job, side } = JSON.parse(flags.child) as { job: Job; side: Side };
  await read(job, side);
} else {
  const text = markdown(await compare());
  const folder = new URL('results/', import.meta.url);
  await mkdir(folder, { recursive: true });
  await writeFile(new URL(`${flags.output}.md`, folder), text);
  console.log(text);
}
