import { apis, BatchBuilder } from '../../../../src/protocol/index.ts';
import type { AlterShareGroupOffsetsRequest } from '../../../../src/protocol/generated/alter-share-group-offsets.ts';
import type { DescribeShareGroupOffsetsRequest } from '../../../../src/protocol/generated/describe-share-group-offsets.ts';
import type { ShareGroupHeartbeatRequest } from '../../../../src/protocol/generated/share-group-heartbeat.ts';
import { RawGroup, sortMembers, subscription } from '../group-requests.ts';
import type { RawConnection, RawKafka, RawTopic } from '../raw-kafka.ts';
import { eventually } from '../../eventually.ts';
import { errorName, normalise, type Scenario } from '../scenario.ts';

const GROUP_RESOURCE = 32;

type Config = readonly [name: string, value: string];

/** A share group; what happens is written line by line. */
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
    const desk = new Desk(group, await group.connect(), topics);
    await desk.configure(['share.assignment.interval.ms', '0']);
    return desk;
  }

  get groupId(): string {
    return this.group.groupId;
  }

  topic(at = 0): RawTopic {
    const topic = this.topics[at];
    if (topic === undefined) throw new Error('no such topic');
    return topic;
  }

  names(): Record<string, string> {
    return Object.fromEntries([
      ['group', this.groupId],
      ...this.topics.flatMap(({ name, topicId }, at) => [
        [`topic${at}`, name],
        [`id${at}`, topicId],
      ]),
    ]) as Record<string, string>;
  }

  async configure(...settings: readonly Config[]): Promise<string> {
    const configs = settings.map(([name, value]) => ({ name, configOperation: 0, value }));
    const resources = [{ resourceType: GROUP_RESOURCE, resourceName: this.groupId, configs }];
    const { responses } = await this.connection.send(apis.IncrementalAlterConfigs, 1, { resources });
    return errorName(responses[0]?.errorCode ?? -1);
  }

  /** One heartbeat; the line tells its answer. */
  async beat(memberId: string, memberEpoch: number, fields: Partial<ShareGroupHeartbeatRequest> = {}): Promise<number> {
    const { groupId } = this;
    const answer = await this.connection.send(apis.ShareGroupHeartbeat, 1, {
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
    const { errorCode } = answer;
    const idle = answer.memberId === memberId ? '' : ` as ${answer.memberId === null ? 'null' : 'another'}`;
    const told = Object.entries(fields).map(([name, value]) =>
      name === 'subscribedTopicNames' && Array.isArray(value) ? `${value.length} topics` : name,
    );
    this.log.push(
      `${memberId} at ${memberEpoch} ${told.join()} → ${errorName(errorCode)}${idle} epoch ${answer.memberEpoch}: ` +
        (parts === '' ? 'nothing' : parts),
    );
    return answer.memberEpoch;
  }

  /** Beats until the member has this many partitions: those that the group has never had are made ready beside the answers. */
  async settle(memberId: string, memberEpoch: number, count: number): Promise<number> {
    let epoch = memberEpoch;
    let assigned: { partitions: number[] }[] = [];
    await eventually(async () => {
      const { groupId } = this;
      const answer = await this.connection.send(apis.ShareGroupHeartbeat, 1, { groupId, memberId, memberEpoch: epoch });
      if (answer.errorCode !== 0) throw new Error(`heartbeat: ${errorName(answer.errorCode)}`);
      epoch = answer.memberEpoch;
      assigned = answer.assignment?.topicPartitions ?? assigned;
      return assigned.flatMap(({ partitions }) => partitions).length === count;
    });
    this.log.push(`${memberId} has ${count} partitions in epoch ${epoch}`);
    return epoch;
  }

  /** A member that has everything. */
  async begin(memberId = 'a'): Promise<number> {
    const count = this.topics.reduce((sum, { partitions }) => sum + partitions, 0);
    return this.settle(memberId, await this.join(memberId), count);
  }

  join(memberId: string, ...topics: readonly number[]): Promise<number> {
    const wanted = topics.length === 0 ? this.topics : topics.map((at) => this.topic(at));
    return this.beat(memberId, 0, { subscribedTopicNames: wanted.map(({ name }) => name) });
  }

  async describe(groupId: string = this.groupId): Promise<unknown> {
    const { groups } = await this.connection.send(apis.ShareGroupDescribe, 1, { groupIds: [groupId] });
    const host = groups[0]?.members[0]?.clientHost ?? '';
    return sortMembers(normalise(groups, { ...this.names(), ...(host === '' ? {} : { host }) }));
  }

  /** How many partitions each member has of each topic, by member id. */
  async shares(): Promise<Record<string, string>> {
    const { groups } = await this.connection.send(apis.ShareGroupDescribe, 1, { groupIds: [this.groupId] });
    const members = groups[0]?.members ?? [];
    const sizes = members.map(
      ({ memberId, assignment }) => [memberId, this.#sizes(assignment.topicPartitions)] as const,
    );
    return Object.fromEntries(sizes.toSorted(([a], [b]) => a.localeCompare(b)));
  }

  #sizes(parts: readonly { topicId: string; partitions: number[] }[]): string {
    return this.topics
      .map(({ topicId }) => parts.find((part) => part.topicId === topicId)?.partitions.length ?? 0)
      .join();
  }

  /** How many members each partition of the first topic has, sorted. */
  async holders(): Promise<string> {
    const { groups } = await this.connection.send(apis.ShareGroupDescribe, 1, { groupIds: [this.groupId] });
    const numbers = (groups[0]?.members ?? []).flatMap(({ assignment }) =>
      assignment.topicPartitions.flatMap(({ partitions }) => partitions),
    );
    const counts = Array.from(
      { length: this.topic().partitions },
      (_, at) => numbers.filter((each) => each === at).length,
    );
    return counts.toSorted().join();
  }

  async list(typesFilter: string[] = [], statesFilter: string[] = []): Promise<void> {
    const { groups } = await this.connection.send(apis.ListGroups, 5, { typesFilter, statesFilter });
    const found = groups.find(({ groupId }) => groupId === this.groupId);
    const filter = [...typesFilter, ...statesFilter].join();
    this.log.push(
      found === undefined
        ? `the list of ${filter} has no such group`
        : `the list of ${filter} has it: ${found.groupType} ${found.protocolType} ${found.groupState}`,
    );
  }

  async deleteGroup(groupId: string = this.groupId): Promise<void> {
    const { results } = await this.connection.send(apis.DeleteGroups, 2, { groupsNames: [groupId] });
    this.log.push(`DeleteGroups → ${results.map(({ errorCode }) => errorName(errorCode)).join()}`);
  }

  async offsets(
    topics: DescribeShareGroupOffsetsRequest['groups'][number]['topics'],
    version = 1,
    groupId: string = this.groupId,
  ): Promise<unknown> {
    const { groups } = await this.connection.send(apis.DescribeShareGroupOffsets, version, {
      groups: [{ groupId, topics }],
    });
    return sortParts(normalise(groups, this.names()));
  }

  async alter(topics: AlterShareGroupOffsetsRequest['topics'], groupId: string = this.groupId): Promise<unknown> {
    const answer = await this.connection.send(apis.AlterShareGroupOffsets, 0, { groupId, topics });
    return sortParts(normalise(answer, this.names()));
  }

  async delete(topicNames: readonly string[], groupId: string = this.groupId): Promise<unknown> {
    const topics = topicNames.map((topicName) => ({ topicName }));
    const answer = await this.connection.send(apis.DeleteShareGroupOffsets, 0, { groupId, topics });
    return sortParts(normalise(answer, this.names()));
  }

  /** Partitions of one of the topics, as a request names them. */
  parts(at: number, ...partitions: number[]): { topicName: string; partitions: number[] } {
    return { topicName: this.topic(at).name, partitions };
  }

  starts(
    at: number,
    ...offsets: readonly (readonly [partition: number, offset: bigint])[]
  ): AlterShareGroupOffsetsRequest['topics'][number] {
    const partitions = offsets.map(([partitionIndex, startOffset]) => ({ partitionIndex, startOffset }));
    return { topicName: this.topic(at).name, partitions };
  }
}

/** Writes records into a partition. */
async function produce(connection: RawConnection, topic: string, index: number, count: number): Promise<void> {
  const batch = new BatchBuilder({ initialBytes: 256, maxBytes: 1 << 20 });
  for (let at = 0; at < count; at++) batch.append(Date.now(), null, Buffer.from('x'), undefined);
  const records = batch.close({
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
    compression: 'none',
    transactional: false,
  });
  const topicData = [{ name: topic, partitionData: [{ index, records }] }];
  await eventually(async () => {
    const answer = await connection.send(apis.Produce, 9, { acks: -1, timeoutMs: 30_000, topicData });
    return answer.responses[0]?.partitionResponses[0]?.errorCode === 0;
  });
}

/** Kafka keeps topics and partitions in hash maps. */
function sortParts(answer: unknown): unknown {
  if (Array.isArray(answer)) {
    const walked = answer.map(sortParts);
    return walked.toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
  }
  if (typeof answer !== 'object' || answer === null) return answer;
  return Object.fromEntries(Object.entries(answer).map(([key, value]) => [key, sortParts(value)]));
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'a member joins, gets everything, shares it with a second one, and leaves',
    async run(kafka) {
      const desk = await Desk.open(kafka, 4);
      await desk.begin();
      const alone = await desk.describe();
      const names = [desk.topic().name];
      await desk.beat('a', 3);
      await desk.beat('a', 3, { subscribedTopicNames: names });
      await desk.join('a');
      await desk.beat('b', 0, { subscribedTopicNames: names, rackId: 'r' });
      desk.log.pop();
      await desk.beat('b', 4);
      await desk.settle('a', 3, 2);
      const both = await desk.shares();
      await desk.beat('b', -1);
      await desk.beat('a', 4);
      await desk.beat('a', 5);
      await desk.beat('a', -1);
      const empty = await desk.describe();
      await desk.join('a');
      return { log: desk.log, alone, both, empty };
    },
  },
  {
    name: 'epochs that do not fit are fenced, a lost answer is not',
    async run(kafka) {
      const desk = await Desk.open(kafka, 1);
      await desk.beat('a', 5);
      await desk.beat('a', -1);
      const epoch = await desk.begin();
      await desk.beat('nobody', 1);
      await desk.beat('nobody', -1);
      await desk.beat('a', epoch - 1);
      await desk.beat('a', epoch - 2);
      await desk.beat('a', epoch + 1);
      await desk.beat('a', epoch);
      await desk.join('a');
      await desk.join('b');
      await desk.beat('a', epoch);
      await desk.beat('a', epoch);
      await desk.beat('a', -1);
      await desk.beat('a', -1);
      await desk.beat('a', epoch + 1);
      return desk.log;
    },
  },
  {
    name: 'requests that make no sense are refused',
    async run(kafka) {
      const desk = await Desk.open(kafka, 1);
      const join = { subscribedTopicNames: ['x'] };
      await desk.beat('', 0, join);
      await desk.beat('a', 0, { ...join, groupId: '' });
      await desk.beat('a', 0, { ...join, rackId: '' });
      await desk.beat('a', 0);
      await desk.beat('a', 0, { subscribedTopicNames: [] });
      await desk.beat('a', -2);
      await desk.beat('', -1);
      const none = await desk.describe();
      await desk.beat('a', 0, join);
      const waiting = await desk.describe();
      return { log: desk.log, none, waiting };
    },
  },
  {
    name: 'a subscription changes: what is not wanted goes, what is new comes',
    async run(kafka) {
      const desk = await Desk.open(kafka, 2, 3);
      let epoch = await desk.join('a', 0);
      epoch = await desk.settle('a', epoch, 2);
      await desk.beat('a', epoch, { subscribedTopicNames: [desk.topic(0).name, desk.topic(1).name] });
      epoch = await desk.settle('a', epoch + 1, 5);
      epoch = await desk.beat('a', epoch, { subscribedTopicNames: [desk.topic(1).name, 'no-such-topic'] });
      await desk.beat('a', epoch);
      const described = await desk.describe();
      epoch = await desk.beat('a', epoch, { subscribedTopicNames: [] });
      await desk.beat('a', epoch);
      const nothing = await desk.describe();
      return { log: desk.log, described, nothing };
    },
  },
  {
    name: 'partitions that are added come to the members',
    async run(kafka) {
      const desk = await Desk.open(kafka, 1);
      const epoch = await desk.begin();
      const topics = [{ name: desk.topic().name, count: 3, assignments: null }];
      await desk.connection.send(apis.CreatePartitions, 3, { topics, timeoutMs: 30_000 });
      await desk.settle('a', epoch, 3);
      return desk.log;
    },
  },
  {
    name: 'members share partitions, as many of them as there are: in turn, evenly, and more than one where there are more members',
    async run(kafka) {
      const shares: Record<string, unknown> = {};
      const sizes = async (desk: Desk): Promise<string> =>
        Object.values(await desk.shares())
          .toSorted()
          .join(' ');
      for (const [partitions, members] of [
        [4, 2],
        [5, 3],
        [2, 4],
        [3, 4],
        [3, 7],
      ] as const) {
        const desk = await Desk.open(kafka, partitions);
        await desk.begin('m0');
        for (let index = 1; index < members; index++) await desk.join(`m${index}`);
        for (let index = 0; index < members; index++)
          await desk.beat(`m${index}`, 0, { subscribedTopicNames: [desk.topic().name] });
        const joined = await sizes(desk);
        const holders = await desk.holders();
        await desk.beat('m0', -1);
        for (let index = 1; index < members; index++)
          await desk.beat(`m${index}`, 0, { subscribedTopicNames: [desk.topic().name] });
        shares[`${partitions} partitions, ${members} members`] = { joined, holders, afterOneLeft: await sizes(desk) };
      }
      return shares;
    },
  },
  {
    name: 'members of different subscriptions share each topic by itself',
    async run(kafka) {
      const desk = await Desk.open(kafka, 4, 6);
      const epoch = await desk.begin('a');
      await desk.beat('b', 0, { subscribedTopicNames: [desk.topic(0).name] });
      await desk.beat('c', 0, { subscribedTopicNames: [desk.topic(1).name] });
      for (const [id, at] of [
        ['b', [0]],
        ['c', [1]],
      ] as const)
        await desk.join(id, ...at);
      await desk.settle('a', epoch, 5);
      return { shares: await desk.shares() };
    },
  },
  {
    name: 'a share group is listed, described only as what it is, and deleted when it is empty',
    async run(kafka) {
      const desk = await Desk.open(kafka, 1);
      const { connection, groupId } = desk;
      await desk.begin();
      await desk.list();
      await desk.list(['share']);
      await desk.list(['Share'], ['stable']);
      await desk.list(['classic', 'consumer']);
      await desk.list([], ['Empty']);
      const classic = [
        await connection.send(apis.DescribeGroups, 5, { groups: [groupId] }),
        await connection.send(apis.DescribeGroups, 6, { groups: [groupId] }),
      ];
      const consumer = await connection.send(apis.ConsumerGroupDescribe, 1, { groupIds: [groupId] });
      await desk.deleteGroup();
      await desk.beat('a', -1);
      await desk.list([], ['Empty']);
      const offsets = await desk.offsets(null);
      await desk.deleteGroup();
      await desk.deleteGroup();
      await desk.list();
      const gone = [await desk.describe(), await desk.describe(''), await desk.offsets(null)];
      const old = await desk.group.member({ protocols: [{ name: 'range', metadata: subscription() }] });
      await old.join();
      return {
        ...(normalise({ log: desk.log, classic, consumer, gone }, desk.names()) as object),
        offsets,
        other: await desk.describe(),
      };
    },
  },
  {
    name: 'a share group and groups of other types keep out of one another',
    async run(kafka) {
      const desk = await Desk.open(kafka, 1);
      const { connection, groupId } = desk;
      const topic = desk.topic().name;
      const others = async (): Promise<void> => {
        const old = await desk.group.member({ protocols: [{ name: 'range', metadata: subscription(topic) }] });
        desk.log.push(`JoinGroup → ${errorName((await old.join()).errorCode)}`);
        old.memberId = 'a';
        old.generationId = 3;
        desk.log.push(`Heartbeat → ${errorName((await old.heartbeat()).errorCode)}`);
        desk.log.push(`SyncGroup → ${errorName((await old.sync()).errorCode)}`);
        const left = await old.leave();
        desk.log.push(
          `LeaveGroup → ${errorName(left.errorCode)} ${left.members.map(({ errorCode }) => errorName(errorCode)).join()}`,
        );
        for (const epoch of [0, 3, -1]) {
          const beat = await connection.send(apis.ConsumerGroupHeartbeat, 1, {
            groupId,
            memberId: 'n',
            memberEpoch: epoch,
            ...(epoch === 0 ? { rebalanceTimeoutMs: 1000, subscribedTopicNames: [topic], topicPartitions: [] } : {}),
          });
          desk.log.push(`ConsumerGroupHeartbeat at ${epoch} → ${errorName(beat.errorCode)}`);
        }
      };
      await desk.begin();
      await others();
      await desk.beat('a', -1);
      await others();
      await desk.list();
      return desk.log;
    },
  },
  {
    name: 'a share group has no offsets of consumers',
    async run(kafka) {
      const desk = await Desk.open(kafka, 1);
      const { connection, groupId } = desk;
      const topic = desk.topic().name;
      const ask = async (): Promise<void> => {
        const partitions = [{ partitionIndex: 0, committedOffset: 1n, committedMetadata: '' }];
        for (const [memberId, generationIdOrMemberEpoch] of [
          ['', -1],
          ['a', 3],
        ] as const) {
          for (const version of [8, 9]) {
            const { topics } = await connection.send(apis.OffsetCommit, version, {
              groupId,
              memberId,
              generationIdOrMemberEpoch,
              topics: [{ name: topic, partitions }],
            });
            desk.log.push(
              `OffsetCommit v${version} at ${generationIdOrMemberEpoch} → ${errorName(topics[0]?.partitions[0]?.errorCode ?? -1)}`,
            );
          }
        }
        for (const version of [8, 9]) {
          const named = { groupId, topics: [{ name: topic, partitionIndexes: [0] }] };
          const { groups } = await connection.send(apis.OffsetFetch, version, {
            groups: [named, { groupId, topics: null }],
          });
          const told = groups.map(({ errorCode, topics }) => `${errorName(errorCode)} ${topics.length}`);
          desk.log.push(`OffsetFetch v${version} → ${told.join(', ')}`);
        }
        const asMember = await connection.send(apis.OffsetFetch, 9, {
          groups: [{ groupId, memberId: 'a', memberEpoch: 3, topics: null }],
        });
        desk.log.push(`OffsetFetch of a member → ${errorName(asMember.groups[0]?.errorCode ?? -1)}`);
        const topics = [{ name: topic, partitions: [{ partitionIndex: 0 }] }];
        const deleted = await connection.send(apis.OffsetDelete, 0, { groupId, topics });
        desk.log.push(`OffsetDelete → ${errorName(deleted.errorCode)}`);
      };
      await desk.begin();
      await ask();
      await desk.beat('a', -1);
      await ask();
      return desk.log;
    },
  },
  {
    name: 'a group of another type is no share group',
    async run(kafka) {
      const desk = await Desk.open(kafka, 1);
      const topic = desk.topic().name;
      const told: unknown[] = [];
      const ask = async (): Promise<void> => {
        await desk.beat('s', 3);
        await desk.beat('s', -1);
        await desk.join('s');
        told.push(await desk.describe(), await desk.offsets([desk.parts(0, 0)]), await desk.offsets(null));
        told.push(await desk.alter([desk.starts(0, [0, 0n])]), await desk.delete([topic]));
      };
      const old = await desk.group.member({ protocols: [{ name: 'range', metadata: subscription(topic) }] });
      await old.join();
      await old.sync();
      await ask();
      await old.leave();
      await ask();
      await desk.list();
      return { log: desk.log, told };
    },
  },
  {
    name: 'a consumer group of the new protocol is no share group, with members and without',
    async run(kafka) {
      const desk = await Desk.open(kafka, 1);
      const topic = desk.topic().name;
      const beat = (memberEpoch: number): Promise<unknown> =>
        desk.connection.send(apis.ConsumerGroupHeartbeat, 1, {
          groupId: desk.groupId,
          memberId: 'n',
          memberEpoch,
          ...(memberEpoch === 0
            ? { rebalanceTimeoutMs: 1000, subscribedTopicNames: [topic], topicPartitions: [] }
            : {}),
        });
      await beat(0);
      await desk.join('s');
      await desk.beat('s', 3);
      await beat(-1);
      await desk.join('s');
      await desk.list();
      const told = [await desk.alter([desk.starts(0, [0, 0n])]), await desk.delete([topic])];
      return { log: desk.log, told };
    },
  },
  {
    name: 'the offsets of a share group: what it has, what it has not, what there is not',
    async run(kafka) {
      const desk = await Desk.open(kafka, 2, 1);
      const told: Record<string, unknown> = {};
      told['no group'] = await desk.offsets([desk.parts(0, 0, 1)]);
      told['no group, all'] = await desk.offsets(null);
      await desk.settle('a', await desk.join('a', 0), 2);
      told['all, v0'] = await desk.offsets(null, 0);
      told['all'] = await desk.offsets(null);
      told['named'] = await desk.offsets([desk.parts(0, 0, 1), desk.parts(1, 0)]);
      // A partition that there is not is answered likewise, but only after half a minute.
      told['no topic'] = await desk.offsets([{ topicName: 'no-such-topic', partitions: [0, 1] }, desk.parts(0, 0)]);
      told['no partitions'] = await desk.offsets([desk.parts(0)]);
      told['no topics'] = await desk.offsets([]);
      told['no name'] = await desk.offsets(null, 1, '');
      return told;
    },
  },
  {
    name: 'offsets of a share group are set while it is empty',
    async run(kafka) {
      const desk = await Desk.open(kafka, 2, 1);
      const records = await kafka.connect();
      await produce(records, desk.topic(0).name, 0, 5);
      const told: Record<string, unknown> = {};
      told['no group'] = await desk.alter([desk.starts(0, [0, 1n])]);
      told['made by it'] = await desk.offsets(null);
      told['as a group'] = await desk.describe();
      await desk.list();
      await desk.begin();
      told['with members'] = await desk.alter([desk.starts(0, [0, 1n])]);
      await desk.beat('a', -1);
      told['without'] = await desk.alter([desk.starts(0, [0, 2n], [1, 0n])]);
      told['after'] = await desk.offsets(null);
      told['no partition'] = await desk.alter([desk.starts(0, [0, 3n], [7, 0n])]);
      told['no topic'] = await desk.alter([
        { topicName: 'no-such-topic', partitions: [{ partitionIndex: 0, startOffset: 0n }] },
        desk.starts(1, [0, 4n]),
      ]);
      told['before the beginning'] = await desk.alter([desk.starts(0, [0, -1n])]);
      told['beyond the end'] = await desk.alter([desk.starts(0, [0, 100n])]);
      told['nothing'] = await desk.alter([]);
      const other = kafka.name('group');
      told['nothing that exists'] = await desk.alter(
        [{ topicName: 'no-such-topic', partitions: [{ partitionIndex: 0, startOffset: 0n }] }],
        other,
      );
      told['then'] = normalise(await desk.describe(other), { other });
      told['no group id'] = await desk.alter([desk.starts(0, [0, 1n])], '');
      told['at the end'] = await desk.offsets(null);
      await desk.list();
      return { log: desk.log, told };
    },
  },
  {
    name: 'offsets of a share group are deleted topic by topic while it is empty',
    async run(kafka) {
      const desk = await Desk.open(kafka, 2, 1);
      const told: Record<string, unknown> = {};
      const [first, second] = [desk.topic(0).name, desk.topic(1).name];
      told['no group'] = await desk.delete([first]);
      await desk.settle('a', await desk.join('a', 0), 2);
      told['with members'] = await desk.delete([first]);
      await desk.beat('a', -1);
      told['never read'] = await desk.delete([second]);
      told['no topic'] = await desk.delete(['no-such-topic']);
      told['nothing'] = await desk.delete([]);
      told['without'] = await desk.delete([first, second, 'no-such-topic']);
      told['again'] = await desk.delete([first]);
      told['after'] = await desk.offsets(null);
      await desk.settle('a', await desk.join('a', 0), 2);
      return { log: desk.log, told };
    },
  },
  {
    name: 'the settings of a group have limits',
    async run(kafka) {
      const desk = await Desk.open(kafka, 1);
      const told: Record<string, string> = {};
      const limits: readonly Config[] = [
        ['share.auto.offset.reset', 'earliest'],
        ['share.auto.offset.reset', 'by_duration:PT1H'],
        ['share.auto.offset.reset', 'by_duration:soon'],
        ['share.auto.offset.reset', 'none'],
        ['share.isolation.level', 'read_committed'],
        ['share.isolation.level', 'serializable'],
        ['share.heartbeat.interval.ms', '299'],
        ['share.heartbeat.interval.ms', '15000'],
        ['share.heartbeat.interval.ms', '15001'],
        ['share.session.timeout.ms', '999'],
        ['share.session.timeout.ms', '60000'],
        ['share.session.timeout.ms', '60001'],
        ['share.record.lock.duration.ms', '999'],
        ['share.record.lock.duration.ms', '60000'],
        ['share.record.lock.duration.ms', '60001'],
        ['share.delivery.count.limit', '1'],
        ['share.delivery.count.limit', '2'],
        ['share.delivery.count.limit', '10'],
        ['share.delivery.count.limit', '11'],
        ['share.partition.max.record.locks', '99'],
        ['share.partition.max.record.locks', '4000'],
        ['share.partition.max.record.locks', '4001'],
        ['share.assignment.interval.ms', '-1'],
        ['share.assignment.interval.ms', '15001'],
        ['share.renew.acknowledge.enable', 'false'],
        ['share.renew.acknowledge.enable', 'perhaps'],
        ['share.nonsense', '1'],
        ['consumer.heartbeat.interval.ms', '299'],
        ['consumer.heartbeat.interval.ms', '15001'],
        ['consumer.session.timeout.ms', '44999'],
        ['consumer.session.timeout.ms', '60000'],
        ['consumer.assignment.interval.ms', '15001'],
      ];
      for (const [name, value] of limits) told[`${name}=${value}`] = await desk.configure([name, value]);
      return told;
    },
  },
  {
    name: 'the coordinator of a share partition is found by its key',
    async run(kafka) {
      const topic = await kafka.topic();
      const connection = await kafka.connect();
      const told: Record<string, string> = {};
      const group = kafka.name('group');
      const keys = {
        whole: `${group}:${topic.topicId}:0`,
        'unknown topic': `${group}:AAAAAAAAAAAAAAAAAAAAQQ:0`,
        'no partition': `${group}:${topic.topicId}`,
        'colons in the group': `a:b:${topic.topicId}:1`,
        'no uuid': `${group}:topic:0`,
        'no number': `${group}:${topic.topicId}:x`,
        'no group': `:${topic.topicId}:0`,
        empty: '',
      };
      for (const [what, key] of Object.entries(keys)) {
        for (const version of [5, 6]) {
          const { coordinators } = await eventually(async () => {
            const answer = await connection.send(apis.FindCoordinator, version, { keyType: 2, coordinatorKeys: [key] });
            return answer.coordinators[0]?.errorCode !== 15 && answer;
          });
          const { errorCode = -1, nodeId = -2 } = coordinators[0] ?? {};
          told[`${what}, v${version}`] = `${errorName(errorCode)}${nodeId >= 0 ? ' somewhere' : ''}`;
        }
      }
      return told;
    },
  },
  {
    name: 'a broker that does not coordinate a share group says so, but where it is asked about partitions by name',
    brokers: 3,
    async run(kafka) {
      const topic = await kafka.topic(1);
      const group = await RawGroup.create(kafka);
      const { groupId } = group;
      const told: string[] = [];
      for (const [index] of kafka.bootstrapServers.entries()) {
        const connection = await kafka.connect(index);
        const beat = { groupId, memberId: 'a', memberEpoch: 5 };
        const { topicName, partitions } = { topicName: topic.name, partitions: [0] };
        const heartbeat = await connection.send(apis.ShareGroupHeartbeat, 1, beat);
        const described = await connection.send(apis.ShareGroupDescribe, 1, { groupIds: [groupId] });
        const ask = async (topics: { topicName: string; partitions: number[] }[] | null): Promise<number> => {
          const answer = await connection.send(apis.DescribeShareGroupOffsets, 1, { groups: [{ groupId, topics }] });
          return answer.groups[0]?.errorCode ?? -1;
        };
        const named = await ask([{ topicName, partitions }]);
        const all = await ask(null);
        const altered = await connection.send(apis.AlterShareGroupOffsets, 0, { groupId, topics: [] });
        const deleted = await connection.send(apis.DeleteShareGroupOffsets, 0, { groupId, topics: [] });
        const codes = [heartbeat.errorCode, described.groups[0]?.errorCode ?? -1, named, all];
        told.push([...codes, altered.errorCode, deleted.errorCode].map(errorName).join());
      }
      return told.toSorted();
    },
  },
  {
    name: 'whom no rule allows a share group is denied it, and then its topics',
    authorizer: true,
    async run(kafka) {
      const [topic, other] = [await kafka.topic(1), await kafka.topic(1)];
      const groupId = kafka.name('group');
      const user = await kafka.connectAsUser();
      const names = {
        group: groupId,
        ...{ topic: topic.name, topicId: topic.topicId, other: other.name, otherId: other.topicId },
      };
      const topicNames = [topic.name, other.name];
      const beat = { groupId, memberId: 'a', memberEpoch: 0, subscribedTopicNames: topicNames };
      const all = async (): Promise<unknown> => {
        const parts = topicNames.map((topicName) => ({ topicName, partitions: [0] }));
        const starts = topicNames.map((topicName) => ({
          topicName,
          partitions: [{ partitionIndex: 0, startOffset: 0n }],
        }));
        const named = { groupId, topics: topicNames.map((topicName) => ({ topicName })) };
        const told = {
          heartbeat: await user.send(apis.ShareGroupHeartbeat, 1, beat),
          describe: await user.send(apis.ShareGroupDescribe, 1, { groupIds: [groupId] }),
          offsets: await user.send(apis.DescribeShareGroupOffsets, 1, { groups: [{ groupId, topics: parts }] }),
          alter: await user.send(apis.AlterShareGroupOffsets, 0, { groupId, topics: starts }),
          all: await user.send(apis.DescribeShareGroupOffsets, 1, { groups: [{ groupId, topics: null }] }),
          delete: await user.send(apis.DeleteShareGroupOffsets, 0, named),
        };
        return sortParts(normalise(told, names));
      };
      const nothing = await all();
      const admin = await kafka.connect();
      const rule = { principal: `User:${kafka.login.username}`, host: '*', permissionType: 3, resourcePatternType: 3 };
      const creations = [
        { ...rule, resourceType: 2, resourceName: topic.name, operation: 3 },
        { ...rule, resourceType: 3, resourceName: groupId, operation: 3 },
        { ...rule, resourceType: 3, resourceName: groupId, operation: 6 },
      ];
      await admin.send(apis.CreateAcls, 3, { creations });
      await eventually(async () => {
        const { coordinators } = await user.send(apis.FindCoordinator, 6, { keyType: 0, coordinatorKeys: [groupId] });
        const { topics } = await user.send(apis.Metadata, 12, {
          topics: [{ name: topic.name }],
          allowAutoTopicCreation: false,
        });
        const { groups } = await user.send(apis.ShareGroupDescribe, 1, { groupIds: [groupId] });
        return coordinators[0]?.errorCode === 0 && topics[0]?.errorCode === 0 && groups[0]?.errorCode === 69;
      });
      return { nothing, some: await all() };
    },
  },
];
