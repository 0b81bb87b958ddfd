import { apis, BatchBuilder, readBatches, RecordCursor } from '../../../src/protocol/index.ts';
import type { ShareFetchRequest, ShareFetchResponse } from '../../../src/protocol/generated/share-fetch.ts';
import type { ShareAcknowledgeRequest } from '../../../src/protocol/generated/share-acknowledge.ts';
import type { Input } from '../../../src/protocol/api.ts';
import { eventually } from '../eventually.ts';
import { RawGroup } from './group-requests.ts';
import type { RawConnection, RawKafka, RawTopic } from './raw-kafka.ts';
import { errorName } from './scenario.ts';

const GROUP_RESOURCE = 32;
/** The acknowledgements of a partition as a scenario writes them: first offset, last offset, types. */
export type Acks = readonly (readonly [first: number, last: number, ...types: number[]])[];

/** What a desk is to begin with. */
export interface ShareDeskOptions {
  readonly partitions?: number;
  readonly topicConfigs?: Readonly<Record<string, string>>;
  readonly replicationFactor?: number;
  /** Whether a member joins, so that the coordinator gives the partitions to the group. @defaultValue true */
  readonly joins?: boolean;
}

/** A share group that reads one topic; what is asked and answered is written line by line. */
export class ShareDesk {
  readonly log: string[] = [];
  readonly kafka: RawKafka;
  readonly groupId: string;
  readonly topic: RawTopic;
  /** To the broker that coordinates the group. */
  readonly connection: RawConnection;
  /** To the broker that leads partition 0. */
  leader: RawConnection;

  private constructor(kafka: RawKafka, groupId: string, topic: RawTopic, connection: RawConnection) {
    this.kafka = kafka;
    this.groupId = groupId;
    this.topic = topic;
    this.connection = connection;
    this.leader = connection;
  }

  /** A group with these settings, which has been given the partitions of a new topic. */
  static async open(
    kafka: RawKafka,
    configs: Readonly<Record<string, string>> = {},
    { partitions = 1, topicConfigs = {}, replicationFactor = 1, joins = true }: ShareDeskOptions = {},
  ): Promise<ShareDesk> {
    const topic = await kafka.topic(partitions, topicConfigs, replicationFactor);
    const group = await RawGroup.create(kafka, kafka.name('share'));
    const desk = new ShareDesk(kafka, group.groupId, topic, await group.connect());
    await desk.configure({ 'share.auto.offset.reset': 'earliest', 'share.assignment.interval.ms': '0', ...configs });
    if (joins) await desk.join();
    if (kafka.bootstrapServers.length > 1) await desk.findLeader();
    return desk;
  }

  async configure(configs: Readonly<Record<string, string>>): Promise<void> {
    const entries = Object.entries(configs).map(([name, value]) => ({ name, configOperation: 0, value }));
    const resources = [{ resourceType: GROUP_RESOURCE, resourceName: this.groupId, configs: entries }];
    const { responses } = await this.connection.send(apis.IncrementalAlterConfigs, 1, { resources });
    const code = responses[0]?.errorCode ?? -1;
    if (code !== 0) throw new Error(`cannot configure the group: ${errorName(code)} ${responses[0]?.errorMessage}`);
  }

  /** A member that joins the group and beats until it has the partitions: then the coordinator has initialised them. */
  async join(memberId: string = this.kafka.name('m').slice(-36)): Promise<string> {
    let memberEpoch = 0;
    await eventually(async () => {
      const answer = await this.connection.send(apis.ShareGroupHeartbeat, 1, {
        groupId: this.groupId,
        memberId,
        memberEpoch,
        rackId: null,
        subscribedTopicNames: memberEpoch === 0 ? [this.topic.name] : null,
      });
      if (answer.errorCode === 0) memberEpoch = answer.memberEpoch;
      else throw new Error(`heartbeat: ${errorName(answer.errorCode)} ${answer.errorMessage}`);
      return (answer.assignment?.topicPartitions.length ?? 0) > 0;
    });
    return memberId;
  }

  /** Appends one batch of records with these values; answers its first offset. */
  async produce(values: readonly string[], partition = 0): Promise<void> {
    const builder = new BatchBuilder({ initialBytes: 1024, maxBytes: 1_000_000 });
    for (const value of values) builder.append(Date.now(), null, value, undefined);
    const records = builder.close({
      compression: 'none',
      transactional: false,
      producerId: -1n,
      producerEpoch: -1,
      baseSequence: -1,
    });
    const topicData = [{ name: this.topic.name, partitionData: [{ index: partition, records }] }];
    const answer = await this.leader.send(apis.Produce, 11, { acks: -1, timeoutMs: 10_000, topicData });
    const code = answer.responses[0]?.partitionResponses[0]?.errorCode ?? -1;
    if (code !== 0) throw new Error(`produce: ${errorName(code)}`);
  }

