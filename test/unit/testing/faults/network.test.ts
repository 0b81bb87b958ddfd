import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brokerErrorCodes } from '../../../../src/errors/broker-error-codes.ts';
import { Metadata } from '../../../../src/protocol/generated/metadata.ts';
import { Produce } from '../../../../src/protocol/generated/produce.ts';
import { TestClock } from '../../../../src/testing/index.ts';
import { connectTo, errorOf, isPending, produceRequest, startCluster } from '../under-test.ts';

describe('TestCluster.splitNetwork', () => {
  it('loses what clients and brokers of different sides send, and only that', async (test) => {
    const cluster = await startCluster(test, { brokers: 3 });
    cluster.splitNetwork([1, 'here'], [2, 3, 'there']);
    const ask = async (broker: number, client: string): Promise<Promise<unknown>> =>
      (await connectTo(test, cluster, broker)).send(Metadata, 9, { topics: null }, client).catch(() => 'lost');
    assert.ok(await isPending(ask(2, 'here')));
    assert.ok(await isPending(ask(1, 'there')));
    await ask(1, 'here');
    await ask(3, 'there');
    await ask(1, 'anywhere');
    await ask(2, 'anywhere');
    cluster.healNetwork();
    await ask(2, 'here');
  });

  it('loses answers that were under way', async (test) => {
    const cluster = await startCluster(test, { brokers: 1, topics: { orders: 1 } });
    const connection = await connectTo(test, cluster);
    const held = cluster.intercept({ api: 'Produce' }, { hold: 'after' });
    const answer = connection.send(Produce, 9, produceRequest('orders', 'a'), 'service').catch(() => 'lost');
    await held.caught();
    cluster.splitNetwork([1], ['service']);
    held.release();
    await cluster.waitForRecords('orders', { count: 1 });
    assert.ok(await isPending(answer));
    assert.equal((await cluster.waitForRequest({ api: 'Produce', when: () => true })).clientId, 'service');
  });

  it('lets the majority fence the others after the session timeout, and take them back', async (test) => {
    const clock = new TestClock();
    const cluster = await startCluster(test, { brokers: 3, topics: { orders: 1 }, clock });
    const { leader } = cluster.partition('orders', 0);
    const others = [1, 2, 3].filter((id) => id !== leader);
    cluster.splitNetwork([leader, 'old'], [...others, 'new']);

    // The old leader does not know yet that it is alone.
    const alone = await connectTo(test, cluster, leader);
    const late = alone.send(Produce, 9, produceRequest('orders', 'lost'), 'old');
    assert.ok(await isPending(late));
    await clock.advance(1000);
    assert.equal(errorOf(await late), brokerErrorCodes.REQUEST_TIMED_OUT);
    assert.equal(errorOf(await alone.send(Produce, 9, produceRequest('orders', 'acks 1', 1), 'old')), 0);

    await clock.advance(8_000);
    const next = cluster.partition('orders', 0).leader;
    assert.ok(others.includes(next));
    const majority = await connectTo(test, cluster, next);
    assert.equal(errorOf(await majority.send(Produce, 9, produceRequest('orders', 'new'), 'new')), 0);
    const stale = await alone.send(Produce, 9, produceRequest('orders', 'x'), 'old');
    assert.equal(errorOf(stale), brokerErrorCodes.NOT_LEADER_OR_FOLLOWER);

    cluster.healNetwork();
    assert.deepEqual([...cluster.partition('orders', 0).isr].sort(), [1, 2, 3]);
    assert.ok(cluster.brokers.every(({ isFenced }) => !isFenced));
  });

  it('leaves everybody a broker where no side has a majority', async (test) => {
    const clock = new TestClock();
    const cluster = await startCluster(test, { brokers: 2, clock });
    cluster.splitNetwork([1], [2]);
    await clock.advance(60_000);
    assert.ok(cluster.brokers.every(({ isFenced }) => !isFenced));
  });

  it('heals before anybody notices', async (test) => {
    const clock = new TestClock();
    const cluster = await startCluster(test, { brokers: 3, topics: { orders: 1 }, clock });
    cluster.splitNetwork([1], [2, 3]);
    await clock.advance(8_999);
    cluster.healNetwork();
    await clock.advance(60_000);
    assert.equal(cluster.partition('orders', 0).leaderEpoch, 0);
  });

  it('refuses sides that cannot be', async (test) => {
    const cluster = await startCluster(test);
    assert.throws(() => cluster.splitNetwork([1], [2]), { code: 'INVALID_ARGUMENT' });
    assert.throws(() => cluster.splitNetwork([1, 'a'], ['a']), { message: /"a" is on two sides/ });
  });
});

describe('TestCluster.throttle', () => {
  it('answers at once and then reads nothing for as long as it said (KIP-219)', async (test) => {
    const clock = new TestClock();
    const cluster = await startCluster(test, { clock });
    const connection = await connectTo(test, cluster);
    cluster.throttle('slow', 500);
    const first = await connection.send(Metadata, 9, { topics: null }, 'slow');
    assert.equal(first.throttleTimeMs, 500);
    const second = connection.send(Metadata, 9, { topics: null }, 'slow');
    assert.ok(await isPending(second));
    assert.equal(cluster.requests({ api: 'Metadata' }).length, 1, 'the request was read while the connection is muted');
    const other = await connectTo(test, cluster);
    assert.equal((await other.send(Metadata, 9, { topics: null }, 'fast')).throttleTimeMs, 0);
    cluster.throttle('slow', 0);
    await clock.advance(500);
    assert.equal((await second).throttleTimeMs, 0);
    for (const ms of [-1, 0.5]) assert.throws(() => cluster.throttle('slow', ms), { code: 'INVALID_ARGUMENT' });
  });
});
