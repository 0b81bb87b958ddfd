import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { isKafkaError, Kafka, type Admin, type SettledItem } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const broker = await kafkaUnderTest({ brokers: 1 });

describe('Admin, where replicas and leaders are', { skip: broker.skip }, () => {
  let kafka: Kafka;
  let admin: Admin;
  let brokerId: number;
  before(() => {
    kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
    admin = kafka.admin();
    brokerId = broker.brokerIds[0] ?? -1;
  });
  after(() => kafka.close());

  const created = async (partitions = 1): Promise<string> => {
    const topic = `placed-${randomUUID()}`;
    await admin.createTopics({ topic, partitions, replicationFactor: 1 });
    return topic;
  };

  const codesOf = (results: readonly SettledItem<unknown>[]): string[] =>
    results.map((result) => (result.status === 'fulfilled' ? 'ok' : result.reason.code));

  it('alterPartitionReassignments takes each partition by itself, and lists none that need not move', async () => {
    const topic = await created(3);
    const here = [brokerId];
    const items = [
      { topic, partition: 0, replicas: here },
      { topic, partition: 1, replicas: [99] },
      { topic, partition: 2, replicas: null },
      { topic: `no-${topic}`, partition: 0, replicas: here },
      { topic, partition: 7, replicas: here },
    ];
    const codes = [
      'ok',
      'INVALID_REPLICA_ASSIGNMENT',
      'NO_REASSIGNMENT_IN_PROGRESS',
      'UNKNOWN_TOPIC_OR_PARTITION',
      'UNKNOWN_TOPIC_OR_PARTITION',
    ];
    assert.deepEqual(codesOf(await admin.alterPartitionReassignments(items, { settled: true })), codes);
    assert.deepEqual(codesOf(await admin.alterPartitionReassignments(items, { settled: true, wait: true })), codes);
    assert.deepEqual(await admin.listPartitionReassignments(items), []);
    assert.deepEqual(await admin.listPartitionReassignments(), []);
    const { partitions } = await admin.describeTopics(topic);
    assert.deepEqual(
      partitions.map(({ replicas }) => replicas),
      [here, here, here],
    );
  });

  it('electLeaders answers that the leader is there, and which partition is not', async () => {
    const topic = await created(2);
    const partitions = [1, 0].map((partition) => ({ topic, partition }));
    for (const type of ['preferred', 'unclean'] as const) {
      assert.deepEqual(
        await admin.electLeaders(type, partitions),
        partitions.map((partition) => ({ ...partition, elected: false })),
      );
      const unknown = [
        { topic, partition: 9 },
        { topic, partition: 0 },
        { topic: `no-${topic}`, partition: 0 },
      ];
      assert.deepEqual(codesOf(await admin.electLeaders(type, unknown, { settled: true })), [
        'UNKNOWN_TOPIC_OR_PARTITION',
        'ok',
        'UNKNOWN_TOPIC_OR_PARTITION',
      ]);
      assert.deepEqual(await admin.electLeaders(type), []);
    }
  });

  it('describeLogDirs tells the size of each replica, and of the volume', async () => {
    const topic = await created(2);
    const sizes = async (): Promise<(number | undefined)[]> => {
      const [{ logDirs } = { logDirs: [] }, ...others] = await admin.describeLogDirs();
      assert.equal(others.length, 0);
      const replicas = logDirs.flatMap((logDir) => logDir.replicas.filter((replica) => replica.topic === topic));
      assert.ok(replicas.every(({ isFuture, offsetLag }) => !isFuture && offsetLag === 0n));
      return replicas.map(({ sizeBytes }) => sizeBytes);
    };
    // A broker names itself the leader a moment before it makes the log.
    await eventually(async () => (await sizes()).join() === '0,0', 'both replicas');
    await kafka.producer().send({ topic, partition: 1, value: 'x'.repeat(10_000) });
    const [none, some = 0] = await sizes();
    assert.equal(none, 0);
    assert.ok(some > 10_000 && some < 11_000, `${some} bytes`);

    const described = await admin.describeLogDirs(brokerId);
    assert.equal(described.brokerId, brokerId);
    for (const { path, error, totalBytes = 0, usableBytes = -1, isCordoned } of described.logDirs) {
      assert.match(path, /^([/\\]|[A-Z]:)/);
      assert.equal(error, undefined);
      assert.ok(usableBytes > 0 && totalBytes >= usableBytes);
      assert.equal(isCordoned, false);
    }
    const replica = { topic, partition: 1, brokerId };
    const found = await admin.describeReplicaLogDirs([replica, { ...replica, partition: 9 }]);
    const path = described.logDirs.find(({ replicas }) => replicas.some((each) => each.topic === topic))?.path;
    assert.deepEqual(found, [
      { ...replica, current: { path, sizeBytes: some, offsetLag: 0n }, future: undefined },
      { ...replica, partition: 9, current: undefined, future: undefined },
    ]);
    await assert.rejects(admin.describeLogDirs(99), (error) => isKafkaError(error, 'BROKER_UNKNOWN'));
  });

  it('describeFeatures tells what the broker supports and what the cluster has agreed on', async () => {
    const { epoch = -1n, features } = await admin.describeFeatures();
    assert.ok(epoch > 0n);
    assert.deepEqual(await admin.describeFeatures({ brokerId }), { epoch, features });
    const known = new Map(features.map((each) => [each.feature, each]));
    assert.deepEqual(known.get('transaction.version'), {
      feature: 'transaction.version',
      supported: { min: 0, max: 2 },
      level: 2,
    });
    const metadata = known.get('metadata.version');
    assert.ok((metadata?.level ?? 0) >= (metadata?.supported?.min ?? 99));
  });
});
