import type { ConsumerOptions, ConsumerRecord, Kafka, TopicPartition } from '../index.ts';
import { parseArguments, type CliOptions, type GivenArguments } from './arguments.ts';
import { CliError } from './cli-error.ts';
import { clientOptions, withClient } from './client-options.ts';
import type { Command } from './command.ts';
import { connectInTime, timeoutMsOf, timeoutOption } from './connect-in-time.ts';
import { dataFormatNames } from './data-format.ts';
import { describeExisting } from './existing-topics.ts';
import { integerIn, integerOf, wordOf } from './option-values.ts';
import { recordFormat, recordFormatNames, type RecordFormatPlan } from './record-format.ts';
import { RecordOutput } from './record-output.ts';
import { parseStartPosition, seekTo, type StartPosition } from './start-position.ts';
import type { Terminal } from './terminal.ts';

const options: CliOptions = {
  from: {
    type: 'string',
    value: 'WHERE',
    help: 'beginning, end, an offset, a time, or so long ago (-PT1H); end, or with --until-end beginning, if not given',
  },
  'until-end': { type: 'boolean', help: 'end where the partitions ended when it began' },
  limit: { type: 'string', value: 'N', help: 'end after so many records' },
  partition: { type: 'string', multiple: true, value: 'N', help: 'this partition only; may be repeated' },
  group: {
    type: 'string',
    value: 'ID',
    help: 'share the partitions with the members of this group, and commit what was written; --from is for those it has no offset of',
  },
  'read-committed': { type: 'boolean', help: 'leave out records of open and aborted transactions' },
  'key-as': { type: 'string', value: 'FORMAT', help: `${dataFormatNames.join(', ')} (string)` },
  'value-as': { type: 'string', value: 'FORMAT', help: 'the same for values' },
  format: {
    type: 'string',
    value: 'FORMAT',
    help: 'text: a line for people (on a terminal); json: an object in a line (elsewhere); value: nothing but the value',
  },
  full: { type: 'boolean', help: 'do not cut lines at the width of the terminal' },
  ...timeoutOption('connecting'),
  ...clientOptions,
  help: { type: 'boolean', help: 'show this' },
};

/** `kavka consume`: prints records. */
export const consumeCommand: Command = {
  name: 'consume',
  summary: 'print records',
  usage: 'kavka consume TOPIC… [options]',
  about:
    'Prints the records of topics as they come, until Ctrl-C. Without --group it reads all partitions by itself and\n' +
    'leaves no trace in the cluster.',
  options,
  run: runConsume,
};

interface Plan extends RecordFormatPlan {
  readonly topics: readonly string[];
  readonly start: StartPosition;
  readonly untilEnd: boolean;
  readonly limit: number | undefined;
  /** All if empty. */
  readonly partitions: readonly number[];
  readonly groupId: string | undefined;
  readonly readCommitted: boolean;
}

async function runConsume(args: readonly string[], terminal: Terminal): Promise<void> {
  const given = parseArguments(args, options);
  const plan = planOf(given, terminal);
  const timeoutMs = timeoutMsOf(given);
  await withClient(given, terminal, async (kafka, signal) => {
    await connectInTime(kafka, timeoutMs, signal);
    await consume(kafka, plan, terminal, signal);
  });
}

function planOf(given: GivenArguments, terminal: Terminal): Plan {
  const topics = [...new Set(given.positionals)];
  if (topics.length === 0) throw new CliError('Cannot consume: which topic? Give its name');
  const from = given.text('from');
  const untilEnd = given.has('until-end');
  const partitions = given.texts('partition').map((text) => integerIn('partition', text, { min: 0 }));
  const groupId = given.text('group');
  const start: StartPosition = from === undefined ? { kind: untilEnd ? 'beginning' : 'end' } : parseStartPosition(from);
  if (groupId !== undefined && partitions.length > 0)
    throw new CliError('Cannot use --partition with --group: the group assigns the partitions');
  if (groupId !== undefined && (start.kind === 'offset' || start.kind === 'time'))
    throw new CliError(`Cannot use --from ${from} with --group: give beginning, end, or a duration such as -PT1H`);
  return {
    topics,
    start,
    untilEnd,
    limit: integerOf(given, 'limit', { min: 1 }),
    partitions: [...new Set(partitions)],
    groupId,
    readCommitted: given.has('read-committed'),
    format: wordOf(given, 'format', recordFormatNames) ?? (terminal.isInteractive ? 'text' : 'json'),
    keyAs: wordOf(given, 'key-as', dataFormatNames) ?? 'string',
    valueAs: wordOf(given, 'value-as', dataFormatNames),
    isFull: given.has('full'),
  };
}

async function consume(kafka: Kafka, plan: Plan, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const { groupId, limit } = plan;
  const partitions = await partitionsOf(kafka, plan, signal);
  const consumer = kafka.consumer(consumerOptions(plan));
  if (groupId === undefined) {
    consumer.assign(partitions);
    await seekTo(consumer, partitions, plan.start, signal);
  } else {
    consumer.subscribe(plan.topics);
  }
  if (terminal.isInteractive && !plan.untilEnd)
    terminal.say(plan.start.kind === 'end' ? 'Waiting for new records; Ctrl-C ends.' : 'Ctrl-C ends.');
  const isOut = (records: readonly ConsumerRecord[]): void => {
    for (const record of records) consumer.markProcessed(record);
  };
  const output = new RecordOutput(terminal, signal, groupId === undefined ? undefined : isOut);
  const format = recordFormat(plan, terminal);
  try {
    const records = consumer.records({
      limit,
      until: plan.untilEnd ? 'end' : undefined,
      signal: AbortSignal.any([signal, output.gone]),
    });
    for await (const record of records) {
      const held = output.add(record, format(record));
      if (held !== undefined) await held;
    }
  } finally {
    // Also of what came before a record that cannot be read.
    await output.end();
  }
}

function consumerOptions({ groupId, start, readCommitted }: Plan): ConsumerOptions {
  const inGroup: ConsumerOptions = {
    groupId,
    // What was read but not written is for whoever reads next.
    autoCommit: 'marked',
    autoOffsetReset:
      start.kind === 'ago' ? { byDurationMs: start.ms } : start.kind === 'beginning' ? 'earliest' : 'latest',
  };
  return {
    isolationLevel: readCommitted ? 'read_committed' : 'read_uncommitted',
    allowAutoCreateTopics: false,
    // Where records are deleted faster than they are read, the nearest that is left comes next.
    ...(groupId === undefined ? { autoOffsetReset: 'earliest' } : inGroup),
  };
}

/**
 * The partitions of the topics, as far as they are wanted.
 *
 * @throws CliError a topic or partition does not exist: it would be waited for, or even made
 */
async function partitionsOf(
  kafka: Kafka,
  { topics, partitions }: Plan,
  signal: AbortSignal,
): Promise<TopicPartition[]> {
  const found: TopicPartition[] = [];
  for (const description of await describeExisting(kafka, topics, 'consume', signal)) {
    const { topic } = description;
    const all = description.partitions.map(({ partition }) => partition);
    const missing = partitions.find((partition) => !all.includes(partition));
    if (missing !== undefined)
      throw new CliError(`Cannot consume ${topic}-${missing}: the topic has partitions 0 to ${all.length - 1}`, {
        exitCode: 1,
      });
    const wanted = partitions.length === 0 ? all : partitions;
    found.push(...wanted.map((partition) => ({ topic, partition })));
  }
  return found;
}
