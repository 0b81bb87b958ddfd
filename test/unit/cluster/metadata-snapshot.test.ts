import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  MetadataSnapshot,
  UNKNOWN_TOPIC_ID,
  type MetadataUpdate,
  type PartitionMetadata,
  type TopicMetadata,
} from '../../../src/cluster/metadata-snapshot.ts';

const partition = (index: number, leaderId: number, leaderEpoch: number): PartitionMetadata => ({
  partition: index,
  leaderId,
  leaderEpoch,
  replicas: [],
  isr: [],
  offlineReplicas: [],
  errorCode: 0,
});
const topic = (partitions: readonly PartitionMetadata[], over: Partial<TopicMetadata> = {}): TopicMetadata => ({
  name: 'orders',
  topicId: 'id-1',
  isInternal: false,
  errorCode: 0,
  partitions,
  ...over,
});
const update = (topics: readonly TopicMetadata[], over: Partial<MetadataUpdate> = {}): MetadataUpdate => ({
  clusterId: 'c',
  controllerId: 1,
  brokers: [{ nodeId: 1, host: 'a', port: 1 }],
  topics,
  keep: () => true,
  ...over,
});
const after = (...updates: MetadataUpdate[]): MetadataSnapshot =>
  updates.reduce((snapshot, next) => snapshot.withUpdate(next), MetadataSnapshot.empty);

describe('MetadataSnapshot', () => {
  it('is not changed by an update', () => {
    const first = after(update([topic([partition(0, 1, 1)])]));
    const second = first.withUpdate(update([topic([partition(0, 2, 2)])]));
    assert.equal(first.partition('orders', 0)?.leaderId, 1);
    assert.equal(second.partition('orders', 0)?.leaderId, 2);
  });

  it('keeps the leader of the newest epoch, whatever the order of the answers', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1 }), (epochs) => {
        const snapshot = after(...epochs.map((epoch) => update([topic([partition(0, epoch, epoch)])])));
        assert.equal(snapshot.partition('orders', 0)?.leaderEpoch, Math.max(...epochs));
      }),
    );
  });

  it('begins anew with a topic of another id', () => {
    const snapshot = after(
      update([topic([partition(0, 1, 9), partition(1, 1, 9)])]),
      update([topic([partition(0, 2, 0)], { topicId: 'id-2' })]),
    );
    assert.deepEqual(
      snapshot.topic('orders')?.partitions.map(({ leaderEpoch }) => leaderEpoch),
      [0],
    );
    assert.equal(snapshot.topicName('id-2'), 'orders');
    assert.equal(snapshot.topicName('id-1'), undefined);
  });

  it('takes brokers that give no ids and no epochs at their word', () => {
    const old = { topicId: UNKNOWN_TOPIC_ID };
    const snapshot = after(update([topic([partition(0, 1, -1)], old)]), update([topic([partition(0, 2, -1)], old)]));
    assert.equal(snapshot.partition('orders', 0)?.leaderId, 2);
    assert.equal(snapshot.topicName(UNKNOWN_TOPIC_ID), undefined);
  });

  it('does not lose partitions to a broker that lags behind, and takes in added ones', () => {
    const two = topic([partition(1, 1, 0), partition(0, 1, 0)]);
    const snapshot = after(update([two]), update([topic([partition(0, 1, 0)])]));
    assert.equal(snapshot.topic('orders')?.partitions.length, 2);
    assert.deepEqual(
      snapshot.topic('orders')?.partitions.map((entry) => entry.partition),
      [0, 1],
    );
  });

  it('allocates nothing for partition numbers that cannot be', () => {
    const snapshot = after(update([topic([partition(2_147_483_647, 1, 0), partition(-1, 1, 0), partition(0, 3, 0)])]));
    assert.equal(snapshot.topic('orders')?.partitions.length, 3);
    assert.deepEqual(
      snapshot.topic('orders')?.partitions.map(({ leaderId }) => leaderId),
      [3, -1, -1],
    );
  });

  it('drops the partitions of a topic that is denied', () => {
    const snapshot = after(
      update([topic([partition(0, 1, 0)])]),
      update([topic([], { errorCode: 3, topicId: UNKNOWN_TOPIC_ID })]),
    );
    assert.equal(snapshot.topic('orders')?.errorCode, 3);
    assert.equal(snapshot.topic('orders')?.partitions.length, 0);
  });

  it('drops topics that are not kept', () => {
    const other = topic([], { name: 'other' });
    const snapshot = after(update([topic([]), other]), update([], { keep: (name) => name === 'other' }));
    assert.deepEqual([...snapshot.topics.keys()], ['other']);
  });

  it('keeps its brokers when an answer names none that can be used', () => {
    const useless = [
      { nodeId: 5, host: '', port: 9092 },
      { nodeId: 6, host: 'b', port: 0 },
      { nodeId: 7, host: 'b', port: 70_000 },
    ];
    const snapshot = after(update([]), update([], { brokers: useless }));
    assert.deepEqual([...snapshot.brokers.keys()], [1]);
  });

  it('learns leaders and brokers of newer epochs only', () => {
    const snapshot = after(update([topic([partition(0, 1, 3)])]));
    const hint = { topic: 'orders', partition: 0, leaderId: 2 };
    assert.equal(snapshot.withLeaders([{ ...hint, leaderEpoch: 3 }], []), snapshot);
    assert.equal(snapshot.withLeaders([{ ...hint, leaderEpoch: 9, partition: 5 }], []), snapshot);
    assert.equal(snapshot.withLeaders([{ ...hint, leaderEpoch: 9, leaderId: -1 }], []), snapshot);
    const learned = snapshot.withLeaders([{ ...hint, leaderEpoch: 4 }], [{ nodeId: 2, host: 'b', port: 2 }]);
    assert.equal(learned.leader('orders', 0)?.host, 'b');
    assert.equal(learned.withUpdate(update([topic([partition(0, 1, 3)])])).partition('orders', 0)?.leaderId, 2);
  });
});