  /** Looks for the leader of partition 0, and connects to it; answers the replicas in order of preference. */
  async findLeader(): Promise<readonly number[]> {
    const request = { topics: [{ name: this.topic.name }], allowAutoTopicCreation: false };
    const { topics, brokers } = await this.connection.send(apis.Metadata, 12, request);
    const { leaderId = -1, replicaNodes = [] } = topics[0]?.partitions[0] ?? {};
    const broker = brokers.find(({ nodeId }) => nodeId === leaderId);
    this.leader = await this.kafka.connectTo(`${broker?.host}:${broker?.port}`);
    return replicaNodes;
  }

  /** Lets the second replica of partition 0 lead. */
  async moveLeader(): Promise<void> {
    const { name } = this.topic;
    const [first = -1, second = -1, ...others] = await this.findLeader();
    const replicas = [second, first, ...others];
    const topics = [{ name, partitions: [{ partitionIndex: 0, replicas }] }];
    await this.connection.send(apis.AlterPartitionReassignments, 0, { topics, timeoutMs: 10_000 });
    await eventually(async () => {
      const topicPartitions = [{ topic: name, partitions: [0] }];
      await this.connection.send(apis.ElectLeaders, 2, { electionType: 0, topicPartitions, timeoutMs: 10_000 });
      const request = { topics: [{ name }], allowAutoTopicCreation: false };
      const { topics: told } = await this.connection.send(apis.Metadata, 12, request);
      return told[0]?.partitions[0]?.leaderId === second;
    });
    await this.findLeader();
  }

  member(memberId: string, connection: RawConnection = this.leader): ShareReader {
    return new ShareReader(this, memberId, connection);
  }

  /**
   * Where the group stands in partition 0, as its coordinator tells it: what was written down.
   *
   * @param lag is waited for, where the writing follows the answer of what caused it
   */
  async offsets(lag?: bigint): Promise<void> {
    const { groupId, topic } = this;
    const groups = [{ groupId, topics: [{ topicName: topic.name, partitions: [0] }] }];
    const partition = await eventually(async () => {
      const answer = await this.connection.send(apis.DescribeShareGroupOffsets, 1, { groups });
      const told = answer.groups[0]?.topics[0]?.partitions[0];
      return (lag === undefined || told?.lag === lag) && told;
    });
    this.note(`written: start ${partition.startOffset}, lag ${partition.lag}`);
  }

  /** Moves the start of partition 0's log. */
  async deleteBefore(offset: number): Promise<void> {
    const topics = [{ name: this.topic.name, partitions: [{ partitionIndex: 0, offset: BigInt(offset) }] }];
    const answer = await this.connection.send(apis.DeleteRecords, 2, { topics, timeoutMs: 10_000 });
    this.note(`deleted: ${errorName(answer.topics[0]?.partitions[0]?.errorCode ?? -1)}`);
  }

  note(line: string): void {
    this.log.push(line);
  }
}

/** A member of a group that reads from one broker, session epoch by session epoch. */
export class ShareReader {
  readonly desk: ShareDesk;
  readonly memberId: string;
  readonly connection: RawConnection;
  epoch = 0;

  constructor(desk: ShareDesk, memberId: string, connection: RawConnection) {
    this.desk = desk;
    this.memberId = memberId;
    this.connection = connection;
  }

  /** Fetches, with acknowledgements of partition 0; the line says what was acquired. */
  async fetch(fields: Input<ShareFetchRequest> = {}, acks: Acks = [], version = 2): Promise<ShareFetchResponse> {
    const { topic, groupId } = this.desk;
    const partitions = [{ partitionIndex: 0, acknowledgementBatches: batchesOf(acks) }];
    const answer = await this.connection.send(apis.ShareFetch, version, {
      groupId,
      memberId: this.memberId,
      shareSessionEpoch: this.epoch,
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 1_000_000,
      maxRecords: 500,
      batchSize: 500,
      topics: this.epoch === 0 || acks.length > 0 ? [{ topicId: topic.topicId, partitions }] : [],
      forgottenTopicsData: [],
      ...fields,
    });
    if (answer.errorCode === 0) this.epoch = (fields.shareSessionEpoch ?? this.epoch) + 1;
    this.desk.note(`fetch${acksIn(acks)}: ${fetched(answer)}`);
    return answer;
  }

