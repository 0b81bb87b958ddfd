import { ConsumerProtocolAssignment } from '../../../src/protocol/generated/consumer-protocol-assignment.ts';
import { ConsumerProtocolSubscription } from '../../../src/protocol/generated/consumer-protocol-subscription.ts';
import { Reader } from '../../../src/protocol/wire/reader.ts';
import { apis } from '../../../src/protocol/index.ts';
import type { JoinGroupResponse } from '../../../src/protocol/generated/join-group.ts';
import type { HeartbeatResponse } from '../../../src/protocol/generated/heartbeat.ts';
import type { LeaveGroupResponse } from '../../../src/protocol/generated/leave-group.ts';
import type { SyncGroupResponse } from '../../../src/protocol/generated/sync-group.ts';
import type { RawConnection, RawKafka } from './raw-kafka.ts';
import { eventually } from '../eventually.ts';

/** The metadata of a consumer that wants these topics. */
export function subscription(...topics: readonly string[]): Buffer {
  const message = { topics: [...topics], userData: null, ownedPartitions: [] };
  return Buffer.concat([Buffer.from([0, 1]), ConsumerProtocolSubscription.encode(message, 1)]);
}

/** The metadata of a consumer that wants a topic and has some of its partitions. */
export function owningSubscription(topic: string, partitions: readonly number[]): Buffer {
  const ownedPartitions = partitions.length === 0 ? [] : [{ topic, partitions: [...partitions] }];
  const message = { topics: [topic], userData: null, ownedPartitions };
  return Buffer.concat([Buffer.from([0, 1]), ConsumerProtocolSubscription.encode(message, 1)]);
}

/** What the leader of a classic group gives a member. */
export function assignmentOf(topic: string, partitions: readonly number[]): Buffer {
  const message = { assignedPartitions: [{ topic, partitions: [...partitions] }], userData: null };
  return Buffer.concat([Buffer.from([0, 1]), ConsumerProtocolAssignment.encode(message, 1)]);
}

/** The numbers in an assignment, or why it is none. */
export function partitionsIn(assignment: Buffer): string {
  if (assignment.length === 0) return 'no bytes';
  const { assignedPartitions } = ConsumerProtocolAssignment.read(
    new Reader(assignment.subarray(2), 'an assignment'),
    1,
  );
  const numbers = assignedPartitions.flatMap(({ partitions }) => partitions);
  return `[${numbers.sort((a, b) => a - b).join()}]`;
}

/** Puts the members of a group in an order of their own: Kafka keeps them in a hash map, by ids that are random. */
export function sortMembers(answer: unknown): unknown {
  if (Array.isArray(answer)) return answer.map(sortMembers);
  if (typeof answer !== 'object' || answer === null) return answer;
  return Object.fromEntries(
    Object.entries(answer).map(([key, value]) => {
      const walked = sortMembers(value);
      if (key !== 'members' || !Array.isArray(walked)) return [key, walked];
      return [key, walked.toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)))];
    }),
  );
}

/** Connections to the coordinator of a group. */
export class RawGroup {
  readonly groupId: string;
  readonly #kafka: RawKafka;
  readonly #brokerIndex: number;

  private constructor(kafka: RawKafka, groupId: string, brokerIndex: number) {
    this.#kafka = kafka;
    this.groupId = groupId;
    this.#brokerIndex = brokerIndex;
  }

  /** Waits until a new group has a coordinator. */
  static async create(kafka: RawKafka, groupId: string = kafka.name('group')): Promise<RawGroup> {
    const connection = await kafka.connect();
    let port = 0;
    await eventually(async () => {
      const answer = await connection.send(apis.FindCoordinator, 3, { key: groupId, keyType: 0 });
      port = answer.port;
      if (answer.errorCode !== 0) return false;
      const coordinator = await kafka.connect(indexOf(kafka, port));
      const { groups } = await coordinator.send(apis.DescribeGroups, 5, { groups: [groupId] });
      coordinator.close();
      return groups[0]?.errorCode === 0;
    });
    return new RawGroup(kafka, groupId, indexOf(kafka, port));
  }

  connect(): Promise<RawConnection> {
    return this.#kafka.connect(this.#brokerIndex);
  }

  /** A member on a connection of its own, not joined yet. */
  async member(options: Partial<RawMemberOptions> = {}): Promise<RawMember> {
    return new RawMember(await this.connect(), this.groupId, options);
  }
}

function indexOf(kafka: RawKafka, port: number): number {
  return kafka.bootstrapServers.findIndex((address) => address.endsWith(`:${port}`));
}

/** What a raw member says of itself. */
export interface RawMemberOptions {
  readonly protocols: { name: string; metadata: Buffer }[];
  readonly protocolType: string;
  readonly groupInstanceId: string | null;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly clientId: string;
}

/** A member of a classic group, request by request. */
export class RawMember {
  readonly connection: RawConnection;
  readonly groupId: string;
  readonly options: RawMemberOptions;
  memberId = '';
  generationId = -1;

  constructor(connection: RawConnection, groupId: string, options: Partial<RawMemberOptions>) {
    this.connection = connection;
    this.groupId = groupId;
    this.options = {
      protocols: [{ name: 'range', metadata: subscription() }],
      protocolType: 'consumer',
      groupInstanceId: null,
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 60_000,
      clientId: 'raw',
      ...options,
    };
  }

  /** Joins in version 3, which gives an id without asking back, unless told otherwise; remembers id and generation. */
  async join(version: number = this.options.groupInstanceId === null ? 3 : 5): Promise<JoinGroupResponse> {
    const { clientId, groupInstanceId, ...options } = this.options;
    const message = { groupId: this.groupId, memberId: this.memberId, ...options };
    const answer = await this.connection.send(
      apis.JoinGroup,
      version,
      version >= 5 ? { ...message, groupInstanceId } : message,
      clientId,
    );
    if (answer.memberId !== '') this.memberId = answer.memberId;
    if (answer.errorCode === 0) this.generationId = answer.generationId;
    return answer;
  }

  sync(
    assignments: { memberId: string; assignment: Buffer }[] = [],
    version = 3,
    generationId: number = this.generationId,
  ): Promise<SyncGroupResponse> {
    const { groupId, memberId } = this;
    const { groupInstanceId } = this.options;
    return this.connection.send(apis.SyncGroup, version, {
      groupId,
      generationId,
      memberId,
      ...(version >= 3 ? { groupInstanceId } : {}),
      ...(version >= 5 ? { protocolType: this.options.protocolType, protocolName: 'range' } : {}),
      assignments,
    });
  }

  heartbeat(generationId: number = this.generationId, memberId: string = this.memberId): Promise<HeartbeatResponse> {
    const { groupId } = this;
    return this.connection.send(apis.Heartbeat, 3, {
      groupId,
      generationId,
      memberId,
      groupInstanceId: this.options.groupInstanceId,
    });
  }

  leave(version = 3): Promise<LeaveGroupResponse> {
    const { groupId, memberId } = this;
    const { groupInstanceId } = this.options;
    return this.connection.send(
      apis.LeaveGroup,
      version,
      version >= 3 ? { groupId, members: [{ memberId, groupInstanceId }] } : { groupId, memberId },
    );
  }
}
