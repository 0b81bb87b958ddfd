/**
 * One round of one contender, in a process of its own: takes a {@link Job} as its argument, prints a {@link Measurement}.
 */
import { performance } from 'node:perf_hooks';
import type { Contender, PlainRecord, Target } from './contender.ts';

/** Which of the stories is measured. */
export type Workload = 'bulk' | 'consume' | 'singles' | 'awaited';

/** What a child process is asked to do. */
export interface Job {
  readonly contender: string;
  readonly workload: Workload;
  readonly target: Target;
  readonly valueBytes: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** How many records the topic holds; for `consume`. */
  readonly records: number;
  /** For consumer groups: new in every round. */
  readonly groupPrefix: string;
}

/** What came of it. */
export interface Measurement {
  readonly recordsPerSecond: number;
  readonly cpuMicrosPerRecord: number;
  /** Resident memory at the end of the measured time, MB. */
  readonly residentMb: number;
  /** Everything acknowledged or read since the start, warm-up included: what the harness compares with the broker's count. */
  readonly total: number;
  readonly passes: number;
  readonly latencyMs?: { readonly p50: number; readonly p99: number; readonly p999: number };
  readonly options: string;
}

const listSize = 1000;
const lists = 20;
const singlesInFlight = 10_000;

function makePool(valueBytes: number): PlainRecord[][] {
  let number = 0;
  return Array.from({ length: lists }, () =>
    Array.from({ length: listSize }, () => {
      number++;
      const value = Buffer.allocUnsafeSlow(valueBytes);
      // ASCII that differs from record to record: clients that take strings get the same bytes.
      for (let index = 0; index < valueBytes; index++) value[index] = 97 + ((number * 31 + index * 7) % 26);
      return { key: `key-${String((number * 7919) % 100_000).padStart(6, '0')}`, value };
    }),
  );
}

interface Mark {
  readonly timeMs: number;
  readonly cpu: NodeJS.CpuUsage;
  readonly records: number;
}

function mark(records: number): Mark {
  return { timeMs: performance.now(), cpu: process.cpuUsage(), records };
}

