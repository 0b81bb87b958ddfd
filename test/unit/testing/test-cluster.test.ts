import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { Kafka } from '../../../src/index.ts';
import { TestClock, TestCluster } from '../../../src/testing/index.ts';
import { connectTo, startCluster } from './under-test.ts';

describe('TestCluster.start', () => {
  it('gives each broker a port of its own and spreads leaders', async (test) => {
    const cluster = await startCluster(test, { brokers: 3, topics: { orders: 6 }, racks: ['a', 'b', 'c'] });
    assert.equal(new Set(cluster.brokers.map(({ port }) => port)).size, 3);
    assert.deepEqual(
      cluster.brokers.map(({ id, rack, state, isFenced, isController }) => [id, rack, state, isFenced, isController]),
      [
        [1, 'a', 'running', false, true],
        [2, 'b', 'running', false, false],
        [3, 'c', 'running', false, false],
      ],
    );
    const leaders = [0, 1, 2, 3, 4, 5].map((partition) => cluster.partition('orders', partition).leader);
    assert.deepEqual([...leaders].sort(), [1, 1, 2, 2, 3, 3]);
    assert.deepEqual([...cluster.partition('orders', 0).isr].sort(), [1, 2, 3]);
    for (const { id } of cluster.brokers) await connectTo(test, cluster, id);
  });

  it('repeats a run by its seed', async (test) => {
    const layout = async (seed: number): Promise<unknown> => {
      const cluster = await startCluster(test, { brokers: 5, topics: { orders: 8 }, seed });
      assert.equal(cluster.seed, seed);
      return Array.from({ length: 8 }, (_, partition) => cluster.partition('orders', partition).replicas);
    };
    assert.deepEqual(await layout(7), await layout(7));
    const others = await Promise.all([1, 2, 3, 4, 5, 6].map(layout));
    assert.ok(new Set(others.map((other) => JSON.stringify(other))).size > 1, 'the seed changes nothing');
  });

  it('refuses options that do not exist or cannot be, with the nearest name', async () => {
    await assert.rejects(TestCluster.start({ broker: 3 } as object), {
      code: 'UNKNOWN_OPTION',
      message: /did you mean brokers\?/,
    });
    await assert.rejects(TestCluster.start({ brokers: 0 }), { code: 'INVALID_OPTION' });
    await assert.rejects(TestCluster.start({ topics: { orders: 0 } }), {
      code: 'INVALID_OPTION',
    });
    await assert.rejects(TestCluster.start({ topics: { orders: { partition: 1 } as object } }), {
      code: 'UNKNOWN_OPTION',
      message: /topic "orders".*did you mean partitions\?/,
    });
    await assert.rejects(TestCluster.start({ topics: { orders: { replicationFactor: 2 } } }), {
      code: 'INVALID_ARGUMENT',
      message: 'Cannot create topic "orders" with 2 replicas: there are 1 brokers',
    });
  });

  it('says which port is taken, and leaves nothing open', async (test) => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    test.after(() => other.close());
    const { port } = other.address() as AddressInfo;
    await assert.rejects(TestCluster.start({ brokers: 2, ports: [0, port] }), {
      code: 'INVALID_OPTION',
      message: `Cannot listen on 127.0.0.1:${port}: another program listens there; choose another port, or 0 for a free one`,
    });
  });
});

describe('TestCluster.close', () => {
  it('ends connections and timers, also those of brokers that were stopped or killed', async (test) => {
    const clock = new TestClock();
    const cluster = await startCluster(test, { brokers: 3, clock });
    await cluster.stop(1);
    await cluster.kill(2);
    assert.ok(clock.pendingTimers > 0, 'the session of the broker that was killed runs');
    await cluster.close();
    await cluster.close();
    assert.equal(clock.pendingTimers, 0);
  });
});

describe('TestCluster topics', () => {
  it('are made and deleted', async (test) => {
    const cluster = await startCluster(test, { brokers: 2 });
    cluster.createTopic('orders', 3);
    cluster.createTopic('payments', { replicationFactor: 1, configs: { 'retention.ms': '1000' } });
    assert.deepEqual(cluster.topics, ['orders', 'payments']);
    assert.equal(cluster.partition('payments', 0).replicas.length, 1);
    cluster.deleteTopic('orders');
    assert.deepEqual(cluster.topics, ['payments']);
    assert.throws(() => cluster.createTopic('payments'), { message: /there is one already/ });
    assert.throws(() => cluster.createTopic('a b'), { message: /only ASCII letters/ });
    assert.throws(() => cluster.deleteTopic('orders'), {
      message: 'Cannot find topic "orders": there are payments',
    });
    assert.throws(() => cluster.partition('payments', 1), {
      message: 'Cannot find partition 1 of topic "payments": it has 1',
    });
  });
});

