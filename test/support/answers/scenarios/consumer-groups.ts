import { apis } from '../../../../src/protocol/index.ts';
import type { ConsumerGroupHeartbeatRequest } from '../../../../src/protocol/generated/consumer-group-heartbeat.ts';
import {
  assignmentOf,
  owningSubscription,
  partitionsIn,
  RawGroup,
  sortMembers,
  subscription,
  type RawMember,
} from '../group-requests.ts';
import type { RawConnection, RawKafka, RawTopic } from '../raw-kafka.ts';
import { errorName, normalise, type Scenario } from '../scenario.ts';

const GROUP_RESOURCE = 32;

/** A group of the new protocol; what happens is written line by line. */
class Desk {
  readonly log: string[] = [];
  readonly group: RawGroup;
  readonly connection: RawConnection;
  readonly topics: readonly RawTopic[];

  private constructor(group: RawGroup, connection: RawConnection, topics: readonly RawTopic[]) {
    this.group = group;
    this.connection = connection;
    this.topics = topics;
  }

  /** The group assigns without waiting between two assignments, so that answers do not hang on time. */
  static async open(kafka: RawKafka, ...partitions: readonly number[]): Promise<Desk> {
    const topics = await Promise.all(partitions.map((count) => kafka.topic(count)));
    const group = await RawGroup.create(kafka);
    const connection = await group.connect();
    const configs = [{ name: 'consumer.assignment.interval.ms', configOperation: 0, value: '0' }];
    const resources = [{ resourceType: GROUP_RESOURCE, resourceName: group.groupId, configs }];
    await connection.send(apis.IncrementalAlterConfigs, 1, { resources });
    return new Desk(group, connection, topics);
  }

  topic(at = 0): RawTopic {
    const topic = this.topics[at];
    if (topic === undefined) throw new Error('no such topic');
    return topic;
  }

  names(): Record<string, string> {
    return Object.fromEntries([
      ['group', this.group.groupId],
      ...this.topics.flatMap(({ name, topicId }, at) => [
        [`topic${at}`, name],
        [`id${at}`, topicId],
      ]),
    ]) as Record<string, string>;
  }

  /** One heartbeat; the line tells its answer. */
  async beat(
    memberId: string,
    memberEpoch: number,
    fields: Partial<ConsumerGroupHeartbeatRequest> = {},
    version = 1,
  ): Promise<number> {
    const { groupId } = this.group;
    const answer = await this.connection.send(apis.ConsumerGroupHeartbeat, version, {
      groupId,
      memberId,
      memberEpoch,
      ...fields,
    });
    const parts =
      answer.assignment?.topicPartitions
        .map(({ topicId, partitions }) => {
          const at = this.topics.findIndex((topic) => topic.topicId === topicId);
          return `${at}:[${partitions.toSorted((a, b) => a - b).join()}]`;
        })
        .sort()
        .join(' ') ?? 'unchanged';
    const { errorCode, heartbeatIntervalMs } = answer;
    const idle = answer.memberId === memberId ? '' : ` as ${answer.memberId === null ? 'null' : 'another'}`;
    this.log.push(
      `${memberId} at ${memberEpoch} ${Object.keys(fields).join()} → ${errorName(errorCode)}${idle} epoch ${answer.memberEpoch}, ` +
        `${heartbeatIntervalMs} ms: ${parts === '' ? 'nothing' : parts}`,
    );
    return answer.memberEpoch;
  }

  join(memberId: string, fields: Partial<ConsumerGroupHeartbeatRequest> = {}): Promise<number> {
    return this.beat(memberId, 0, {
      rebalanceTimeoutMs: 60_000,
      subscribedTopicNames: this.topics.map(({ name }) => name),
      topicPartitions: [],
      ...fields,
    });
  }

  owning(partitions: number[], at = 0): Partial<ConsumerGroupHeartbeatRequest> {
    return { topicPartitions: partitions.length === 0 ? [] : [{ topicId: this.topic(at).topicId, partitions }] };
  }

