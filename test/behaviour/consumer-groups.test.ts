import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import {
  isKafkaError,
  Kafka,
  type Consumer,
  type ConsumerOptions,
  type PartitionAssignor,
  type RebalanceListener,
  type TopicPartition,
} from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { startHeartbeatProxy } from '../support/heartbeat-proxy.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const broker = await kafkaUnderTest({ brokers: 1 });

/** How a group can be spoken of. */
const protocols: Readonly<Record<string, Partial<ConsumerOptions>>> = {
  range: { partitionAssignors: ['range'] },
  sticky: { partitionAssignors: ['sticky'] },
  'cooperative-sticky': { partitionAssignors: ['cooperative-sticky'] },
  consumer: { groupProtocol: 'consumer' },
};

/** A member that reads until it is closed, and what happens to it. */
class Reader {
  readonly consumer: Consumer;
  readonly seen: string[] = [];
  readonly happened: string[] = [];
  readonly #loop: Promise<unknown>;

  constructor(consumer: Consumer, topics: Parameters<Consumer['subscribe']>[0], listener: RebalanceListener = {}) {
    this.consumer = consumer;
    consumer.subscribe(topics, {
      onPartitionsAssigned: async (partitions) => {
        if (partitions.length > 0) this.happened.push(`assigned ${show(partitions)}`);
        await listener.onPartitionsAssigned?.(partitions);
      },
      onPartitionsRevoked: async (partitions) => {
        this.happened.push(`revoked ${show(partitions)}`);
        await listener.onPartitionsRevoked?.(partitions);
      },
      onPartitionsLost: async (partitions) => {
        this.happened.push(`lost ${show(partitions)}`);
        await listener.onPartitionsLost?.(partitions);
      },
    });
    this.#loop = (async () => {
      for await (const record of consumer) this.seen.push(record.value?.toString() ?? '');
    })().catch((error: unknown) => error);
  }

  get partitions(): string {
    return show(this.consumer.assignment());
  }

  get count(): number {
    return this.consumer.assignment().length;
  }

  async close(options: Parameters<Consumer['close']>[0] = {}): Promise<unknown> {
    await this.consumer.close(options);
    return this.#loop;
  }
}

function show(partitions: readonly TopicPartition[]): string {
  return partitions
    .map(({ partition }) => partition)
    .sort((a, b) => a - b)
    .join();
}

