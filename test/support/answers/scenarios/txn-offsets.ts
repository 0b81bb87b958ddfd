import { apis } from '../../../../src/protocol/index.ts';
import { RawGroup, type RawMember } from '../group-requests.ts';
import type { RawKafka, RawTopic } from '../raw-kafka.ts';
import { RawProducer, type Identity } from '../raw-producer.ts';
import { errorName, type Scenario } from '../scenario.ts';

/** A group with its producer; what happens is written line by line. */
class Desk {
  readonly group: RawGroup;
  readonly topic: RawTopic;
  readonly producer: RawProducer;

  private constructor(group: RawGroup, topic: RawTopic, producer: RawProducer) {
    this.group = group;
    this.topic = topic;
    this.producer = producer;
  }

  static async open(kafka: RawKafka): Promise<Desk> {
    const desk = new Desk(await RawGroup.create(kafka), await kafka.topic(2), await RawProducer.open(kafka));
    await desk.producer.init();
    return desk;
  }

  async commit(
    offset: bigint,
    version: number,
    fields: {
      readonly identity?: Partial<Identity>;
      readonly member?: Partial<RawMember>;
      readonly instance?: string;
      readonly topic?: string;
      readonly metadata?: string;
      readonly groupId?: string;
    } = {},
  ): Promise<void> {
    const connection = await this.group.connect();
    const partitions = [{ partitionIndex: 0, committedOffset: offset, committedMetadata: fields.metadata ?? 'note' }];
    const { memberId = '', generationId = -1 } = fields.member ?? {};
    const membership = { memberId, generationIdOrMemberEpoch: generationId, groupInstanceId: fields.instance ?? null };
    const answer = await connection.send(apis.TxnOffsetCommit, version, {
      transactionalId: this.producer.transactionalId,
      groupId: fields.groupId ?? this.group.groupId,
      ...this.producer.identity,
      ...fields.identity,
      ...(version >= 3 ? membership : {}),
      topics: [{ name: fields.topic ?? this.topic.name, partitions }],
    });
    connection.close();
    const codes = answer.topics.flatMap((topic) => topic.partitions.map(({ errorCode }) => errorName(errorCode)));
    this.producer.note(`TxnOffsetCommit v${version} of ${offset} → ${codes.join()}`);
  }

  async fetch(requireStable: boolean): Promise<void> {
    const connection = await this.group.connect();
    const topics = [{ name: this.topic.name, partitionIndexes: [0, 1] }];
    const message = { groupId: this.group.groupId, topics, requireStable };
    const answer = await connection.send(apis.OffsetFetch, 7, message);
    const all = await connection.send(apis.OffsetFetch, 7, { ...message, topics: null });
    connection.close();
    const text = (fetched: typeof answer): string =>
      fetched.topics
        .flatMap(({ partitions }) => partitions)
        .map((each) => `${each.partitionIndex}: ${each.committedOffset} ${each.metadata} ${errorName(each.errorCode)}`)
        .join(', ');
    this.producer.note(`OffsetFetch ${requireStable ? 'stable' : 'any'} → ${text(answer)}; all → ${text(all)}`);
  }

