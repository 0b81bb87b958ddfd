import type { Consumer, ConsumerBatch, Kafka, PartitionEnd, TopicPartition } from '../index.ts';
import { keyOf } from '../model/topic-partition.ts';
import { namesOf, parseArguments, type CliOptions, type GivenArguments } from './arguments.ts';
import type { Command } from './command.ts';
import { describeExisting } from './existing-topics.ts';
import { figuresLines, PerfMeter } from './perf-meter.ts';
import { measure, perfEndOf, perfEndOptions, perfOptions, type PerfEnd, type PerfReport } from './perf-options.ts';
import type { Terminal } from './terminal.ts';

const program = 'kavka perf consume';
/** How often it is looked whether everything is read, which no record tells where a partition ends with marks of transactions. */
const lookEveryMs = 20;

const options: CliOptions = {
  ...perfEndOptions,
  follow: { type: 'boolean', help: 'go on when everything is read that was there when it began' },
  group: { type: 'string', value: 'ID', help: 'read as a member of this group, from where it is; it commits' },
  ...perfOptions,
};

interface Plan {
  readonly topics: readonly string[];
  readonly end: PerfEnd;
  readonly follows: boolean;
  readonly groupId: string | undefined;
}

/** `kavka perf consume`. */
export const perfConsumeCommand: Command = {
  name: 'consume',
  summary: 'how fast records are read',
  usage: `${program} TOPIC… [options]`,
  about:
    'Reads topics from the beginning to where they end now, and tells how many records it read in which time. Ends\n' +
    'earlier after --records or --seconds, or at Ctrl-C. Without --group it leaves no trace in the cluster.',
  options,
  async run(args, terminal) {
    const given = parseArguments(args, options);
    const plan = planOf(given);
    await measure(given, terminal, (kafka, signal) => consume(kafka, plan, terminal, signal));
  },
};

function planOf(given: GivenArguments): Plan {
  return {
    topics: namesOf(given, program, 'a topic'),
    end: perfEndOf(given),
    follows: given.has('follow'),
    groupId: given.text('group'),
  };
}

async function consume(kafka: Kafka, plan: Plan, terminal: Terminal, signal: AbortSignal): Promise<PerfReport> {
  const { topics, groupId } = plan;
  const partitions = (await describeExisting(kafka, topics, 'consume', signal)).flatMap((description) =>
    description.partitions.map(({ partition }) => ({ topic: description.topic, partition })),
  );
  const consumer = kafka.consumer({
    autoOffsetReset: 'earliest',
    allowAutoCreateTopics: false,
    ...(groupId !== undefined && { groupId }),
  });
  const beforeMs = performance.now();
  await assign(consumer, plan, partitions, signal);
  const joinSeconds = groupId === undefined ? undefined : Math.round(performance.now() - beforeMs) / 1000;
  const ends = plan.follows ? [] : await consumer.endOffsets(partitions, { signal });
  const meter = new PerfMeter(terminal);
  const lastMs = await read(consumer, plan, ends, meter, signal);
  const figures = meter.stop(lastMs);
  const { records, ...others } = figures;
  return {
    title: topics.join(', '),
    figures: { topics, ...(joinSeconds !== undefined && { groupId, joinSeconds }), records, ...others },
    lines: [
      ...(joinSeconds === undefined ? [] : [`  joining    ${joinSeconds.toFixed(2)} s before that`]),
      ...figuresLines(figures),
    ],
  };
}

/** Where all partitions are assigned there is nothing to wait for; a group takes its time, which is not that of reading. */
async function assign(
  consumer: Consumer,
  { topics, groupId }: Plan,
  partitions: readonly TopicPartition[],
  signal: AbortSignal,
): Promise<void> {
  if (groupId === undefined) {
    consumer.assign(partitions);
    consumer.seekToBeginning();
  } else {
    consumer.subscribe(topics);
    await consumer.waitForAssignment({ signal });
  }
}

/**
 * Reads until it is enough.
 *
 * @param ends where to end; nowhere, if there are none
 * @returns when that was; when the last records came, if everything was read
 */
async function read(
  consumer: Consumer,
  { end }: Plan,
  ends: readonly PartitionEnd[],
  meter: PerfMeter,
  signal: AbortSignal,
): Promise<number> {
  const endOf = new Map(ends.map((each) => [keyOf(each), each.offset]));
  const enough = new AbortController();
  let lastMs = meter.startMs;
  let isAllRead = false;
  const timer = setInterval(() => {
    isAllRead = ends.length > 0 && isRead(consumer, endOf);
    if (isAllRead || (end.ms !== undefined && meter.elapsedMs >= end.ms)) enough.abort();
  }, lookEveryMs);
  try {
    for await (const batch of consumer.batches({ signal: AbortSignal.any([signal, enough.signal]) })) {
      const { records, bytes } = sizeOf(batch, endOf.get(keyOf(batch)), (end.records ?? Infinity) - meter.records);
      meter.count(records, bytes);
      if (records > 0) lastMs = performance.now();
      if (meter.records === end.records) break;
    }
  } finally {
    clearInterval(timer);
  }
  return isAllRead || meter.records === end.records ? lastMs : performance.now();
}

/** Whether all partitions that are ours are read to their ends. */
function isRead(consumer: Consumer, endOf: ReadonlyMap<string, bigint>): boolean {
  const assigned = consumer.assignment();
  // Between two assignments a member has none.
  if (assigned.length === 0) return false;
  return assigned.every((partition) => {
    const end = endOf.get(keyOf(partition));
    return end === undefined || (consumer.position(partition) ?? -1n) >= end;
  });
}

/** How many records of a batch count, and the bytes of their keys and values, each of which is looked at. */
function sizeOf(
  batch: ConsumerBatch,
  end: bigint | undefined,
  limit: number,
): { readonly records: number; readonly bytes: number } {
  let records = 0;
  let bytes = 0;
  for (const { offset, key, value } of batch) {
    if (records === limit || (end !== undefined && offset >= end)) break;
    records++;
    bytes += (key?.length ?? 0) + (value?.length ?? 0);
  }
  return { records, bytes };
}
