import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, it } from 'node:test';
import {
  brokerErrorCodes,
  isKafkaError,
  Kafka,
  type ClientOptions,
  type Consumer,
  type ConsumerOptions,
} from '../../src/index.ts';
import { TestCluster, type TestClusterOptions } from '../../src/testing/index.ts';
import { eventually } from '../support/eventually.ts';
import { seededRandom } from '../support/seeded-random.ts';

const hasCode = (code: string) => (error: unknown) => isKafkaError(error) && error.code === code;
const text = (record: { readonly value: Buffer | null }): string => record.value?.toString() ?? 'null';
/** Only a cluster in this process lets a test elect an unclean leader, or see every request; it serves both runs of this suite. */
const short = { fetchMaxWaitMs: 50, autoOffsetReset: 'earliest' } as const;

interface Setting {
  readonly cluster: TestCluster;
  readonly consumer: Consumer;
  readonly warnings: string[];
}

async function withConsumer(
  options: TestClusterOptions,
  consumerOptions: ConsumerOptions,
  body: (setting: Setting) => Promise<void>,
  clientOptions: Partial<ClientOptions> = {},
): Promise<void> {
  const cluster = await TestCluster.start({ topics: { t: 1 }, ...options });
  const kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers, retryBackoffMs: 20, ...clientOptions });
  const warnings: string[] = [];
  kafka.on('warning', ({ message }) => warnings.push(message));
  try {
    const consumer = kafka.consumer({ ...short, ...consumerOptions });
    const topic = options.topics?.['t'] ?? 1;
    const partitions = typeof topic === 'number' ? topic : (topic.partitions ?? 1);
    consumer.assign(Array.from({ length: partitions }, (_, partition) => ({ topic: 't', partition })));
    await body({ cluster, consumer, warnings });
  } finally {
    await kafka.close();
    await cluster.close();
  }
}

async function append(cluster: TestCluster, partition: number, ...values: string[]): Promise<void> {
  for (const value of values) await cluster.append('t', { partition, value });
}

async function read(consumer: Consumer, count: number): Promise<string[]> {
  const values: string[] = [];
  while (values.length < count) {
    const records = await consumer.poll({ timeoutMs: 20_000, maxRecords: count - values.length });
    assert.ok(records.length > 0, `only ${values.join()} came`);
    values.push(...records.map(text));
  }
  return values;
}

describe('Consumer fetch sessions (KIP-227)', () => {
  it('names every partition once, and then only what has changed', async () => {
    await withConsumer({ topics: { t: 50 } }, {}, async ({ cluster, consumer }) => {
      for (let partition = 0; partition < 50; partition++) await append(cluster, partition, `first ${partition}`);
      await read(consumer, 50);
      assert.deepEqual(await consumer.poll({ timeoutMs: 300 }), []);
      cluster.clearRequests();
      await append(cluster, 7, 'second');
      assert.deepEqual(await read(consumer, 1), ['second']);
      await consumer.poll({ timeoutMs: 300 });
      const fetches = cluster.requests({ api: 'Fetch' });
      assert.ok(fetches.length > 0);
      for (const { message } of fetches) {
        assert.ok(message.sessionId > 0 && message.sessionEpoch > 0, 'it goes on with its session');
        const named = message.topics.reduce((sum, topic) => sum + topic.partitions.length, 0);
        assert.ok(named < 50, `${named} partitions are named`);
      }
    });
  });

  it('forgets partitions that are paused, and asks for them again', async () => {
    await withConsumer({ topics: { t: 2 } }, {}, async ({ cluster, consumer }) => {
      await append(cluster, 0, 'a');
      await append(cluster, 1, 'b');
      await read(consumer, 2);
      consumer.pause({ topic: 't', partition: 1 });
      await append(cluster, 0, 'c');
      await append(cluster, 1, 'd');
      assert.deepEqual(await read(consumer, 1), ['c']);
      assert.deepEqual(await consumer.poll({ timeoutMs: 300 }), []);
      const isForgotten = cluster
        .requests({ api: 'Fetch' })
        .some(({ message }) => message.forgottenTopicsData.length > 0);
      assert.ok(isForgotten, 'the broker was told');
      consumer.resume();
      assert.deepEqual(await read(consumer, 1), ['d']);
    });
  });

  for (const code of [
    'FETCH_SESSION_ID_NOT_FOUND',
    'INVALID_FETCH_SESSION_EPOCH',
    'FETCH_SESSION_TOPIC_ID_ERROR',
  ] as const) {
    it(`begins a new session after ${code}, without losing or repeating a record`, async () => {
      await withConsumer({}, {}, async ({ cluster, consumer }) => {
        await append(cluster, 0, 'a');
        assert.deepEqual(await read(consumer, 1), ['a']);
        using refusal = cluster.intercept(
          { api: 'Fetch', when: ({ message }) => message.sessionEpoch > 0, times: 1 },
          { answer: () => ({ errorCode: brokerErrorCodes[code], sessionId: 0, responses: [] }) },
        );
        await append(cluster, 0, 'b', 'c');
        assert.deepEqual(await read(consumer, 2), ['b', 'c']);
        assert.equal(refusal.requests.length, 1, 'the refusal');
        const last = cluster.requests({ api: 'Fetch' }).filter(({ message }) => message.sessionEpoch === 0);
        assert.ok(last.length >= 2, 'a full fetch followed');
      });
    });
  }
});

