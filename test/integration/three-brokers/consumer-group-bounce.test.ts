import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, type Consumer, type ConsumerOptions, type Producer } from '../../../src/index.ts';
import { eventually } from '../../support/eventually.ts';
import { kafkaUnderTest } from '../../support/kafka/under-test.ts';

const brokers = await kafkaUnderTest({ brokers: 3, needs: ['control'] });
const patienceMs = 180_000;
/** How long no broker is there; `npm run soak` takes ten times as long. */
const outageMs = Number(process.env['OUTAGE_MS'] ?? 12_000);

const protocols: Readonly<Record<string, Partial<ConsumerOptions>>> = {
  range: { partitionAssignors: ['range'] },
  'cooperative-sticky, static': { partitionAssignors: ['cooperative-sticky'], groupInstanceId: 'member' },
  consumer: { groupProtocol: 'consumer' },
};

/** A group of two members, what they read, and what became of their partitions. */
class Group {
  readonly name: string;
  readonly topic: string = `bounce-${randomUUID()}`;
  readonly groupId: string = `group-${randomUUID()}`;
  readonly seen = new Set<string>();
  readonly happened: string[] = [];
  readonly failures: string[] = [];
  readonly members: Consumer[] = [];
  readonly #loops: Promise<void>[] = [];

  constructor(name: string) {
    this.name = name;
  }

  start(kafka: Kafka): void {
    for (const number of [0, 1]) {
      const options = protocols[this.name] ?? {};
      const consumer = kafka.consumer({
        groupId: this.groupId,
        autoOffsetReset: 'earliest',
        ...(options.groupProtocol === 'consumer' ? {} : { heartbeatIntervalMs: 500 }),
        ...options,
        ...(options.groupInstanceId === undefined ? {} : { groupInstanceId: `member-${number}` }),
      });
      const tell = (what: string) => (partitions: readonly unknown[]) =>
        void (partitions.length > 0 && this.happened.push(`${what} ${partitions.length} of member ${number}`));
      consumer.subscribe(this.topic, {
        onPartitionsAssigned: tell('assigned'),
        onPartitionsRevoked: tell('revoked'),
        onPartitionsLost: tell('lost'),
      });
      this.members.push(consumer);
      this.#loops.push(this.#read(consumer));
    }
  }

  async settled(): Promise<void> {
    await eventually(
      () => this.members.every((member) => member.assignment().length === 2),
      `two partitions for each member by ${this.name}`,
      patienceMs,
    );
  }

  async end(): Promise<void> {
    await Promise.all(this.members.map((member) => member.close()));
    await Promise.all(this.#loops);
  }

  async #read(consumer: Consumer): Promise<void> {
    try {
      for await (const record of consumer) this.seen.add(record.value?.toString() ?? '');
    } catch (error) {
      this.failures.push(String(error));
    }
  }
}

describe('Consumer groups while brokers go and come', { skip: brokers.skip }, () => {
  let kafka: Kafka;
  let producer: Producer;
  const groups = Object.keys(protocols).map((name) => new Group(name));
  let sent = 0;

  before(async () => {
    kafka = new Kafka({ bootstrapServers: brokers.bootstrapServers, requestTimeoutMs: 5000 });
    await kafka.admin().createTopics(groups.map(({ topic }) => ({ topic, partitions: 4, replicationFactor: 3 })));
    producer = kafka.producer();
    for (const group of groups) group.start(kafka);
    for (const group of groups) await group.settled();
  });
  after(async () => {
    for (const group of groups) await group.end();
    await kafka.close();
    await brokers.restore();
  });

  /** Sends to every partition of every group, and waits until all of it is read. */
  async function round(): Promise<void> {
    const number = sent++;
    await producer.send(
      groups.flatMap(({ topic }) =>
        [0, 1, 2, 3].map((partition) => ({ topic, partition, value: `${number}-${partition}` })),
      ),
    );
    for (const { seen, name, failures } of groups) {
      await eventually(() => seen.size === sent * 4, `round ${number} by ${name}: ${failures.join()}`, patienceMs);
    }
  }

  it('are not rebalanced by a rolling restart of all brokers, and read on throughout', async () => {
    await round();
    for (const group of groups) group.happened.length = 0;
    const generations = groups.map(({ members }) => members.map((member) => member.groupMetadata().generationId));
    for (const id of brokers.brokerIds) {
      let failures = 0;
      const stop = kafka.on('connection.closed', ({ nodeId }) => (failures += nodeId === id ? 1 : 0));
      await brokers.stop(id);
      await round();
      await brokers.start(id);
      await round();
      stop();
      assert.ok(failures > 0, `broker ${id} was connected when it stopped`);
    }
    assert.equal(sent, 7);
    for (const { name, happened, failures } of groups) {
      assert.deepEqual(happened, [], `${name}: no partition moved`);
      assert.deepEqual(failures, []);
    }
    assert.deepEqual(
      groups.map(({ members }) => members.map((member) => member.groupMetadata().generationId)),
      generations,
    );
  });

  it(`read on by themselves after ${outageMs / 1000} s without any broker`, async () => {
    await round();
    let attempts = 0;
    const stop = kafka.on('connection.failed', () => attempts++);
    await Promise.all(brokers.brokerIds.map((id) => brokers.kill(id)));
    await delay(outageMs);
    assert.ok(attempts > 3, `${attempts} attempts to connect failed`);
    stop();
    await Promise.all(brokers.brokerIds.map((id) => brokers.start(id)));
    await round();
    await round();
    for (const { failures } of groups) assert.deepEqual(failures, []);
  });
});
