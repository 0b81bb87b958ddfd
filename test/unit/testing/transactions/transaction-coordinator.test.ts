import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { apis } from '../../../../src/protocol/index.ts';
import { errorName } from '../../../support/answers/scenario.ts';
import { admitBroker, lead, shrinkIsr, withdrawBroker } from '../../../../src/testing/state/leadership.ts';
import type { BrokerState } from '../../../../src/testing/state/broker-state.ts';
import { TransactionCoordinator } from '../../../../src/testing/transactions/transaction-coordinator.ts';
import { AskedCluster } from '../asked-cluster.ts';
import { AskedProducer, readPartition } from './asked-producer.ts';

describe('TransactionCoordinator', () => {
  it('aborts a transaction when its time is over, counted on the brokers’ clock, and shuts out its producer', async () => {
    const cluster = new AskedCluster();
    cluster.topic('a');
    const producer = new AskedProducer(cluster);
    await producer.init(5_000);
    assert.equal(await producer.produce('a', 0, 'one'), 'NONE');
    await cluster.clock.advance(4_999);
    assert.equal(await producer.describe(), 'Ongoing epoch 0');
    await cluster.clock.advance(1);
    assert.equal(await producer.describe(), 'CompleteAbort epoch 1');
    assert.equal(await producer.produce('a', 0, 'two'), 'INVALID_PRODUCER_EPOCH');
    assert.equal(await producer.end(true, 4), 'PRODUCER_FENCED');
    assert.deepEqual(readPartition(cluster, 'a'), { committed: [], markers: ['abort 0/1'] });
  });

  it('aborts it although the timer comes a little early, and the deadline passes while the coordinator looks', async () => {
    const cluster = new AskedCluster();
    cluster.topic('a');
    const producer = new AskedProducer(cluster);
    await producer.init(5_000);
    cluster.clock.earlyMs = 0.5;
    assert.equal(await producer.produce('a', 0, 'one'), 'NONE');
    cluster.clock.creepMs = 0.3;
    await cluster.clock.advance(5_010);
    assert.equal(await producer.describe(), 'CompleteAbort epoch 1');
  });

  it('aborts each of several transactions at its own time', async () => {
    const cluster = new AskedCluster();
    cluster.topic('a');
    const slow = new AskedProducer(cluster, 'slow');
    const quick = new AskedProducer(cluster, 'quick');
    await slow.init(60_000);
    await slow.produce('a', 0, 'slow');
    await quick.init(1_000);
    await quick.produce('a', 0, 'quick');
    await cluster.clock.advance(1_000);
    assert.equal(await quick.describe(), 'CompleteAbort epoch 1');
    assert.equal(await slow.describe(), 'Ongoing epoch 0');
    await cluster.clock.advance(59_000);
    assert.equal(await slow.describe(), 'CompleteAbort epoch 1');
  });

  it('forgets a transactional id that was not used for transactional.id.expiration.ms', async () => {
    const cluster = new AskedCluster({ configs: { 'transactional.id.expiration.ms': '10000' } });
    cluster.topic('a');
    const producer = new AskedProducer(cluster);
    await producer.init();
    await producer.produce('a', 0, 'one');
    await producer.end(true);
    await cluster.clock.advance(10_000);
    assert.equal(await producer.describe(), 'CompleteCommit epoch 1');
    await cluster.clock.advance(1);
    assert.equal(await producer.describe(), 'TRANSACTIONAL_ID_NOT_FOUND');
    assert.equal(await producer.produce('a', 0, 'two'), 'INVALID_PRODUCER_ID_MAPPING');
    const { producerId } = producer;
    await producer.init();
    assert.notEqual(producer.producerId, producerId);
    assert.equal(producer.producerEpoch, 0);
  });

  it('forgets no transactional id with an open transaction', async () => {
    const cluster = new AskedCluster({ configs: { 'transactional.id.expiration.ms': '10' } });
    cluster.topic('a');
    const producer = new AskedProducer(cluster);
    await producer.init(60_000);
    await producer.produce('a', 0, 'one');
    await cluster.clock.advance(1_000);
    assert.equal(await producer.describe(), 'Ongoing epoch 0');
  });

  it('answers NOT_COORDINATOR at every broker but the one that leads, and moves with the leader', async () => {
    const cluster = new AskedCluster({ brokers: 3 });
    const producer = new AskedProducer(cluster);
    const coordinator = cluster.coordinatorOf('tx');
    for (const brokerId of [1, 2, 3])
      assert.equal(await producer.init(60_000, brokerId), brokerId === coordinator ? 'NONE' : 'NOT_COORDINATOR');
    const next = (coordinator % 3) + 1;
    lead(cluster.state, cluster.state.coordinatorPartition('transaction', 'tx'), next);
    assert.equal(await producer.init(60_000, coordinator), 'NOT_COORDINATOR');
    assert.equal(await producer.init(60_000, next), 'NONE');
    assert.equal(producer.producerEpoch, 1);
  });

  it('writes the markers of a partition without leader when it has one again; readers wait, and so does the producer', async () => {
    const cluster = new AskedCluster({ brokers: 3 });
    const state = cluster.state;
    const coordinator = cluster.coordinatorOf('tx');
    const away = brokerOf(cluster, (coordinator % 3) + 1);
    state.createTopic({ name: 'a', partitions: 1, replicationFactor: 1, assignment: [[away.id]] });
    state.createTopic({ name: 'b', partitions: 1, replicationFactor: 1, assignment: [[coordinator]] });
    const producer = new AskedProducer(cluster);
    await producer.init();
    assert.equal(await producer.produce('a', 0, 'in a'), 'NONE');
    assert.equal(await producer.produce('b', 0, 'in b'), 'NONE');
    withdrawBroker(state, away);
    assert.equal(await producer.end(true), 'NONE');
    assert.equal(await producer.describe(), 'PrepareCommit epoch 1');
    assert.equal(await producer.add('b'), 'CONCURRENT_TRANSACTIONS');
    assert.deepEqual(readPartition(cluster, 'b').committed, ['in b']);
    assert.deepEqual(readPartition(cluster, 'a').committed, []);
    admitBroker(state, away);
    assert.equal(await producer.describe(), 'CompleteCommit epoch 1');
    assert.deepEqual(readPartition(cluster, 'a').committed, ['in a']);
    assert.equal(await producer.add('b'), 'NONE');
  });

  it('waits with a marker while fewer replicas are in sync than min.insync.replicas says', async () => {
    const cluster = new AskedCluster({ brokers: 3 });
    const configs = new Map([['min.insync.replicas', '2']]);
    const topic = cluster.state.createTopic({ name: 'a', partitions: 1, replicationFactor: 2, configs });
    const partition = topic.partitions[0];
    assert.ok(partition);
    const producer = new AskedProducer(cluster);
    await producer.init();
    await producer.produce('a', 0, 'one');
    const follower = partition.isr.find((id) => id !== partition.leaderId) ?? -1;
    shrinkIsr(cluster.state, partition, [follower]);
    await producer.end(true);
    assert.equal(await producer.describe(), 'PrepareCommit epoch 1');
    const broker = brokerOf(cluster, follower);
    withdrawBroker(cluster.state, broker);
    admitBroker(cluster.state, broker);
    assert.equal(await producer.describe(), 'CompleteCommit epoch 1');
  });

  it('answers COORDINATOR_NOT_AVAILABLE while its own partition has too few replicas in sync', async () => {
    const cluster = new AskedCluster({ brokers: 3 });
    cluster.topic('a');
    const producer = new AskedProducer(cluster);
    await producer.init();
    const partition = cluster.state.coordinatorPartition('transaction', 'tx');
    const others = [1, 2, 3].filter((id) => id !== partition.leaderId);
    shrinkIsr(cluster.state, partition, others);
    assert.equal(await producer.init(), 'COORDINATOR_NOT_AVAILABLE');
    assert.equal(await producer.add('a'), 'COORDINATOR_NOT_AVAILABLE');
    assert.equal(await producer.end(false), 'COORDINATOR_NOT_AVAILABLE');
    assert.equal(await producer.produce('a', 0, 'one'), 'NOT_ENOUGH_REPLICAS');
    assert.equal(producer.producerEpoch, 0);
  });

  it('aborts a transaction whose time ended without a coordinator when there is one again', async () => {
    const cluster = new AskedCluster({ brokers: 3, configs: { 'transaction.state.log.replication.factor': '1' } });
    const coordinator = brokerOf(cluster, cluster.coordinatorOf('tx'));
    const other = (coordinator.id % 3) + 1;
    cluster.state.createTopic({ name: 'a', partitions: 1, replicationFactor: 1, assignment: [[other]] });
    const producer = new AskedProducer(cluster);
    await producer.init(1_000);
    await producer.produce('a', 0, 'one');
    withdrawBroker(cluster.state, coordinator);
    assert.equal(cluster.coordinatorOf('tx'), -1);
    await cluster.clock.advance(5_000);
    assert.deepEqual(readPartition(cluster, 'a').markers, []);
    admitBroker(cluster.state, coordinator);
    assert.equal(await producer.describe(), 'CompleteAbort epoch 1');
    assert.deepEqual(readPartition(cluster, 'a').markers, ['abort 0/1']);
  });

  it('drops the partitions of a deleted topic', async () => {
    const cluster = new AskedCluster();
    cluster.topic('a');
    cluster.topic('b');
    const producer = new AskedProducer(cluster);
    await producer.init();
    await producer.produce('a', 0, 'one');
    await producer.produce('b', 0, 'two');
    const topic = cluster.state.topics.get('a');
    assert.ok(topic);
    cluster.state.deleteTopic(topic);
    assert.equal(await producer.end(true), 'NONE');
    assert.equal(await producer.describe(), 'CompleteCommit epoch 1');
    assert.deepEqual(readPartition(cluster, 'b').committed, ['two']);
  });

  it('goes on from a snapshot: open transactions, missing markers, ids that were given out', async () => {
    const cluster = new AskedCluster();
    cluster.topic('a');
    const open = new AskedProducer(cluster, 'open');
    await open.init(5_000);
    await open.produce('a', 0, 'open');
    const coordinator = cluster.state.service(TransactionCoordinator);
    const snapshot = JSON.stringify(coordinator.snapshot());

    const next = new AskedCluster();
    next.topic('a');
    next.state.service(TransactionCoordinator).restore(JSON.parse(snapshot) as ReturnType<typeof coordinator.snapshot>);
    const again = new AskedProducer(next, 'open');
    assert.equal(await again.describe(), 'Ongoing epoch 0');
    const other = new AskedProducer(next, 'other');
    await other.init();
    assert.notEqual(other.producerId, open.producerId);
    await next.clock.advance(5_000);
    assert.equal(await again.describe(), 'CompleteAbort epoch 1');
  });

  it('refuses what raises epochs when transaction.version is 0', async () => {
    const cluster = new AskedCluster({ transactionVersion: 0 });
    cluster.topic('a');
    const producer = new AskedProducer(cluster);
    await producer.init();
    assert.equal(await producer.produce('a', 0, 'one', 12), 'UNSUPPORTED_VERSION');
    assert.equal(await producer.end(false, 5), 'UNSUPPORTED_VERSION');
    assert.equal(await producer.add('a'), 'NONE');
    assert.equal(await producer.produce('a', 0, 'one', 11), 'NONE');
    assert.equal(await producer.end(true, 4), 'NONE');
    assert.equal(await producer.describe(), 'CompleteCommit epoch 0');
    assert.deepEqual(readPartition(cluster, 'a'), { committed: ['one'], markers: ['commit 0/0'] });
  });

  it('asks nobody about the writes of old clients when transaction.partition.verification.enable is false', async () => {
    const cluster = new AskedCluster({ configs: { 'transaction.partition.verification.enable': 'false' } });
    cluster.topic('a');
    const producer = new AskedProducer(cluster);
    await producer.init();
    assert.equal(await producer.produce('a', 0, 'hanging', 9), 'NONE');
    assert.equal(await producer.describe(), 'Empty epoch 0');
  });

  it('lists by pattern, state and duration what this broker coordinates', async () => {
    const cluster = new AskedCluster({ brokers: 3 });
    cluster.topic('a');
    const ids = Array.from({ length: 12 }, (_, index) => `tx-${index}`);
    for (const id of ids) {
      const producer = new AskedProducer(cluster, id);
      await producer.init();
      if (id.length === 4) await producer.produce('a', 0, id);
    }
    const list = async (brokerId: number, filters: object = {}): Promise<string[]> => {
      const answer = await cluster.ask(apis.ListTransactions, 2, filters, brokerId);
      assert.equal(errorName(answer.errorCode), 'NONE');
      return answer.transactionStates.map(({ transactionalId }) => transactionalId);
    };
    const all = (await Promise.all([1, 2, 3].map((id) => list(id)))).flat();
    assert.deepEqual(all.toSorted(), ids.toSorted());
    for (const brokerId of [1, 2, 3])
      for (const id of await list(brokerId)) assert.equal(cluster.coordinatorOf(id), brokerId);
    await cluster.clock.advance(1_000);
    const everywhere = async (filters: object): Promise<string[]> =>
      (await Promise.all([1, 2, 3].map((id) => list(id, filters)))).flat().toSorted();
    assert.deepEqual(await everywhere({ transactionalIdPattern: 'tx-1.' }), ['tx-10', 'tx-11']);
    assert.deepEqual(await everywhere({ stateFilters: ['Empty'] }), ['tx-10', 'tx-11']);
    assert.equal((await everywhere({ stateFilters: ['Ongoing'], durationFilter: 999n })).length, 10);
    assert.deepEqual(await everywhere({ stateFilters: ['Ongoing'], durationFilter: 1_000n }), []);
  });
});

function brokerOf(cluster: AskedCluster, id: number): BrokerState {
  const broker = cluster.state.brokers.get(id);
  assert.ok(broker);
  return broker;
}
