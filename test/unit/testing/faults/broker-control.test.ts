import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { brokerErrorCodes } from '../../../../src/errors/broker-error-codes.ts';
import { Metadata } from '../../../../src/protocol/generated/metadata.ts';
import { TestClock, type TestCluster } from '../../../../src/testing/index.ts';
import { connectTo, errorOf, isPending, produce, startCluster } from '../under-test.ts';

/** A cluster of three where broker 1 leads the only partition of "orders" and 2 is next. */
const threeBrokers = { brokers: 3, topics: { orders: { configs: {} } } } as const;

function leaderOf(cluster: TestCluster): number {
  return cluster.partition('orders', 0).leader;
}

function portOf(cluster: TestCluster, id: number): number {
  return cluster.brokers.find((broker) => broker.id === id)?.port ?? 0;
}

/** Connects as a bare TCP client and says what came of it. */
function probe(port: number): Promise<'connected' | 'refused'> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (outcome: 'connected' | 'refused'): void => {
      socket.destroy();
      resolve(outcome);
    };
    socket.once('connect', () => end('connected')).once('error', () => end('refused'));
  });
}

describe('TestCluster.stop', () => {
  it('hands over leaders and controller before the connections end, and refuses new ones', async (test) => {
    const clock = new TestClock();
    const cluster = await startCluster(test, { ...threeBrokers, clock });
    const leader = leaderOf(cluster);
    const before = cluster.partition('orders', 0);
    const connection = await connectTo(test, cluster, leader);
    await cluster.stop(leader);
    const after = cluster.partition('orders', 0);
    assert.equal(after.leader, before.replicas[1]);
    assert.equal(after.leaderEpoch, before.leaderEpoch + 1);
    assert.deepEqual(
      after.isr,
      before.isr.filter((id) => id !== leader),
    );
    await assert.rejects(connection.send(Metadata, 9, { topics: null }));
    assert.equal(await probe(portOf(cluster, leader)), 'refused');
    const other = await connectTo(test, cluster, after.leader);
    const metadata = await other.send(Metadata, 9, { topics: null });
    assert.deepEqual(
      metadata.brokers.map(({ nodeId }) => nodeId),
      [1, 2, 3].filter((id) => id !== leader),
    );
    assert.deepEqual(metadata.topics[0]?.partitions[0]?.offlineReplicas, [leader]);
  });

  it('moves the controller', async (test) => {
    const cluster = await startCluster(test, threeBrokers);
    assert.equal(cluster.controllerId, 1);
    await cluster.stop(1);
    assert.equal(cluster.controllerId, 2);
    await cluster.stop(3);
    assert.equal(cluster.controllerId, 2);
    await cluster.start(1);
    assert.equal(cluster.controllerId, 2);
    await cluster.stop(2);
    assert.equal(cluster.controllerId, 1);
  });

  it('leaves a partition without a leader when the last in-sync replica goes, until that one comes back', async (test) => {
    const cluster = await startCluster(test, threeBrokers);
    const { replicas } = cluster.partition('orders', 0);
    const [first = 0, second = 0, third = 0] = replicas;
    await cluster.append('orders', { value: 'a' });
    for (const id of replicas) await cluster.stop(id);
    assert.deepEqual([leaderOf(cluster), cluster.partition('orders', 0).isr], [-1, [third]]);
    await cluster.start(first);
    assert.equal(leaderOf(cluster), -1, 'not in sync');
    await cluster.start(third);
    assert.equal(leaderOf(cluster), third);
    await cluster.start(second);
    assert.deepEqual([...cluster.partition('orders', 0).isr].sort(), [1, 2, 3]);
    assert.equal((await cluster.records('orders')).length, 1);
  });
});

describe('TestCluster.start', () => {
  it('brings a broker back at its port, in sync, and not as leader', async (test) => {
    const cluster = await startCluster(test, threeBrokers);
    const leader = leaderOf(cluster);
    const port = portOf(cluster, leader);
    await cluster.stop(leader);
    const next = leaderOf(cluster);
    await cluster.start(leader);
    assert.equal(portOf(cluster, leader), port);
    assert.equal(await probe(port), 'connected');
    assert.deepEqual([...cluster.partition('orders', 0).isr].sort(), [1, 2, 3]);
    assert.equal(leaderOf(cluster), next);
    const stale = await produce(await connectTo(test, cluster, leader), 'orders', 'a');
    assert.equal(errorOf(stale), brokerErrorCodes.NOT_LEADER_OR_FOLLOWER);
  });

  it('refuses what makes no sense', async (test) => {
    const cluster = await startCluster(test, threeBrokers);
    await assert.rejects(cluster.start(1), { code: 'INVALID_STATE', message: 'Cannot start broker 1: it is running' });
    await assert.rejects(cluster.stop(4), {
      code: 'INVALID_ARGUMENT',
      message: 'Cannot find broker 4: there are 1, 2, 3',
    });
    assert.throws(() => cluster.unpause(1), { code: 'INVALID_STATE' });
    await cluster.kill(1);
    await assert.rejects(cluster.kill(1), { message: 'Cannot kill broker 1: it is stopped' });
    assert.throws(() => cluster.pause(1), { code: 'INVALID_STATE' });
  });
});

