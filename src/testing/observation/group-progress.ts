import { ConsumerGroupDescribe } from '../../protocol/generated/consumer-group-describe.ts';
import { ConsumerProtocolAssignment } from '../../protocol/generated/consumer-protocol-assignment.ts';
import { DescribeGroups } from '../../protocol/generated/describe-groups.ts';
import { DescribeShareGroupOffsets } from '../../protocol/generated/describe-share-group-offsets.ts';
import { OffsetFetch } from '../../protocol/generated/offset-fetch.ts';
import { ShareGroupDescribe } from '../../protocol/generated/share-group-describe.ts';
import { Reader } from '../../protocol/wire/reader.ts';
import type { Dispatcher } from '../server/dispatcher.ts';
import type { BrokerState } from '../state/broker-state.ts';
import type { ClusterState } from '../state/cluster-state.ts';

/** How far a group is. */
export interface GroupProgress {
  /** Kafka's word, such as `Stable` or `Empty`; `Dead` for a group that does not exist. */
  readonly state: string;
  readonly members: number;
  /**
   * The records that are committed by nobody yet, over all partitions that the group has committed or is assigned; those that a
   * share group is not done with, over all that it has begun. Undefined where there are none.
   */
  readonly lag: bigint | undefined;
}

// Each the highest that names its topics, or needs no member.
const versions = { describe: 5, describeConsumer: 0, describeShare: 1, offsetFetch: 9, shareOffsets: 1 } as const;

/** Asks the group's coordinator, past sockets and faults; undefined while there is none. */
export async function groupProgress(
  cluster: ClusterState,
  dispatcher: Dispatcher,
  groupId: string,
): Promise<GroupProgress | undefined> {
  const coordinator = cluster.coordinator('group', groupId);
  if (coordinator === undefined) return undefined;
  const share = await shareProgress(dispatcher, coordinator, groupId);
  if (share !== undefined) return share;
  const { state, assigned, members } = await describe(dispatcher, coordinator, groupId);
  const committed = await committedOffsets(dispatcher, coordinator, groupId);
  const partitions = new Set([...assigned, ...committed.keys()]);
  return { state, members, lag: partitions.size === 0 ? undefined : lagOf(cluster, partitions, committed) };
}

async function shareProgress(
  dispatcher: Dispatcher,
  coordinator: BrokerState,
  groupId: string,
): Promise<GroupProgress | undefined> {
  if (!dispatcher.serves(ShareGroupDescribe)) return undefined;
  const asked = { groupIds: [groupId], includeAuthorizedOperations: false };
  const { groups } = await dispatcher.ask(ShareGroupDescribe, asked, versions.describeShare, coordinator);
  const [group] = groups;
  if (group === undefined || group.errorCode !== 0) return undefined;
  const request = { groups: [{ groupId, topics: null }] };
  const answer = await dispatcher.ask(DescribeShareGroupOffsets, request, versions.shareOffsets, coordinator);
  const begun = (answer.groups[0]?.topics ?? [])
    .flatMap(({ partitions }) => partitions)
    .filter(({ startOffset }) => startOffset >= 0n);
  return {
    state: group.groupState,
    members: group.members.length,
    lag: begun.length === 0 ? undefined : begun.reduce((sum, { lag }) => sum + lag, 0n),
  };
}

interface Description {
  readonly state: string;
  readonly members: number;
  /** As keys of {@link keyOf}. */
  readonly assigned: readonly string[];
}

async function describe(dispatcher: Dispatcher, coordinator: BrokerState, groupId: string): Promise<Description> {
  const consumers = dispatcher.serves(ConsumerGroupDescribe)
    ? await dispatcher.ask(
        ConsumerGroupDescribe,
        { groupIds: [groupId], includeAuthorizedOperations: false },
        versions.describeConsumer,
        coordinator,
      )
    : undefined;
  const group = consumers?.groups[0];
  if (group !== undefined && group.errorCode === 0) {
    const assigned = group.members.flatMap(({ assignment }) =>
      assignment.topicPartitions.flatMap(({ topicName, partitions }) =>
        partitions.map((each) => keyOf(topicName, each)),
      ),
    );
    return { state: group.groupState, members: group.members.length, assigned };
  }
  const request = { groups: [groupId], includeAuthorizedOperations: false };
  const answer = await dispatcher.ask(DescribeGroups, request, versions.describe, coordinator);
  const classic = answer.groups[0];
  const members = classic?.members ?? [];
  return {
    state: classic === undefined || classic.errorCode !== 0 ? 'Dead' : classic.groupState,
    members: members.length,
    assigned: classic?.groupState === 'Stable' ? members.flatMap((member) => assignedOf(member.memberAssignment)) : [],
  };
}

/** What the members of a classic group tell one another, which need not be what consumers say. */
function assignedOf(assignment: Buffer): string[] {
  try {
    const reader = new Reader(assignment, 'an assignment');
    const version = Math.min(reader.int16(), ConsumerProtocolAssignment.maxVersion);
    const { assignedPartitions } = ConsumerProtocolAssignment.read(reader, version);
    return assignedPartitions.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => keyOf(topic, partition)),
    );
  } catch {
    return [];
  }
}

async function committedOffsets(
  dispatcher: Dispatcher,
  coordinator: BrokerState,
  groupId: string,
): Promise<Map<string, bigint>> {
  const group = { groupId, memberId: null, memberEpoch: -1, topics: null };
  const request = { groups: [group], requireStable: false };
  const answer = await dispatcher.ask(OffsetFetch, request, versions.offsetFetch, coordinator);
  const topics = answer.groups[0]?.topics ?? [];
  const offsets = topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex, committedOffset }) => [keyOf(name, partitionIndex), committedOffset] as const),
  );
  return new Map(offsets.filter(([, offset]) => offset >= 0n));
}

function lagOf(cluster: ClusterState, partitions: ReadonlySet<string>, committed: ReadonlyMap<string, bigint>): bigint {
  let lag = 0n;
  for (const key of partitions) {
    const [topic, partition] = partitionOf(key);
    const log = cluster.partition(topic, partition)?.log;
    if (log === undefined) continue;
    const next = committed.get(key) ?? log.startOffset;
    lag += log.highWatermark > next ? log.highWatermark - next : 0n;
  }
  return lag;
}

function keyOf(topic: string, partition: number): string {
  return `${topic} ${partition}`;
}

function partitionOf(key: string): [topic: string, partition: number] {
  const [topic = '', partition] = key.split(' ');
  return [topic, Number(partition)];
}
