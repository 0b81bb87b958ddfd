import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, it } from 'node:test';
import {
  isKafkaError,
  Kafka,
  type Consumer,
  type ConsumerOptions,
  type PartitionMetadata,
} from '../../../src/index.ts';
import { eventually } from '../../support/eventually.ts';
import { kafkaUnderTest } from '../../support/kafka/under-test.ts';

const brokers = await kafkaUnderTest({ brokers: 3, needs: ['control'] });
const patienceMs = 120_000;

const idAt = (index: number): number => brokers.brokerIds[index] ?? -1;

async function partitionOf(kafka: Kafka, topic: string): Promise<PartitionMetadata> {
  const [partition] = (await kafka.admin().describeTopics(topic)).partitions;
  assert.ok(partition);
  return partition;
}

async function send(kafka: Kafka, topic: string, values: readonly string[], acks: 1 | 'all' = 'all'): Promise<void> {
  const producer = kafka.producer({ acks });
  await producer.send(values.map((value) => ({ topic, partition: 0, value })));
  await producer.close();
}

const numbered = (name: string, count: number): string[] => Array.from({ length: count }, (_, at) => `${name}${at}`);

async function read(consumer: Consumer, count: number): Promise<string[]> {
  const values: string[] = [];
  await eventually(
    async () => {
      const records = await consumer.poll({ timeoutMs: 1000, maxRecords: count - values.length });
      values.push(...records.map(({ value }) => value?.toString() ?? ''));
      return values.length === count;
    },
    `${count} records`,
    patienceMs,
  );
  return values;
}

