import { createReadStream } from 'node:fs';
import type { ProducerRecord } from '../index.ts';
import { parseArguments, parsePair, type CliOptions, type GivenArguments } from './arguments.ts';
import { CliError } from './cli-error.ts';
import { clientOptions, withClient } from './client-options.ts';
import type { Command } from './command.ts';
import { connectInTime, timeoutMsOf, timeoutOption } from './connect-in-time.ts';
import { inputChunks } from './input-chunks.ts';
import { inputLines } from './input-lines.ts';
import { LineError, parseJsonRecord, type LineRecord } from './json-record.ts';
import { LineDelivery } from './line-delivery.ts';
import { integerOf } from './option-values.ts';
import { producerOptions, producerPlanOf, type ProducerPlan } from './producer-options.ts';
import type { Terminal } from './terminal.ts';

const options: CliOptions = {
  'key-separator': {
    type: 'string',
    value: 'TEXT',
    help: 'what stands before it in a line is the key; \\t is a tab',
  },
  json: { type: 'boolean', help: 'lines are { "key", "value", "headers", "partition", "timestamp" } as JSON' },
  partition: { type: 'string', value: 'N', help: 'the partition to write to; else the key decides' },
  header: { type: 'string', multiple: true, value: 'NAME=VALUE', help: 'a header of each record; may be repeated' },
  'empty-as-null': { type: 'boolean', help: 'an empty value is a tombstone, and an empty key is none' },
  ...producerOptions,
  file: { type: 'string', value: 'FILE', help: 'read this instead of standard input' },
  ...timeoutOption('connecting'),
  ...clientOptions,
  help: { type: 'boolean', help: 'show this' },
};

/** `kavka produce`: sends the lines of the standard input. */
export const produceCommand: Command = {
  name: 'produce',
  summary: 'send the lines of standard input as records',
  usage: 'kavka produce TOPIC [options]',
  about:
    'Sends each line of standard input as the value of a record. Ends with the input; Ctrl-C ends it earlier, after\n' +
    'what was read is sent. The exit code is 1 if a line could not be sent.',
  options,
  run: runProduce,
};

interface Plan extends ProducerPlan {
  readonly file: string | undefined;
  /** @throws LineError */
  readonly recordOf: (line: Uint8Array) => ProducerRecord;
}

async function runProduce(args: readonly string[], terminal: Terminal): Promise<void> {
  const given = parseArguments(args, options);
  const { file, acks, compression, recordOf } = planOf(given);
  const timeoutMs = timeoutMsOf(given);
  await withClient(given, terminal, async (kafka, signal) => {
    // So that a wrong address or password is told before anything is read.
    await connectInTime(kafka, timeoutMs, signal);
    const delivery = new LineDelivery(
      kafka.producer({ acks, compression }),
      recordOf,
      acks === 0 ? 'sent' : 'acknowledged',
      terminal,
    );
    const ending = AbortSignal.any([signal, delivery.inVain]);
    const isTyped = file === undefined && terminal.isInputInteractive;
    if (isTyped) terminal.say('Each line is a record; Ctrl-D ends.');
    const chunks =
      file === undefined ? terminal.input(ending) : inputChunks(createReadStream(file), `--file ${file}`, ending);
    try {
      for await (const lines of inputLines(chunks, ending)) await delivery.send(lines, { showsProgress: !isTyped });
    } finally {
      await delivery.finish({ isInterrupted: signal.aborted });
    }
  });
}

function planOf(given: GivenArguments): Plan {
  const [topic, ...more] = given.positionals;
  if (topic === undefined) throw new CliError('Cannot produce: which topic? Give its name');
  if (more.length > 0) throw new CliError(`Cannot use "${more[0]}": kavka produce takes one topic`);
  return {
    file: given.text('file'),
    ...producerPlanOf(given),
    recordOf: recordMaker(given, topic),
  };
}

function recordMaker(given: GivenArguments, topic: string): Plan['recordOf'] {
  const parse = lineParser(given);
  const ownHeaders = given.texts('header').map((text) => parsePair('header', text, 'source=web'));
  const ownPartition = integerOf(given, 'partition', { min: 0 });
  return (line) => {
    const { key, value, headers, partition = ownPartition, timestamp } = parse(line);
    const allHeaders = [...ownHeaders, ...headers];
    return {
      topic,
      key,
      value,
      ...(allHeaders.length > 0 && { headers: allHeaders }),
      ...(partition !== undefined && { partition }),
      ...(timestamp !== undefined && { timestamp }),
    };
  };
}

function lineParser(given: GivenArguments): (line: Uint8Array) => LineRecord {
  const separatorText = given.text('key-separator');
  const emptyIsNull = given.has('empty-as-null');
  if (given.has('json')) {
    if (separatorText !== undefined)
      throw new CliError('Cannot use --key-separator with --json: give each line a "key"');
    if (emptyIsNull) throw new CliError('Cannot use --empty-as-null with --json: give the line null as its "value"');
    return parseJsonRecord;
  }
  const dataOf = (data: Uint8Array): Uint8Array | null => (emptyIsNull && data.length === 0 ? null : data);
  if (separatorText === undefined) return (line) => ({ key: null, value: dataOf(line), headers: [] });
  const separator = Buffer.from(separatorText.replaceAll('\\t', '\t'));
  return (line) => {
    const at = Buffer.from(line.buffer, line.byteOffset, line.length).indexOf(separator);
    // Sent without a key, it would go anywhere and be missed where it is looked for.
    if (at === -1) throw new LineError(`it has no "${separatorText}" behind a key`);
    return { key: dataOf(line.subarray(0, at)), value: dataOf(line.subarray(at + separator.length)), headers: [] };
  };
}