  async describe(): Promise<unknown> {
    const { groups } = await this.connection.send(apis.ConsumerGroupDescribe, 1, { groupIds: [this.group.groupId] });
    const host = groups[0]?.members[0]?.clientHost ?? '';
    return sortMembers(normalise(groups, { ...this.names(), ...(host === '' ? {} : { host }) }));
  }

  async commit(memberId: string, epoch: number, partition: number, version = 9): Promise<void> {
    const partitions = [{ partitionIndex: partition, committedOffset: 1n, committedMetadata: '' }];
    const answer = await this.connection.send(apis.OffsetCommit, version, {
      groupId: this.group.groupId,
      memberId,
      generationIdOrMemberEpoch: epoch,
      topics: [{ name: this.topic().name, partitions }],
    });
    const code = answer.topics[0]?.partitions[0]?.errorCode ?? -1;
    this.log.push(`OffsetCommit v${version} of ${memberId} at ${epoch} for ${partition} → ${errorName(code)}`);
  }

  /** A member of the classic protocol that wants the topic; its requests are told with what it gets. */
  async classic(owned: readonly number[] = [], groupInstanceId: string | null = null): Promise<RawMember> {
    const metadata = owningSubscription(this.topic().name, owned);
    return this.group.member({ protocols: [{ name: 'range', metadata }], groupInstanceId });
  }

  async joinClassic(member: RawMember, owned: readonly number[]): Promise<void> {
    const metadata = owningSubscription(this.topic().name, owned);
    member.options.protocols.splice(0, 1, { name: 'range', metadata });
    const { errorCode, generationId, protocolName, leader } = await member.join();
    const leads = leader !== '' && leader === member.memberId;
    this.log.push(
      `JoinGroup owning [${owned.join()}] → ${errorName(errorCode)} generation ${generationId} ${protocolName}` +
        `${leads ? ' leads' : ''}`,
    );
  }

  async syncClassic(member: RawMember, partitions?: readonly number[]): Promise<void> {
    const { memberId } = member;
    const plan =
      partitions === undefined ? [] : [{ memberId, assignment: assignmentOf(this.topic().name, partitions) }];
    const { errorCode, assignment } = await member.sync(plan);
    this.log.push(`SyncGroup → ${errorName(errorCode)} ${partitionsIn(assignment)}`);
  }

  async beatClassic(member: RawMember): Promise<void> {
    this.log.push(`Heartbeat → ${errorName((await member.heartbeat()).errorCode)}`);
  }

  async type(): Promise<void> {
    const { groups } = await this.connection.send(apis.ListGroups, 5, {});
    const found = groups.find(({ groupId }) => groupId === this.group.groupId);
    this.log.push(`the group is ${found?.groupType} ${found?.groupState}`);
  }