describe('Consumer and the replicas of a partition', { skip: brokers.skip }, () => {
  after(() => brokers.restore());

  it('fetches from the follower in its rack, from the leader while that one is gone, and from it again (KIP-392)', async () => {
    const kafka = new Kafka({ bootstrapServers: brokers.bootstrapServers });
    const topic = `rack-${randomUUID()}`;
    const assignments = [brokers.brokerIds];
    await kafka.admin().createTopics({ topic, assignments, configs: { 'min.insync.replicas': '1' } });
    const [leaderId, followerId] = [idAt(0), idAt(1)];
    const { brokers: nodes } = await kafka.admin().describeCluster();
    const clientRack = nodes.find(({ nodeId }) => nodeId === followerId)?.rack ?? undefined;
    assert.ok(clientRack !== undefined, 'the brokers have no racks');
    const near = new Kafka({ bootstrapServers: brokers.bootstrapServers, clientRack });
    /** How many bytes of records came from which broker, since it was looked last. */
    let served = new Map<number, number>();
    near.on('consumer.fetched', ({ nodeId, bytes }) => served.set(nodeId, (served.get(nodeId) ?? 0) + bytes));
    const consumer = near.consumer({ autoOffsetReset: 'earliest' });
    consumer.assign([{ topic, partition: 0 }]);
    let sent = 0;
    /** Who served the next records. */
    const servedBy = async (): Promise<number[]> => {
      served = new Map();
      const values = numbered(`${sent++}-`, 50);
      await send(kafka, topic, values);
      assert.deepEqual(await read(consumer, values.length), values);
      return [...served.keys()];
    };
    try {
      await eventually(async () => (await servedBy()).join() === String(followerId), 'the follower', patienceMs);
      assert.equal((await partitionOf(kafka, topic)).leaderId, leaderId);
      assert.deepEqual(await servedBy(), [followerId]);
      await brokers.kill(followerId);
      assert.deepEqual(await servedBy(), [leaderId], 'the follower is gone');
      await brokers.start(followerId);
      await eventually(async () => (await servedBy()).join() === String(followerId), 'the follower again', patienceMs);
      assert.equal((await partitionOf(kafka, topic)).leaderId, leaderId, 'the leader stayed');
    } finally {
      await near.close();
      await kafka.close();
    }
  });

  it('notices that an unclean election has cut off what it has read, or what its group has (KIP-320)', async () => {
    const kafka = new Kafka({ bootstrapServers: brokers.bootstrapServers });
    const topic = `truncated-${randomUUID()}`;
    const [first, second] = [idAt(0), idAt(1)];
    const configs = { 'min.insync.replicas': '1', 'unclean.leader.election.enable': 'true' };
    await kafka.admin().createTopics({ topic, assignments: [[first, second]], configs });
    const warnings: string[] = [];
    kafka.on('warning', ({ message, error }) => warnings.push(`${message}: ${error?.message ?? ''}`));
    const consumerOf = (options: ConsumerOptions): Consumer => {
      const consumer = kafka.consumer({ autoCommit: false, ...options });
      consumer.assign([{ topic, partition: 0 }]);
      return consumer;
    };
    try {
      await send(kafka, topic, numbered('kept-', 100));
      // A machine that stood still may have cost the second replica its place; back in it, it has all of this.
      await eventually(async () => (await partitionOf(kafka, topic)).isr.length === 2, 'both replicas', patienceMs);
      // The second replica has nothing of what comes now, and leads afterwards.
      await brokers.kill(second);
      await eventually(
        async () => (await partitionOf(kafka, topic)).isr.join() === String(first),
        'its loss',
        patienceMs,
      );
      const before = await partitionOf(kafka, topic);
      await send(kafka, topic, numbered('lost-', 50), 1);
      const all = [...numbered('kept-', 100), ...numbered('lost-', 50)];

      const byOffset = consumerOf({ autoOffsetReset: 'earliest' });
      const byUser = consumerOf({ autoOffsetReset: 'none' });
      byUser.seek({ topic, partition: 0, offset: 0n });
      const ofGroup = consumerOf({ autoOffsetReset: 'earliest', groupId: topic });
      for (const consumer of [byOffset, byUser, ofGroup]) assert.deepEqual(await read(consumer, 150), all);
      await ofGroup.commit();
      await ofGroup.close();

      await brokers.kill(first);
      await brokers.start(second);
      const after = await eventually(
        async () => {
          const partition = await partitionOf(kafka, topic);
          return partition.leaderId === second ? partition : undefined;
        },
        'the election of a leader that lacks records',
        patienceMs,
      );
      assert.ok(after.leaderEpoch > before.leaderEpoch, 'the epoch rose');
      const others = numbered('other-', 70);
      await send(kafka, topic, others, 1);
      const [end] = await byOffset.endOffsets([{ topic, partition: 0 }]);
      assert.equal(end?.offset, 170n, 'the offset that was read is there again, in another history');

      // Without the check, each would read on at offset 150, and never see the first fifty of the others.
      assert.deepEqual(await read(byOffset, others.length), others);
      assert.ok(warnings.some((text) => text.includes('at offset 150') && text.includes('cut off at offset 100')));
      const isTruncated = (error: unknown): boolean => isKafkaError(error, 'LOG_TRUNCATED');
      await assert.rejects(byUser.poll({ timeoutMs: patienceMs }), isTruncated);
      byUser.seek({ topic, partition: 0, offset: 100n });
      assert.deepEqual(await read(byUser, others.length), others);
      // If the coordinator was on the broker that is gone, the next one does not know yet that the last commit is certain, and gives nobody
      // its offset before enough replicas are in sync (KIP-966): who asks sooner begins as a new group does.
      await eventually(
        async () => (await kafka.admin().listGroupOffsets(topic))[0]?.offset === 150n,
        'the offset of the group',
        patienceMs,
      );
      const [successor, careful] = [
        consumerOf({ autoOffsetReset: 'earliest', groupId: topic }),
        consumerOf({ autoOffsetReset: 'none', groupId: topic }),
      ];
      assert.deepEqual(await read(successor, others.length), others, warnings.join('\n'));
      await assert.rejects(careful.poll({ timeoutMs: patienceMs }), isTruncated);
    } finally {
      await kafka.close();
    }
  });
});
