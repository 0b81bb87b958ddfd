import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApiVersions } from '../../../../src/protocol/generated/api-versions.ts';
import { Metadata } from '../../../../src/protocol/generated/metadata.ts';
import { Produce } from '../../../../src/protocol/generated/produce.ts';
import { TestClock } from '../../../../src/testing/index.ts';
import { connectTo, produce, produceRequest, startCluster } from '../under-test.ts';

describe('TestCluster.requests', () => {
  it('tells request, answer, version, client, broker and time', async (test) => {
    const clock = new TestClock(1000);
    const cluster = await startCluster(test, { brokers: 2, topics: { orders: 1 }, clock });
    const connection = await connectTo(test, cluster, 2);
    await clock.advance(5);
    await connection.send(Metadata, 9, { topics: [{ name: 'orders' }] }, 'service');
    const [logged, ...others] = cluster.requests({ api: 'Metadata' });
    assert.ok(logged !== undefined && others.length === 0);
    assert.deepEqual(
      [logged.api, logged.version, logged.brokerId, logged.clientId, logged.timeMs, logged.outcome],
      ['Metadata', 9, 2, 'service', 1005, 'answered'],
    );
    assert.equal(logged.message.topics?.[0]?.name, 'orders');
    // As a client reads it: what the handler left out has its default.
    assert.deepEqual([logged.answer?.topics[0]?.name, logged.answer?.throttleTimeMs], ['orders', 0]);
  });

  it('finds by API, broker, client and condition, and forgets on demand', async (test) => {
    const cluster = await startCluster(test, { brokers: 2, topics: { orders: 1 } });
    const one = await connectTo(test, cluster, 1);
    const two = await connectTo(test, cluster, 2);
    await one.send(ApiVersions, 0, {}, 'a');
    await two.send(ApiVersions, 3, {}, 'b');
    await two.send(Metadata, 9, { topics: null }, 'b');
    const count = (filter: Parameters<typeof cluster.requests>[0]): number => cluster.requests(filter).length;
    assert.deepEqual(
      [count({}), count({ api: 'ApiVersions' }), count({ api: ApiVersions, broker: 1 }), count({ clientId: 'b' })],
      [3, 2, 1, 2],
    );
    assert.equal(count({ when: ({ version }) => version > 0 }), 2);
    cluster.clearRequests();
    assert.equal(count({}), 0);
    await assert.rejects(cluster.waitForRequest({ api: 'Metadata' }, { timeoutMs: 10 }), {
      message: 'Cannot wait for Metadata requests: it did not happen within 10 ms; seen last: 0 other requests',
    });
    const waiting = cluster.waitForRequest({ api: 'Metadata' });
    await one.send(Metadata, 9, { topics: null }, 'c');
    assert.equal((await waiting).clientId, 'c');
  });

  it('keeps within its memory, and lets the oldest go', async (test) => {
    const cluster = await startCluster(test, { topics: { orders: 1 }, requestLogBytes: 300_000 });
    const connection = await connectTo(test, cluster);
    for (let count = 0; count < 10; count++) await produce(connection, 'orders', `${count}`.repeat(100_000));
    const sizes = cluster.requests({ api: 'Produce' }).map(({ message }) => {
      return message.topicData[0]?.partitionData[0]?.records?.toString('latin1').at(-2);
    });
    assert.deepEqual(sizes, ['8', '9']);
  });

  it('keeps nothing where it may take no memory', async (test) => {
    const cluster = await startCluster(test, { requestLogBytes: 0 });
    await (await connectTo(test, cluster)).send(ApiVersions, 0, {});
    assert.deepEqual(cluster.requests(), []);
  });

  it('tells requests that were not answered', async (test) => {
    const cluster = await startCluster(test, { topics: { orders: 1 } });
    const connection = await connectTo(test, cluster);
    const held = cluster.intercept({ api: 'Metadata' }, { hold: 'before' });
    void connection.send(Produce, 9, produceRequest('orders', 'a', 0)).catch(() => undefined);
    void connection.send(Metadata, 9, { topics: null }).catch(() => undefined);
    await held.caught();
    assert.deepEqual(
      cluster.requests().map(({ api, outcome, answer }) => [api, outcome, answer]),
      [
        ['Produce', 'unanswered', undefined],
        ['Metadata', 'waiting', undefined],
      ],
    );
  });
});