describe('Consumer near a replica (KIP-392)', () => {
  const racks: TestClusterOptions = {
    brokers: 2,
    racks: ['near', 'far'],
    topics: { t: { partitions: 1, replicationFactor: 2 } },
    configs: { 'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector' },
  };

  it('fetches from the replica in its rack, from the leader while that one is gone, and from it again when it is back', async () => {
    await withConsumer(
      racks,
      {},
      async ({ cluster, consumer }) => {
        cluster.moveLeader('t', 0, 2);
        await append(cluster, 0, 'a');
        assert.deepEqual(await read(consumer, 1), ['a']);
        await append(cluster, 0, 'b');
        assert.deepEqual(await read(consumer, 1), ['b']);
        const from = (broker: number): number => cluster.requests({ api: 'Fetch', broker }).length;
        assert.ok(from(1) > 0, 'the follower served');
        cluster.clearRequests();
        await cluster.kill(1);
        await append(cluster, 0, 'c');
        assert.deepEqual(await read(consumer, 1), ['c']);
        assert.ok(from(2) > 0, 'the leader served');
        // The leader knows before the consumer, and from then on sends no records.
        await cluster.start(1);
        cluster.clearRequests();
        await append(cluster, 0, 'd');
        assert.deepEqual(await read(consumer, 1), ['d']);
        await append(cluster, 0, 'e');
        assert.deepEqual(await read(consumer, 1), ['e']);
        assert.ok(from(1) > 0, 'the follower served again');
      },
      { clientRack: 'near' },
    );
  });

  it('asks the leader again after metadataMaxAgeMs', async () => {
    await withConsumer(
      racks,
      {},
      async ({ cluster, consumer }) => {
        cluster.moveLeader('t', 0, 2);
        await append(cluster, 0, 'a');
        assert.deepEqual(await read(consumer, 1), ['a']);
        await consumer.poll({ timeoutMs: 300 });
        cluster.clearRequests();
        await consumer.poll({ timeoutMs: 1500 });
        assert.ok(cluster.requests({ api: 'Fetch', broker: 2 }).length > 0);
      },
      { clientRack: 'near', metadataMaxAgeMs: 500 },
    );
  });

  it('asks the leader what an offset out of range at the follower means', async () => {
    await withConsumer(
      racks,
      { autoOffsetReset: 'none' },
      async ({ cluster, consumer }) => {
        cluster.moveLeader('t', 0, 2);
        await append(cluster, 0, 'a', 'b');
        consumer.seek({ topic: 't', partition: 0, offset: 0 });
        using refusal = cluster.intercept({ api: 'Fetch', broker: 1, times: 1 }, { fail: 'OFFSET_OUT_OF_RANGE' });
        assert.deepEqual(await read(consumer, 2), ['a', 'b']);
        assert.equal(refusal.requests.length, 1, 'the follower was asked');
      },
      { clientRack: 'near' },
    );
  });
});

