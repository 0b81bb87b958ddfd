/**
 * A process with members of a share group, which work on jobs until they are told to stop. Whoever starts it kills it, too. It prints "ready",
 * "begin partition offset delivery" for each record, "done partition offset" before it is accepted, "accept partition offset,…" for what
 * the brokers have taken, and "refused partition offset,… code" for what they have not.
 */
import { writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, type AcknowledgementResult, type ShareConsumer, type ShareRecord } from '../../../src/index.ts';

interface Work {
  readonly bootstrapServers: readonly string[];
  readonly groupId: string;
  readonly topic: string;
  /** How each of the members reads. */
  readonly members: readonly ('run' | 'poll' | 'loop')[];
  /** How long a job takes, in milliseconds. */
  readonly jobMs: number;
  /** One of so many jobs fails when it is delivered for the first time. */
  readonly failsOneOf: number;
}

const work = JSON.parse(process.argv[2] ?? '{}') as Work;
const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());

/** At once and whole: what a process that is killed had in hand is known by its lines. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

function tell(results: readonly AcknowledgementResult[]): void {
  for (const { partition, offsets, type, error } of results) {
    if (error !== undefined) say(`refused ${partition} ${offsets.join(',')} ${error.code}`);
    else if (type === 'accept') say(`accept ${partition} ${offsets.join(',')}`);
  }
}

/** Whether it went well. */
async function workOn({ partition, offset, deliveryCount }: ShareRecord): Promise<boolean> {
  say(`begin ${partition} ${offset} ${deliveryCount}`);
  await delay(work.jobMs);
  if (deliveryCount === 1 && Number(offset) % work.failsOneOf === 0) return false;
  say(`done ${partition} ${offset}`);
  return true;
}

/** Handlers side by side, implicitly. */
async function byRun(consumer: ShareConsumer): Promise<void> {
  const eachRecord = async (record: ShareRecord): Promise<void> => {
    if (!(await workOn(record))) throw new Error('the job failed');
  };
  await consumer.run({ eachRecord, concurrency: 10, signal: stopping.signal });
}

/** One after the other, implicitly; a failed one is released by hand. */
async function byLoop(consumer: ShareConsumer): Promise<void> {
  for await (const record of consumer.records({ signal: stopping.signal }))
    if (!(await workOn(record))) consumer.acknowledge(record, 'release');
}

/** Twenty at a time, explicitly. */
async function byPoll(consumer: ShareConsumer): Promise<void> {
  while (!stopping.signal.aborted) {
    const records = await consumer.poll({ maxRecords: 20, timeoutMs: 200 });
    const isDone = await Promise.all(records.map(workOn));
    for (const [index, record] of records.entries()) {
      try {
        consumer.acknowledge(record, isDone[index] === true ? 'accept' : 'release');
      } catch (error) {
        // Its lock has ended meanwhile.
        say(`refused ${record.partition} ${record.offset} ${(error as { code?: string }).code ?? String(error)}`);
      }
    }
  }
}

const ways = { run: byRun, poll: byPoll, loop: byLoop } as const;

async function main(): Promise<void> {
  const { bootstrapServers, groupId, topic, members } = work;
  const kafka = new Kafka({ bootstrapServers });
  say('ready');
  await Promise.all(
    members.map(async (way) => {
      const acknowledgementMode = way === 'poll' ? 'explicit' : 'implicit';
      const consumer = kafka.shareConsumer({ groupId, acknowledgementMode, maxPollRecords: 50, onAcknowledged: tell });
      consumer.subscribe(topic);
      await ways[way](consumer);
      await consumer.close();
    }),
  );
  await kafka.close();
}

await main();
