import type { CallOptions } from '../cluster/request.ts';
import type { SettledItem } from '../errors/admin-error.ts';
import { brokerError } from '../errors/broker-error.ts';
import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import { isKafkaError, KafkaError } from '../errors/kafka-error.ts';
import type { TopicPartition } from '../model/topic-partition.ts';
import {
  ConsumerGroupDescribe,
  type ConsumerGroupDescribeResponseAssignment,
  type ConsumerGroupDescribeResponseDescribedGroup,
} from '../protocol/generated/consumer-group-describe.ts';
import { ConsumerProtocolAssignment } from '../protocol/generated/consumer-protocol-assignment.ts';
import { ConsumerProtocolSubscription } from '../protocol/generated/consumer-protocol-subscription.ts';
import { DeleteGroups } from '../protocol/generated/delete-groups.ts';
import { DescribeGroups, type DescribeGroupsResponseDescribedGroup } from '../protocol/generated/describe-groups.ts';
import { ListGroups } from '../protocol/generated/list-groups.ts';
import type { DataSchema } from '../protocol/api.ts';
import { Reader } from '../protocol/wire/reader.ts';
import { quote } from '../util/option-rules.ts';
import type { AdminCall } from './admin-call.ts';
import { fulfilled, inGroups, inRounds, orRejected, refused, rejected, unanswered, type ItemOutcome } from './items.ts';

/** Which groups are listed. */
export interface ListGroupsOptions extends CallOptions {
  /** Only groups in these states: `Stable`, `Empty`, `PreparingRebalance` … (KIP-518, brokers from 2.6). @defaultValue all */
  readonly states?: readonly string[] | undefined;
  /** Only groups of these types: `classic`, `consumer`, `share`, `streams` (KIP-848, brokers from 3.8). @defaultValue all */
  readonly types?: readonly string[] | undefined;
}

/** A group as {@link Admin.listGroups} names it. */
export interface GroupListing {
  /** The group's name. */
  readonly groupId: string;
  /** `consumer` for consumers; empty for a group that only holds offsets. */
  readonly protocolType: string;
  /** Undefined from brokers before 2.6. */
  readonly state: string | undefined;
  /** Undefined from brokers before 3.8. */
  readonly type: string | undefined;
}

/** One member of a group. */
export interface GroupMember {
  /** The id by which the coordinator knows it. */
  readonly memberId: string;
  /** The member's `group.instance.id`, if it is static. */
  readonly groupInstanceId: string | undefined;
  /** The member's `clientId`. */
  readonly clientId: string;
  /** The address that it connects from, as the broker sees it. */
  readonly clientHost: string;
  /** Undefined if its subscription is by pattern, or cannot be read. */
  readonly subscription: readonly string[] | undefined;
  /** The partitions it has. Empty for members whose assignment is not that of a consumer. */
  readonly assignment: readonly TopicPartition[];
  /** The partitions it shall have, in a group of the new protocol. */
  readonly targetAssignment: readonly TopicPartition[] | undefined;
}

/** A group with its members. */
export interface GroupDescription {
  /** The group's name. */
  readonly groupId: string;
  /** `consumer` for the new protocol (KIP-848). */
  readonly type: 'classic' | 'consumer';
  /** Kafka's word for it: `Stable`, `Empty`, `PreparingRebalance` … */
  readonly state: string;
  /** `consumer` for consumers; empty for a group that only holds offsets. */
  readonly protocolType: string;
  /** The assignor that its members agreed on, or that the broker uses. */
  readonly assignor: string;
  /** The broker that coordinates it. */
  readonly coordinatorId: number;
  /** Undefined for a classic group. */
  readonly groupEpoch: number | undefined;
  /** Everyone who is in it. */
  readonly members: readonly GroupMember[];
}

/** The groups of all brokers; each knows only those that it coordinates. */
export async function listGroups(call: AdminCall, options: ListGroupsOptions): Promise<GroupListing[]> {
  const { brokers } = await call.topics([]);
  const min = (options.types?.length ?? 0) > 0 ? 5 : (options.states?.length ?? 0) > 0 ? 4 : 0;
  const lists = await Promise.all(
    [...brokers.keys()].map(async (nodeId) => {
      const response = await call.request({
        api: ListGroups,
        to: { kind: 'broker', nodeId },
        message: {
          ...(options.states === undefined ? {} : { statesFilter: [...options.states] }),
          ...(options.types === undefined ? {} : { typesFilter: [...options.types] }),
        },
        versions: { min },
        errorCode: (answer) => answer.errorCode,
      });
      return response.groups;
    }),
  );
  // A group that moved between two answers is named by both.
  const byId = new Map(lists.flat().map((group) => [group.groupId, group]));
  return [...byId.values()]
    .map(({ groupId, protocolType, groupState, groupType }) => ({
      groupId,
      protocolType,
      state: groupState === '' ? undefined : groupState,
      type: groupType === '' ? undefined : groupType.toLowerCase(),
    }))
    .sort((a, b) => (a.groupId < b.groupId ? -1 : 1));
}

