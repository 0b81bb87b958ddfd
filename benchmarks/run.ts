/**
 * Measures Kavka, the other Node clients and a bare loop side by side on a real broker.
 *
 *     npm run bench
 *     npm run bench -- --workloads bulk,consume --contenders bare-loop,kavka --rounds 5 --seconds 4
 *
 * Every contender runs in a process of its own, the rounds of all contenders are interleaved, and what a client says that it
 * wrote is compared with the broker's end offsets. Results go to benchmarks/results as JSON and Markdown.
 */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startKafka } from '../test/support/kafka/start-kafka.ts';
import { BareConnection, createTopic, deleteTopic, endOffsets } from './bare/wire.ts';
import { installPeers } from './install-peers.ts';
import { markdown, summarize, type Conditions, type Row } from './report.ts';
import type { Job, Measurement, Workload } from './workload.ts';

const allContenders = ['bare-loop', 'kavka', 'platformatic', 'kafka-ts', 'kafkajs'];
const allWorkloads: readonly Workload[] = ['bulk', 'consume', 'singles', 'awaited'];
const displayNames: Readonly<Record<string, string>> = {
  'bare-loop': 'bare loop',
  platformatic: '@platformatic/kafka',
};

interface Settings {
  readonly workloads: readonly Workload[];
  readonly contenders: readonly string[];
  readonly rounds: number;
  readonly measureMs: number;
  readonly warmUpMs: number;
  readonly records: number;
  readonly valueBytes: number;
  readonly partitions: number;
  readonly output: string;
  /** Where each round leaves a CPU profile; benchmarks/summarize-profile.ts reads them. */
  readonly profileFolder: string | undefined;
}

function settings(): Settings {
  const { values } = parseArgs({
    options: {
      workloads: { type: 'string', default: allWorkloads.join(',') },
      contenders: { type: 'string', default: allContenders.join(',') },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '4' },
      'warm-up': { type: 'string', default: '2' },
      records: { type: 'string', default: '2000000' },
      'value-bytes': { type: 'string', default: '100' },
      partitions: { type: 'string', default: '6' },
      output: { type: 'string', default: 'latest' },
      'cpu-prof': { type: 'string' },
    },
  });
  const chosen = (text: string, all: readonly string[]): string[] => {
    const names = text.split(',');
    const unknown = names.find((name) => !all.includes(name));
    if (unknown !== undefined) throw new Error(`Cannot measure "${unknown}": choose among ${all.join(', ')}`);
    return names;
  };
  return {
    workloads: chosen(values.workloads, allWorkloads) as Workload[],
    contenders: chosen(values.contenders, allContenders),
    rounds: Number(values.rounds),
    measureMs: Number(values.seconds) * 1000,
    warmUpMs: Number(values['warm-up']) * 1000,
    records: Number(values.records),
    valueBytes: Number(values['value-bytes']),
    partitions: Number(values.partitions),
    output: values.output,
    profileFolder: values['cpu-prof'],
  };
}

const run = `${Date.now().toString(36)}-${process.pid}`;

let profileFlags: readonly string[] = [];

