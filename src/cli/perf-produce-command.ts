import { SendManyError, type Kafka, type Producer, type ProducerRecord } from '../index.ts';
import { delay } from '../util/delay.ts';
import { systemClock } from '../util/clock.ts';
import { namesOf, parseArguments, refuseMore, type CliOptions, type GivenArguments } from './arguments.ts';
import type { Command } from './command.ts';
import { describeExisting } from './existing-topics.ts';
import { integerOf } from './option-values.ts';
import { figuresLines, PerfMeter, roundedLatencies } from './perf-meter.ts';
import { measure, perfEndOf, perfEndOptions, perfOptions, type PerfEnd, type PerfReport } from './perf-options.ts';
import { producerOptions, producerPlanOf, type ProducerPlan } from './producer-options.ts';
import { sampleValues } from './sample-values.ts';
import type { Terminal } from './terminal.ts';

const program = 'kavka perf produce';
const defaultSize = 100;
const defaultSeconds = 10;
const defaultInFlight = 16;
const mostAtOnce = 1000;
/** So many bytes go in one send at most, unless it is told how many records do. */
const mostBytesAtOnce = 1_000_000;
/** Where a rate is kept, so often something is sent, if there are as many records. */
const sendsPerSecond = 100;

const options: CliOptions = {
  ...perfEndOptions,
  size: { type: 'string', value: 'BYTES', help: `of each value (${defaultSize})` },
  keys: { type: 'string', value: 'N', help: 'give each record one of so many keys, by chance; no keys if not given' },
  ...producerOptions,
  rate: { type: 'string', value: 'N', help: 'records a second, at most; as many as go if not given' },
  batch: { type: 'string', value: 'N', help: `records in one call of send() (${mostAtOnce}, fewer of large ones)` },
  'in-flight': { type: 'string', value: 'N', help: `calls of send() that are under way at once (${defaultInFlight})` },
  ...perfOptions,
};

interface Plan extends ProducerPlan {
  readonly topic: string;
  readonly end: PerfEnd;
  readonly size: number;
  readonly keys: number | undefined;
  readonly ratePerSecond: number | undefined;
  readonly batch: number;
  readonly inFlight: number;
}

/** `kavka perf produce`. */
export const perfProduceCommand: Command = {
  name: 'produce',
  summary: 'how fast records are sent and acknowledged',
  usage: `${program} TOPIC [options]`,
  about:
    'Sends records to a topic, which has them afterwards, and tells how many were acknowledged in which time, and how\n' +
    `long each took. Ends after --records or --seconds, whichever is first (${defaultSeconds} seconds), or at Ctrl-C.`,
  options,
  async run(args, terminal) {
    const given = parseArguments(args, options);
    const plan = planOf(given);
    await measure(given, terminal, (kafka, signal) => produce(kafka, plan, terminal, signal));
  },
};

function planOf(given: GivenArguments): Plan {
  const [topic = ''] = namesOf(given, program, 'a topic');
  refuseMore(given, program, 1);
  const end = perfEndOf(given);
  const size = integerOf(given, 'size', { min: 1, max: 1_000_000 }) ?? defaultSize;
  const ratePerSecond = integerOf(given, 'rate', { min: 1, max: 1_000_000_000 });
  const fitting = Math.min(mostAtOnce, Math.floor(mostBytesAtOnce / size));
  const inTime = ratePerSecond === undefined ? fitting : Math.round(ratePerSecond / sendsPerSecond);
  return {
    topic,
    end: end.records === undefined && end.ms === undefined ? { ...end, ms: defaultSeconds * 1000 } : end,
    size,
    keys: integerOf(given, 'keys', { min: 1, max: 1_000_000_000 }),
    ...producerPlanOf(given),
    ratePerSecond,
    batch: integerOf(given, 'batch', { min: 1, max: 100_000 }) ?? Math.max(1, Math.min(fitting, inTime)),
    inFlight: integerOf(given, 'in-flight', { min: 1, max: 1000 }) ?? defaultInFlight,
  };
}

async function produce(kafka: Kafka, plan: Plan, terminal: Terminal, signal: AbortSignal): Promise<PerfReport> {
  const { topic, size, acks, compression } = plan;
  await describeExisting(kafka, [topic], 'produce to', signal);
  const values = sampleValues(size);
  const sending = new PerfSending(kafka.producer({ acks, compression }), plan, values, terminal, signal);
  const { failed, failure } = await sending.run();
  const figures = sending.meter.stop();
  const summary = sending.meter.latencies.summary();
  const { records, ...others } = figures;
  return {
    title: `${topic}: values of ${size} bytes, acks ${acks}${compression === 'none' ? '' : `, ${compression}`}`,
    figures: { topic, records, failed, ...others, latencyMs: roundedLatencies(summary) },
    lines: figuresLines(figures, [['latency', summary]]),
    failure,
  };
}

