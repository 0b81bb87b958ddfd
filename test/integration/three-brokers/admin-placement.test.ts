import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { isKafkaError, Kafka, type Admin, type PartitionMetadata } from '../../../src/index.ts';
import { eventually } from '../../support/eventually.ts';
import { kafkaUnderTest } from '../../support/kafka/under-test.ts';

const brokers = await kafkaUnderTest({ brokers: 3, needs: ['control'] });
const patienceMs = 120_000;

const idAt = (index: number): number => brokers.brokerIds[index] ?? -1;

describe('Admin, where replicas and leaders of several brokers are', { skip: brokers.skip }, () => {
  let kafka: Kafka;
  let admin: Admin;
  before(() => {
    kafka = new Kafka({ bootstrapServers: brokers.bootstrapServers });
    admin = kafka.admin();
  });
  after(async () => {
    await kafka.close();
    await brokers.restore();
  });

  /** Copying at a byte a second: the first megabyte passes before the leader notices. */
  const throttle = { 'leader.replication.throttled.rate': 1 };
  const allBrokers = { type: 'broker', name: '' } as const;
  const throttled = async <T>(work: () => Promise<T>): Promise<T> => {
    await admin.incrementalAlterConfigs({ ...allBrokers, set: throttle });
    await eventually(async () => {
      const each = await admin.describeConfigs(brokers.brokerIds.map((name) => ({ type: 'broker', name })));
      return each.every((described) => described.get('leader.replication.throttled.rate') === '1');
    }, 'the throttle at every broker');
    try {
      return await work();
    } finally {
      await admin.incrementalAlterConfigs({ ...allBrokers, delete: Object.keys(throttle) });
    }
  };

  /** A topic of one partition at these brokers, with megabytes in it that are copied slowly. */
  async function filled(replicas: readonly number[]): Promise<string> {
    const topic = `placed-${randomUUID()}`;
    const configs = { 'min.insync.replicas': 1, 'leader.replication.throttled.replicas': '*' };
    await admin.createTopics({ topic, assignments: [replicas], configs });
    const producer = kafka.producer();
    const value = 'x'.repeat(100_000);
    for (let sent = 0; sent < 4; sent++) await producer.send(Array.from({ length: 10 }, () => ({ topic, value })));
    await producer.close();
    return topic;
  }

  async function partitionOf(topic: string): Promise<PartitionMetadata> {
    const [partition] = (await admin.describeTopics(topic)).partitions;
    assert.ok(partition);
    return partition;
  }

  /** The brokers that have the partition on their disks. */
  async function heldBy(topic: string): Promise<number[]> {
    const found = await admin.describeReplicaLogDirs(
      brokers.brokerIds.map((brokerId) => ({ topic, partition: 0, brokerId })),
    );
    return found.flatMap(({ brokerId, current }) => (current === undefined ? [] : [brokerId]));
  }

  it('alterPartitionReassignments moves a replica while records are acknowledged, before, during and after', async () => {
    const [first, second, third] = [idAt(0), idAt(1), idAt(2)];
    const topic = await filled([first, second]);
    const item = { topic, partition: 0, replicas: [second, third] };
    const producer = kafka.producer();
    const rejected: unknown[] = [];
    let [next, acknowledged, over] = [0, 0, false];
    const load = (async () => {
      while (!over) {
        producer.send({ topic, value: String(next++) }).then(
          () => acknowledged++,
          (error: unknown) => rejected.push(error),
        );
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    })();
    const more = (when: string): Promise<unknown> => {
      const until = acknowledged + 100;
      return eventually(() => acknowledged > until, `records ${when}`, patienceMs);
    };
    try {
      await more('before');
      await throttled(async () => {
        await admin.alterPartitionReassignments(item);
        const moving = {
          topic,
          partition: 0,
          replicas: [second, third, first],
          addingReplicas: [third],
          removingReplicas: [first],
        };
        assert.deepEqual(await admin.listPartitionReassignments(), [moving]);
        await more('during');
        assert.deepEqual(await admin.listPartitionReassignments({ topic, partition: 0 }), [moving]);
        assert.deepEqual(await admin.listPartitionReassignments({ topic, partition: 1 }), []);
        const waiting = admin.alterPartitionReassignments(item, { wait: true, timeoutMs: 1000 });
        await assert.rejects(waiting, {
          code: 'OPERATION_TIMEOUT',
          message: new RegExp(`; the copying to broker ${third} goes on$`),
        });
      });
      await admin.alterPartitionReassignments(item, { wait: true, timeoutMs: patienceMs });
      const moved = await partitionOf(topic);
      assert.deepEqual(moved.replicas, [second, third]);
      assert.deepEqual([...moved.isr].sort(), [second, third]);
      assert.ok(moved.replicas.includes(moved.leaderId));
      assert.deepEqual(await admin.listPartitionReassignments(), []);
      await more('after');
    } finally {
      over = true;
      await load;
    }
    await producer.flush();
    assert.deepEqual(rejected, []);
    assert.equal(acknowledged, next);
    await eventually(async () => (await heldBy(topic)).join() === [second, third].join(), 'the first to delete it');

    const consumer = kafka.consumer({ autoOffsetReset: 'earliest' });
    consumer.assign([{ topic, partition: 0 }]);
    const read: string[] = [];
    for await (const record of consumer.records({ until: 'end' })) {
      if ((record.value?.length ?? 0) < 100) read.push(record.value?.toString() ?? '');
    }
    await consumer.close();
    assert.deepEqual(
      read,
      Array.from({ length: next }, (_, at) => String(at)),
    );
  });

  it('alterPartitionReassignments with null cancels a move; who waits for it learns that', async () => {
    const [first, second, third] = [idAt(0), idAt(1), idAt(2)];
    const topic = await filled([first, second]);
    const partition = { topic, partition: 0 };
    await throttled(async () => {
      await admin.alterPartitionReassignments({ ...partition, replicas: [third, second] });
      const waiting = admin
        .alterPartitionReassignments({ ...partition, replicas: [third, second] }, { wait: true, timeoutMs: patienceMs })
        .catch((error: unknown) => error);
      const started = eventually(async () => (await heldBy(topic)).includes(third), 'a copy that has begun');
      await started;
      await admin.alterPartitionReassignments({ ...partition, replicas: null }, { wait: true });
      assert.deepEqual(await admin.listPartitionReassignments(), []);
      const holders = async (): Promise<string> => [...(await partitionOf(topic)).replicas].sort().join();
      await eventually(async () => (await holders()) === [first, second].join(), 'the brokers from before');
      assert.ok(isKafkaError(await waiting, 'NO_REASSIGNMENT_IN_PROGRESS'));
    });
    const cancelled = admin.alterPartitionReassignments({ ...partition, replicas: null });
    await assert.rejects(cancelled, (error) => isKafkaError(error, 'NO_REASSIGNMENT_IN_PROGRESS'));
    const strict = { allowReplicationFactorChange: false };
    const more = admin.alterPartitionReassignments({ ...partition, replicas: [first, second, third] }, strict);
    await assert.rejects(more, (error) => isKafkaError(error, 'INVALID_REPLICATION_FACTOR'));
  });

  it('electLeaders gives a partition back to its preferred leader once that is in sync again', async () => {
    const [first, second, third] = [idAt(0), idAt(1), idAt(2)];
    const topic = `elected-${randomUUID()}`;
    const assignments = [
      [first, second],
      [third, second],
    ];
    await admin.createTopics({ topic, assignments, configs: { 'min.insync.replicas': 1 } });
    const partitions = [0, 1].map((partition) => ({ topic, partition }));
    const elect = () => admin.electLeaders('preferred', partitions, { settled: true });
    await brokers.stop(first);
    await eventually(async () => (await partitionOf(topic)).leaderId === second, 'the other leader', patienceMs);
    const [refused, unneeded] = await elect();
    assert.ok(refused?.status === 'rejected');
    assert.equal(refused.reason.code, 'PREFERRED_LEADER_NOT_AVAILABLE');
    assert.deepEqual(unneeded, { status: 'fulfilled', value: { topic, partition: 1, elected: false } });
    const unclean = await admin.electLeaders('unclean', partitions);
    assert.ok(unclean.every(({ elected }) => !elected));

    await brokers.start(first);
    await eventually(async () => (await partitionOf(topic)).isr.includes(first), 'its return', patienceMs);
    const { leaderId, leaderEpoch } = await partitionOf(topic);
    assert.equal(leaderId, second);
    assert.deepEqual(await admin.electLeaders('preferred', partitions), [
      { topic, partition: 0, elected: true },
      { topic, partition: 1, elected: false },
    ]);
    await eventually(async () => (await partitionOf(topic)).leaderId === first, 'the preferred leader');
    assert.ok((await partitionOf(topic)).leaderEpoch > leaderEpoch);
    // What the broker that was away led beside it comes back with all that is left.
    for (const { elected } of await admin.electLeaders('preferred')) assert.ok(elected);
    assert.deepEqual(await admin.electLeaders('preferred'), []);
  });

  it('describeLogDirs asks every broker, and finds the replicas of each', async () => {
    const topic = `placed-${randomUUID()}`;
    const [first, second, third] = [idAt(0), idAt(1), idAt(2)];
    await admin.createTopics({
      topic,
      assignments: [
        [first, second],
        [third, second],
      ],
    });
    await kafka.producer().send([0, 1].map((partition) => ({ topic, partition, value: 'x'.repeat(1000) })));
    const replicasAt = async (): Promise<(readonly [number, (readonly [number, boolean])[]])[]> => {
      const found = await admin.describeLogDirs();
      return found.map(({ brokerId, logDirs }) => [
        brokerId,
        logDirs
          .flatMap(({ replicas }) => replicas.filter((replica) => replica.topic === topic))
          .map(({ partition, sizeBytes }) => [partition, sizeBytes > 1000]),
      ]);
    };
    // A follower has a record a moment after its leader has.
    const expected = [
      [first, [[0, true]]],
      [
        second,
        [
          [0, true],
          [1, true],
        ],
      ],
      [third, [[1, true]]],
    ];
    await eventually(async () => isDeepStrictEqual(await replicasAt(), expected), 'the replicas of every broker');
    const asked: (number | undefined)[] = [];
    const stop = kafka.on('request.answered', ({ api, nodeId }) => {
      if (api === 'DescribeLogDirs') asked.push(nodeId);
    });
    const found = await admin.describeLogDirs([third, first]);
    stop();
    assert.deepEqual(
      found.map(({ brokerId }) => brokerId),
      [third, first],
    );
    assert.deepEqual(asked.sort(), [first, third]);
  });

  it('describeMetadataQuorum tells of every controller', async () => {
    const quorum = await admin.describeMetadataQuorum();
    assert.deepEqual(
      quorum.voters.map(({ replicaId }) => replicaId),
      brokers.brokerIds,
    );
    assert.ok(brokers.brokerIds.includes(quorum.leaderId));
    assert.deepEqual(quorum.nodes.map(({ nodeId }) => nodeId).sort(), brokers.brokerIds);
  });
});