function child(job: Job): Promise<Measurement> {
  const program = fileURLToPath(new URL('workload.ts', import.meta.url));
  return new Promise((resolve, reject) => {
    // A contender that stands still ends the run; none needs a tenth of this.
    const options = { timeout: 10 * 60_000, maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, [...profileFlags, program, JSON.stringify(job)], options, (error, stdout, stderr) => {
      if (error !== null) {
        reject(new Error(`${job.contender} failed at ${job.workload}:\n${stderr.slice(0, 4000)}`, { cause: error }));
      } else resolve(JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Measurement);
    });
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Runs a producing job on a topic of its own and compares what it counts with what the broker has. */
async function produceRound(broker: BareConnection, job: Job): Promise<Measurement> {
  const { topic, partitions } = job.target;
  await createTopic(broker, topic, partitions);
  try {
    const result = await child(job);
    const written = sum(await endOffsets(broker, topic, partitions));
    if (written !== result.total) {
      throw new Error(`${job.contender} says ${result.total} records were acknowledged, the broker has ${written}`);
    }
    return result;
  } finally {
    await deleteTopic(broker, topic);
  }
}

/** Fills a topic by the bare loop, with at least the records wanted, and answers how many there are. */
async function fillTopic(broker: BareConnection, base: Omit<Job, 'contender' | 'workload'>): Promise<number> {
  const { topic, partitions } = base.target;
  await createTopic(broker, topic, partitions);
  let written = 0;
  while (written < base.records) {
    await child({ ...base, contender: 'bare-loop', workload: 'bulk', warmUpMs: 0, measureMs: 100 });
    written = sum(await endOffsets(broker, topic, partitions));
  }
  return written;
}

async function measureAll(bootstrap: string, wanted: Settings): Promise<Row[]> {
  const broker = await BareConnection.open(bootstrap);
  const rows: { workload: Workload; contender: string; rounds: Measurement[] }[] = [];
  const consumed = `bench-consume-${run}`;
  try {
    for (const workload of wanted.workloads) {
      const base = {
        ...wanted,
        target: { bootstrap, topic: consumed, partitions: wanted.partitions },
        groupPrefix: '',
      };
      const records = workload === 'consume' ? await fillTopic(broker, base) : wanted.records;
      const contenders = wanted.contenders.filter(
        (name) => name !== 'bare-loop' || workload === 'bulk' || workload === 'consume',
      );
      for (let round = 1; round <= wanted.rounds; round++) {
        for (const contender of contenders) {
          const id = `bench-${workload}-${contender}-${round}-${run}`;
          const target = { ...base.target, topic: workload === 'consume' ? consumed : id };
          const job: Job = { ...base, contender, workload, records, target, groupPrefix: id };
          const result = workload === 'consume' ? await child(job) : await produceRound(broker, job);
          const name = displayNames[contender] ?? contender;
          let row = rows.find((candidate) => candidate.workload === workload && candidate.contender === name);
          if (row === undefined) rows.push((row = { workload, contender: name, rounds: [] }));
          row.rounds.push(result);
          const rate = Math.round(result.recordsPerSecond).toLocaleString('en-US');
          const p50 = result.latencyMs === undefined ? '' : `, p50 ${result.latencyMs.p50.toFixed(3)} ms`;
          console.error(
            `${workload} round ${round} ${name}: ${rate}/s, ${result.cpuMicrosPerRecord.toFixed(2)} µs CPU, ${result.residentMb.toFixed(0)} MB${p50}`,
          );
        }
      }
    }
  } finally {
    if (wanted.workloads.includes('consume')) await deleteTopic(broker, consumed).catch(() => undefined);
    broker.close();
  }
  return rows;
}

async function main(): Promise<void> {
  const wanted = settings();
  if (wanted.profileFolder !== undefined) profileFlags = ['--cpu-prof', `--cpu-prof-dir=${wanted.profileFolder}`];
  if (wanted.contenders.some((name) => name !== 'bare-loop' && name !== 'kavka')) await installPeers();
  const kafka = await startKafka({ brokers: 1, listeners: ['plaintext'] });
  try {
    const bootstrap = kafka.description.listeners.plaintext?.join(',') ?? '';
    const rows = await measureAll(bootstrap, wanted);
    const conditions: Conditions = {
      date: new Date().toISOString().slice(0, 10),
      node: process.version,
      kafka: kafka.description.version,
      cpus: `${os.availableParallelism()} × ${os.cpus()[0]?.model.trim() ?? 'unknown CPU'}`,
      valueBytes: wanted.valueBytes,
      partitions: wanted.partitions,
      rounds: wanted.rounds,
      measureMs: wanted.measureMs,
    };
    const report = markdown(conditions, rows);
    const summaries = rows.map((row) => ({ ...row, median: summarize(row) }));
    const folder = new URL('results/', import.meta.url);
    await mkdir(folder, { recursive: true });
    await writeFile(new URL(`${wanted.output}.md`, folder), `# Benchmark results\n\n${report}`);
    await writeFile(
      new URL(`${wanted.output}.json`, folder),
      `${JSON.stringify({ conditions, rows: summaries }, null, 2)}\n`,
    );
    console.log(report);
  } finally {
    await kafka.close();
  }
}

await main();