/** Groups with their members, of the new protocol or the classic one. */
export function describeGroups(call: AdminCall, ids: readonly string[]): Promise<SettledItem<GroupDescription>[]> {
  return atCoordinators(call, ids, async (nodeId, group) => {
    const found = await describeNew(call, nodeId, group);
    const classic = group.filter((id) => found.get(id) === undefined);
    const others = classic.length === 0 ? new Map<string, never>() : await describeClassic(call, nodeId, classic);
    return group.map(
      (id) => found.get(id) ?? others.get(id) ?? rejected(unanswered(`Cannot describe group ${quote(id)}`)),
    );
  });
}

/** Deletes groups that have no members, with their offsets. */
export function deleteGroups(call: AdminCall, ids: readonly string[]): Promise<SettledItem<void>[]> {
  return atCoordinators(call, ids, async (nodeId, group) => {
    let tries = 0;
    const { results } = await call.request({
      api: DeleteGroups,
      to: { kind: 'broker', nodeId },
      message: () => {
        tries += 1;
        return { groupsNames: [...group] };
      },
    });
    return group.map((id): ItemOutcome<void> => {
      const doing = `Cannot delete group ${quote(id)}`;
      const result = results.find(({ groupId }) => groupId === id);
      if (result === undefined) return rejected(unanswered(doing));
      // The answer to an earlier try may have been lost after the group was deleted.
      const isGone = tries > 1 && result.errorCode === brokerErrorCodes.GROUP_ID_NOT_FOUND;
      if (result.errorCode === 0 || isGone) return fulfilled(undefined);
      return refusedByCoordinator(call, id, result.errorCode, doing, result.errorMessage);
    });
  });
}

/** Takes each group to its coordinator, and after it if it moves. */
export function atCoordinators<Result>(
  call: AdminCall,
  ids: readonly string[],
  send: (nodeId: number, ids: readonly string[]) => Promise<ItemOutcome<Result>[]>,
): Promise<SettledItem<Result>[]> {
  return inRounds(call, ids, async (left) => {
    const coordinators = new Map<string, number | KafkaError>();
    await Promise.all(left.map(async (id) => coordinators.set(id, await coordinatorOf(call, id))));
    return inGroups(
      left,
      (id) => coordinators.get(id),
      (coordinator, group) => {
        if (typeof coordinator === 'number') return orRejected(group, () => toBroker(call, coordinator, group, send));
        return Promise.resolve(group.map(() => rejected(coordinator ?? unanswered(call.doing))));
      },
    );
  });
}

/** The outcome of a group that its coordinator refused. */
export function refusedByCoordinator(
  call: AdminCall,
  groupId: string,
  code: number,
  doing: string,
  message?: string | null,
): ItemOutcome<never> {
  call.noteCoordinatorError(groupId, code);
  return refused(code, doing, message);
}

/** A coordinator that has left the cluster is looked up again. */
async function toBroker<Result>(
  call: AdminCall,
  nodeId: number,
  ids: readonly string[],
  send: (nodeId: number, ids: readonly string[]) => Promise<ItemOutcome<Result>[]>,
): Promise<ItemOutcome<Result>[]> {
  try {
    return await send(nodeId, ids);
  } catch (error) {
    if (!isKafkaError(error, 'BROKER_UNKNOWN')) throw error;
    for (const id of ids) call.cluster.forgetCoordinator('group', id);
    return ids.map(() => ({ status: 'again', reason: error }));
  }
}

async function coordinatorOf(call: AdminCall, id: string): Promise<number | KafkaError> {
  try {
    return await call.coordinator('group', id);
  } catch (error) {
    if (error instanceof KafkaError) return error;
    throw error;
  }
}