describe('Consumer behind an unclean election (KIP-320)', () => {
  const two: TestClusterOptions = { brokers: 2, topics: { t: { partitions: 1, replicationFactor: 2 } } };

  /** Records a, b, c are read; then the log is a, x, y. */
  async function cutOff({ cluster, consumer }: Setting): Promise<void> {
    cluster.moveLeader('t', 0, 1);
    await append(cluster, 0, 'a', 'b', 'c');
    assert.deepEqual(await read(consumer, 3), ['a', 'b', 'c']);
    cluster.electUncleanLeader('t', 0, 2, { loseRecords: 2 });
    await append(cluster, 0, 'x', 'y', 'z');
    assert.equal(
      cluster.partition('t', 0).endOffset,
      4n,
      'the offset that was read is there again, in another history',
    );
  }

  it('reads on where the logs part, and says so', async () => {
    await withConsumer(two, {}, async (setting) => {
      await cutOff(setting);
      assert.deepEqual(await read(setting.consumer, 3), ['x', 'y', 'z']);
      assert.ok(
        setting.warnings.some((message) => message.includes('was cut off')),
        setting.warnings.join(),
      );
    });
  });

  it('rejects the read with LOG_TRUNCATED and the offsets where autoOffsetReset is none, until the user seeks', async () => {
    await withConsumer(two, { autoOffsetReset: 'none' }, async (setting) => {
      setting.consumer.seek({ topic: 't', partition: 0, offset: 0 });
      await cutOff(setting);
      const isTruncated = (error: unknown): boolean =>
        hasCode('LOG_TRUNCATED')(error) && /at offset 3: .*cut off at offset 1/.test((error as Error).message);
      await assert.rejects(setting.consumer.poll({ timeoutMs: 20_000 }), isTruncated);
      await assert.rejects(setting.consumer.poll({ timeoutMs: 20_000 }), hasCode('LOG_TRUNCATED'));
      setting.consumer.seek({ topic: 't', partition: 0, offset: 1 });
      assert.deepEqual(await read(setting.consumer, 3), ['x', 'y', 'z']);
    });
  });

  it('says nothing where nobody has seen what was cut off', async () => {
    await withConsumer(two, { autoOffsetReset: 'none' }, async ({ cluster, consumer, warnings }) => {
      cluster.moveLeader('t', 0, 1);
      await append(cluster, 0, 'a', 'b', 'c');
      consumer.seek({ topic: 't', partition: 0, offset: 0 });
      assert.deepEqual(await read(consumer, 1), ['a']);
      cluster.electUncleanLeader('t', 0, 2, { loseRecords: 2 });
      await append(cluster, 0, 'x', 'y');
      const isRefetched = (): boolean =>
        cluster
          .requests({ api: 'Fetch', broker: 2 })
          .some(({ message }) => message.topics.some(({ partitions }) => partitions[0]?.fetchOffset === 1n));
      await eventually(isRefetched, 'the records to be fetched again');
      assert.deepEqual(await read(consumer, 2), ['x', 'y']);
      assert.deepEqual(
        warnings.filter((message) => message.includes('LOG_TRUNCATED')),
        [],
      );
    });
  });

  it('asks no leader that has appended itself what was read', async () => {
    await withConsumer(two, {}, async ({ cluster, consumer }) => {
      await append(cluster, 0, 'a');
      await read(consumer, 1);
      assert.deepEqual(cluster.requests({ api: 'OffsetForLeaderEpoch' }), []);
      const { leader } = cluster.partition('t', 0);
      cluster.moveLeader('t', 0, leader === 1 ? 2 : 1);
      await append(cluster, 0, 'b');
      assert.deepEqual(await read(consumer, 1), ['b']);
      assert.equal(cluster.requests({ api: 'OffsetForLeaderEpoch' }).length, 1, 'and the new one once');
    });
  });
});