  /** Fetches until something was acquired: real Kafka needs a moment for its first answer about a partition. */
  async fetchSome(fields: Input<ShareFetchRequest> = {}, acks: Acks = [], version = 2): Promise<ShareFetchResponse> {
    let answer: ShareFetchResponse | undefined;
    await eventually(async () => {
      const { length } = this.desk.log;
      answer = await this.fetch({ maxWaitMs: 500, minBytes: 1, ...fields }, answer === undefined ? acks : [], version);
      const isTold = answer.responses.some(({ partitions }) =>
        partitions.some((each) => each.acquiredRecords.length > 0 || each.errorCode !== 0),
      );
      if (!isTold && answer.errorCode === 0) this.desk.log.splice(length);
      return isTold || answer.errorCode !== 0;
    });
    if (answer === undefined) throw new Error('no answer');
    return answer;
  }

  /** Acknowledges records of partition 0 without a fetch. */
  async acknowledge(acks: Acks, fields: Partial<Input<ShareAcknowledgeRequest>> = {}, version = 2): Promise<void> {
    const { topic, groupId } = this.desk;
    const partitions = [{ partitionIndex: 0, acknowledgementBatches: batchesOf(acks) }];
    const answer = await this.connection.send(apis.ShareAcknowledge, version, {
      groupId,
      memberId: this.memberId,
      shareSessionEpoch: this.epoch,
      topics: acks.length > 0 ? [{ topicId: topic.topicId, partitions }] : [],
      ...fields,
    });
    if (answer.errorCode === 0) this.epoch = (fields.shareSessionEpoch ?? this.epoch) + 1;
    const told = answer.responses.flatMap(({ partitions: each }) =>
      each.map(({ partitionIndex, errorCode }) => `${partitionIndex} ${errorName(errorCode)}`),
    );
    const lock = version >= 2 ? `, locks ${answer.acquisitionLockTimeoutMs} ms` : '';
    this.desk.note(`acknowledge${acksIn(acks)}: ${errorName(answer.errorCode)} [${told.join('; ')}]${lock}`);
  }
}

function batchesOf(acks: Acks): { firstOffset: bigint; lastOffset: bigint; acknowledgeTypes: number[] }[] {
  return acks.map(([first, last, ...types]) => ({
    firstOffset: BigInt(first),
    lastOffset: BigInt(last),
    acknowledgeTypes: types,
  }));
}

function acksIn(acks: Acks): string {
  return acks.map(([first, last, ...types]) => ` ${first}-${last}:${types.join()}`).join('');
}

/** What a fetch gave: the ranges that were acquired with their delivery counts, and the records that came. */
export function fetched(answer: ShareFetchResponse): string {
  const inOrder = answer.responses.flatMap(({ partitions: each }) =>
    each.toSorted((a, b) => a.partitionIndex - b.partitionIndex),
  );
  const partitions = inOrder.map(
    ({ partitionIndex, errorCode, acknowledgeErrorCode, acquiredRecords, records, currentLeader }) => {
      const ranges = acquiredRecords.map(
        ({ firstOffset, lastOffset, deliveryCount }) => `${firstOffset}-${lastOffset}x${deliveryCount}`,
      );
      const isTold = answer.nodeEndpoints.some(({ nodeId }) => nodeId === currentLeader.leaderId);
      const error = errorCode === 0 ? '' : ` ${errorName(errorCode)}${isTold ? ' with the leader' : ''}`;
      const ack = acknowledgeErrorCode === 0 ? '' : ` acknowledging ${errorName(acknowledgeErrorCode)}`;
      return `${partitionIndex}${error}${ack} {${ranges.join(' ')}}${offsetsIn(records)}`;
    },
  );
  const lock = answer.errorCode === 0 ? `, locks ${answer.acquisitionLockTimeoutMs} ms` : '';
  return `${errorName(answer.errorCode)} [${partitions.join('; ')}]${lock}`;
}

function offsetsIn(records: Buffer | null): string {
  if (records === null) return ' null';
  const offsets: string[] = [];
  for (const batch of readBatches(records)) {
    const cursor = new RecordCursor(batch);
    while (cursor.next()) offsets.push(`${cursor.offset}`);
  }
  const last = offsets.length > 1 ? `-${offsets.at(-1)}` : '';
  return offsets.length === 0 ? '' : ` records ${offsets[0]}${last}`;
}