describe('TestCluster.kill', () => {
  it('is noticed after the session timeout on the clock', async (test) => {
    const clock = new TestClock();
    const cluster = await startCluster(test, { ...threeBrokers, clock });
    const leader = leaderOf(cluster);
    await cluster.kill(leader);
    assert.equal(await probe(portOf(cluster, leader)), 'refused');
    await clock.advance(8_999);
    assert.equal(leaderOf(cluster), leader);
    await clock.advance(1);
    assert.notEqual(leaderOf(cluster), leader);
    assert.equal(cluster.partition('orders', 0).leaderEpoch, 1);
    assert.equal(cluster.brokers.find(({ id }) => id === leader)?.isFenced, true);
  });

  it('is noticed at once where the test says so, or when the broker comes back', async (test) => {
    const clock = new TestClock();
    const cluster = await startCluster(test, { ...threeBrokers, clock });
    const first = leaderOf(cluster);
    await cluster.kill(first);
    cluster.fence(first);
    const second = leaderOf(cluster);
    assert.notEqual(second, first);
    await cluster.kill(second);
    await cluster.start(second);
    assert.notEqual(leaderOf(cluster), second);
    assert.ok(cluster.partition('orders', 0).isr.includes(second));
    await clock.advance(60_000);
    assert.ok(cluster.partition('orders', 0).isr.includes(second), 'fenced by the session of its last life');
  });

  it('heeds the session timeout of the options', async (test) => {
    const clock = new TestClock();
    const configs = { 'broker.session.timeout.ms': '100' };
    const cluster = await startCluster(test, { ...threeBrokers, clock, configs });
    const leader = leaderOf(cluster);
    await cluster.kill(leader);
    await clock.advance(100);
    assert.notEqual(leaderOf(cluster), leader);
  });
});

describe('TestCluster.pause', () => {
  it('accepts and answers nothing, and is fenced after the session timeout', async (test) => {
    const clock = new TestClock();
    const cluster = await startCluster(test, { ...threeBrokers, clock });
    const leader = leaderOf(cluster);
    const before = await connectTo(test, cluster, leader);
    cluster.pause(leader);
    const after = await connectTo(test, cluster, leader);
    const answers = [produce(before, 'orders', 'a'), produce(after, 'orders', 'b')];
    for (const answer of answers) assert.ok(await isPending(answer));
    assert.equal(leaderOf(cluster), leader);
    await clock.advance(9_000);
    assert.notEqual(leaderOf(cluster), leader);
    cluster.unpause(leader);
    const errors = (await Promise.all(answers)).map(errorOf);
    assert.deepEqual(errors, Array(2).fill(brokerErrorCodes.NOT_LEADER_OR_FOLLOWER));
    assert.equal((await cluster.records('orders')).length, 0);
    assert.ok(cluster.partition('orders', 0).isr.includes(leader));
  });

  it('is not noticed if it ends in time', async (test) => {
    const clock = new TestClock();
    const cluster = await startCluster(test, { ...threeBrokers, clock });
    const leader = leaderOf(cluster);
    cluster.pause(leader);
    const answer = produce(await connectTo(test, cluster, leader), 'orders', 'a');
    await clock.advance(8_000);
    assert.ok(await isPending(answer));
    cluster.unpause(leader);
    assert.equal(errorOf(await answer), 0);
    await clock.advance(60_000);
    assert.deepEqual([leaderOf(cluster), cluster.partition('orders', 0).leaderEpoch], [leader, 0]);
  });

  it('keeps answers back that were under way', async (test) => {
    const cluster = await startCluster(test, threeBrokers);
    const leader = leaderOf(cluster);
    const connection = await connectTo(test, cluster, leader);
    const held = cluster.intercept({ api: 'Produce', times: 1 }, { hold: 'after' });
    const answer = produce(connection, 'orders', 'a');
    await held.caught();
    cluster.pause(leader);
    held.release();
    assert.ok(await isPending(answer));
    cluster.unpause(leader);
    assert.equal(errorOf(await answer), 0);
  });

  it('can end by a stop', async (test) => {
    const cluster = await startCluster(test, threeBrokers);
    const leader = leaderOf(cluster);
    cluster.pause(leader);
    const answer = produce(await connectTo(test, cluster, leader), 'orders', 'a');
    assert.ok(await isPending(answer));
    await cluster.stop(leader);
    await assert.rejects(answer);
    await cluster.start(leader);
    assert.equal(cluster.brokers.find(({ id }) => id === leader)?.state, 'running');
  });
});

describe('TestCluster.restore', () => {
  it('ends all faults', async (test) => {
    const cluster = await startCluster(test, threeBrokers);
    const fault = cluster.intercept({ api: 'Metadata' }, { drop: 'before' });
    await cluster.stop(1);
    cluster.pause(2);
    cluster.fence(3);
    cluster.throttle('raw', 1000);
    cluster.splitNetwork([1], [2, 'raw']);
    await cluster.restore();
    assert.equal(fault.isActive, false);
    for (const { id, state, isFenced } of cluster.brokers) {
      assert.deepEqual([state, isFenced], ['running', false]);
      const answer = await (await connectTo(test, cluster, id)).send(Metadata, 9, { topics: null });
      assert.deepEqual([answer.brokers.length, answer.throttleTimeMs], [3, 0]);
    }
    assert.deepEqual([...cluster.partition('orders', 0).isr].sort(), [1, 2, 3]);
    assert.notEqual(leaderOf(cluster), -1);
  });
});