  async plainCommit(offset: bigint): Promise<void> {
    const connection = await this.group.connect();
    const partitions = [{ partitionIndex: 0, committedOffset: offset, committedMetadata: 'plain' }];
    const { topics } = await connection.send(apis.OffsetCommit, 8, {
      groupId: this.group.groupId,
      generationIdOrMemberEpoch: -1,
      topics: [{ name: this.topic.name, partitions }],
    });
    connection.close();
    this.producer.note(`OffsetCommit of ${offset} → ${errorName(topics[0]?.partitions[0]?.errorCode ?? -1)}`);
  }
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'offsets of a transaction count when it commits, and not when it aborts',
    async run(kafka) {
      const desk = await Desk.open(kafka);
      const { producer, group } = desk;
      await producer.addOffsets(group.groupId);
      for (const version of [0, 1, 2, 3, 4]) await desk.commit(BigInt(version), version);
      await desk.fetch(false);
      await desk.fetch(true);
      await producer.end(true, 4);
      await producer.settled();
      await desk.fetch(true);
      await producer.addOffsets(group.groupId);
      await desk.commit(20n, 4);
      await desk.fetch(true);
      await producer.end(false, 4);
      await producer.settled();
      await desk.fetch(true);
      return producer.log;
    },
  },
  {
    name: 'the newest version adds the group to the transaction by itself',
    async run(kafka) {
      const desk = await Desk.open(kafka);
      const { producer } = desk;
      await desk.commit(1n, 5);
      await producer.describe();
      await desk.fetch(true);
      await producer.end(true, 5);
      await producer.settled();
      await desk.fetch(true);
      await desk.commit(2n, 5);
      await producer.end(false, 5);
      await producer.settled();
      await desk.fetch(true);
      return producer.log;
    },
  },
  {
    name: 'without the group in the transaction offsets are refused',
    async run(kafka) {
      const desk = await Desk.open(kafka);
      const { producer } = desk;
      for (const version of [0, 3, 4]) await desk.commit(1n, version);
      await desk.fetch(true);
      return producer.log;
    },
  },
  {
    name: 'of a plain and a transactional commit the later wins',
    async run(kafka) {
      const desk = await Desk.open(kafka);
      const { producer } = desk;
      await desk.commit(1n, 5);
      await desk.plainCommit(7n);
      await desk.fetch(false);
      await producer.end(true, 5);
      await producer.settled();
      await desk.fetch(true);
      await desk.plainCommit(8n);
      await desk.commit(2n, 5);
      await producer.end(true, 5);
      await producer.settled();
      await desk.fetch(true);
      return producer.log;
    },
  },
  {
    name: 'a producer that was shut out cannot commit offsets',
    async run(kafka) {
      const desk = await Desk.open(kafka);
      const { producer, group } = desk;
      const old = { ...producer.identity };
      await desk.commit(1n, 5);
      await producer.init();
      await producer.settled();
      await desk.fetch(true);
      await desk.commit(2n, 5, { identity: old });
      await producer.addOffsets(group.groupId);
      await desk.commit(3n, 4, { identity: old });
      await desk.commit(4n, 4, { identity: { producerId: 999_999n } });
      await desk.commit(5n, 4);
      await desk.commit(6n, 4, { identity: old });
      await producer.end(true, 4);
      await producer.settled();
      await desk.fetch(true);
      return producer.log;
    },
  },
  {
    name: 'members, generations, instances, topics and metadata are looked at',
    async run(kafka) {
      const desk = await Desk.open(kafka);
      const { producer, group } = desk;
      await desk.commit(1n, 5, { member: { memberId: 'm', generationId: 3 } });
      await desk.commit(1n, 5, { topic: 'there-is-no-such' });
      await desk.commit(1n, 5, { metadata: 'x'.repeat(4097) });
      const member = await group.member({ groupInstanceId: 'inst' });
      await member.join();
      await desk.commit(2n, 5, { member, instance: 'inst' });
      await member.sync([{ memberId: member.memberId, assignment: Buffer.from('x') }]);
      const { memberId } = member;
      await desk.commit(3n, 5, { member, instance: 'inst' });
      await desk.commit(4n, 5, { member: { memberId, generationId: 7 }, instance: 'inst' });
      await desk.commit(5n, 5, { member: { memberId: 'other', generationId: 1 } });
      await desk.commit(6n, 5, { member: { memberId: 'other', generationId: 1 }, instance: 'inst' });
      await desk.commit(7n, 5, { member: { memberId, generationId: 1 }, instance: 'nobody' });
      await desk.commit(8n, 5);
      await desk.commit(9n, 2);
      await producer.end(true, 5);
      await producer.settled();
      await desk.fetch(true);
      return producer.log;
    },
  },
  {
    name: 'deleting a group forgets what a transaction was about to commit',
    async run(kafka) {
      const desk = await Desk.open(kafka);
      const { producer, group } = desk;
      await desk.plainCommit(1n);
      await desk.commit(2n, 5);
      const connection = await group.connect();
      const { results } = await connection.send(apis.DeleteGroups, 2, { groupsNames: [group.groupId] });
      producer.note(`DeleteGroups → ${errorName(results[0]?.errorCode ?? -1)}`);
      await desk.fetch(true);
      await producer.end(true, 5);
      await producer.settled();
      await desk.fetch(true);
      return producer.log;
    },
  },
];
