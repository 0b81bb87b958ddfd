import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lead, shrinkIsr } from '../../../../src/testing/state/leadership.ts';
import { settle } from '../../../support/fake-clock.ts';
import { AskedCluster } from '../asked-cluster.ts';
import { errorName, partitionOf, produceTo } from './asked-log.ts';

/** Three brokers, and one partition on all of them. */
function replicated(minIsr = '2'): {
  readonly cluster: AskedCluster;
  readonly leader: number;
  readonly others: number[];
} {
  const cluster = new AskedCluster({ brokers: 3, configs: { 'min.insync.replicas': minIsr } });
  cluster.topic('t', 1, 3);
  const { leaderId, replicas } = partitionOf(cluster, 't');
  return { cluster, leader: leaderId, others: replicas.filter((id) => id !== leaderId) };
}

describe('Produce', () => {
  it('names the leader to whom another broker is asked for', async () => {
    const { cluster, leader, others } = replicated();
    const [brokerId] = others;
    assert.ok(brokerId !== undefined);
    const answer = await produceTo(cluster, 't', {}, { brokerId, version: 10 });
    assert.equal(errorName(answer.errorCode), 'NOT_LEADER_OR_FOLLOWER');
    assert.deepEqual(answer.currentLeader, { leaderId: leader, leaderEpoch: 0 });
    const older = await produceTo(cluster, 't', {}, { brokerId, version: 9 });
    assert.equal(older.currentLeader.leaderId, -1);
  });

  it('writes nothing with acks all where too few replicas are in sync, and does with acks 1', async () => {
    const { cluster, leader, others } = replicated();
    shrinkIsr(cluster.state, partitionOf(cluster, 't'), others);
    const answer = await produceTo(cluster, 't', {}, { brokerId: leader });
    assert.equal(errorName(answer.errorCode), 'NOT_ENOUGH_REPLICAS');
    assert.equal(partitionOf(cluster, 't').log.endOffset, 0n);
    assert.equal((await produceTo(cluster, 't', {}, { brokerId: leader, acks: 1 })).errorCode, 0);
    assert.equal(partitionOf(cluster, 't').log.endOffset, 1n);
  });

  it('waits with acks all until the in-sync replicas have the record, up to the timeout', async () => {
    const { cluster, leader } = replicated();
    const { log, changed } = partitionOf(cluster, 't');
    log.replicateTo(0n);
    assert.equal((await produceTo(cluster, 't', {}, { brokerId: leader, acks: 1 })).errorCode, 0);
    const waiting = produceTo(cluster, 't', {}, { brokerId: leader, timeoutMs: 500 });
    await settle();
    log.replicateTo(undefined);
    changed.notify();
    assert.equal((await waiting).baseOffset, 1n);
    log.replicateTo(2n);
    const late = produceTo(cluster, 't', {}, { brokerId: leader, timeoutMs: 500 });
    await settle();
    await cluster.clock.advance(500);
    assert.equal(errorName((await late).errorCode), 'REQUEST_TIMED_OUT');
  });

  it('tells that replicas went while it waited, and that the leader did', async () => {
    const { cluster, leader, others } = replicated();
    const partition = partitionOf(cluster, 't');
    partition.log.replicateTo(0n);
    const waiting = produceTo(cluster, 't', {}, { brokerId: leader });
    await settle();
    partition.log.replicateTo(undefined);
    shrinkIsr(cluster.state, partition, others);
    assert.equal(errorName((await waiting).errorCode), 'NOT_ENOUGH_REPLICAS_AFTER_APPEND');
    partition.isr = [leader, ...others];
    partition.log.replicateTo(1n);
    const moved = produceTo(cluster, 't', {}, { brokerId: leader });
    await settle();
    lead(cluster.state, partition, others[0] ?? -1);
    assert.equal(errorName((await moved).errorCode), 'NOT_LEADER_OR_FOLLOWER');
  });

  it('forgets a producer when producer.id.expiration.ms is over on the clock', async () => {
    const cluster = new AskedCluster({ configs: { 'producer.id.expiration.ms': '1000' } });
    cluster.topic('t');
    const send = async (baseSequence: number): Promise<string | undefined> =>
      errorName((await produceTo(cluster, 't', { producerId: 4n, baseSequence })).errorCode);
    assert.equal(await send(0), 'NONE');
    await cluster.clock.advance(900);
    assert.equal(await send(7), 'OUT_OF_ORDER_SEQUENCE_NUMBER');
    await cluster.clock.advance(200);
    assert.equal(await send(7), 'NONE');
  });
});
