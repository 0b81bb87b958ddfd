import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { Kafka, type Consumer, type ConsumerOptions } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { javaArguments, kafkaJars, requireCommand } from '../support/kafka/jars.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const broker = await kafkaUnderTest({ brokers: 1 });
const program = path.join(import.meta.dirname, '../support/java/GroupMember.java');
const patienceMs = 120_000;

/** The jars with Kafka's client, or why there is no Java to run. */
const libs = ((): string | { readonly missing: string } => {
  try {
    requireCommand('java', ['-version'], 'Java 17');
    return kafkaJars('4.3.1', () => undefined);
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
})();

interface Protocol {
  readonly options: Partial<ConsumerOptions>;
  readonly java: string;
}

const protocols: Readonly<Record<string, Protocol>> = {
  range: { options: { partitionAssignors: ['range'] }, java: 'org.apache.kafka.clients.consumer.RangeAssignor' },
  sticky: { options: { partitionAssignors: ['sticky'] }, java: 'org.apache.kafka.clients.consumer.StickyAssignor' },
  'cooperative-sticky': {
    options: { partitionAssignors: ['cooperative-sticky'] },
    java: 'org.apache.kafka.clients.consumer.CooperativeStickyAssignor',
  },
  consumer: { options: { groupProtocol: 'consumer' }, java: 'consumer' },
};

/** A member that is a Java client, in a process of its own. */
class JavaMember {
  assigned: readonly string[] = [];
  readonly records: string[] = [];
  errors = '';
  readonly #child: ChildProcess;

  constructor(groupId: string, protocol: string, topics: readonly string[]) {
    const jars = typeof libs === 'string' ? libs : '';
    const args = [broker.bootstrapServers.join(','), groupId, protocol, topics.join(',')];
    this.#child = spawn('java', [...javaArguments(jars, '128m', 'error'), program, ...args]);
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error('the member has no output');
    createInterface({ input: stdout }).on('line', (line) => {
      const [word, rest = ''] = line.split(' ');
      if (word === 'assigned') this.assigned = rest === '' ? [] : rest.split(',');
      if (word === 'record') this.records.push(rest);
    });
    stderr.on('data', (chunk: Buffer) => (this.errors = (this.errors + chunk.toString()).slice(-4000)));
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await exit;
  }
}

describe(
  'Consumer in one group with Java members',
  // Each has a group and topics of its own, and mostly waits: for a JVM, for heartbeats.
  { skip: broker.skip !== false ? broker.skip : typeof libs === 'string' ? false : libs.missing, concurrency: 3 },
  () => {
    let kafka: Kafka;
    before(() => {
      kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
    });
    after(() => kafka.close());

    async function topicOf(partitions: number): Promise<string> {
      const topic = `java-members-${randomUUID()}`;
      await kafka.admin().createTopics({ topic, partitions, replicationFactor: 1 });
      return topic;
    }

    for (const [name, { options, java }] of Object.entries(protocols)) {
      for (const first of name === 'consumer' ? (['java'] as const) : (['ours', 'java'] as const)) {
        const leader = name === 'consumer' ? 'the broker assigning' : `${first} as leader`;
        it(`shares two subscriptions by ${name} with ${leader}: each partition has one reader`, async () => {
          const [both, left, right] = [await topicOf(4), await topicOf(2), await topicOf(3)];
          const sizes = { [both]: 4, [left]: 2, [right]: 3 };
          const expected = Object.entries(sizes).flatMap(([topic, size]) =>
            Array.from({ length: size }, (_, partition) => `${topic}-${partition}`),
          );
          const groupId = `group-${randomUUID()}`;
          let isLeader = false;
          const stopListening = kafka.on('group.joined', (event) => {
            if (event.groupId === groupId) isLeader = event.leader;
          });
          const seen: string[] = [];
          const consumer: Consumer = kafka.consumer({
            groupId,
            autoOffsetReset: 'earliest',
            ...(options.groupProtocol === 'consumer' ? {} : { heartbeatIntervalMs: 200 }),
            ...options,
          });
          consumer.subscribe([both, left]);
          let loop: Promise<void> | undefined;
          const start = (): void => {
            loop = (async () => {
              for await (const record of consumer) seen.push(record.value?.toString() ?? '');
            })();
          };
          const ours = (): string[] => consumer.assignment().map(({ topic, partition }) => `${topic}-${partition}`);

          let member: JavaMember | undefined;
          try {
            if (first === 'ours') {
              start();
              await eventually(() => ours().length === 6, 'all that is ours', patienceMs);
              member = new JavaMember(groupId, java, [both, right]);
            } else {
              const javaMember = (member = new JavaMember(groupId, java, [both, right]));
              await eventually(() => javaMember.assigned.length === 7, 'all that is Java’s', patienceMs);
              start();
            }
            const javaMember = member;
            const isShared = (): boolean =>
              [...ours(), ...javaMember.assigned].sort().join() === [...expected].sort().join() &&
              ours().some((each) => each.startsWith(both));
            await eventually(isShared, `each partition at one member: ${javaMember.errors}`, patienceMs);
            if (name !== 'consumer') assert.equal(isLeader, first === 'ours');

            const producer = kafka.producer();
            const send = (text: string): Promise<unknown> =>
              producer.send(
                Object.entries(sizes).flatMap(([topic, size]) =>
                  Array.from({ length: size }, (_, partition) => ({
                    topic,
                    partition,
                    value: `${text}-${topic}-${partition}`,
                  })),
                ),
              );
            await send('shared');
            await eventually(() => seen.length + javaMember.records.length === 9, 'all records', patienceMs);
            assert.deepEqual([...seen, ...javaMember.records].sort(), expected.map((each) => `shared-${each}`).sort());
            // The Java member goes: what both wanted is ours, and what it committed does not come again.
            await javaMember.stop();
            await eventually(() => ours().length === 6, 'all that is ours, again', patienceMs);
            await send('alone');
            await eventually(
              () => seen.filter((value) => value.startsWith('alone')).length === 6,
              'the rest',
              patienceMs,
            );
            const all = [...seen, ...javaMember.records];
            assert.equal(new Set(all).size, all.length, 'each record is read once');
            await producer.close();
          } finally {
            await member?.stop();
            await consumer.close();
            await loop;
            stopListening();
          }
        });
      }
    }
  },
);
