import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { AdminError, isKafkaError, Kafka, type Admin } from '../../src/index.ts';
import { ShareGroupHeartbeat } from '../../src/protocol/generated/share-group-heartbeat.ts';
import { RawGroup, subscription } from '../support/answers/group-requests.ts';
import { RawKafka } from '../support/answers/raw-kafka.ts';
import { ShareDesk } from '../support/answers/share-requests.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const broker = await kafkaUnderTest({ brokers: 1 });

describe('Admin share groups', { skip: broker.skip }, () => {
  let kafka: Kafka;
  let admin: Admin;
  let raw: RawKafka;
  before(() => {
    kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
    admin = kafka.admin();
    raw = new RawKafka(broker.bootstrapServers);
  });
  after(async () => {
    raw.close();
    await kafka.close();
  });

  const fresh = (what: string): string => `${what}-${randomUUID()}`;

  /** A group whose one member has all partitions of a topic. */
  const withMember = async (partitions = 1): Promise<{ desk: ShareDesk; memberId: string }> => {
    const desk = await ShareDesk.open(raw, {}, { partitions, joins: false });
    return { desk, memberId: await desk.join() };
  };

  const leave = async ({ connection, groupId }: ShareDesk, memberId: string): Promise<void> => {
    const answer = await connection.send(ShareGroupHeartbeat, 1, { groupId, memberId, memberEpoch: -1 });
    assert.equal(answer.errorCode, 0);
  };

  /** A group that had a member once. */
  const empty = async (partitions = 1): Promise<ShareDesk> => {
    const { desk, memberId } = await withMember(partitions);
    await leave(desk, memberId);
    return desk;
  };

  const code =
    (expected: string, words: RegExp = /./) =>
    (error: unknown): boolean => {
      assert.ok(isKafkaError(error, expected as 'NON_EMPTY_GROUP'), String(error));
      assert.match(error.message, words);
      return true;
    };

  it('listGroups finds share groups by their type and their state', async () => {
    const { desk, memberId } = await withMember();
    const { groupId } = desk;
    const listed = async (options: Parameters<Admin['listGroups']>[0]) =>
      (await admin.listGroups(options)).filter((group) => group.groupId === groupId);
    const expected = { groupId, protocolType: 'share', state: 'Stable', type: 'share' };
    assert.deepEqual(await listed({}), [expected]);
    assert.deepEqual(await listed({ types: ['share'] }), [expected]);
    assert.deepEqual(await listed({ types: ['classic', 'consumer'] }), []);
    await leave(desk, memberId);
    assert.deepEqual(await listed({ types: ['share'], states: ['Stable'] }), []);
    assert.deepEqual(await listed({ types: ['share'], states: ['Empty'] }), [{ ...expected, state: 'Empty' }]);
  });

  it('describeShareGroups tells state, epochs and members, and what each member reads', async () => {
    const { desk, memberId } = await withMember(2);
    const group = await admin.describeShareGroups(desk.groupId);
    const topic = desk.topic.name;
    const { coordinatorId, groupEpoch, assignmentEpoch } = group;
    // It was given out anew when its partitions had been made ready.
    assert.ok(assignmentEpoch >= 3 && groupEpoch >= assignmentEpoch);
    assert.deepEqual(
      { ...group, members: group.members.map((member) => ({ ...member, clientHost: '' })) },
      {
        groupId: desk.groupId,
        state: 'Stable',
        assignor: 'simple',
        coordinatorId,
        groupEpoch,
        assignmentEpoch,
        members: [
          {
            memberId,
            clientId: 'raw',
            clientHost: '',
            rackId: undefined,
            memberEpoch: assignmentEpoch,
            subscription: [topic],
            assignment: [
              { topic, partition: 0 },
              { topic, partition: 1 },
            ],
          },
        ],
      },
    );
    assert.match(group.members[0]?.clientHost ?? '', /^\/\S+/);
    const cluster = await admin.describeCluster();
    assert.ok(cluster.brokers.some(({ nodeId }) => nodeId === coordinatorId));
  });

  it('describeShareGroups answers each group by itself: one of another type is none', async () => {
    const { desk } = await withMember();
    const other = await RawGroup.create(raw);
    const classic = await other.member({ protocols: [{ name: 'range', metadata: subscription() }] });
    await classic.join();
    const names = [other.groupId, desk.groupId, fresh('nobody')];
    const results = await admin.describeShareGroups(names, { settled: true });
    assert.deepEqual(
      results.map((result) => (result.status === 'fulfilled' ? result.value.state : result.reason.code)),
      ['GROUP_ID_NOT_FOUND', 'Stable', 'GROUP_ID_NOT_FOUND'],
    );
    await assert.rejects(admin.describeGroups(desk.groupId), code('GROUP_ID_NOT_FOUND'));
  });

  it('deleteGroups deletes a share group once it has no members, with its offsets', async () => {
    const { desk, memberId } = await withMember();
    await assert.rejects(admin.deleteGroups(desk.groupId), code('NON_EMPTY_GROUP'));
    await leave(desk, memberId);
    await admin.alterShareGroupOffsets(desk.groupId, { topic: desk.topic.name, partition: 0, startOffset: 0n });
    await admin.deleteGroups(desk.groupId);
    await assert.rejects(admin.describeShareGroups(desk.groupId), code('GROUP_ID_NOT_FOUND'));
    assert.deepEqual(await admin.listShareGroupOffsets(desk.groupId), []);
  });

  it('listShareGroupOffsets tells start and lag, and what the group has not begun', async () => {
    const desk = await empty(2);
    const topic = desk.topic.name;
    await desk.produce(['a', 'b', 'c', 'd', 'e']);
    const none = { startOffset: undefined, leaderEpoch: undefined, lag: undefined };
    assert.deepEqual(
      (await admin.listShareGroupOffsets(desk.groupId)).toSorted((a, b) => a.partition - b.partition),
      [0, 1].map((partition) => ({ topic, partition, ...none })),
    );
    await admin.alterShareGroupOffsets(desk.groupId, { topic, partition: 0, startOffset: 2 });
    const partitions = [
      { topic, partition: 1 },
      { topic, partition: 0 },
      { topic, partition: 7 },
      { topic: fresh('nothing'), partition: 0 },
    ];
    // Of a partition that there is not a broker would answer after half a minute.
    const found = await admin.listShareGroupOffsets(desk.groupId, { partitions, timeoutMs: 20_000 });
    assert.deepEqual(found, [
      { topic, partition: 1, ...none },
      { topic, partition: 0, startOffset: 2n, leaderEpoch: 0, lag: 3n },
      ...partitions.slice(2).map((partition) => ({ ...partition, ...none })),
    ]);
    assert.deepEqual(await admin.listShareGroupOffsets(fresh('nobody')), []);
  });

  it('the lag of a share group leaves out what is done behind its start', async () => {
    const { desk, memberId } = await withMember();
    await desk.produce(['a', 'b', 'c', 'd', 'e', 'f']);
    const reader = desk.member(memberId);
    await reader.fetchSome({ minBytes: 1 });
    const lags = async (lag: bigint): Promise<boolean> => {
      const [offset] = await admin.listShareGroupOffsets(desk.groupId);
      // Where it starts is written down only later.
      assert.deepEqual(
        { ...offset, leaderEpoch: 0 },
        { ...{ topic: desk.topic.name, partition: 0, startOffset: 0n }, leaderEpoch: 0, lag },
      );
      return true;
    };
    await reader.acknowledge([[2, 3, 1]]);
    await eventually(() => lags(4n));
    await reader.acknowledge([[0, 1, 1]]);
    await eventually(() => lags(2n));
  });

  it('alterShareGroupOffsets refuses while the group has members, and answers each partition by itself', async () => {
    const { desk, memberId } = await withMember();
    const topic = desk.topic.name;
    const offset = { topic, partition: 0, startOffset: 0n };
    await assert.rejects(
      admin.alterShareGroupOffsets(desk.groupId, offset),
      code('NON_EMPTY_GROUP', /stop its share consumers first/),
    );
    await leave(desk, memberId);
    const results = await admin.alterShareGroupOffsets(
      desk.groupId,
      [
        { ...offset, partition: 5 },
        { ...offset, startOffset: '3' },
      ],
      { settled: true },
    );
    assert.deepEqual(
      results.map((result) => (result.status === 'fulfilled' ? 'done' : result.reason.code)),
      ['UNKNOWN_TOPIC_OR_PARTITION', 'done'],
    );
    assert.equal((await admin.listShareGroupOffsets(desk.groupId))[0]?.startOffset, 3n);
    await assert.rejects(
      admin.alterShareGroupOffsets(desk.groupId, { ...offset, startOffset: -1n }),
      code('INVALID_ARGUMENT', /0 or above/),
    );
  });

  it('alterShareGroupOffsets makes a share group of a name that is free, and of no other', async () => {
    const { name: topic } = await raw.topic(1);
    const offset = { topic, partition: 0, startOffset: 0n };
    const groupId = fresh('new');
    // A coordinator hears of a new topic later than its clients.
    const isMade = async (): Promise<boolean> => {
      const result = await admin.alterShareGroupOffsets(groupId, offset, { settled: true });
      return result.status === 'fulfilled';
    };
    await eventually(isMade);
    assert.equal((await admin.describeShareGroups(groupId)).state, 'Empty');
    const other = await RawGroup.create(raw);
    const classic = await other.member({ protocols: [{ name: 'range', metadata: subscription() }] });
    await classic.join();
    await assert.rejects(admin.alterShareGroupOffsets(other.groupId, offset), code('GROUP_ID_NOT_FOUND'));
  });

  it('deleteShareGroupOffsets forgets a topic, and tells which topics the group has no offsets of', async () => {
    const { desk, memberId } = await withMember();
    const topic = desk.topic.name;
    await assert.rejects(
      admin.deleteShareGroupOffsets(desk.groupId, topic),
      code('NON_EMPTY_GROUP', /stop its share consumers first/),
    );
    await leave(desk, memberId);
    await admin.alterShareGroupOffsets(desk.groupId, { topic, partition: 0, startOffset: 0n });
    const other = fresh('other');
    await assert.rejects(admin.deleteShareGroupOffsets(desk.groupId, [other, topic]), (error) => {
      assert.ok(error instanceof AdminError);
      const codes = error.results.map((result) => (result.status === 'fulfilled' ? 'done' : result.reason.code));
      assert.deepEqual(codes, ['UNKNOWN_TOPIC_OR_PARTITION', 'done']);
      return true;
    });
    assert.deepEqual(await admin.listShareGroupOffsets(desk.groupId), []);
    await assert.rejects(admin.deleteShareGroupOffsets(fresh('nobody'), topic), code('GROUP_ID_NOT_FOUND'));
  });

  it('the settings of a share group are described and changed as those of any group, within the limits of the brokers', async () => {
    const group = { type: 'group', name: fresh('settings') } as const;
    const before = await admin.describeConfigs(group);
    assert.equal(before.get('share.auto.offset.reset'), 'latest');
    assert.equal(before.get('share.record.lock.duration.ms'), '30000');
    assert.equal(before.get('share.delivery.count.limit'), '5');
    const set = {
      'share.auto.offset.reset': 'earliest',
      'share.record.lock.duration.ms': 60_000,
      'share.delivery.count.limit': 3,
    };
    await admin.incrementalAlterConfigs({ ...group, set });
    await eventually(async () => {
      const { entries } = await admin.describeConfigs(group, { names: Object.keys(set) });
      assert.deepEqual(
        Object.fromEntries(entries.map(({ name, value, source }) => [name, `${value} by ${source}`])),
        Object.fromEntries(Object.entries(set).map(([name, value]) => [name, `${value} by group`])),
      );
      return true;
    });
    for (const [name, value] of [
      ['share.record.lock.duration.ms', 60_001],
      ['share.delivery.count.limit', 11],
      ['share.auto.offset.reset', 'none'],
    ] as const)
      await assert.rejects(admin.incrementalAlterConfigs({ ...group, set: { [name]: value } }), code('INVALID_CONFIG'));
    await admin.incrementalAlterConfigs({ ...group, delete: Object.keys(set) });
    await eventually(async () => (await admin.describeConfigs(group)).get('share.auto.offset.reset') === 'latest');
  });
});
