import { apis } from '../../../../src/protocol/index.ts';
import { ZERO_UUID } from '../../../../src/protocol/wire/uuid.ts';
import { RawGroup, subscription } from '../group-requests.ts';
import type { RawConnection } from '../raw-kafka.ts';
import { normalise, type Scenario } from '../scenario.ts';

const otherId = 'AAAAAAAAAAAAAAAAAAAABw';

interface Commit {
  readonly groupId: string;
  readonly topic: string;
  readonly offset?: bigint;
  readonly partition?: number;
  readonly memberId?: string;
  readonly generationId?: number;
  readonly metadata?: string | null;
  readonly topicId?: string;
  readonly groupInstanceId?: string;
}

function commit(connection: RawConnection, version: number, request: Commit) {
  const { groupId, topic, offset = 5n, partition = 0, memberId = '', generationId = -1, metadata = 'note' } = request;
  const partitions = [{ partitionIndex: partition, committedOffset: offset, committedMetadata: metadata }];
  const named = version >= 10 ? { topicId: request.topicId ?? ZERO_UUID } : { name: topic };
  return connection.send(apis.OffsetCommit, version, {
    groupId,
    memberId,
    generationIdOrMemberEpoch: generationId,
    ...(version >= 7 && request.groupInstanceId !== undefined ? { groupInstanceId: request.groupInstanceId } : {}),
    topics: [{ ...named, partitions }],
  });
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'offsets are committed without membership and fetched in every version',
    async run(kafka) {
      const topic = await kafka.topic(2);
      const answers = [];
      for (let version = 2; version <= 10; version++) {
        const group = await RawGroup.create(kafka);
        const connection = await group.connect();
        const { groupId } = group;
        const committed = await commit(connection, version, { groupId, topic: topic.name, topicId: topic.topicId });
        answers.push(normalise({ version, committed }, { topic: topic.name, id: topic.topicId, zero: ZERO_UUID }));
      }
      const group = await RawGroup.create(kafka);
      const connection = await group.connect();
      const { groupId } = group;
      await commit(connection, 8, { groupId, topic: topic.name, offset: 7n });
      await commit(connection, 8, { groupId, topic: topic.name, offset: 9n, metadata: null });
      for (let version = 1; version <= 10; version++) {
        const named = version >= 10 ? { topicId: topic.topicId } : { name: topic.name };
        const topics = [{ ...named, partitionIndexes: [0, 1, 7] }];
        const some = await connection.send(
          apis.OffsetFetch,
          version,
          version >= 8 ? { groups: [{ groupId, topics }] } : { groupId, topics: topics },
        );
        const all =
          version < 2
            ? null
            : await connection.send(
                apis.OffsetFetch,
                version,
                version >= 8 ? { groups: [{ groupId, topics: null }] } : { groupId, topics: null },
              );
        answers.push(
          normalise({ version, some, all }, { topic: topic.name, id: topic.topicId, group: groupId, zero: ZERO_UUID }),
        );
      }
      return answers;
    },
  },
  {
    name: 'topics and partitions that do not exist are refused, the others committed',
    async run(kafka) {
      const topic = await kafka.topic(1);
      const group = await RawGroup.create(kafka);
      const connection = await group.connect();
      const partition = (partitionIndex: number) => ({ partitionIndex, committedOffset: 1n, committedMetadata: '' });
      const byName = await connection.send(apis.OffsetCommit, 9, {
        groupId: group.groupId,
        generationIdOrMemberEpoch: -1,
        topics: [
          { name: topic.name, partitions: [partition(0), partition(1)] },
          { name: 'there-is-no-such', partitions: [partition(0)] },
        ],
      });
      const byId = await connection.send(apis.OffsetCommit, 10, {
        groupId: group.groupId,
        generationIdOrMemberEpoch: -1,
        topics: [
          { topicId: topic.topicId, partitions: [partition(0), partition(1)] },
          { topicId: otherId, partitions: [partition(0)] },
          { topicId: ZERO_UUID, partitions: [partition(0)] },
        ],
      });
      const fetched = await connection.send(apis.OffsetFetch, 10, {
        groups: [
          {
            groupId: group.groupId,
            topics: [
              { topicId: otherId, partitionIndexes: [0] },
              { topicId: topic.topicId, partitionIndexes: [0] },
            ],
          },
        ],
      });
      const fetchedByName = await connection.send(apis.OffsetFetch, 9, {
        groups: [{ groupId: group.groupId, topics: [{ name: 'there-is-no-such', partitionIndexes: [0] }] }],
      });
      return normalise(
        { byName, byId, fetched, fetchedByName },
        { topic: topic.name, id: topic.topicId, zero: ZERO_UUID, group: group.groupId },
      );
    },
  },
  {
    name: 'a group that does not exist has no offsets, and takes them only without membership',
    async run(kafka) {
      const topic = await kafka.topic(1);
      const group = await RawGroup.create(kafka);
      const connection = await group.connect();
      const { groupId } = group;
      const fetched = await connection.send(apis.OffsetFetch, 9, {
        groups: [
          { groupId, topics: [{ name: topic.name, partitionIndexes: [0] }] },
          { groupId: `${groupId}-2`, topics: null },
        ],
      });
      const refused = [];
      for (const version of [2, 8, 9, 10]) {
        const request = { groupId, topic: topic.name, topicId: topic.topicId, generationId: 1, memberId: 'm' };
        refused.push(await commit(connection, version, request));
      }
      const deleted = await connection.send(apis.OffsetDelete, 0, {
        groupId,
        topics: [{ name: topic.name, partitions: [{ partitionIndex: 0 }] }],
      });
      const listedBefore = (await connection.send(apis.ListGroups, 5, {})).groups.filter(
        (each) => each.groupId === groupId,
      );
      await commit(connection, 9, { groupId, topic: topic.name });
      const listed = (await connection.send(apis.ListGroups, 5, {})).groups.filter((each) => each.groupId === groupId);
      const described = await connection.send(apis.DescribeGroups, 6, { groups: [groupId] });
      return normalise(
        { fetched, refused, deleted, listedBefore, listed, described },
        { topic: topic.name, id: topic.topicId, zero: ZERO_UUID, group: groupId, group2: `${groupId}-2` },
      );
    },
  },
  {
    name: 'commits are fenced by member, generation, instance and state',
    async run(kafka) {
      const topic = await kafka.topic(1);
      const group = await RawGroup.create(kafka);
      const { groupId } = group;
      const a = await group.member({ groupInstanceId: 'inst' });
      await a.join();
      const connection = await group.connect();
      const try_ = (request: Partial<Commit>) => commit(connection, 8, { groupId, topic: topic.name, ...request });
      const own = { memberId: a.memberId, generationId: 1, groupInstanceId: 'inst' };
      const completing = [await try_(own), await try_({})];
      await a.sync([{ memberId: a.memberId, assignment: Buffer.from('x') }]);
      const stable = [
        await try_(own),
        await try_({}),
        await try_({ memberId: a.memberId, generationId: 1 }),
        await try_({ ...own, generationId: 0 }),
        await try_({ ...own, generationId: -1 }),
        await try_({ ...own, memberId: 'other' }),
        await try_({ ...own, groupInstanceId: 'nobody' }),
        await try_({ memberId: 'other', generationId: 1 }),
      ];
      await a.leave();
      const empty = [await try_(own), await try_({}), await try_({ memberId: 'x', generationId: -1 })];
      return normalise({ completing, stable, empty }, { topic: topic.name, zero: ZERO_UUID });
    },
  },
  {
    name: 'metadata has a limit',
    async run(kafka) {
      const topic = await kafka.topic(1);
      const group = await RawGroup.create(kafka);
      const connection = await group.connect();
      const { groupId } = group;
      return normalise(
        [
          await commit(connection, 8, { groupId, topic: topic.name, metadata: 'x'.repeat(4096) }),
          await commit(connection, 8, { groupId, topic: topic.name, metadata: 'x'.repeat(4097) }),
          await commit(connection, 8, { groupId, topic: topic.name, metadata: 'ü'.repeat(4096) }),
        ],
        { topic: topic.name, zero: ZERO_UUID },
      );
    },
  },
  {
    name: 'an empty group id holds offsets, too',
    async run(kafka) {
      const topic = await kafka.topic(1);
      await RawGroup.create(kafka);
      const group = await RawGroup.create(kafka, '');
      const connection = await group.connect();
      const committed = await commit(connection, 8, { groupId: '', topic: topic.name });
      const topics = [{ name: topic.name, partitionIndexes: [0] }];
      const fetched = await connection.send(apis.OffsetFetch, 7, { groupId: '', topics });
      const deleted = await connection.send(apis.OffsetDelete, 0, {
        groupId: '',
        topics: [{ name: topic.name, partitions: [{ partitionIndex: 0 }] }],
      });
      await connection.send(apis.DeleteGroups, 2, { groupsNames: [''] });
      return normalise({ committed, fetched, deleted }, { topic: topic.name, zero: ZERO_UUID });
    },
  },
  {
    name: 'offsets are deleted, unless the group reads the topic or is of another kind',
    async run(kafka) {
      const [topic, read] = [await kafka.topic(2), await kafka.topic(1)];
      const group = await RawGroup.create(kafka);
      const { groupId } = group;
      const connection = await group.connect();
      await commit(connection, 8, { groupId, topic: topic.name });
      await commit(connection, 8, { groupId, topic: read.name });
      const remove = (...partitions: readonly number[]) =>
        connection.send(apis.OffsetDelete, 0, {
          groupId,
          topics: [
            { name: topic.name, partitions: partitions.map((partitionIndex) => ({ partitionIndex })) },
            { name: read.name, partitions: [{ partitionIndex: 0 }] },
            { name: 'there-is-no-such', partitions: [{ partitionIndex: 0 }] },
          ],
        });
      const a = await group.member({ protocols: [{ name: 'range', metadata: subscription(read.name) }] });
      await a.join();
      const completing = await remove(1);
      await a.sync([{ memberId: a.memberId, assignment: Buffer.from('x') }]);
      const subscribed = await remove(0, 1, 2);
      const left = await connection.send(apis.OffsetFetch, 7, { groupId, topics: null });
      await a.leave();
      const empty = await remove(0);
      const unreadable = await group.member({ protocols: [{ name: 'range', metadata: Buffer.from('?') }] });
      await unreadable.join();
      await unreadable.sync([]);
      const unknown = await remove(0);
      await unreadable.leave();
      const other = await group.member({ protocolType: 'other' });
      await other.join();
      const nonEmpty = await remove(0);
      return normalise(
        { completing, subscribed, left, empty, unknown, nonEmpty },
        { topic: topic.name, read: read.name },
      );
    },
  },
  {
    name: 'a retention of its own in old versions drops the offset only when it is over',
    async run(kafka) {
      const topic = await kafka.topic(1);
      const group = await RawGroup.create(kafka);
      const { groupId } = group;
      const connection = await group.connect();
      const partitions = [{ partitionIndex: 0, committedOffset: 3n, committedMetadata: '' }];
      const committed = await connection.send(apis.OffsetCommit, 2, {
        groupId,
        generationIdOrMemberEpoch: -1,
        retentionTimeMs: 3_600_000n,
        topics: [{ name: topic.name, partitions }],
      });
      const fetched = await connection.send(apis.OffsetFetch, 2, { groupId, topics: null });
      return normalise({ committed, fetched }, { topic: topic.name, zero: ZERO_UUID });
    },
  },
  {
    name: 'the offsets of a deleted topic are gone when one of the same name is made',
    async run(kafka) {
      const topic = await kafka.topic(1);
      const group = await RawGroup.create(kafka);
      const { groupId } = group;
      const connection = await group.connect();
      await commit(connection, 8, { groupId, topic: topic.name });
      await connection.send(apis.DeleteTopics, 5, { topicNames: [topic.name], timeoutMs: 10_000 });
      let fetched = await connection.send(apis.OffsetFetch, 7, { groupId, topics: null });
      while (fetched.topics.length > 0) fetched = await connection.send(apis.OffsetFetch, 7, { groupId, topics: null });
      return normalise(fetched, { topic: topic.name });
    },
  },
];