function measure(from: Mark, to: Mark): Pick<Measurement, 'recordsPerSecond' | 'cpuMicrosPerRecord' | 'residentMb'> {
  const records = to.records - from.records;
  const cpuMicros = to.cpu.user + to.cpu.system - from.cpu.user - from.cpu.system;
  return {
    recordsPerSecond: (records / (to.timeMs - from.timeMs)) * 1000,
    cpuMicrosPerRecord: cpuMicros / records,
    residentMb: process.memoryUsage.rss() / 1e6,
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Runs `work` until the warm-up and the measured time are over; `work` reports what was acknowledged. */
async function measureProducing(
  job: Job,
  options: string,
  work: (isOver: () => boolean, acknowledged: (records: number) => void) => Promise<void>,
): Promise<Measurement> {
  let total = 0;
  let over = false;
  const working = work(
    () => over,
    (records) => (total += records),
  );
  const timing = (async () => {
    await sleep(job.warmUpMs);
    const from = mark(total);
    await sleep(job.measureMs);
    const result = measure(from, mark(total));
    over = true;
    return result;
  })();
  const [result] = await Promise.all([timing, working]);
  return { ...result, total, passes: 1, options };
}

async function bulk(contender: Contender, job: Job): Promise<Measurement> {
  const pool = makePool(job.valueBytes);
  if (contender.openBareProducer !== undefined) {
    const producer = await contender.openBareProducer(job.target, pool);
    const result = await measureProducing(job, contender.options.produce, (isOver, acknowledged) =>
      producer.run(isOver, acknowledged),
    );
    producer.close();
    return result;
  }
  const producer = await openProducer(contender, job, pool);
  const options = `${contender.options.produce}; ${contender.bulkConcurrency} sends of ${listSize} records outstanding`;
  const result = await measureProducing(job, options, async (isOver, acknowledged) => {
    let turn = 0;
    const worker = async (): Promise<void> => {
      while (!isOver()) {
        await producer.sendMany(turn++ % lists);
        acknowledged(listSize);
      }
    };
    await Promise.all(Array.from({ length: contender.bulkConcurrency }, worker));
  });
  await producer.close();
  return result;
}

async function openProducer(
  contender: Contender,
  job: Job,
  pool: PlainRecord[][],
): Promise<Awaited<ReturnType<NonNullable<Contender['openProducer']>>>> {
  if (contender.openProducer === undefined) throw new Error(`${contender.name} has no producer for ${job.workload}`);
  return contender.openProducer(job.target, pool);
}

/** Sends one record per call without awaiting it, a promise each, at most 10,000 outstanding. */
async function singles(contender: Contender, job: Job): Promise<Measurement> {
  const producer = await openProducer(contender, job, makePool(job.valueBytes));
  const options = `${contender.options.produce}; ${singlesInFlight} sends of one record outstanding`;
  const result = await measureProducing(job, options, async (isOver, acknowledged) => {
    let outstanding = 0;
    let turn = 0;
    let failure: unknown;
    let wake: (() => void) | undefined;
    const settled = (): void => {
      outstanding--;
      acknowledged(1);
      if (outstanding <= singlesInFlight / 2) wake?.();
    };
    const failed = (error: unknown): void => {
      outstanding--;
      failure = error;
      wake?.();
    };
    while (!isOver() || outstanding > 0) {
      while (!isOver() && outstanding < singlesInFlight) {
        const place = turn++ % (lists * listSize);
        outstanding++;
        producer.sendOne(Math.floor(place / listSize), place % listSize).then(settled, failed);
      }
      if (failure !== undefined) throw failure instanceof Error ? failure : new Error('A send failed');
      await new Promise<void>((resolve) => (wake = resolve));
      wake = undefined;
      if (isOver() && outstanding > 0) await sleep(10);
    }
  });
  await producer.close();
  return result;
}

/** Sends one record and awaits it, over and over. */
async function awaited(contender: Contender, job: Job): Promise<Measurement> {
  const producer = await openProducer(contender, job, makePool(job.valueBytes));
  const times: number[] = [];
  const begin = performance.now();
  const result = await measureProducing(job, contender.options.produce, async (isOver, acknowledged) => {
    let turn = 0;
    while (!isOver()) {
      const place = turn++ % (lists * listSize);
      const start = performance.now();
      await producer.sendOne(Math.floor(place / listSize), place % listSize);
      const end = performance.now();
      acknowledged(1);
      if (start - begin > job.warmUpMs) times.push(end - start);
    }
  });
  await producer.close();
  times.sort((a, b) => a - b);
  const quantile = (q: number): number => times[Math.min(times.length - 1, Math.floor(times.length * q))] ?? 0;
  return { ...result, latencyMs: { p50: quantile(0.5), p99: quantile(0.99), p999: quantile(0.999) } };
}

/** Reads the whole topic once to warm up, then again, with a new group each time, until the measured time is full. */
async function consume(contender: Contender, job: Job): Promise<Measurement> {
  await readAll(contender, job, 0);
  let timeMs = 0;
  let cpuMicros = 0;
  let passes = 0;
  while (timeMs < job.measureMs) {
    passes++;
    const pass = await readAll(contender, job, passes);
    timeMs += pass.timeMs;
    cpuMicros += pass.cpuMicros;
  }
  const records = job.records * passes;
  return {
    recordsPerSecond: (records / timeMs) * 1000,
    cpuMicrosPerRecord: cpuMicros / records,
    residentMb: process.memoryUsage.rss() / 1e6,
    total: job.records * (passes + 1),
    passes,
    options: contender.options.consume,
  };
}

async function readAll(contender: Contender, job: Job, pass: number): Promise<{ timeMs: number; cpuMicros: number }> {
  let total = 0;
  let bytes = 0;
  let first: Mark | undefined;
  let ended: (mark: Mark) => void = () => undefined;
  const end = new Promise<Mark>((resolve) => (ended = resolve));
  const onRead = (records: number, valueBytes: number): void => {
    // From the first records on: joining a group takes its time by rules of the broker, not of the client.
    if (first === undefined) first = mark(records);
    total += records;
    bytes += valueBytes;
    if (total >= job.records) ended(mark(total));
  };
  const consumer = await contender.openConsumer(job.target, `${job.groupPrefix}-${pass}`, onRead);
  const last = await end;
  await consumer.close();
  if (total !== job.records || bytes !== job.records * job.valueBytes) {
    throw new Error(`${contender.name} read ${total} records of ${bytes} bytes instead of ${job.records}`);
  }
  const from = first ?? last;
  const cpuMicros = last.cpu.user + last.cpu.system - from.cpu.user - from.cpu.system;
  const share = last.records / Math.max(1, last.records - from.records);
  return { timeMs: (last.timeMs - from.timeMs) * share, cpuMicros: cpuMicros * share };
}

async function main(): Promise<void> {
  const job = JSON.parse(process.argv[2] ?? '{}') as Job;
  const { contender } = (await import(`./contenders/${job.contender}.ts`)) as { contender: Contender };
  const result = await { bulk, consume, singles, awaited }[job.workload](contender, job);
  console.log(JSON.stringify(result));
  // A contender that leaves something open must not hold the harness up.
  process.exit(0);
}

await main();