/** Groups of the new protocol; those that are not, or whose broker does not know it, are missing from the answer. */
async function describeNew(
  call: AdminCall,
  nodeId: number,
  ids: readonly string[],
): Promise<Map<string, ItemOutcome<GroupDescription>>> {
  const found = new Map<string, ItemOutcome<GroupDescription>>();
  try {
    const { groups } = await call.request({
      api: ConsumerGroupDescribe,
      to: { kind: 'broker', nodeId },
      message: { groupIds: [...ids] },
    });
    for (const group of groups) {
      const doing = `Cannot describe group ${quote(group.groupId)}`;
      if (group.errorCode === 0) found.set(group.groupId, fulfilled(newGroup(group, nodeId)));
      else if (!notNewCodes.has(group.errorCode)) {
        found.set(group.groupId, refusedByCoordinator(call, group.groupId, group.errorCode, doing, group.errorMessage));
      }
    }
  } catch (error) {
    if (!isKafkaError(error, 'UNSUPPORTED_VERSION')) throw error;
  }
  return found;
}

const notNewCodes: ReadonlySet<number> = new Set([
  brokerErrorCodes.GROUP_ID_NOT_FOUND,
  brokerErrorCodes.UNSUPPORTED_VERSION,
]);

async function describeClassic(
  call: AdminCall,
  nodeId: number,
  ids: readonly string[],
): Promise<Map<string, ItemOutcome<GroupDescription>>> {
  const { groups } = await call.request({
    api: DescribeGroups,
    to: { kind: 'broker', nodeId },
    message: { groups: [...ids] },
  });
  return new Map(groups.map((group) => [group.groupId, classicOutcome(call, group, nodeId)]));
}

function classicOutcome(
  call: AdminCall,
  group: DescribeGroupsResponseDescribedGroup,
  nodeId: number,
): ItemOutcome<GroupDescription> {
  const doing = `Cannot describe group ${quote(group.groupId)}`;
  if (group.errorCode !== 0) {
    return refusedByCoordinator(call, group.groupId, group.errorCode, doing, group.errorMessage);
  }
  // Brokers before 4.0 describe a group that does not exist as dead.
  if (group.groupState === 'Dead') {
    return rejected(brokerError(brokerErrorCodes.GROUP_ID_NOT_FOUND, doing, 'there is no such group'));
  }
  return fulfilled(classicGroup(group, nodeId));
}

function classicGroup(group: DescribeGroupsResponseDescribedGroup, coordinatorId: number): GroupDescription {
  const isConsumer = group.protocolType === 'consumer';
  return {
    groupId: group.groupId,
    type: 'classic',
    state: group.groupState,
    protocolType: group.protocolType,
    assignor: group.protocolData,
    coordinatorId,
    groupEpoch: undefined,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId ?? undefined,
      clientId: member.clientId,
      clientHost: member.clientHost,
      subscription: isConsumer ? readVersioned(ConsumerProtocolSubscription, member.memberMetadata)?.topics : undefined,
      assignment: isConsumer ? classicAssignment(member.memberAssignment) : [],
      targetAssignment: undefined,
    })),
  };
}

function classicAssignment(bytes: Buffer): TopicPartition[] {
  const assigned = readVersioned(ConsumerProtocolAssignment, bytes)?.assignedPartitions ?? [];
  return assigned.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })));
}

/** What a member told its group, written by any client in any version: what cannot be read is left out, not an error. */
function readVersioned<T>(schema: DataSchema<T>, bytes: Buffer): T | undefined {
  if (bytes.length < 2) return undefined;
  try {
    const reader = new Reader(bytes);
    const version = reader.int16();
    return version < schema.minVersion ? undefined : schema.read(reader, Math.min(version, schema.maxVersion));
  } catch {
    return undefined;
  }
}

function newGroup(group: ConsumerGroupDescribeResponseDescribedGroup, coordinatorId: number): GroupDescription {
  return {
    groupId: group.groupId,
    type: 'consumer',
    state: group.groupState,
    protocolType: 'consumer',
    assignor: group.assignorName,
    coordinatorId,
    groupEpoch: group.groupEpoch,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.instanceId ?? undefined,
      clientId: member.clientId,
      clientHost: member.clientHost,
      subscription: member.subscribedTopicNames.length === 0 ? undefined : member.subscribedTopicNames,
      assignment: newAssignment(member.assignment),
      targetAssignment: newAssignment(member.targetAssignment),
    })),
  };
}

function newAssignment({ topicPartitions }: ConsumerGroupDescribeResponseAssignment): TopicPartition[] {
  return topicPartitions.flatMap(({ topicName, partitions }) =>
    partitions.map((partition) => ({ topic: topicName, partition })),
  );
}