describe('Consumer at its end (KIP-227)', () => {
  it('has each broker forget its session, whatever long poll is under way, and waits for none that does not hear', async () => {
    const topics = { t: { partitions: 2, replicationFactor: 2 } };
    await withConsumer({ brokers: 2, topics }, { fetchMaxWaitMs: 600_000 }, async ({ cluster, consumer }) => {
      cluster.moveLeader('t', 0, 1);
      cluster.moveLeader('t', 1, 2);
      await append(cluster, 0, 'a');
      await append(cluster, 1, 'b');
      assert.deepEqual((await read(consumer, 2)).sort(), ['a', 'b']);
      const isLast = (message: { readonly sessionEpoch: number }): boolean => message.sessionEpoch === -1;
      using deaf = cluster.intercept(
        { api: 'Fetch', broker: 2, when: ({ message }) => isLast(message) },
        { delayMs: 600_000 },
      );
      await consumer.close();
      const [ended] = cluster.requests({ api: 'Fetch', broker: 1 }).filter(({ message }) => isLast(message));
      assert.ok((ended?.message.sessionId ?? 0) > 0);
      assert.deepEqual(ended?.message.topics, []);
      assert.equal(deaf.requests.length, 1);
    });
  });
});

describe('Consumer under random faults', () => {
  const seed = Number(process.env['SEED'] ?? randomInt(2 ** 31));

  it(`reads every record once and in order while leaders move, sessions end and connections drop (SEED=${seed})`, async () => {
    const chance = seededRandom(seed);
    const random = (below: number): number => Math.floor(chance() * below);
    const partitions = 4;
    const topics = { t: { partitions, replicationFactor: 3 } };
    await withConsumer({ brokers: 3, topics, seed }, { maxPollRecords: 7 }, async ({ cluster, consumer }) => {
      const written: string[][] = Array.from({ length: partitions }, () => []);
      const seen: string[][] = Array.from({ length: partitions }, () => []);
      const faults = { moves: 0, refusals: 0, drops: 0 };
      const hit = (name: 'refusals' | 'drops', limit: number) => (): boolean => {
        if (faults[name] >= limit || random(4) !== 0) return false;
        faults[name]++;
        return true;
      };
      using _refuse = cluster.intercept(
        { api: 'Fetch', when: hit('refusals', 10) },
        { fail: 'FETCH_SESSION_ID_NOT_FOUND' },
      );
      using _drop = cluster.intercept({ api: 'Fetch', when: hit('drops', 10) }, { disconnect: 'after' });
      // How many requests a round takes depends on the machine: it goes on until each fault has happened.
      const hasSeenAll = (): boolean => faults.moves > 0 && faults.refusals > 0 && faults.drops > 0;
      for (let round = 0; round < 30 || (round < 2000 && !hasSeenAll()); round++) {
        const partition = random(partitions);
        const values = Array.from({ length: 1 + random(20) }, (_, index) => `${round}.${index}`);
        await cluster.append(
          't',
          values.map((value) => ({ partition, value })),
        );
        written[partition]?.push(...values);
        if (random(3) === 0) {
          cluster.moveLeader('t', random(partitions), 1 + random(3));
          faults.moves++;
        }
        for (const record of await consumer.poll({ timeoutMs: 20 })) seen[record.partition]?.push(text(record));
      }
      const total = written.flat().length;
      const deadline = performance.now() + 60_000;
      while (seen.flat().length < total && performance.now() < deadline)
        for (const record of await consumer.poll({ timeoutMs: 1000 })) seen[record.partition]?.push(text(record));
      assert.deepEqual(seen, written);
      assert.ok(hasSeenAll(), JSON.stringify(faults));
    });
  });
});