/** Records that one call of `send` takes. */
interface Turn {
  readonly count: number;
  /** The number of the first one. */
  readonly first: number;
  /** From when on its time is counted. */
  readonly fromMs: number;
}

/** Sends as many records as it is told, from several places at once, each of which waits for its answer. */
class PerfSending {
  readonly meter: PerfMeter;
  readonly #producer: Producer;
  readonly #plan: Plan;
  readonly #values: readonly Buffer[];
  readonly #signal: AbortSignal;
  readonly #inVain = new AbortController();
  #taken = 0;
  #failed = 0;
  #failure: string | undefined;

  constructor(producer: Producer, plan: Plan, values: readonly Buffer[], terminal: Terminal, interrupted: AbortSignal) {
    this.#producer = producer;
    this.#plan = plan;
    this.#values = values;
    this.#signal = AbortSignal.any([interrupted, this.#inVain.signal]);
    this.meter = new PerfMeter(terminal);
  }

  /** How many were not acknowledged, and why the first of them was not; that ends it. */
  async run(): Promise<{ readonly failed: number; readonly failure: string | undefined }> {
    await Promise.all(Array.from({ length: this.#plan.inFlight }, () => this.#sendOn()));
    return { failed: this.#failed, failure: this.#failure };
  }

  async #sendOn(): Promise<void> {
    for (let turn = await this.#nextTurn(); turn !== undefined; turn = await this.#nextTurn()) {
      const records = this.#recordsOf(turn);
      let acknowledged = turn.count;
      try {
        await this.#producer.send(records);
      } catch (error) {
        acknowledged = this.#fail(error, turn.count);
      }
      const bytes = records
        .slice(0, acknowledged)
        .reduce((sum, { key, value }) => sum + sizeOf(key) + sizeOf(value), 0);
      this.meter.count(acknowledged, bytes, performance.now() - turn.fromMs);
    }
  }

  /** Undefined if there is nothing more to send. */
  async #nextTurn(): Promise<Turn | undefined> {
    const { batch, end, ratePerSecond } = this.#plan;
    const { startMs } = this.meter;
    const first = this.#taken;
    const count = Math.min(batch, (end.records ?? Infinity) - first);
    if (count <= 0 || this.#isOver()) return undefined;
    this.#taken += count;
    const nowMs = performance.now();
    if (ratePerSecond === undefined) return { count, first, fromMs: nowMs };
    // Walkthrough: 1. the cluster takes no answer for a second; 2. all that may be in flight waits for it; 3. what would have been sent in
    // that second is sent late, and acknowledged soon after. If its time began at 3, a second without an answer would hardly show.
    const dueAfterMs = (first * 1000) / ratePerSecond;
    const dueMs = startMs + dueAfterMs;
    if (dueMs <= nowMs) return { count, first, fromMs: dueMs };
    if (dueAfterMs >= (end.ms ?? Infinity)) return undefined;
    await delay(systemClock, dueMs - nowMs, this.#signal, true);
    return this.#isOver() ? undefined : { count, first, fromMs: performance.now() };
  }

  #isOver(): boolean {
    const { end } = this.#plan;
    return this.#signal.aborted || (end.ms !== undefined && this.meter.elapsedMs >= end.ms);
  }

  #recordsOf({ count, first }: Turn): ProducerRecord[] {
    const { topic, keys } = this.#plan;
    const values = this.#values;
    return Array.from({ length: count }, (_, index) => ({
      topic,
      key: keys === undefined ? null : `key-${Math.floor(Math.random() * keys)}`,
      value: values[(first + index) % values.length] ?? null,
    }));
  }

  /** How many of them were acknowledged all the same. */
  #fail(error: unknown, count: number): number {
    if (!(error instanceof SendManyError)) throw error;
    const reasons = error.results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    this.#failed += reasons.length;
    this.#failure ??= reasons[0]?.message;
    this.#inVain.abort();
    return count - reasons.length;
  }
}

function sizeOf(data: string | Uint8Array | null | undefined): number {
  return data === null || data === undefined ? 0 : Buffer.byteLength(data);
}
