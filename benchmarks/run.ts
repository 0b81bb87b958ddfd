/**
 * Measures Kavka, other clients and a bare loop side by side on a real broker.
 *
 *     npm run bench                                            # the figures of README
 *     npm run bench -- --full                                  # all sizes, codecs, numbers of partitions, TLS, ways to consume
 *     npm run bench -- --scenarios goals --rounds 5
 *     npm run bench -- --scenarios bulk@lz4+1KiB --contenders kavka,franz-go
 *
 * Every contender runs in a process of its own, the rounds of all contenders are interleaved, and what a client says that it
 * wrote is compared with the broker's end offsets. Results go to benchmarks/results as JSON, Markdown and a chart.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { otherRuntimes, programOf, type Runtime } from '../tools/runtimes.ts';
import { startKafka } from '../test/support/kafka/start-kafka.ts';
import type { KafkaDescription } from '../test/support/kafka/options.ts';
import { BareConnection, createTopic, deleteTopic, endOffsets } from './bare/wire.ts';
import { brokerProcesses, processorMicros } from './broker-cpu.ts';
import { chart } from './chart.ts';
import { compileWorkload } from './compile-programs.ts';
import { largestRecordBytes, type Contender, type Target } from './contender.ts';
import { installConfluent } from './install-confluent.ts';
import { installPeers, peersFolder } from './install-peers.ts';
import { programs, programWorkloads, type Command } from './programs.ts';
import { writePool, type PoolFile } from './record-pool.ts';
import { goals, markdown, summarize, type Conditions, type Round, type Skipped } from './report.ts';
import { conditionsOf, isConsuming, settings, type Scenario, type Settings } from './scenarios.ts';
import type { Job, Measurement } from './workload.ts';
import { panels } from './write-summary.ts';

/** This client where it is not Node that runs it; measured when they are asked for. */
const elsewhere = new Map(otherRuntimes.map((runtime) => [`kavka-${runtime.name.toLowerCase()}`, runtime]));
const ours = ['kavka', 'kavka-no-crc', ...elsewhere.keys()];
/** How each is made ready; what one throws says why it cannot be measured on this machine. */
const nodePeers: Readonly<Record<string, () => Promise<void>>> = {
  platformatic: installPeers,
  confluent: installConfluent,
  'kafka-ts': installPeers,
  kafkajs: installPeers,
};
const nodeContenders = ['bare-loop', ...ours, ...Object.keys(nodePeers)];
const allContenders = ['bare-loop', ...ours, 'franz-go', 'librdkafka', 'java', ...Object.keys(nodePeers)];
const usualContenders = allContenders.filter((id) => !elsewhere.has(id));
const displayNames: Readonly<Record<string, string>> = {
  'bare-loop': 'bare loop',
  'kavka-no-crc': 'kavka, CRC not checked',
  'kavka-bun': 'kavka on Bun',
  'kavka-deno': 'kavka on Deno',
  platformatic: '@platformatic/kafka',
  confluent: '@confluentinc/kafka-javascript',
};

/** What the first batch of a partition takes a broker, which makes files for it: with a thousand of them, nobody gets an answer for seconds. */
const FIRST_BATCH_MS = 16;

/** It has nothing like this story: not worth a line of the report. */
const noSuchWay = 'it has no such way';

/** One that can be measured here: a module for the workload process, or a program. */
interface Ready {
  readonly id: string;
  readonly name: string;
  readonly command: Command;
  refuses(scenario: Scenario, target: Target): string | undefined;
}

/** What all rounds share. */
interface Bench {
  readonly wanted: Settings;
  /** The program of one round of a Node client, compiled. */
  readonly workload: string;
  readonly description: KafkaDescription;
  /** Where brokers listen without TLS. */
  readonly servers: string;
  readonly brokers: readonly number[];
  readonly caFile: string;
  readonly rows: { scenario: string; contender: string; rounds: Round[] }[];
  readonly skipped: Skipped[];
}

/** By a connection of its own: one that lay idle while a slow machine read for ten minutes, the broker would have closed. */
async function ask<T>({ servers }: Bench, question: (broker: BareConnection) => Promise<T>): Promise<T> {
  const broker = await BareConnection.open(servers);
  try {
    return await question(broker);
  } finally {
    broker.close();
  }
}

const runId = `${Date.now().toString(36)}-${process.pid}`;

