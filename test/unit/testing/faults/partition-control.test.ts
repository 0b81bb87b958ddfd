import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brokerErrorCodes } from '../../../../src/errors/broker-error-codes.ts';
import { FindCoordinator } from '../../../../src/protocol/generated/find-coordinator.ts';
import { ListOffsets } from '../../../../src/protocol/generated/list-offsets.ts';
import { connectTo, errorOf, produce, startCluster } from '../under-test.ts';

describe('TestCluster.moveLeader', () => {
  it('raises the epochs, and the old leader answers NOT_LEADER_OR_FOLLOWER', async (test) => {
    const cluster = await startCluster(test, { brokers: 3, topics: { orders: 1 } });
    const { replicas } = cluster.partition('orders', 0);
    const [old = 0, next = 0] = replicas;
    cluster.moveLeader('orders', 0, next);
    assert.deepEqual([cluster.partition('orders', 0).leader, cluster.partition('orders', 0).leaderEpoch], [next, 1]);
    const refused = await produce(await connectTo(test, cluster, old), 'orders', 'a');
    assert.equal(errorOf(refused), brokerErrorCodes.NOT_LEADER_OR_FOLLOWER);
    assert.equal(errorOf(await produce(await connectTo(test, cluster, next), 'orders', 'a')), 0);
    cluster.moveLeader('orders', 0, next);
    assert.equal(cluster.partition('orders', 0).leaderEpoch, 1, 'nothing changed');
  });

  it('refuses whoever cannot lead', async (test) => {
    const cluster = await startCluster(test, { brokers: 4, topics: { orders: { replicationFactor: 2 } } });
    const { leader, replicas } = cluster.partition('orders', 0);
    const stranger = [1, 2, 3, 4].find((id) => !replicas.includes(id)) ?? 0;
    const follower = replicas.find((id) => id !== leader) ?? 0;
    assert.throws(() => cluster.moveLeader('orders', 0, stranger), { message: /it has no replica; replicas are on/ });
    cluster.shrinkIsr('orders', 0, [leader]);
    assert.throws(() => cluster.moveLeader('orders', 0, follower), {
      message: /it is not in sync.*electUncleanLeader/,
    });
    cluster.expandIsr('orders', 0);
    await cluster.stop(follower);
    assert.throws(() => cluster.moveLeader('orders', 0, follower), { message: /it does not run/ });
  });
});

describe('TestCluster.moveCoordinator', () => {
  it('makes FindCoordinator name another broker', async (test) => {
    const cluster = await startCluster(test, { brokers: 3 });
    const connection = await connectTo(test, cluster);
    for (const [type, keyType] of [
      ['group', 0],
      ['transaction', 1],
    ] as const) {
      const old = cluster.coordinator(type, 'billing') ?? 0;
      const next = (old % 3) + 1;
      cluster.moveCoordinator(type, 'billing', next);
      const answer = await connection.send(FindCoordinator, 4, { keyType, coordinatorKeys: ['billing'] });
      assert.equal(answer.coordinators[0]?.nodeId, next);
      assert.equal(cluster.coordinator(type, 'billing'), next);
    }
  });
});

