/**
 * One round of one client in Node, in a process of its own: takes a {@link Job} as its argument, prints a {@link Measurement}.
 * Programs in other languages (benchmarks/contenders) take and print the same.
 */
import { performance, PerformanceObserver } from 'node:perf_hooks';
import type { Contender, OpenProducer, Target } from './contender.ts';
import { readPool, type PlainRecord, type PoolFile } from './record-pool.ts';
import { isConsuming, type Workload } from './scenarios.ts';

/** What a child process is asked to do. */
export interface Job {
  readonly contender: string;
  readonly workload: Workload;
  readonly target: Target;
  readonly pool: PoolFile;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** How many records the topic holds; for stories that read. */
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
  /** The most that it was since the process began, MB. */
  readonly peakMb: number;
  /** How much of the process's CPU time garbage collections took, as far as the language tells. */
  readonly gcShare?: number;
  /** Everything acknowledged or read since the start, warm-up included: what the harness compares with the broker's count. */
  readonly total: number;
  readonly passes: number;
  readonly latencyMs?: { readonly p50: number; readonly p99: number; readonly p999: number };
  readonly options: string;
}

const singlesInFlight = 10_000;
/** What is outstanding of large lists: enough for every contender to have its requests in flight. */
const largeListsBytes = 24_000_000;
const smallListBytes = 400_000;

interface Mark {
  readonly timeMs: number;
  readonly cpu: NodeJS.CpuUsage;
  readonly records: number;
}

function mark(records: number): Mark {
  return { timeMs: performance.now(), cpu: process.cpuUsage(), records };
}

/** When collections ran; the entries come later than they happen. */
const collections: { readonly startMs: number; readonly durationMs: number }[] = [];
const observer = new PerformanceObserver((list) => keep(list.getEntries()));
observer.observe({ entryTypes: ['gc'] });

function keep(entries: readonly { readonly startTime: number; readonly duration: number }[]): void {
  for (const { startTime, duration } of entries) collections.push({ startMs: startTime, durationMs: duration });
}

/** How long collections stood in the way of the main thread between two marks. */
function collectingMs(from: Mark, to: Mark): number {
  keep(observer.takeRecords());
  const within = collections.filter(({ startMs }) => startMs >= from.timeMs && startMs < to.timeMs);
  return within.reduce((sum, { durationMs }) => sum + durationMs, 0);
}

/** Bun and Deno tell nothing of their collections. */
function gcShare(share: number): Pick<Measurement, 'gcShare'> {
  return 'bun' in process.versions || 'deno' in process.versions ? {} : { gcShare: share };
}

function cpuMicros(from: Mark, to: Mark): number {
  return to.cpu.user + to.cpu.system - from.cpu.user - from.cpu.system;
}

function memory(): Pick<Measurement, 'residentMb' | 'peakMb'> {
  return { residentMb: process.memoryUsage.rss() / 1e6, peakMb: (process.resourceUsage().maxRSS * 1024) / 1e6 };
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
    const to = mark(total);
    const atEnd = memory();
    over = true;
    return { from, to, atEnd };
  })();
  const [{ from, to, atEnd }] = await Promise.all([timing, working]);
  const records = to.records - from.records;
  return {
    recordsPerSecond: (records / (to.timeMs - from.timeMs)) * 1000,
    cpuMicrosPerRecord: cpuMicros(from, to) / records,
    ...atEnd,
    ...gcShare((collectingMs(from, to) * 1000) / cpuMicros(from, to)),
    total,
    passes: 1,
    options,
  };
}