describe('TestCluster.append and records', () => {
  for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
    it(`keep key, value, headers and time with compression ${compression}`, async (test) => {
      const cluster = await startCluster(test, { topics: { orders: 1 } });
      const headers = { source: 'wëb', many: ['1', null, Buffer.from('3')] };
      const places = await cluster.append(
        'orders',
        [
          { key: 'k', value: 'v'.repeat(200), headers, timestamp: 1_600_000_000_000 },
          { key: Buffer.from([0, 255]), value: null, headers: [['a', 'x']] },
        ],
        { compression },
      );
      assert.deepEqual(places, [
        { partition: 0, offset: 0n },
        { partition: 0, offset: 1n },
      ]);
      const [one, two] = await cluster.records('orders');
      assert.deepEqual(
        [one?.topic, one?.partition, one?.offset, one?.timestamp, one?.key?.toString(), one?.value?.toString()],
        ['orders', 0, 0n, 1_600_000_000_000, 'k', 'v'.repeat(200)],
      );
      const texts = [...(one?.headers ?? [])].map(([name, value]) => [name, value?.toString() ?? null]);
      assert.deepEqual(texts, [
        ['source', 'wëb'],
        ['many', '1'],
        ['many', null],
        ['many', '3'],
      ]);
      assert.deepEqual([two?.offset, two?.value, two?.headers.getString('a')], [1n, null, 'x']);
      assert.deepEqual(two?.key, Buffer.from([0, 255]));
    });
  }

  it('put a key where Java puts it, and records without one in turn', async (test) => {
    const cluster = await startCluster(test, { topics: { orders: 3 } });
    const places = await cluster.append('orders', [{ value: 'a' }, { value: 'b' }, { value: 'c' }, { key: 'k' }]);
    assert.deepEqual(
      places.map(({ partition }) => partition),
      [0, 1, 2, 2],
    );
    assert.equal((await cluster.records('orders', { partition: 2 })).length, 2);
    await cluster.append('orders', { partition: 1, value: 'here' });
    assert.equal((await cluster.records('orders', { partition: 1 })).at(-1)?.value?.toString(), 'here');
    await assert.rejects(cluster.append('orders', { partition: 3 }), { message: /partition 3 of topic "orders"/ });
    await assert.rejects(cluster.append('nothing', []), { code: 'INVALID_ARGUMENT' });
  });

  it('take their time from the clock', async (test) => {
    const clock = new TestClock(5_000);
    const cluster = await startCluster(test, { topics: { orders: 1 }, clock });
    await clock.advance(250);
    await cluster.append('orders', { value: 'a' });
    assert.equal((await cluster.records('orders'))[0]?.timestamp, 5_250);
  });

  it('read a long log whole', async (test) => {
    const cluster = await startCluster(test, { topics: { orders: 1 } });
    for (let batch = 0; batch < 6; batch++)
      await cluster.append(
        'orders',
        Array.from({ length: 5 }, (_, index) => ({ key: `${batch * 5 + index}`, value: Buffer.alloc(100_000) })),
      );
    const records = await cluster.records('orders');
    assert.deepEqual(
      records.map(({ key }) => Number(key?.toString())),
      Array.from({ length: 30 }, (_, index) => index),
    );
  });

  it('say what the topic did not take', async (test) => {
    const topics = { orders: { configs: { 'max.message.bytes': '1000' } } };
    const cluster = await startCluster(test, { topics });
    await assert.rejects(cluster.append('orders', { value: Buffer.alloc(2000) }), { code: 'MESSAGE_TOO_LARGE' });
  });
});

describe('TestCluster.records', () => {
  it('leaves out markers, and for readers of committed records what was aborted or has not ended', async (test) => {
    const cluster = await startCluster(test, { topics: { orders: 1 } });
    const kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
    const producer = kafka.producer({ transactionalId: 'billing' });
    await producer.transaction((tx) => tx.send({ topic: 'orders', value: 'committed' }));
    const giveUp = new Error('given up');
    await assert.rejects(
      producer.transaction(async (tx) => {
        await tx.send({ topic: 'orders', value: 'aborted' });
        throw giveUp;
      }),
      giveUp,
    );
    const open = await producer.beginTransaction();
    await open.send({ topic: 'orders', value: 'open' });
    const values = async (isolationLevel: 'read_committed' | 'read_uncommitted'): Promise<unknown> =>
      (await cluster.records('orders', { isolationLevel })).map(({ value }) => value?.toString());
    assert.deepEqual(await values('read_uncommitted'), ['committed', 'aborted', 'open']);
    assert.deepEqual(await values('read_committed'), ['committed']);
    await open.commit();
    assert.deepEqual(await values('read_committed'), ['committed', 'open']);
    await kafka.close();
  });
});

describe('TestCluster.waitForRecords', () => {
  it('resolves with the records when there are enough', async (test) => {
    const cluster = await startCluster(test, { topics: { orders: 1 } });
    const waiting = cluster.waitForRecords('orders', { count: 2 });
    await cluster.append('orders', { value: 'a' });
    await cluster.append('orders', { value: 'b' });
    assert.equal((await waiting).length, 2);
  });

  it('says what it saw when time is over, and ends with its signal', async (test) => {
    const cluster = await startCluster(test, { topics: { orders: 1 } });
    await cluster.append('orders', { value: 'a' });
    await assert.rejects(cluster.waitForRecords('orders', { count: 2, timeoutMs: 20 }), {
      code: 'OPERATION_TIMEOUT',
      message: 'Cannot wait for 2 records in topic "orders": it did not happen within 20 ms; seen last: 1 records',
    });
    const reason = new Error('enough');
    await assert.rejects(cluster.waitForRecords('orders', { count: 2, signal: AbortSignal.abort(reason) }), reason);
  });
});