describe('TestCluster.shrinkIsr', () => {
  it('leaves too few in sync for acks all and min.insync.replicas, until it is expanded', async (test) => {
    const topics = { orders: { configs: { 'min.insync.replicas': '2' } } };
    const cluster = await startCluster(test, { brokers: 3, topics });
    const { leader, isr } = cluster.partition('orders', 0);
    const connection = await connectTo(test, cluster, leader);
    assert.equal(errorOf(await produce(connection, 'orders', 'a')), 0);
    cluster.shrinkIsr('orders', 0, [leader]);
    assert.deepEqual([cluster.partition('orders', 0).isr, cluster.partition('orders', 0).leaderEpoch], [[leader], 0]);
    assert.equal(errorOf(await produce(connection, 'orders', 'b')), brokerErrorCodes.NOT_ENOUGH_REPLICAS);
    cluster.expandIsr('orders', 0);
    assert.deepEqual([...cluster.partition('orders', 0).isr].sort(), [...isr].sort());
    assert.equal(errorOf(await produce(connection, 'orders', 'c')), 0);
  });

  it('refuses to leave out the leader, or everybody', async (test) => {
    const cluster = await startCluster(test, { brokers: 3, topics: { orders: 1 } });
    const { leader, isr } = cluster.partition('orders', 0);
    const follower = isr.find((id) => id !== leader) ?? 0;
    assert.throws(() => cluster.shrinkIsr('orders', 0, [follower]), { message: /is always in sync/ });
    assert.throws(() => cluster.shrinkIsr('orders', 0, []), { code: 'INVALID_ARGUMENT' });
    assert.throws(() => cluster.shrinkIsr('orders', 0, [leader, 9]), { message: /in sync are/ });
  });
});

describe('TestCluster.electUncleanLeader', () => {
  it('loses what the replica had not copied when it left the in-sync set', async (test) => {
    const cluster = await startCluster(test, { brokers: 2, topics: { orders: 1 } });
    const { leader, replicas } = cluster.partition('orders', 0);
    const lagging = replicas.find((id) => id !== leader) ?? 0;
    await cluster.append('orders', { value: 'copied' });
    cluster.shrinkIsr('orders', 0, [leader]);
    await cluster.append('orders', [{ value: 'lost' }, { value: 'lost too' }]);
    await cluster.kill(leader);
    cluster.fence(leader);
    assert.equal(cluster.partition('orders', 0).leader, -1);
    cluster.electUncleanLeader('orders', 0, lagging);
    const after = cluster.partition('orders', 0);
    assert.deepEqual([after.leader, after.isr, after.endOffset, after.highWatermark], [lagging, [lagging], 1n, 1n]);
    await cluster.append('orders', { value: 'new' });
    await cluster.start(leader);
    assert.equal(cluster.partition('orders', 0).isr.length, 2);
    const values = (await cluster.records('orders')).map(({ value }) => value?.toString());
    assert.deepEqual(values, ['copied', 'new']);
  });

  it('loses as many records as it is told, and a new epoch tells where', async (test) => {
    const cluster = await startCluster(test, { brokers: 2, topics: { orders: 1 } });
    const { leader, replicas } = cluster.partition('orders', 0);
    const next = replicas.find((id) => id !== leader) ?? 0;
    for (const value of ['a', 'b', 'c']) await cluster.append('orders', { value });
    cluster.electUncleanLeader('orders', 0, next, { loseRecords: 2 });
    assert.equal(cluster.partition('orders', 0).endOffset, 1n);
    const connection = await connectTo(test, cluster, next);
    const partitions = [{ partitionIndex: 0, currentLeaderEpoch: 1, timestamp: -1n }];
    const answer = await connection.send(ListOffsets, 5, { replicaId: -1, topics: [{ name: 'orders', partitions }] });
    const end = answer.topics[0]?.partitions[0];
    assert.deepEqual([end?.errorCode, end?.offset, end?.leaderEpoch], [0, 1n, 1]);
    cluster.electUncleanLeader('orders', 0, leader, { loseRecords: 10 });
    assert.deepEqual(await cluster.records('orders'), []);
  });

  it('happens by itself where the topic allows it', async (test) => {
    const topics = { orders: { configs: { 'unclean.leader.election.enable': 'true' } } };
    const cluster = await startCluster(test, { brokers: 2, topics });
    const { leader, replicas } = cluster.partition('orders', 0);
    cluster.shrinkIsr('orders', 0, [leader]);
    await cluster.append('orders', { value: 'lost' });
    await cluster.stop(leader);
    assert.equal(
      cluster.partition('orders', 0).leader,
      replicas.find((id) => id !== leader),
    );
    assert.deepEqual(await cluster.records('orders'), []);
  });
});
