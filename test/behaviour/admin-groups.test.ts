import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import {
  isKafkaError,
  Kafka,
  type Admin,
  type Consumer,
  type ConsumerOptions,
  type ErrorCode,
} from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const cluster = await kafkaUnderTest({ brokers: 1 });
const isKafka4 = cluster.skip !== false || !cluster.version.startsWith('3.');

const fresh = (what: string): string => `${what}-${randomUUID()}`;
const code =
  (expected: ErrorCode) =>
  (error: unknown): boolean =>
    isKafkaError(error, expected);

describe('Admin, members of groups', { skip: cluster.skip }, () => {
  let kafka: Kafka;
  let admin: Admin;
  before(() => {
    kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
    admin = kafka.admin();
  });
  after(() => kafka.close());

  const twoPartitions = async (): Promise<string> => {
    const { topic } = await admin.createTopics({ topic: fresh('admin-groups'), partitions: 2 });
    return topic;
  };
  const joined = async (topic: string, options: ConsumerOptions): Promise<Consumer> => {
    // A session that would outlast the test: what goes faster, goes by itself.
    const consumer = kafka.consumer({ heartbeatIntervalMs: 200, sessionTimeoutMs: 45_000, ...options });
    consumer.subscribe(topic);
    await consumer.waitForAssignment();
    return consumer;
  };
  const hasBoth = (consumer: Consumer): Promise<unknown> =>
    eventually(
      async () => {
        await consumer.poll({ timeoutMs: 100 });
        return consumer.assignment().length === 2;
      },
      'both partitions',
      20_000,
    );

  it('a static member that does not come back is removed by its name, and its partitions go to the others', async () => {
    const topic = await twoPartitions();
    const groupId = fresh('group');
    const silent = await joined(topic, { groupId, groupInstanceId: 'till-1' });
    // Static members do not leave: their partitions wait for them.
    await silent.close();
    const { members } = await admin.describeGroups(groupId);
    assert.deepEqual(
      members.map(({ groupInstanceId }) => groupInstanceId),
      ['till-1'],
    );
    await admin.removeMembersFromGroup(groupId, { groupInstanceId: 'till-1' }, { reason: 'it is scrapped' });
    const other = await joined(topic, { groupId });
    await hasBoth(other);
    await assert.rejects(
      admin.removeMembersFromGroup(groupId, { groupInstanceId: 'till-1' }),
      code('UNKNOWN_MEMBER_ID'),
    );
    await other.close();
  });

  it('a static member whose name somebody else has by now is removed by its name only', async () => {
    const topic = await twoPartitions();
    const groupId = fresh('group');
    const member = await joined(topic, { groupId, groupInstanceId: 'till-1' });
    const stale = { memberId: 'till-1-of-before', groupInstanceId: 'till-1' };
    await assert.rejects(admin.removeMembersFromGroup(groupId, stale), code('FENCED_INSTANCE_ID'));
    const [described] = (await admin.describeGroups(groupId)).members;
    assert.ok(described !== undefined);
    await admin.removeMembersFromGroup(groupId, [described]);
    assert.deepEqual((await admin.describeGroups(groupId)).members, []);
    await member.close();
  });

  it('all are removed, and consumers that run come back by themselves', async () => {
    const topic = await twoPartitions();
    const groupId = fresh('group');
    const lost: string[] = [];
    const stop = kafka.on('group.left', (event) => event.groupId === groupId && lost.push(event.memberId));
    const consumer = await joined(topic, { groupId });
    const removed = await admin.removeMembersFromGroup(groupId, 'all');
    assert.deepEqual(
      removed.map(({ assignment }) => assignment.length),
      [2],
    );
    const before = removed[0]?.memberId;
    await eventually(async () => {
      await consumer.poll({ timeoutMs: 100 });
      const [member] = (await admin.describeGroups(groupId)).members;
      return member !== undefined && member.memberId !== before && consumer.assignment().length === 2;
    });
    assert.deepEqual(lost, [before]);
    const { memberId } = consumer.groupMetadata();
    await consumer.close();
    assert.deepEqual(lost, [before, memberId]);
    stop();
    assert.deepEqual(await admin.removeMembersFromGroup(groupId, 'all'), []);
    await assert.rejects(admin.removeMembersFromGroup(fresh('no-group'), 'all'), code('GROUP_ID_NOT_FOUND'));
  });

  it(
    'a static member of the new protocol is removed as well',
    { skip: isKafka4 ? false : 'needs Kafka 4' },
    async () => {
      const topic = await twoPartitions();
      const options: ConsumerOptions = { groupId: fresh('group'), groupProtocol: 'consumer' };
      const consumer = kafka.consumer({ ...options, groupInstanceId: 'till-1' });
      consumer.subscribe(topic);
      await consumer.waitForAssignment();
      await consumer.close();
      await admin.removeMembersFromGroup(options.groupId ?? '', { groupInstanceId: 'till-1' });
      const other = kafka.consumer(options);
      other.subscribe(topic);
      await hasBoth(other);
      await other.close();
    },
  );
});

describe('Admin.listConfigResources', { skip: cluster.skip || (isKafka4 ? false : 'needs Kafka 4') }, () => {
  it('names what has configurations, of the types that are asked for', async () => {
    const kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
    try {
      const admin = kafka.admin();
      const { topic } = await admin.createTopics({ topic: fresh('admin-groups'), partitions: 1 });
      const group = fresh('group');
      await admin.incrementalAlterConfigs({
        type: 'group',
        name: group,
        set: { 'consumer.session.timeout.ms': 46_000 },
      });
      const listed = await eventually(async () => {
        const found = await admin.listConfigResources();
        return found.some(({ type, name }) => type === 'group' && name === group) && found;
      });
      assert.ok(listed.some(({ type, name }) => type === 'topic' && name === topic));
      assert.ok(listed.some(({ type }) => type === 'broker'));
      const groups = await admin.listConfigResources({ types: ['group'] });
      assert.ok(groups.length > 0 && groups.every(({ type }) => type === 'group'));
    } finally {
      await kafka.close();
    }
  });
});