describe('Consumer groups', { skip: broker.skip }, () => {
  let kafka: Kafka;
  before(() => {
    kafka = new Kafka({ bootstrapServers: broker.bootstrapServers, metadataMaxAgeMs: 1000 });
  });
  after(() => kafka.close());

  async function topicOf(partitions: number, name = `groups-${randomUUID()}`): Promise<string> {
    await kafka.admin().createTopics({ topic: name, partitions, replicationFactor: 1 });
    return name;
  }

  async function produce(topic: string, partitions: number, text: string): Promise<string[]> {
    const producer = kafka.producer();
    const records = Array.from({ length: partitions }, (_, partition) => ({
      topic,
      partition,
      value: `${text}-${partition}`,
    }));
    await producer.send(records);
    await producer.close();
    return records.map(({ value }) => value);
  }

  function member(groupId: string, options: Partial<ConsumerOptions>): Consumer {
    const classic = options.groupProtocol === 'consumer' ? {} : { heartbeatIntervalMs: 200 };
    return kafka.consumer({ groupId, autoOffsetReset: 'earliest', ...classic, ...options });
  }

  const all = (...readers: readonly Reader[]): string[] => readers.flatMap(({ seen }) => seen).sort();

  for (const [name, options] of Object.entries(protocols)) {
    it(`share partitions by ${name}, and take over those of a member that leaves, each record read once`, async () => {
      const topic = await topicOf(6);
      const groupId = `group-${randomUUID()}`;
      const first = new Reader(member(groupId, options), topic);
      await eventually(() => first.count === 6, 'all partitions at the first member', 60_000);
      const early = await produce(topic, 6, 'early');
      await eventually(() => first.seen.length === 6);
      const second = new Reader(member(groupId, options), topic);
      await eventually(() => first.count === 3 && second.count === 3, 'three partitions each', 60_000);
      const both = await produce(topic, 6, 'both');
      await eventually(() => all(first, second).length === 12, 'the second round', 60_000);
      assert.deepEqual(all(first, second), [...early, ...both].sort());
      await second.close();
      await eventually(() => first.count === 6, 'all partitions at the one that is left', 60_000);
      const late = await produce(topic, 6, 'late');
      await eventually(() => all(first, second).length === 18, 'the last round', 60_000);
      assert.deepEqual(all(first, second), [...early, ...both, ...late].sort());
      await first.close();
    });

    for (const kind of ['dynamic', 'static'] as const) {
      it(`commit in onPartitionsRevoked, by ${name}, ${kind}`, async () => {
        const topic = await topicOf(2);
        const groupId = `group-${randomUUID()}`;
        const identity = (id: string): Partial<ConsumerOptions> => (kind === 'static' ? { groupInstanceId: id } : {});
        const errors: unknown[] = [];
        const consumer = member(groupId, { ...options, ...identity('first'), autoCommit: false });
        let commits = 0;
        const first = new Reader(consumer, topic, {
          onPartitionsRevoked: async () => {
            await consumer.commit().then(
              () => commits++,
              (error: unknown) => errors.push(error),
            );
          },
        });
        await produce(topic, 2, 'one');
        await eventually(() => first.seen.length === 2, 'both records', 60_000);
        const second = new Reader(member(groupId, { ...options, ...identity('second') }), topic);
        await eventually(() => second.count === 1 && first.count === 1, 'one partition each', 60_000);
        assert.deepEqual(errors, []);
        assert.equal(commits, 1);
        const [moved] = second.consumer.assignment();
        assert.ok(moved);
        const committed = await kafka.consumer({ groupId }).committed([moved]);
        assert.equal(committed[0]?.offset, 1n);
        assert.deepEqual(second.seen, [], 'what was committed is not read again');
        await second.close();
        await first.close();
        assert.deepEqual(errors, []);
      });
    }
  }

  for (const name of ['cooperative-sticky', 'consumer']) {
    it(`by ${name} take only what moves, and read on what stays while they rebalance`, async () => {
      const topic = await topicOf(4);
      const groupId = `group-${randomUUID()}`;
      const first = new Reader(member(groupId, protocols[name] ?? {}), topic);
      await eventually(() => first.count === 4, 'all partitions', 60_000);
      const second = new Reader(member(groupId, protocols[name] ?? {}), topic);
      await eventually(() => first.count === 2 && second.count === 2, 'two partitions each', 60_000);
      assert.deepEqual(first.happened, ['assigned 0,1,2,3', `revoked ${second.partitions}`]);
      assert.deepEqual(second.happened, [`assigned ${second.partitions}`]);
      await second.close();
      await first.close();
    });
  }

  for (const name of ['range', 'cooperative-sticky', 'consumer']) {
    it(`by ${name} wait for a static member that restarts, and take nothing from the living`, async () => {
      const topic = await topicOf(4);
      const groupId = `group-${randomUUID()}`;
      const options = { ...protocols[name], groupInstanceId: 'a' };
      const living = new Reader(member(groupId, { ...protocols[name], groupInstanceId: 'b' }), topic);
      let bounced = new Reader(member(groupId, options), topic);
      await eventually(() => living.count === 2 && bounced.count === 2, 'two partitions each', 60_000);
      const before = [...living.happened];
      const partitions = bounced.partitions;
      for (let restart = 0; restart < 2; restart++) {
        await bounced.close();
        bounced = new Reader(member(groupId, options), topic);
        await eventually(() => bounced.partitions === partitions, 'the same partitions', 60_000);
      }
      assert.deepEqual(living.happened, before);
      await bounced.close({ groupMembership: 'leave' });
      await eventually(() => living.count === 4, 'the partitions of a static member that left for good', 60_000);
      await living.close();
    });

    it(`by ${name} assign several subscriptions of one group`, async () => {
      const [both, left, right] = [await topicOf(2), await topicOf(2), await topicOf(2)];
      const groupId = `group-${randomUUID()}`;
      const first = new Reader(member(groupId, protocols[name] ?? {}), [both, left]);
      const second = new Reader(member(groupId, protocols[name] ?? {}), [both, right]);
      await eventually(() => first.count + second.count === 6 && first.count === 3, 'all of three topics', 60_000);
      const topics = (reader: Reader): string[] => [...new Set(reader.consumer.assignment().map(({ topic }) => topic))];
      assert.ok(!topics(first).includes(right));
      assert.ok(!topics(second).includes(left));
      await Promise.all([first.close(), second.close()]);
    });

    it(`by ${name} follow a subscription that changes while a loop waits, and one that ends`, async () => {
      const [old, next] = [await topicOf(2), await topicOf(3)];
      const groupId = `group-${randomUUID()}`;
      const consumer = member(groupId, protocols[name] ?? {});
      const reader = new Reader(consumer, old);
      await eventually(() => reader.count === 2, 'the first topic', 60_000);
      const happened: string[] = [];
      consumer.subscribe(next, {
        onPartitionsAssigned: (partitions) => void happened.push(`assigned ${show(partitions)}`),
        onPartitionsRevoked: (partitions) => void happened.push(`revoked ${show(partitions)}`),
      });
      await eventually(() => consumer.assignment().every(({ topic }) => topic === next) && reader.count === 3);
      await produce(next, 3, 'next');
      await eventually(() => reader.seen.length === 3, 'records of the new topic', 60_000);
      await consumer.unsubscribe();
      assert.deepEqual(consumer.assignment(), []);
      assert.equal(happened.at(-1), 'revoked 0,1,2');
      assert.equal(await reader.close(), undefined, 'the loop ended normally');
      const [group] = [await kafka.admin().describeGroups(groupId)];
      assert.equal(group?.members.length, 0, 'it left the group');
    });
  }

  for (const name of ['range', 'consumer']) {
    it(`by ${name} find topics that match a pattern, also those made later`, async () => {
      const prefix = `pattern-${randomUUID()}`;
      await topicOf(2, `${prefix}-a`);
      await topicOf(1, `other-${prefix}`);
      const groupId = `group-${randomUUID()}`;
      const reader = new Reader(member(groupId, protocols[name] ?? {}), new RegExp(`^${prefix}-`, 'g'));
      await eventually(() => reader.count === 2, 'the topic that is there', 60_000);
      await topicOf(3, `${prefix}-b`);
      await eventually(() => reader.count === 5, 'the topic that came later', 60_000);
      await produce(`${prefix}-b`, 3, 'b');
      await eventually(() => reader.seen.length === 3, 'its records', 60_000);
      await reader.close();
    });
  }

  it('rebalance when the application asks for it, and say why', async () => {
    const topic = await topicOf(2);
    const groupId = `group-${randomUUID()}`;
    const reasons: string[] = [];
    const stop = kafka.on('group.rebalancing', (event) => {
      if (event.groupId === groupId) reasons.push(event.reason);
    });
    const reader = new Reader(member(groupId, protocols['range'] ?? {}), topic);
    await eventually(() => reader.count === 2);
    const { generationId } = reader.consumer.groupMetadata();
    reader.consumer.enforceRebalance('another assignment is wanted');
    await eventually(() => reader.consumer.groupMetadata().generationId === generationId + 1, 'a generation', 60_000);
    assert.equal(reasons.at(-1), 'another assignment is wanted');
    stop();
    await reader.close();
  });

  it('refuse a pattern of the broker in a classic group, and a second one', () => {
    const consumer = member(`group-${randomUUID()}`, {});
    const refused = (error: unknown): boolean => isKafkaError(error, 'INVALID_ARGUMENT');
    assert.throws(() => consumer.subscribe({ re2: 'a.*' }), refused);
    const other = member(`group-${randomUUID()}`, { groupProtocol: 'consumer' });
    assert.throws(() => other.subscribe([{ re2: 'a.*' }, { re2: 'b.*' }]), refused);
    assert.throws(() => other.subscribe([]), refused);
  });

  it('take a pattern that the brokers evaluate', async () => {
    const prefix = `re2-${randomUUID()}`;
    const groupId = `group-${randomUUID()}`;
    await topicOf(2, `${prefix}-a`);
    const reader = new Reader(member(groupId, { groupProtocol: 'consumer' }), { re2: `${prefix}-.*` });
    await eventually(() => reader.count === 2, 'the topic that matches', 60_000);
    await produce(`${prefix}-a`, 2, 'a');
    await eventually(() => reader.seen.length === 2, 'its records', 60_000);
    await reader.close();
  });

  it('take the new protocol by themselves where the cluster has it', async () => {
    const topic = await topicOf(2);
    const groupId = `group-${randomUUID()}`;
    const reader = new Reader(member(groupId, { groupProtocol: 'auto' }), topic);
    await eventually(() => reader.count === 2, 'both partitions', 60_000);
    const [listed] = (await kafka.admin().listGroups()).filter((group) => group.groupId === groupId);
    assert.equal(listed?.type?.toLowerCase(), broker.version.startsWith('3.') ? 'classic' : 'consumer');
    await reader.close();
  });

  it('move from the classic protocol to the new one and back, member by member, without losing a record', async () => {
    const topic = await topicOf(4);
    const groupId = `group-${randomUUID()}`;
    const classic = protocols['cooperative-sticky'] ?? {};
    const expected: string[] = [];
    const readers: Reader[] = [];
    const round = async (): Promise<void> => {
      expected.push(...(await produce(topic, 4, `round-${expected.length}`)));
      await eventually(() => all(...readers).length >= expected.length, 'the round', 60_000);
    };
    const join = async (options: Partial<ConsumerOptions>, members: number): Promise<Reader> => {
      const reader = new Reader(member(groupId, options), topic);
      readers.push(reader);
      await eventually(() => reader.count === 4 / members, `${members} members`, 60_000);
      return reader;
    };
    let last = await join(classic, 1);
    await round();
    for (const options of [{ groupProtocol: 'consumer' as const }, classic]) {
      const next = await join(options, 2);
      await round();
      await last.close();
      await eventually(() => next.count === 4, 'all partitions at the new member', 60_000);
      await round();
      last = next;
    }
    assert.deepEqual(all(...readers), expected.sort());
    await last.close();
  });

  it('take up nothing that they were given for topics they no longer want, though the answer to that is lost', async () => {
    const [kept, given] = [await topicOf(1), await topicOf(1)];
    const groupId = `group-${randomUUID()}`;
    const options = protocols['consumer'] ?? {};
    const [server = ''] = broker.bootstrapServers;
    await using proxy = await startHeartbeatProxy(server);
    await using client = new Kafka({ bootstrapServers: proxy.address });
    const offered: string[] = [];
    client.on('group.joined', ({ assignment }) => offered.push(...assignment.map(({ topic }) => topic)));
    const before = new Reader(member(groupId, options), given);
    await eventually(() => before.count === 1, 'the partition at its first owner');
    const changing = client.consumer({ groupId, autoOffsetReset: 'earliest', ...options });
    const assigned: string[] = [];
    const listener: RebalanceListener = {
      onPartitionsAssigned: (partitions) => void assigned.push(...partitions.map(({ topic }) => topic)),
    };
    changing.subscribe([kept, given], listener);
    let goOn: () => void = () => undefined;
    const work = new Promise<void>((resolve) => (goOn = resolve));
    const seen: string[] = [];
    const loop = (async () => {
      for await (const record of changing) {
        seen.push(String(record.value));
        await work;
      }
    })();
    await produce(kept, 1, 'first');
    await eventually(() => seen.length === 1, 'a reader that is busy');
    await before.close();
    await eventually(() => offered.includes(given), 'an answer that gives the partition to the busy member');
    proxy.losesAnswers = true;
    changing.subscribe([kept], listener);
    const after = new Reader(member(groupId, options), given);
    await eventually(() => after.count === 1, 'the partition at another member');
    await produce(kept, 1, 'second');
    goOn();
    await eventually(() => seen.length === 2, 'the reader that came back');
    assert.deepEqual([assigned, after.happened], [[kept], ['assigned 0']]);
    assert.ok(proxy.lost > 0);
    proxy.losesAnswers = false;
    const values = await produce(given, 1, 'third');
    await eventually(() => after.seen.length === 1);
    assert.deepEqual([seen, after.seen, assigned], [['first-0', 'second-0'], values, [kept]]);
    await Promise.all([changing.close(), after.close()]);
    await loop;
  });

  it('assign as an assignor of one’s own says, which gets what the others of its kind wrote', async () => {
    const topic = await topicOf(3);
    const groupId = `group-${randomUUID()}`;
    const heard: string[] = [];
    /** Gives everything to the member with the greatest weight. */
    const weighted = (weight: number): PartitionAssignor => ({
      name: 'weighted',
      subscriptionUserData: () => Buffer.from([weight]),
      assign: (topics, members) => {
        const all = [...topics].flatMap(([name, items]) => items.map(({ partition }) => ({ topic: name, partition })));
        const weights = members.map(({ userData }) => userData?.[0] ?? 0);
        return new Map(
          members.map(({ memberId }, index) => [
            memberId,
            {
              partitions: weights[index] === Math.max(...weights) ? all : [],
              userData: Buffer.from(`of ${weights.length}`),
            },
          ]),
        );
      },
      onAssignment: (partitions, { userData }) =>
        void heard.push(`${weight}: ${partitions.length} ${String(userData)}`),
    });
    const light = new Reader(member(groupId, { partitionAssignors: [weighted(1)] }), topic);
    await eventually(() => light.count === 3, 'all partitions', 60_000);
    const heavy = new Reader(member(groupId, { partitionAssignors: [weighted(2)] }), topic);
    await eventually(() => heavy.count === 3 && light.count === 0, 'all partitions at the other member', 60_000);
    assert.ok(heard.includes('1: 3 of 1') && heard.includes('2: 3 of 2') && heard.includes('1: 0 of 2'), heard.join());
    await Promise.all([light.close(), heavy.close()]);
  });

  it('reject the read with what a listener throws, and change the assignment all the same', async () => {
    for (const options of [protocols['range'], protocols['consumer']]) {
      const topic = await topicOf(1);
      const consumer = member(`group-${randomUUID()}`, options ?? {});
      consumer.subscribe(topic, {
        onPartitionsAssigned: (partitions) => {
          if (partitions.length > 0) throw new Error('not today');
        },
      });
      await assert.rejects(async () => {
        for (let polls = 0; polls < 60; polls++) await consumer.poll();
      }, /not today/);
      assert.equal(consumer.assignment().length, 1);
      await consumer.close();
    }
  });
});