async function bulk(contender: Contender, job: Job): Promise<Measurement> {
  const pool = readPool(job.pool);
  const options = contender.options.bulk ?? '';
  if (contender.openBareProducer !== undefined) {
    const producer = await contender.openBareProducer(job.target, pool);
    const result = await measureProducing(job, options, (isOver, acknowledged) => producer.run(isOver, acknowledged));
    producer.close();
    return result;
  }
  const producer = await openProducer(contender, job, pool);
  const { lists, listSize, keyBytes, valueBytes } = job.pool;
  const listBytes = listSize * (keyBytes + valueBytes);
  const forLarge = Math.max(4, Math.floor(largeListsBytes / listBytes));
  const concurrency =
    listBytes <= smallListBytes ? contender.bulkConcurrency : Math.min(forLarge, contender.bulkConcurrency);
  const told = `${options}; ${concurrency} sends of ${listSize} ${listSize === 1 ? 'record' : 'records'} outstanding`;
  const result = await measureProducing(job, told, async (isOver, acknowledged) => {
    let turn = 0;
    const worker = async (): Promise<void> => {
      while (!isOver()) {
        await producer.sendMany(turn++ % lists);
        acknowledged(listSize);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
  });
  await producer.close();
  return result;
}

async function openProducer(contender: Contender, job: Job, pool: PlainRecord[][]): Promise<OpenProducer> {
  if (contender.openProducer === undefined) throw new Error(`${contender.name} has no producer for ${job.workload}`);
  return contender.openProducer(job.target, pool, job.workload);
}

/** Sends one record per call without awaiting it, a promise each, at most 10,000 outstanding. */
async function singles(contender: Contender, job: Job): Promise<Measurement> {
  const producer = await openProducer(contender, job, readPool(job.pool));
  const { lists, listSize } = job.pool;
  const options = `${contender.options.singles ?? ''}; ${singlesInFlight} sends of one record outstanding`;
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
  const producer = await openProducer(contender, job, readPool(job.pool));
  const { lists, listSize } = job.pool;
  const times: number[] = [];
  const begin = performance.now();
  const result = await measureProducing(job, contender.options.awaited ?? '', async (isOver, acknowledged) => {
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
  const sums = { timeMs: 0, cpu: 0, collecting: 0 };
  let passes = 0;
  // A client whose groups take long to form must not take for ever.
  for (const begin = performance.now(); sums.timeMs < job.measureMs && performance.now() - begin < 4 * job.measureMs;) {
    passes++;
    const pass = await readAll(contender, job, passes);
    sums.timeMs += pass.timeMs;
    sums.cpu += pass.cpu;
    sums.collecting += pass.collecting;
  }
  const records = job.records * passes;
  return {
    recordsPerSecond: (records / sums.timeMs) * 1000,
    cpuMicrosPerRecord: sums.cpu / records,
    ...memory(),
    ...gcShare((sums.collecting * 1000) / sums.cpu),
    total: job.records * (passes + 1),
    passes,
    options: contender.options[job.workload] ?? '',
  };
}

async function readAll(
  contender: Contender,
  job: Job,
  pass: number,
): Promise<{ timeMs: number; cpu: number; collecting: number }> {
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
  const group = `${job.groupPrefix}-${pass}`;
  const consumer = await contender.openConsumer(job.target, group, onRead, job.workload);
  const last = await end;
  await consumer.close();
  const expectedBytes = job.workload === 'lazy' ? 0 : job.records * job.pool.valueBytes;
  if (total !== job.records || bytes !== expectedBytes) {
    throw new Error(`${contender.name} read ${total} records of ${bytes} bytes instead of ${job.records}`);
  }
  const from = first ?? last;
  const share = last.records / Math.max(1, last.records - from.records);
  return {
    timeMs: (last.timeMs - from.timeMs) * share,
    cpu: cpuMicros(from, last) * share,
    collecting: collectingMs(from, last) * share,
  };
}

async function main(): Promise<void> {
  const job = JSON.parse(process.argv[2] ?? '{}') as Job;
  const { contender } = (await import(`./contenders/${job.contender}.ts`)) as { contender: Contender };
  const work = isConsuming(job.workload) ? consume : { bulk, singles, awaited }[job.workload as 'bulk'];
  const result = await work(contender, job);
  console.log(JSON.stringify(result));
  // A contender that leaves something open must not hold the harness up.
  process.exit(0);
}

await main();
