import { randomUUID } from 'node:crypto';
import type { Consumer, Kafka } from '../index.ts';
import { deferred, type Deferred } from '../util/deferred.ts';
import { namesOf, parseArguments, refuseMore, type CliOptions, type GivenArguments } from './arguments.ts';
import type { Command } from './command.ts';
import { describeExisting } from './existing-topics.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import { integerOf } from './option-values.ts';
import { figuresLines, PerfMeter, roundedLatencies } from './perf-meter.ts';
import { measure, perfEndOf, perfEndOptions, perfOptions, type PerfEnd, type PerfReport } from './perf-options.ts';
import { producerOptions, producerPlanOf, type ProducerPlan } from './producer-options.ts';
import { sampleValues } from './sample-values.ts';
import { seekTo } from './start-position.ts';
import type { Terminal } from './terminal.ts';

const program = 'kavka perf latency';
const defaultSize = 100;
const defaultRecords = 1000;

const options: CliOptions = {
  ...perfEndOptions,
  size: { type: 'string', value: 'BYTES', help: `of each value (${defaultSize})` },
  ...producerOptions,
  ...perfOptions,
};

interface Plan extends ProducerPlan {
  readonly topic: string;
  readonly end: PerfEnd;
  readonly size: number;
}

/** `kavka perf latency`. */
export const perfLatencyCommand: Command = {
  name: 'latency',
  summary: 'how long one record takes, through to a consumer',
  usage: `${program} TOPIC [options]`,
  about:
    'Sends one record at a time to a topic, which has it afterwards, and tells how long each took until it was\n' +
    `acknowledged, and until a consumer had it. Ends after --records or --seconds (${defaultRecords} records), or at Ctrl-C.`,
  options,
  async run(args, terminal) {
    const given = parseArguments(args, options);
    const plan = planOf(given);
    await measure(given, terminal, (kafka, signal) => goRound(kafka, plan, terminal, signal));
  },
};

function planOf(given: GivenArguments): Plan {
  const [topic = ''] = namesOf(given, program, 'a topic');
  refuseMore(given, program, 1);
  const end = perfEndOf(given);
  return {
    topic,
    end: end.records === undefined && end.ms === undefined ? { ...end, records: defaultRecords } : end,
    size: integerOf(given, 'size', { min: 1, max: 1_000_000 }) ?? defaultSize,
    ...producerPlanOf(given),
  };
}

async function goRound(kafka: Kafka, plan: Plan, terminal: Terminal, signal: AbortSignal): Promise<PerfReport> {
  const { topic, end, size, acks, compression } = plan;
  const [description] = await describeExisting(kafka, [topic], 'produce to', signal);
  const partitions = (description?.partitions ?? []).map(({ partition }) => ({ topic, partition }));
  const values = sampleValues(size);
  const producer = kafka.producer({ acks, compression });
  const consumer = kafka.consumer({ autoOffsetReset: 'earliest', allowAutoCreateTopics: false });
  consumer.assign(partitions);
  await seekTo(consumer, partitions, { kind: 'end' }, signal);
  const arrivals = new Arrivals(consumer, signal);
  const travel = async (number: number): Promise<Trip | undefined> => {
    const { key, seen } = arrivals.expect();
    const sentMs = performance.now();
    await producer.send({ topic, key, value: values[number % values.length] ?? null });
    const acknowledgedMs = performance.now() - sentMs;
    const seenMs = await seen;
    return seenMs === undefined ? undefined : { acknowledgedMs, consumedMs: seenMs - sentMs, bytes: key.length + size };
  };
  // Opens the connections; it does not count.
  await travel(0);
  const acknowledged = new LatencyHistogram();
  const meter = new PerfMeter(terminal);
  while (meter.records !== end.records && (end.ms === undefined || meter.elapsedMs < end.ms)) {
    const trip = await travel(meter.records + 1);
    if (trip === undefined) break;
    acknowledged.add(trip.acknowledgedMs);
    meter.count(1, trip.bytes, trip.consumedMs);
  }
  arrivals.rethrow();
  const figures = meter.stop();
  const [acknowledgedMs, consumedMs] = [acknowledged.summary(), meter.latencies.summary()];
  const { records, ...others } = figures;
  return {
    title: `${topic}: values of ${size} bytes, acks ${acks}, one at a time`,
    figures: {
      ...{ topic, records, ...others },
      acknowledgedLatencyMs: roundedLatencies(acknowledgedMs),
      consumedLatencyMs: roundedLatencies(consumedMs),
    },
    lines: figuresLines(figures, [
      ['acked', acknowledgedMs],
      ['consumed', consumedMs],
    ]),
  };
}

/** What became of one record. */
interface Trip {
  readonly acknowledgedMs: number;
  readonly consumedMs: number;
  readonly bytes: number;
}

/** Tells when the record that is expected has come through to a consumer; others may write to the topic, too. */
class Arrivals {
  readonly #run = randomUUID();
  #number = 0;
  #expected: { readonly key: Buffer; readonly seen: Deferred<number | undefined> } | undefined;
  #hasEnded = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(consumer: Consumer, signal: AbortSignal) {
    void this.#read(consumer, signal);
  }

  /** The key to send, and when a record with it was seen; undefined if reading has ended before. */
  expect(): { readonly key: string; readonly seen: Promise<number | undefined> } {
    const key = `${this.#run}-${this.#number++}`;
    const seen = deferred<number | undefined>();
    if (this.#hasEnded) seen.resolve(undefined);
    this.#expected = { key: Buffer.from(key), seen };
    return { key, seen: seen.promise };
  }

  /** @throws what ended the reading, if something did */
  rethrow(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Never rejects. */
  async #read(consumer: Consumer, signal: AbortSignal): Promise<void> {
    try {
      for await (const { key } of consumer.records({ signal })) {
        if (this.#expected !== undefined && key?.equals(this.#expected.key) === true)
          this.#expected.seen.resolve(performance.now());
      }
    } catch (error) {
      this.#failure = { error };
    }
    this.#hasEnded = true;
    this.#expected?.seen.resolve(undefined);
  }
}
