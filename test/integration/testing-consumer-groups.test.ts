import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isKafkaError, Kafka, type Consumer, type ConsumerOptions } from '../../src/index.ts';
import { TestCluster } from '../../src/testing/index.ts';
import { eventually } from '../support/eventually.ts';

interface Scene {
  readonly cluster: TestCluster;
  readonly consumer: Consumer;
  readonly happened: string[];
  readonly seen: string[];
  readonly outcome: Promise<unknown>;
}

/** A member that reads, and has its two partitions. */
async function withMember(options: Partial<ConsumerOptions>, act: (scene: Scene) => Promise<void>): Promise<void> {
  await using cluster = await TestCluster.start({ topics: { t: 2 } });
  await using kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
  const consumer = kafka.consumer({
    groupId: 'g',
    autoOffsetReset: 'earliest',
    ...(options.groupProtocol === 'consumer' ? {} : { heartbeatIntervalMs: 100, sessionTimeoutMs: 6000 }),
    ...options,
  });
  const happened: string[] = [];
  const seen: string[] = [];
  const tell = (what: string) => (partitions: readonly unknown[]) =>
    void (partitions.length > 0 && happened.push(`${what} ${partitions.length}`));
  consumer.subscribe('t', {
    onPartitionsAssigned: tell('assigned'),
    onPartitionsRevoked: tell('revoked'),
    onPartitionsLost: tell('lost'),
  });
  const outcome = (async () => {
    for await (const record of consumer) seen.push(record.value?.toString() ?? '');
  })().catch((error: unknown) => error);
  await eventually(() => happened.length > 0, 'the partitions');
  await act({ cluster, consumer, happened, seen, outcome });
  await consumer.close();
  await outcome;
}

const heartbeats = { classic: 'Heartbeat', consumer: 'ConsumerGroupHeartbeat' } as const;

