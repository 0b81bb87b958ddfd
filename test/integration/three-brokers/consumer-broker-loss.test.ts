import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { Kafka, type Admin, type Consumer, type Producer } from '../../../src/index.ts';
import { eventually } from '../../support/eventually.ts';
import { kafkaUnderTest } from '../../support/kafka/under-test.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const brokers = await kafkaUnderTest({ brokers: 3, needs: ['control'] });
const partitions = [0, 1, 2, 3];
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const enough = 500;
const patienceMs = 120_000;

/** Sends numbered records until told to stop; each partition has numbers of its own. */
class Load {
  readonly sent: number[] = partitions.map(() => 0);
  readonly rejected: unknown[] = [];
  acknowledged = 0;
  #isOver = false;
  readonly #done: Promise<void>;

  constructor(producer: Producer, topic: string) {
    this.#done = this.#run(producer, topic);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  async #run(producer: Producer, topic: string): Promise<void> {
    const random = seededRandom(seed);
    while (!this.#isOver) {
      for (let burst = Math.floor(random() * 40); burst >= 0; burst--) {
        const partition = Math.floor(random() * partitions.length);
        const number = this.sent[partition] ?? 0;
        this.sent[partition] = number + 1;
        producer.send({ topic, partition, value: String(number) }).then(
          () => this.acknowledged++,
          (error: unknown) => this.rejected.push(error),
        );
      }
      await producer.ready();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await producer.flush();
  }
}

/** What the members of a group read, over all of them: the next number that nobody has seen yet, by partition. */
class Reading {
  readonly next: number[] = partitions.map(() => 0);
  readonly faults: string[] = [];
  readonly #loops: Promise<void>[] = [];
  readonly readers: Consumer[] = [];

  get total(): number {
    return this.next.reduce((sum, count) => sum + count, 0);
  }

  start(consumer: Consumer, topic: string): void {
    const name = `member ${this.readers.push(consumer)}`;
    const last = new Map<number, bigint>();
    consumer.subscribe(topic, {
      // A new owner begins at what is committed, which may be behind what was read.
      onPartitionsAssigned: (assigned) => assigned.forEach(({ partition }) => last.delete(partition)),
    });
    const loop = async (): Promise<void> => {
      for await (const { partition, offset, value } of consumer) {
        if (offset <= (last.get(partition) ?? -1n)) this.faults.push(`${name} went back to ${partition}@${offset}`);
        last.set(partition, offset);
        this.#see(name, partition, Number(value));
      }
    };
    this.#loops.push(loop().catch((error: unknown) => void this.faults.push(`${name} ended with ${String(error)}`)));
  }

  async end(): Promise<void> {
    await Promise.all(this.readers.map((consumer) => consumer.close()));
    await Promise.all(this.#loops);
  }

  #see(name: string, partition: number, number: number): void {
    const next = this.next[partition] ?? 0;
    if (number > next) this.faults.push(`${name} read ${number} of partition ${partition} where ${next} was next`);
    this.next[partition] = Math.max(next, number + 1);
  }
}

describe(`Consumer group while brokers are lost, SEED=${seed}`, { skip: brokers.skip }, () => {
  after(() => brokers.restore());

  for (const lost of ['a leader', 'the group coordinator'] as const) {
    it(`reads each acknowledged record in order although ${lost} is killed and comes back`, async (context) => {
      context.diagnostic(`SEED=${seed}`);
      const kafka = new Kafka({ bootstrapServers: brokers.bootstrapServers });
      const admin = kafka.admin();
      const topic = `broker-loss-${randomUUID()}`;
      const groupId = `group-${topic}`;
      const configs = { 'min.insync.replicas': '2' };
      await admin.createTopics({ topic, partitions: partitions.length, replicationFactor: 3, configs });
      const reading = new Reading();
      for (const _ of ['one', 'two'])
        reading.start(kafka.consumer({ groupId, autoOffsetReset: 'earliest', autoCommitIntervalMs: 500 }), topic);
      const load = new Load(kafka.producer(), topic);
      const progress = async (when: string): Promise<void> => {
        const [acknowledged, read] = [load.acknowledged, reading.total];
        await eventually(() => load.acknowledged > acknowledged + enough, `records acknowledged ${when}`, patienceMs);
        await eventually(() => reading.total > read + enough, `records read ${when}`, patienceMs);
      };
      try {
        await eventually(() => reading.readers.every((consumer) => consumer.assignment().length === 2), 'two members');
        await progress('before the loss');

        const before = await stateOf(admin, topic, groupId);
        const victim = lost === 'a leader' ? (before.leaders[0]?.leaderId ?? -1) : before.coordinatorId;
        assert.ok(brokers.brokerIds.includes(victim), `broker ${victim}`);
        await brokers.kill(victim);
        const during = await eventually(
          async () => {
            const state = await stateOf(admin, topic, groupId);
            return [...state.leaders.map(({ leaderId }) => leaderId), state.coordinatorId].includes(victim)
              ? undefined
              : state;
          },
          'others to take over',
          patienceMs,
        );
        if (lost === 'the group coordinator') assert.notEqual(during.coordinatorId, before.coordinatorId);
        const moved = before.leaders.filter(({ leaderId }) => leaderId === victim);
        if (lost === 'a leader') assert.ok(moved.length > 0);
        for (const { partition, leaderEpoch } of moved)
          assert.ok((during.leaders[partition]?.leaderEpoch ?? -1) > leaderEpoch, `the epoch of ${partition} rose`);
        await progress('while it is gone');

        await brokers.start(victim);
        await progress('after it came back');
        await load.end();
        await eventually(() => reading.next.join() === load.sent.join(), 'all to be read', patienceMs);
        await eventually(
          async () => {
            const { state, members } = await admin.describeGroups(groupId);
            return state === 'Stable' && members.length === 2;
          },
          'the group to have both members',
          patienceMs,
        );
        assert.deepEqual(load.rejected, []);
        assert.equal(load.acknowledged, reading.total);
        assert.deepEqual(reading.faults, []);
      } finally {
        await load.end().catch(() => undefined);
        await reading.end();
        await kafka.close();
      }
    });
  }
});

interface ClusterState {
  readonly leaders: readonly { readonly partition: number; readonly leaderId: number; readonly leaderEpoch: number }[];
  readonly coordinatorId: number;
}

async function stateOf(admin: Admin, topic: string, groupId: string): Promise<ClusterState> {
  const [described, group] = await Promise.all([admin.describeTopics(topic), admin.describeGroups(groupId)]);
  return { leaders: described.partitions, coordinatorId: group.coordinatorId };
}