  async fetch(memberId: string | null, memberEpoch: number): Promise<void> {
    const { groups } = await this.connection.send(apis.OffsetFetch, 9, {
      groups: [{ groupId: this.group.groupId, memberId, memberEpoch, topics: null }],
    });
    this.log.push(`OffsetFetch of ${memberId} at ${memberEpoch} → ${errorName(groups[0]?.errorCode ?? -1)}`);
  }
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'a member joins, gets everything, follows a second one, and leaves',
    async run(kafka) {
      const desk = await Desk.open(kafka, 4);
      await desk.join('a');
      await desk.beat('a', 2);
      await desk.beat('a', 2, desk.owning([0, 1, 2, 3]));
      await desk.join('b');
      const joined = await desk.describe();
      await desk.beat('b', 3);
      await desk.beat('a', 2);
      await desk.beat('a', 2);
      const revoking = await desk.describe();
      await desk.beat('b', 3);
      await desk.beat('a', 2, desk.owning([0, 1]));
      await desk.beat('b', 3);
      const done = await desk.describe();
      await desk.beat('b', -1);
      await desk.beat('a', 3);
      await desk.beat('a', -1);
      const empty = await desk.describe();
      await desk.join('a');
      return { log: desk.log, joined, revoking, done, empty };
    },
  },
  {
    name: 'epochs that do not fit are fenced, a lost answer is not',
    async run(kafka) {
      const desk = await Desk.open(kafka, 4);
      await desk.beat('a', 5);
      await desk.join('a');
      await desk.beat('nobody', 1);
      await desk.beat('a', 9);
      await desk.beat('a', 1);
      await desk.join('b');
      await desk.beat('a', 2);
      await desk.beat('a', 2, desk.owning([0, 1]));
      await desk.beat('a', 2);
      await desk.beat('a', 2, desk.owning([0, 1, 2]));
      await desk.beat('a', 2, desk.owning([0]));
      await desk.beat('nobody', -1);
      await desk.join('a');
      await desk.beat('b', 0, { rebalanceTimeoutMs: 1000, subscribedTopicNames: [], topicPartitions: [] });
      return desk.log;
    },
  },
  {
    name: 'offsets are committed and fetched with member epochs',
    async run(kafka) {
      const desk = await Desk.open(kafka, 4);
      await desk.join('a');
      await desk.commit('a', 2, 0);
      await desk.commit('a', 2, 0, 8);
      await desk.commit('a', 1, 0);
      await desk.commit('a', 3, 0);
      await desk.commit('x', 2, 0);
      await desk.commit('', -1, 0);
      await desk.fetch(null, -1);
      await desk.fetch('a', 2);
      await desk.fetch('a', 1);
      await desk.fetch('a', 7);
      await desk.fetch('x', 2);
      await desk.join('b');
      await desk.beat('a', 2);
      await desk.commit('a', 2, 3);
      await desk.beat('a', 2, desk.owning([0, 1]));
      await desk.commit('a', 2, 0);
      await desk.commit('a', 2, 3);
      await desk.commit('a', 3, 0);
      await desk.beat('b', 3);
      await desk.commit('b', 2, 2);
      await desk.commit('b', 3, 2);
      await desk.beat('a', -1);
      await desk.beat('b', -1);
      await desk.commit('', -1, 0);
      await desk.commit('b', 3, 0);
      return desk.log;
    },
  },
  {
    name: 'static members go away and come back, and fence each other',
    async run(kafka) {
      const desk = await Desk.open(kafka, 4);
      await desk.join('a', { instanceId: 'one' });
      await desk.join('b', { instanceId: 'two' });
      await desk.beat('a', 2, { instanceId: 'one' });
      await desk.beat('a', 2, { instanceId: 'one', ...desk.owning([0, 1]) });
      await desk.beat('b', 3, { instanceId: 'two' });
      await desk.join('c', { instanceId: 'one' });
      await desk.beat('c', 3, { instanceId: 'one' });
      await desk.beat('c', 3, { instanceId: 'none' });
      await desk.beat('a', -2, { instanceId: 'one' });
      const away = await desk.describe();
      await desk.beat('b', 3, { instanceId: 'two' });
      await desk.join('c', { instanceId: 'one' });
      await desk.beat('a', 3, { instanceId: 'one' });
      await desk.beat('b', 3, { instanceId: 'two' });
      const back = await desk.describe();
      await desk.beat('c', -1, { instanceId: 'one' });
      await desk.beat('b', 3, { instanceId: 'two' });
      await desk.beat('b', -2);
      return { log: desk.log, away, back };
    },
  },
  {
    name: 'requests that make no sense are refused',
    async run(kafka) {
      const desk = await Desk.open(kafka, 1);
      const join = { rebalanceTimeoutMs: 1000, subscribedTopicNames: ['x'], topicPartitions: [] };
      await desk.beat('', 0, join);
      await desk.beat('a', 0, { ...join, rebalanceTimeoutMs: -1 });
      await desk.beat('a', 0, { ...join, subscribedTopicNames: null });
      await desk.beat('a', 0, { ...join, topicPartitions: null });
      await desk.beat('a', 0, { ...join, ...desk.owning([0]) });
      await desk.beat('a', 0, { ...join, groupId: '' });
      await desk.beat('a', 0, { ...join, instanceId: '' });
      await desk.beat('a', 0, { ...join, rackId: '' });
      await desk.beat('a', 0, { ...join, serverAssignor: 'nonsense' });
      await desk.beat('a', -2);
      await desk.beat('a', -3);
      await desk.beat('a', 0, { ...join, subscribedTopicNames: null, subscribedTopicRegex: '(' });
      await desk.beat('a', 0, { ...join, subscribedTopicNames: null, subscribedTopicRegex: '(?=x)' });
      const none = await desk.describe();
      await desk.beat('', 0, join, 0);
      return { log: desk.log, none };
    },
  },
  {
    name: 'the assignors of the broker share topics out',
    async run(kafka) {
      const shares = [];
      for (const serverAssignor of ['uniform', 'range']) {
        const desk = await Desk.open(kafka, 3, 3, 2);
        await desk.join('a', { serverAssignor });
        await desk.join('b', { serverAssignor });
        await desk.join('c', { serverAssignor, subscribedTopicNames: desk.topics.map(({ name }) => name) });
        const described = (await desk.describe()) as {
          assignorName: string;
          members: { targetAssignment: unknown }[];
        }[];
        const sizes = described.flatMap(({ members }) =>
          members.map(
            ({ targetAssignment }) =>
              JSON.stringify(targetAssignment)
                .match(/"partitions":\[[^\]]+/g)
                ?.join() ?? '',
          ),
        );
        const counts = sizes.map((text) => text.split(/[[,]\d/).length - 1).sort();
        shares.push({ assignor: described[0]?.assignorName, counts });
      }
      return shares;
    },
  },
  {
    name: 'a regular expression picks topics',
    async run(kafka) {
      const desk = await Desk.open(kafka, 2, 1);
      const pattern = `${desk.topic(0).name.slice(0, -2)}..`;
      const subscription = { subscribedTopicNames: [], subscribedTopicRegex: pattern };
      let epoch = await desk.join('a', subscription);
      let count = 0;
      while (count === 0) {
        const { assignment, memberEpoch } = await desk.connection.send(apis.ConsumerGroupHeartbeat, 1, {
          groupId: desk.group.groupId,
          memberId: 'a',
          memberEpoch: epoch,
          rebalanceTimeoutMs: 60_000,
          ...subscription,
          topicPartitions: [],
        });
        epoch = memberEpoch;
        count = assignment?.topicPartitions.flatMap(({ partitions }) => partitions).length ?? 0;
      }
      return count;
    },
  },
  {
    name: 'a group of the new protocol is listed, not described as a classic one, and deleted when it is empty',
    async run(kafka) {
      const desk = await Desk.open(kafka, 1);
      await desk.join('a');
      const { connection, group } = desk;
      const list = async () =>
        (await connection.send(apis.ListGroups, 5, {})).groups.filter(({ groupId }) => groupId === group.groupId);
      const listed = await list();
      const described = [
        await connection.send(apis.DescribeGroups, 5, { groups: [group.groupId] }),
        await connection.send(apis.DescribeGroups, 6, { groups: [group.groupId] }),
      ];
      const remove = () => connection.send(apis.DeleteGroups, 2, { groupsNames: [group.groupId] });
      const nonEmpty = await remove();
      await desk.beat('a', -1);
      const emptied = await list();
      const removed = await remove();
      const gone = await list();
      const classic = await group.member();
      await classic.join();
      const asConsumer = await connection.send(apis.ConsumerGroupDescribe, 1, { groupIds: [group.groupId, ''] });
      return normalise(
        { log: desk.log, listed, described, nonEmpty, emptied, removed, gone, asConsumer },
        desk.names(),
      );
    },
  },
  {
    name: 'an empty group takes the protocol of whoever comes next, and keeps its offsets',
    async run(kafka) {
      const desk = await Desk.open(kafka, 1);
      await desk.join('a');
      await desk.commit('a', 2, 0);
      await desk.beat('a', -1);
      const classic = await desk.group.member({ protocols: [{ name: 'range', metadata: subscription() }] });
      const joined = await classic.join();
      desk.log.push(`JoinGroup → ${errorName(joined.errorCode)} generation ${joined.generationId}`);
      await classic.leave();
      await desk.join('a');
      const topics = [{ name: desk.topic().name, partitionIndexes: [0] }];
      const fetched = await desk.connection.send(apis.OffsetFetch, 7, { groupId: desk.group.groupId, topics });
      return { log: desk.log, fetched: normalise(fetched, desk.names()) };
    },
  },
  {
    name: 'a classic group becomes one of the new protocol when such a member comes, and a classic one again when it goes',
    async run(kafka) {
      const desk = await Desk.open(kafka, 4);
      const old = await desk.classic();
      await desk.joinClassic(old, []);
      await desk.syncClassic(old, [0, 1, 2, 3]);
      await desk.beat('n', 3);
      await desk.join('n');
      await desk.type();
      await desk.beatClassic(old);
      await desk.joinClassic(old, [0, 1, 2, 3]);
      await desk.syncClassic(old);
      await desk.beatClassic(old);
      await desk.joinClassic(old, [0, 1]);
      await desk.syncClassic(old);
      await desk.beatClassic(old);
      await desk.beat('n', 2);
      const mixed = await desk.describe();
      await desk.commit(old.memberId, 2, 0, 8);
      await desk.commit(old.memberId, 1, 0, 8);
      desk.log.splice(-2, 2, ...desk.log.slice(-2).map((line) => line.replaceAll(old.memberId, '<old>')));
      await desk.beat('n', -1);
      await desk.type();
      await desk.beatClassic(old);
      await desk.joinClassic(old, [0, 1]);
      await desk.syncClassic(old, [0, 1, 2, 3]);
      await desk.beatClassic(old);
      await desk.type();
      const text = JSON.stringify(mixed).replaceAll(old.memberId, '<old>');
      return { log: desk.log, mixed: sortMembers(JSON.parse(text)) };
    },
  },
  {
    name: 'a classic member joins a group of the new protocol',
    async run(kafka) {
      const desk = await Desk.open(kafka, 4);
      await desk.join('n');
      const old = await desk.classic();
      const given = await old.join(4);
      desk.log.push(`JoinGroup v4 → ${errorName(given.errorCode)}`);
      await desk.joinClassic(old, []);
      await desk.syncClassic(old);
      await desk.beatClassic(old);
      await desk.beat('n', 2);
      await desk.beat('n', 2, desk.owning([0, 1]));
      await desk.beatClassic(old);
      await desk.joinClassic(old, []);
      await desk.syncClassic(old);
      await desk.beatClassic(old);
      const stranger = await desk.group.member({ protocols: [{ name: 'sticky', metadata: subscription() }] });
      desk.log.push(`other protocol → ${errorName((await stranger.join()).errorCode)}`);
      const other = await desk.group.member({ protocolType: 'connect' });
      desk.log.push(`other type → ${errorName((await other.join()).errorCode)}`);
      const unknown = await desk.classic();
      unknown.memberId = 'n';
      unknown.generationId = 3;
      await desk.beatClassic(unknown);
      await desk.syncClassic(unknown);
      const left = await old.leave();
      desk.log.push(`LeaveGroup → ${errorName(left.members[0]?.errorCode ?? -1)}`);
      await desk.beat('n', 3);
      await desk.type();
      return desk.log;
    },
  },
  {
    name: 'a member changes its protocol and back, and the group stays one of the new protocol',
    async run(kafka) {
      const desk = await Desk.open(kafka, 4);
      await desk.join('n');
      const old = await desk.classic();
      await desk.joinClassic(old, []);
      await desk.syncClassic(old);
      await desk.beat('n', 2);
      await desk.beat('n', 2, desk.owning([0, 1]));
      await desk.beat(old.memberId, 3);
      await desk.beat('n', -1);
      await desk.type();
      await desk.beatClassic(old);
      await desk.joinClassic(old, []);
      await desk.syncClassic(old);
      await desk.beatClassic(old);
      await desk.type();
      return desk.log.map((line) => line.replaceAll(old.memberId, '<old>'));
    },
  },
];