describe('Members of a group whose coordinator refuses them', () => {
  for (const [groupProtocol, codes] of [
    ['classic', ['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION']],
    ['consumer', ['UNKNOWN_MEMBER_ID', 'FENCED_MEMBER_EPOCH']],
  ] as const) {
    for (const code of codes) {
      it(`lose their partitions after ${code}, by ${groupProtocol}, hear of it, and read on`, async () => {
        await withMember({ groupProtocol }, async ({ cluster, happened, seen }) => {
          await cluster.append('t', [{ value: 'before' }]);
          await eventually(() => seen.includes('before'));
          using refusal = cluster.intercept({ api: heartbeats[groupProtocol], times: 1 }, { fail: code });
          await eventually(() => happened.length === 3, 'the partitions again');
          assert.equal(refusal.requests.length, 1);
          assert.deepEqual(happened, ['assigned 2', 'lost 2', 'assigned 2']);
          await cluster.append('t', [{ value: 'after' }]);
          await eventually(() => seen.includes('after'));
        });
      });
    }
  }

  it('end the read with FENCED_INSTANCE_ID, after the listener has heard', async () => {
    const options = { groupInstanceId: 'twin', partitionAssignors: ['cooperative-sticky' as const] };
    await withMember(options, async ({ cluster, happened, outcome }) => {
      cluster.intercept({ api: 'Heartbeat', times: 1 }, { fail: 'FENCED_INSTANCE_ID' });
      assert.ok(isKafkaError(await outcome, 'FENCED_INSTANCE_ID'));
      assert.deepEqual(happened, ['assigned 2', 'lost 2']);
    });
  });

  it('wait for an instance id that another process of theirs has yet to release', async () => {
    await using cluster = await TestCluster.start({ topics: { t: 2 } });
    await using kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
    using refusal = cluster.intercept({ api: 'ConsumerGroupHeartbeat', times: 2 }, { fail: 'UNRELEASED_INSTANCE_ID' });
    const consumer = kafka.consumer({ groupId: 'g', groupProtocol: 'consumer', groupInstanceId: 'i' });
    consumer.subscribe('t');
    await consumer.waitForAssignment();
    assert.equal(refusal.requests.length, 2);
  });

  it('read the offsets of the group as the members that they are, and again under the next epoch', async () => {
    await using cluster = await TestCluster.start({ topics: { t: 2 } });
    await using kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
    await cluster.append(
      't',
      ['a', 'b', 'c'].map((value) => ({ value, partition: 0 })),
    );
    const before = kafka.consumer({ groupId: 'g', autoOffsetReset: 'earliest' });
    before.assign([{ topic: 't', partition: 0 }]);
    await before.commit([{ topic: 't', partition: 0, offset: 2n }]);
    await before.close();
    for (const name of ['STALE_MEMBER_EPOCH', 'UNKNOWN_MEMBER_ID'] as const) {
      using refusal = cluster.intercept({ api: 'OffsetFetch', times: 1 }, { fail: name });
      const consumer = kafka.consumer({ groupId: 'g', groupProtocol: 'consumer', autoOffsetReset: 'earliest' });
      consumer.subscribe('t');
      const [record] = await consumer.poll({ timeoutMs: 30_000 });
      assert.equal(record?.value?.toString(), 'c');
      assert.equal(refusal.requests.length, 1);
      const { memberId, generationId } = consumer.groupMetadata();
      const asked = cluster
        .requests({ api: 'OffsetFetch' })
        .slice(-2)
        .flatMap(({ message }) => message.groups);
      assert.deepEqual(
        asked.map((group) => [group.memberId, group.memberEpoch]),
        [
          [memberId, generationId],
          [memberId, generationId],
        ],
      );
      consumer.rewind();
      await consumer.close();
    }
    const classic = kafka.consumer({ groupId: 'classic', autoOffsetReset: 'earliest' });
    classic.subscribe('t');
    assert.equal((await classic.poll({ timeoutMs: 30_000, minRecords: 3 })).length, 3);
    const [group] = cluster.requests({ api: 'OffsetFetch' }).at(-1)?.message.groups ?? [];
    assert.deepEqual([group?.groupId, group?.memberId, group?.memberEpoch], ['classic', null, -1]);
  });

  it('commit again under the new epoch after STALE_MEMBER_EPOCH', async () => {
    await withMember({ groupProtocol: 'consumer', autoCommit: false }, async ({ cluster, consumer, seen }) => {
      await cluster.append('t', [{ value: 'a', partition: 0 }]);
      await eventually(() => seen.length === 1);
      using refusal = cluster.intercept({ api: 'OffsetCommit', times: 1 }, { fail: 'STALE_MEMBER_EPOCH' });
      await consumer.commit([{ topic: 't', partition: 0, offset: 1n }]);
      assert.equal(refusal.requests.length, 1);
      assert.equal((await consumer.committed([{ topic: 't', partition: 0 }]))[0]?.offset, 1n);
    });
  });

  it('commit what they keep while others make the group rebalance', async () => {
    await withMember({ partitionAssignors: ['cooperative-sticky'], autoCommit: false }, async (scene) => {
      const { cluster, consumer, seen, happened } = scene;
      await cluster.append('t', [{ value: 'a', partition: 0 }]);
      await eventually(() => seen.length === 1);
      using refusal = cluster.intercept({ api: 'OffsetCommit', times: 1 }, { fail: 'ILLEGAL_GENERATION' });
      // The coordinator is a generation ahead while the member joins it.
      using held = cluster.intercept({ api: 'SyncGroup', times: 1 }, { delayMs: 500 });
      const { generationId } = consumer.groupMetadata();
      consumer.enforceRebalance('test');
      await eventually(() => held.requests.length === 1);
      await consumer.commit([{ topic: 't', partition: 0, offset: 1n }]);
      assert.equal(refusal.requests.length, 1);
      assert.ok(consumer.groupMetadata().generationId > generationId);
      assert.deepEqual(happened, ['assigned 2'], 'nothing was given up for it');
    });
  });
});
