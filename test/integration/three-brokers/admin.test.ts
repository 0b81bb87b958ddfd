import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Kafka, type Admin } from '../../../src/index.ts';
import { kafkaUnderTest } from '../../support/kafka/under-test.ts';

const brokers = await kafkaUnderTest({ brokers: 3 });
const perPartition = 5;

describe('Admin calls that go to several brokers', { skip: brokers.skip }, () => {
  const topic = `fan-out-${randomUUID()}`;
  const partitions = [0, 1, 2, 3, 4, 5];
  let kafka: Kafka;
  let admin: Admin;

  before(async () => {
    kafka = new Kafka({ bootstrapServers: brokers.bootstrapServers });
    admin = kafka.admin();
    // Each broker leads two partitions: an answer for all of them needs all three.
    const assignments = partitions.map((partition) =>
      [0, 1, 2].map((replica) => brokers.brokerIds[(partition + replica) % 3] ?? -1),
    );
    await admin.createTopics({ topic, assignments });
    const producer = kafka.producer();
    const values = Array.from({ length: perPartition }, (_, at) => String(at));
    await producer.send(
      partitions.flatMap((partition) => values.map((value, at) => ({ topic, partition, value, timestamp: 1000 + at }))),
    );
  });
  after(() => kafka.close());

  /** The brokers that were asked with requests of this API while `call` ran. */
  async function asked<T>(api: string, call: () => Promise<T>): Promise<{ result: T; nodeIds: number[] }> {
    const nodeIds: number[] = [];
    const stop = kafka.on('request.answered', (event) => {
      if (event.api === api) nodeIds.push(event.nodeId ?? -1);
    });
    const result = await call();
    stop();
    return { result, nodeIds: nodeIds.sort((a, b) => a - b) };
  }

  it('describeTopics shows every replica and all leaders', async () => {
    const described = await admin.describeTopics(topic);
    assert.deepEqual(
      described.partitions.map(({ leaderId }) => leaderId),
      partitions.map((partition) => brokers.brokerIds[partition % 3]),
    );
    assert.ok(described.partitions.every(({ isr }) => isr.length === 3));
  });

  it('listOffsets asks each leader once and answers in the order of the question', async () => {
    const query = [...partitions].reverse().map((partition) => ({ topic, partition }));
    const { result, nodeIds } = await asked('ListOffsets', () => admin.listOffsets(query));
    assert.deepEqual(nodeIds, brokers.brokerIds);
    assert.deepEqual(
      result.map(({ partition, offset }) => [partition, offset]),
      [...partitions].reverse().map((partition) => [partition, BigInt(perPartition)]),
    );
    const atTime = await admin.listOffsets(query.map((item) => ({ ...item, at: 1003 })));
    assert.deepEqual(
      atTime.map(({ offset, timestampMs }) => [offset, timestampMs]),
      partitions.map(() => [3n, 1003]),
    );
  });

  it('deleteRecords moves the start of partitions of every leader', async () => {
    const deletions = partitions.map((partition) => ({ topic, partition, offset: BigInt(partition % 4) + 1n }));
    const { result, nodeIds } = await asked('DeleteRecords', () => admin.deleteRecords(deletions));
    assert.deepEqual(nodeIds, brokers.brokerIds);
    assert.deepEqual(
      result,
      deletions.map(({ partition, offset }) => ({ topic, partition, lowWatermark: offset })),
    );
    const starts = await admin.listOffsets(partitions.map((partition) => ({ topic, partition, at: 'earliest' })));
    assert.deepEqual(
      starts.map(({ offset }) => offset),
      deletions.map(({ offset }) => offset),
    );
  });

  it('deleteRecords of what is beyond the end fails alone, with the results of the others', async () => {
    const offsets = [5n, 999n, 5n];
    const items = offsets.map((offset, partition) => ({ topic, partition, offset }));
    const results = await admin.deleteRecords(items, { settled: true });
    assert.deepEqual(
      results.map((result) => (result.status === 'fulfilled' ? result.value.lowWatermark : result.reason.code)),
      [5n, 'OFFSET_OUT_OF_RANGE', 5n],
    );
  });

  it('listGroups finds the groups of every coordinator, describeGroups and deleteGroups reach them', async () => {
    const coordinators = new Set<number>();
    const groupIds: string[] = [];
    // Which broker coordinates a group follows from its name: new names until each has one.
    while (coordinators.size < 3 && groupIds.length < 200) {
      const groupId = `fan-out-${randomUUID()}`;
      groupIds.push(groupId);
      await admin.alterGroupOffsets(groupId, { topic, partition: 0, offset: 5n });
      coordinators.add((await admin.describeGroups(groupId)).coordinatorId);
    }
    assert.deepEqual([...coordinators].sort(), brokers.brokerIds);
    const { result, nodeIds } = await asked('ListGroups', () => admin.listGroups());
    assert.deepEqual(nodeIds, brokers.brokerIds);
    const listed = new Set(result.map(({ groupId }) => groupId));
    assert.deepEqual(
      groupIds.filter((groupId) => !listed.has(groupId)),
      [],
    );
    const described = await admin.describeGroups(groupIds);
    assert.deepEqual(
      described.map(({ groupId, state }) => [groupId, state]),
      groupIds.map((groupId) => [groupId, 'Empty']),
    );
    await admin.deleteGroups(groupIds);
    const left = new Set((await admin.listGroups()).map(({ groupId }) => groupId));
    assert.ok(groupIds.every((groupId) => !left.has(groupId)));
  });

  it('describeConfigs of each broker is answered by that broker', async () => {
    const resources = brokers.brokerIds.map((name) => ({ type: 'broker', name }) as const);
    const { result, nodeIds } = await asked('DescribeConfigs', () => admin.describeConfigs(resources));
    assert.deepEqual(nodeIds, brokers.brokerIds);
    assert.deepEqual(
      result.map((description) => description.get('node.id')),
      brokers.brokerIds.map(String),
    );
  });
});
