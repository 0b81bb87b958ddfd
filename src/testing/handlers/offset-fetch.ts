import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { OffsetFetch, type OffsetFetchRequest } from '../../protocol/generated/offset-fetch.ts';
import { GroupRegistry } from '../groups/group-registry.ts';
import { OffsetCoordinator, type FetchedOffset } from '../groups/offset-coordinator.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';

/**
 * OffsetFetch, versions 1-10.
 *
 * Does: offsets of given partitions or all, of one group or (from 8 on) many; UNSTABLE_OFFSET_COMMIT while a transaction is open.
 * Leaves out: -
 * v2 all partitions · v5 leader epoch · v6 flexible · v7 require stable (KIP-447) · v8 many groups (KIP-709) · v9 member epoch
 * (KIP-848) · v10 topic ids
 */
export const offsetFetchHandler: AnyHandler = defineHandler(OffsetFetch, (request, context) => {
  if (context.version >= 8) {
    const groups = request.groups.map((group) => ({ groupId: group.groupId, ...fetchGroup(group, request, context) }));
    return { groups, topics: [] };
  }
  const { groupId } = request;
  const topics = request.topics?.map((topic) => ({ ...topic, topicId: '' })) ?? null;
  const fetched = fetchGroup({ groupId, memberId: null, memberEpoch: -1, topics }, request, context);
  if (fetched.errorCode === 0 || context.version >= 2) return fetched;
  // Version 1 has no place for an error but the partitions.
  const partition = { committedOffset: -1n, metadata: '', errorCode: fetched.errorCode };
  return {
    topics: (request.topics ?? []).map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => ({ partitionIndex, ...partition })),
    })),
  };
});

interface WantedGroup {
  readonly groupId: string;
  readonly memberId: string | null;
  readonly memberEpoch: number;
  readonly topics:
    readonly { readonly name: string; readonly topicId: string; readonly partitionIndexes: number[] }[] | null;
}

interface FetchedTopic {
  readonly name: string;
  readonly topicId?: string | undefined;
  readonly partitions: readonly object[];
}

interface FetchedGroup {
  readonly errorCode: number;
  readonly topics: readonly FetchedTopic[];
}

function fetchGroup(
  group: WantedGroup,
  { requireStable }: OffsetFetchRequest,
  { cluster, broker, version }: RequestContext,
): FetchedGroup {
  const { groupId, topics } = group;
  const refusal = cluster.service(GroupRegistry).refusal(groupId, broker);
  if (refusal !== undefined) return { errorCode: refusal, topics: [] };
  const offsets = cluster.service(OffsetCoordinator);
  const problem = offsets.fetchProblem(groupId, group.memberId, group.memberEpoch);
  if (problem !== undefined) return { errorCode: problem, topics: [] };
  const fetch = (name: string, topicId: string, partitions: readonly number[]): object[] =>
    partitions.map((index) => answerOf(index, offsets.fetch(groupId, name, topicId, index, requireStable)));
  if (topics === null) {
    const all = offsets.partitionsOf(groupId).flatMap(({ topic, partitions }) => {
      const topicId = cluster.topics.get(topic)?.topicId;
      if (topicId === undefined && version >= 10) return [];
      return [{ name: topic, topicId, partitions: fetch(topic, topicId ?? '', partitions) }];
    });
    return { errorCode: 0, topics: all.map((each) => nameOrId(each, version)) };
  }
  if (version < 10) {
    const found = topics.map(({ name, partitionIndexes }) => {
      const topicId = cluster.topics.get(name)?.topicId ?? '';
      return { name, partitions: fetch(name, topicId, partitionIndexes) };
    });
    return { errorCode: 0, topics: found };
  }
  const byId = topics.map(({ topicId, partitionIndexes }) => {
    const name = cluster.topicsById.get(topicId)?.name;
    const unknown: FetchedOffset = {
      errorCode: brokerErrorCodes.UNKNOWN_TOPIC_ID,
      offset: -1n,
      leaderEpoch: -1,
      metadata: '',
    };
    const partitions =
      name === undefined
        ? partitionIndexes.map((index) => answerOf(index, unknown))
        : fetch(name, topicId, partitionIndexes);
    return { name: '', topicId, partitions, isKnown: name !== undefined };
  });
  const ordered = [...byId.filter(({ isKnown }) => isKnown), ...byId.filter(({ isKnown }) => !isKnown)];
  return { errorCode: 0, topics: ordered.map(({ topicId, partitions }) => ({ name: '', topicId, partitions })) };
}

function nameOrId(topic: FetchedTopic, version: number): FetchedTopic {
  return version >= 10 ? topic : { name: topic.name, partitions: topic.partitions };
}

function answerOf(partitionIndex: number, { errorCode, offset, leaderEpoch, metadata }: FetchedOffset): object {
  return { partitionIndex, committedOffset: offset, committedLeaderEpoch: leaderEpoch, metadata, errorCode };
}
