import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FetchResponse } from '../../../../src/protocol/generated/fetch.ts';
import { BrokerState } from '../../../../src/testing/state/broker-state.ts';
import { electUncleanly, lead } from '../../../../src/testing/state/leadership.ts';
import { settle } from '../../../support/fake-clock.ts';
import { AskedCluster } from '../asked-cluster.ts';
import { errorName, fetchFrom, partitionOf, produceTo } from './asked-log.ts';

function bytesIn(answer: FetchResponse): number {
  const partitions = answer.responses.flatMap((topic) => topic.partitions);
  return partitions.reduce((sum, { records }) => sum + (records?.length ?? 0), 0);
}

async function isDone(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  void promise.then(() => (done = true));
  await settle();
  return done;
}

describe('Fetch', () => {
  it('waits for minBytes, and no longer than maxWaitMs of the brokers’ clock', async () => {
    const cluster = new AskedCluster();
    cluster.topic('t');
    const one = fetchFrom(cluster, 't', 0n, { maxWaitMs: 500 });
    const many = fetchFrom(cluster, 't', 0n, { maxWaitMs: 500, minBytes: 100_000 });
    assert.equal(await isDone(one), false);
    await produceTo(cluster, 't');
    assert.equal(await isDone(one), true);
    assert.equal(await isDone(many), false);
    await cluster.clock.advance(499);
    assert.equal(await isDone(many), false);
    await cluster.clock.advance(1);
    assert.ok(bytesIn(await many) > 0);
    assert.equal(cluster.clock.pending - 1, 0, 'no timer but that of retention is left');
  });

  it('waits with isolation for what is committed', async () => {
    const cluster = new AskedCluster();
    cluster.topic('t');
    const { log, changed } = partitionOf(cluster, 't');
    const committed = fetchFrom(cluster, 't', 0n, { maxWaitMs: 500, isolationLevel: 1 });
    log.append((await import('../log/batches.ts')).batchOf({ producerId: 3n, transactional: true }), {
      leaderEpoch: 0,
      nowMs: 1,
    });
    changed.notify();
    assert.equal(await isDone(committed), false);
    const marker = { producerId: 3n, producerEpoch: 0, coordinatorEpoch: 0, leaderEpoch: 0, nowMs: 1 };
    log.appendMarker({ ...marker, type: 'abort' });
    changed.notify();
    const partition = (await committed).responses[0]?.partitions[0];
    assert.deepEqual(partition?.abortedTransactions, [{ producerId: 3n, firstOffset: 0n }]);
  });

  it('is answered at once when the leader moves, with the new one', async () => {
    const cluster = new AskedCluster({ brokers: 2 });
    cluster.topic('t', 1, 2);
    const partition = partitionOf(cluster, 't');
    const brokerId = partition.leaderId;
    const other = partition.replicas.find((id) => id !== brokerId) ?? -1;
    const { topicId } = cluster.state.topics.get('t') ?? { topicId: '' };
    const wanted = [{ partition: 0, currentLeaderEpoch: 0, fetchOffset: 0n, partitionMaxBytes: 1_000 }];
    const request = { maxWaitMs: 500, topics: [{ topicId, partitions: wanted }] };
    const waiting = fetchFrom(cluster, 't', 0n, request, { brokerId, version: 16 });
    assert.equal(await isDone(waiting), false);
    lead(cluster.state, partition, other);
    const answered = (await waiting).responses[0]?.partitions[0];
    assert.equal(errorName(answered?.errorCode), 'FENCED_LEADER_EPOCH');
    assert.deepEqual(answered?.currentLeader, { leaderId: other, leaderEpoch: 1 });
  });

  it('tells where the log of a client diverges from that of a leader that was not in sync', async () => {
    const cluster = new AskedCluster({ brokers: 2 });
    cluster.topic('t', 1, 2);
    const partition = partitionOf(cluster, 't');
    const brokerId = partition.leaderId;
    for (let count = 0; count < 5; count++) await produceTo(cluster, 't', {}, { brokerId });
    const other = partition.replicas.find((id) => id !== brokerId) ?? -1;
    electUncleanly(cluster.state, partition, other, 3n);
    const wanted = [{ partition: 0, fetchOffset: 5n, lastFetchedEpoch: 0, partitionMaxBytes: 1_000 }];
    const request = { topics: [{ topic: 't', partitions: wanted }] };
    const answered = (await fetchFrom(cluster, 't', 0n, request, { brokerId: other })).responses[0]?.partitions[0];
    assert.equal(answered?.errorCode, 0);
    assert.deepEqual(answered?.divergingEpoch, { epoch: 0, endOffset: 3n });
  });

  it('sends a client to the replica in its rack, which then serves it', async () => {
    const selector = 'org.apache.kafka.common.replica.RackAwareReplicaSelector';
    const cluster = new AskedCluster({ brokers: 2, configs: { 'replica.selector.class': selector } });
    const brokers = cluster.state.brokers as Map<number, BrokerState>;
    for (const id of [1, 2]) brokers.set(id, new BrokerState(id, `rack-${id}`));
    cluster.topic('t', 1, 2);
    const { leaderId: brokerId, replicas, isr } = partitionOf(cluster, 't');
    const other = replicas.find((id) => id !== brokerId) ?? -1;
    await produceTo(cluster, 't', {}, { brokerId });
    const preferred = async (rackId: string, version = 12): Promise<unknown> => {
      const answer = await fetchFrom(cluster, 't', 0n, version >= 11 ? { rackId } : {}, { brokerId, version });
      return [answer.responses[0]?.partitions[0]?.preferredReadReplica, bytesIn(answer) > 0];
    };
    assert.deepEqual(await preferred(`rack-${other}`), [other, false]);
    assert.deepEqual(await preferred(`rack-${brokerId}`), [-1, true]);
    assert.deepEqual(await preferred('elsewhere'), [-1, true]);
    assert.deepEqual(await preferred('', 10), [-1, true]);
    assert.ok(bytesIn(await fetchFrom(cluster, 't', 0n, { rackId: `rack-${other}` }, { brokerId: other })) > 0);
    const old = await fetchFrom(cluster, 't', 0n, {}, { brokerId: other, version: 10 });
    assert.equal(errorName(old.responses[0]?.partitions[0]?.errorCode), 'NOT_LEADER_OR_FOLLOWER');
    isr.splice(isr.indexOf(other), 1);
    assert.deepEqual(await preferred(`rack-${other}`), [-1, true]);
  });

  it('opens no session when the cache is full of used ones, and takes the place of an unused one', async () => {
    const cluster = new AskedCluster({ configs: { 'max.incremental.fetch.session.cache.slots': '2' } });
    cluster.topic('t');
    const open = async (): Promise<number> => (await fetchFrom(cluster, 't', 0n, { sessionEpoch: 0 })).sessionId;
    const [first, second] = [await open(), await open()];
    assert.ok(first > 0 && second > 0 && first !== second);
    assert.equal(await open(), 0);
    await cluster.clock.advance(100_000);
    await fetchFrom(cluster, 't', 0n, { sessionId: second, sessionEpoch: 1, topics: [] });
    await cluster.clock.advance(20_000);
    assert.ok((await open()) > 0);
    const use = async (sessionId: number, sessionEpoch: number): Promise<string | undefined> =>
      errorName((await fetchFrom(cluster, 't', 0n, { sessionId, sessionEpoch, topics: [] })).errorCode);
    assert.equal(await use(first, 1), 'FETCH_SESSION_ID_NOT_FOUND');
    assert.equal(await use(second, 2), 'NONE');
  });
});