async function makeReady(wanted: Settings, workload: string, skipped: Skipped[]): Promise<Ready[]> {
  const ready: Ready[] = [];
  for (const id of wanted.contenders) {
    const name = displayNames[id] ?? id;
    try {
      const isOfNode = nodeContenders.includes(id);
      ready.push(isOfNode ? await nodeContender(id, name, workload, wanted) : await program(id, name));
    } catch (error) {
      // Its tool chain may not be there; the others are measured all the same, and the report tells.
      const why = String(error instanceof Error ? error.message : error).split('\n')[0] ?? '';
      console.error(`bench: ${name} is not measured: ${why}`);
      skipped.push({ contender: name, why: why.replaceAll(process.cwd(), '.') });
    }
  }
  return ready;
}

async function nodeContender(id: string, name: string, workload: string, { profileFolder }: Settings): Promise<Ready> {
  await nodePeers[id]?.();
  const { contender } = (await import(`./contenders/${id}.ts`)) as { contender: Contender };
  const profiling = profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`];
  const runtime = elsewhere.get(id);
  const command: Command =
    runtime === undefined ? [process.execPath, ...profiling, workload] : [...(await starting(runtime)), workload];
  return {
    id,
    name,
    command,
    refuses: ({ workload: story }, target) =>
      contender.options[story] === undefined ? noSuchWay : contender.refuses?.(story, target),
  };
}

async function starting(runtime: Runtime): Promise<[string, ...string[]]> {
  const program = await programOf(runtime);
  return runtime.name === 'Deno' ? [program, 'run', '--allow-all', '--no-check'] : [program];
}

async function program(id: string, name: string): Promise<Ready> {
  const command = await (programs[id] ?? (() => Promise.reject(new Error('there is no such program'))))();
  return {
    id,
    name,
    command,
    refuses: ({ workload }) => (programWorkloads.includes(workload) ? undefined : noSuchWay),
  };
}

function child({ command, name }: Pick<Ready, 'command' | 'name'>, job: Job, env = {}): Promise<Measurement> {
  const [file, ...args] = command;
  return new Promise((resolve, reject) => {
    // A contender that stands still ends the run; none needs a tenth of this.
    const options = { timeout: 10 * 60_000, maxBuffer: 64 * 1024 * 1024, env: { ...process.env, ...env } };
    execFile(file, [...args, JSON.stringify(job)], options, (error, stdout, stderr) => {
      if (error !== null) {
        reject(new Error(`${name} failed at ${job.workload}:\n${stderr.slice(0, 4000)}`, { cause: error }));
      } else resolve(JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Measurement);
    });
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Has the system write to disk what earlier rounds have left in memory: else who comes later waits for the disk in their place. */
async function settleDisk({ brokers }: Bench): Promise<void> {
  // Where the broker is not on this machine, there is nothing to be done.
  if (brokers.length > 0) await new Promise<void>((resolve) => execFile('sync', () => resolve()));
}

/** Runs a producing job on a topic of its own and compares what it counts with what the broker has. */
async function produceRound(bench: Bench, ready: Ready, job: Job): Promise<Measurement> {
  const { topic, partitions } = job.target;
  await settleDisk(bench);
  await ask(bench, (broker) => createTopic(broker, topic, partitions, largestRecordBytes));
  try {
    const result = await child(ready, job);
    const written = sum(await ask(bench, (broker) => endOffsets(broker, topic, partitions)));
    if (written !== result.total) {
      throw new Error(`${ready.name} says ${result.total} records were acknowledged, the broker has ${written}`);
    }
    return result;
  } finally {
    await ask(bench, (broker) => deleteTopic(broker, topic));
  }
}

/** Fills a topic with at least the records wanted, and answers how many there are. */
async function fillTopic(bench: Bench, job: Omit<Job, 'contender' | 'workload'>): Promise<number> {
  const { wanted, workload } = bench;
  const { topic, partitions, compression } = job.target;
  await ask(bench, (broker) => createTopic(broker, topic, partitions, largestRecordBytes));
  // The bare loop knows no codecs; with many partitions its batches must be smaller, or most would get none.
  const contender = compression === 'none' ? 'bare-loop' : 'kavka';
  const env = { BARE_BATCH_BYTES: String(Math.min(1_000_000, Math.floor(wanted.topicBytes / partitions / 4))) };
  const command: Command = [process.execPath, workload];
  const target = { ...job.target, caFile: undefined, bootstrap: job.target.bootstrap };
  for (;;) {
    const written = sum(await ask(bench, (broker) => endOffsets(broker, topic, partitions)));
    if (written >= job.records) return written;
    const fill: Job = { ...job, target, contender, workload: 'bulk', warmUpMs: 0, measureMs: 100 };
    await child({ command, name: contender }, fill, env);
  }
}

/** Measures the scenarios that share their conditions: round by round, all of them and all contenders in turn. */
async function measureGroup(bench: Bench, scenarios: readonly Scenario[], contenders: readonly Ready[]): Promise<void> {
  const [{ valueBytes, partitions, compression, tls }] = scenarios as [Scenario];
  const { wanted, description, servers } = bench;
  const listener = description.listeners[tls ? 'ssl' : 'plaintext'];
  if (listener === undefined) {
    for (const { id } of scenarios) bench.skipped.push({ scenario: id, contender: 'all', why: 'no TLS listener' });
    return;
  }
  const pool = poolOf(valueBytes);
  const base = { pool, warmUpMs: wanted.warmUpMs, measureMs: wanted.measureMs, groupPrefix: '' };
  const target: Target = {
    bootstrap: listener.join(','),
    topic: `bench-read-${runId}-${scenarios[0]?.id.replaceAll(/\W/g, '-') ?? ''}`,
    partitions,
    compression,
    caFile: tls ? bench.caFile : undefined,
  };
  const mustRead = scenarios.some(({ workload }) => isConsuming(workload));
  const enough = Math.min(wanted.maxRecords, Math.ceil(wanted.topicBytes / valueBytes));
  try {
    const filling = { ...base, records: enough, target: { ...target, bootstrap: servers } };
    const records = mustRead ? await fillTopic(bench, filling) : 0;
    for (let round = 1; round <= wanted.rounds; round++) {
      for (const scenario of scenarios) {
        // Every round begins with another contender: who comes first after something else is not always the same.
        for (const [turn] of contenders.entries()) {
          const ready = contenders[(turn + round - 1) % contenders.length];
          if (ready === undefined) continue;
          await measureOne(bench, scenario, ready, { ...base, target, records }, round);
        }
      }
    }
  } finally {
    if (mustRead) await ask(bench, (broker) => deleteTopic(broker, target.topic)).catch(() => undefined);
  }
}

async function measureOne(
  bench: Bench,
  scenario: Scenario,
  ready: Ready,
  base: Omit<Job, 'contender' | 'workload'>,
  round: number,
): Promise<void> {
  const { id, workload } = scenario;
  if (bench.skipped.some((each) => each.scenario === id && each.contender === ready.name)) return;
  const why = ready.refuses(scenario, base.target);
  if (why !== undefined) {
    if (round === 1 && why !== noSuchWay) bench.skipped.push({ scenario: id, contender: ready.name, why });
    return;
  }
  const name = `bench-${id.replaceAll(/\W/g, '-')}-${ready.id}-${round}-${runId}`;
  const target = isConsuming(workload) ? base.target : { ...base.target, topic: name };
  const warmUpMs = base.warmUpMs + (isConsuming(workload) ? 0 : target.partitions * FIRST_BATCH_MS);
  const job: Job = { ...base, warmUpMs, contender: ready.id, workload, target, groupPrefix: name };
  const before = processorMicros(bench.brokers);
  const measured = await (isConsuming(workload) ? child(ready, job) : produceRound(bench, ready, job))
    .then(withRecords)
    .catch((error: unknown) => handleFailure(bench, id, ready, error));
  if (measured === undefined) return;
  const used = processorMicros(bench.brokers) - before;
  const result: Round =
    bench.brokers.length === 0 ? measured : { ...measured, brokerMicrosPerRecord: used / measured.total };
  let row = bench.rows.find((each) => each.scenario === id && each.contender === ready.name);
  if (row === undefined) bench.rows.push((row = { scenario: id, contender: ready.name, rounds: [] }));
  row.rounds.push(result);
  const rate = Math.round(result.recordsPerSecond).toLocaleString('en-US');
  const p50 = result.latencyMs === undefined ? '' : `, p50 ${result.latencyMs.p50.toFixed(3)} ms`;
  console.error(
    `${id} round ${round} ${ready.name}: ${rate}/s, ${result.cpuMicrosPerRecord.toFixed(2)} µs CPU, ${result.residentMb.toFixed(0)} MB${p50}`,
  );
}

/** A round too short for a client has no figures. */
function withRecords(measured: Measurement): Measurement {
  if (measured.recordsPerSecond > 0) return measured;
  throw new Error('no record was finished in the measured time; give it more --seconds');
}

/** What a client cannot do is told in the report; if it is ours, the run has failed, and goes on: its other figures took an hour. */
function handleFailure(bench: Bench, scenario: string, { id, name }: Ready, error: unknown): undefined {
  if (id === 'bare-loop' || ours.includes(id)) process.exitCode = 1;
  const lines = String(error instanceof Error ? error.message : error).split('\n');
  const why = `it failed: ${(lines.find((line) => /Error\b/.test(line)) ?? lines[0] ?? '').trim().slice(0, 200)}`;
  console.error(`bench: ${name} at ${scenario}: ${why}`);
  bench.skipped.push({ scenario, contender: name, why: why.replaceAll(process.cwd(), '.') });
  return undefined;
}

const cache = fileURLToPath(peersFolder);
const pools = new Map<number, PoolFile>();

function poolOf(valueBytes: number): PoolFile {
  let pool = pools.get(valueBytes);
  if (pool === undefined) pools.set(valueBytes, (pool = writePool(path.join(cache, `pool-${valueBytes}`), valueBytes)));
  return pool;
}

/** Measures everything; what is finished is written at once, so that a run that is cut off leaves that. */
async function measureAll(bench: Bench, contenders: readonly Ready[]): Promise<void> {
  const groups = new Map<string, Scenario[]>();
  for (const scenario of bench.wanted.scenarios) {
    const conditions = conditionsOf(scenario);
    groups.set(conditions, [...(groups.get(conditions) ?? []), scenario]);
  }
  const order = (id: string): number => bench.wanted.scenarios.findIndex((scenario) => scenario.id === id);
  const place = (name: string): number => allContenders.findIndex((id) => (displayNames[id] ?? id) === name);
  let report = '';
  for (const scenarios of groups.values()) {
    await measureGroup(bench, scenarios, contenders);
    bench.rows.sort((a, b) => order(a.scenario) - order(b.scenario) || place(a.contender) - place(b.contender));
    report = await writeResults(bench);
  }
  console.log(report);
}

/** Answers with the report. */
async function writeResults(bench: Bench): Promise<string> {
  const { wanted, rows, skipped } = bench;
  const conditions: Conditions = {
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    kafka: bench.description.version,
    cpus: `${os.cpus().length} × ${os.cpus()[0]?.model.replaceAll(/\s+/g, ' ') ?? 'unknown'}`,
    rounds: wanted.rounds,
    measureMs: wanted.measureMs,
  };
  const report = ['# Benchmark results', '', ...goals(rows), markdown(conditions, rows, skipped)].join('\n');
  const summaries = rows.map((row) => ({ ...row, median: summarize(row) }));
  const folder = new URL('results/', import.meta.url);
  await mkdir(folder, { recursive: true });
  await writeFile(new URL(`${wanted.output}.md`, folder), report);
  const json = JSON.stringify({ conditions, rows: summaries, skipped }, null, 2);
  await writeFile(new URL(`${wanted.output}.json`, folder), `${json}\n`);
  await writeFile(new URL(`${wanted.output}.svg`, folder), chart(panels, rows));
  return report;
}

async function main(): Promise<void> {
  const wanted = settings(allContenders, usualContenders);
  const entry = new URL('../dist/index.js', import.meta.url);
  if (wanted.contenders.includes('kavka') && process.env['KAVKA_ENTRY'] === undefined && !existsSync(entry)) {
    throw new Error('Cannot measure Kavka: it is not built; run "npm run build"');
  }
  await mkdir(cache, { recursive: true });
  const skipped: Skipped[] = [];
  const workload = await compileWorkload();
  const contenders = await makeReady(wanted, workload, skipped);
  const needsTls = wanted.scenarios.some(({ tls }) => tls);
  const kafka = await startKafka({ brokers: 1, listeners: needsTls ? ['plaintext', 'ssl'] : ['plaintext'] });
  const { description } = kafka;
  const plaintext = description.listeners.plaintext ?? [];
  const caFile = path.join(cache, `ca-${runId}.pem`);
  try {
    if (description.tls !== undefined) await writeFile(caFile, description.tls.ca);
    const brokers = brokerProcesses(plaintext, description.containers);
    const servers = plaintext.join(',');
    const bench: Bench = { wanted, workload, description, servers, brokers, caFile, rows: [], skipped };
    await measureAll(bench, contenders);
  } finally {
    await rm(caFile, { force: true });
    await kafka.close();
  }
}

await main();
