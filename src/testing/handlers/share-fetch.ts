import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { Input } from '../../protocol/api.ts';
import {
  ShareFetch,
  type ShareFetchRequest,
  type ShareFetchResponse,
  type ShareFetchResponsePartitionData,
} from '../../protocol/generated/share-fetch.ts';
import { delay } from '../../util/delay.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import { hasShareGroups } from '../share-groups/share-feature.ts';
import { SharePartitionLeaders, type LedSharePartition } from '../share-groups/share-partition-leaders.ts';
import { acquireRecords, bytesToShare, type SharedRecords } from '../share-groups/share-partition-reader.ts';
import type { SharePartitionLeader } from '../share-groups/share-partition-leader.ts';
import {
  acknowledge,
  endSession,
  endWithConnection,
  flatten,
  groupByTopic,
  lockDurationMs,
  ownerOf,
} from '../share-groups/share-requests.ts';
import { ShareSessions, type SharedTopicPartition, type ShareSessionOwner } from '../share-groups/share-sessions.ts';
import { nodeEndpoints } from '../state/partition-lookup.ts';
import { waitUntil } from '../wait-until.ts';

type PartitionAnswer = Input<ShareFetchResponsePartitionData>;

/** A partition of the session with whoever leads it. */
interface Wanted extends SharedTopicPartition {
  readonly led: LedSharePartition;
}

const NOTHING: Buffer = Buffer.alloc(0);
const BATCH_OPTIMIZED = 0;
const RECORD_LIMIT = 1;

/**
 * ShareFetch, versions 1-2.
 *
 * Does: share sessions, which end with their connection; acknowledgements ahead of the fetch; wait for `minBytes` up to
 * `maxWaitMs`; acquire whole batches or no more than `maxRecords` (KIP-1206) within the locks of a partition; committed
 * records only where the group says so; renewing without a fetch (KIP-1222); who leads now (KIP-951).
 * Leaves out: quotas of their own; the ratio of bytes between partitions that changes with their traffic.
 * v2 acquire mode, renewing
 */
export const shareFetchHandler: AnyHandler = defineHandler(ShareFetch, async (request, context) => {
  const { cluster, broker, connection } = context;
  if (!hasShareGroups(cluster)) return { errorCode: brokerErrorCodes.UNSUPPORTED_VERSION };
  const owner = ownerOf(request);
  if (typeof owner === 'number') return { errorCode: owner };
  if (request.isRenewAck && asksForRecords(request)) return { errorCode: brokerErrorCodes.INVALID_REQUEST };
  const named = flatten(request.topics);
  const plan = cluster.service(ShareSessions).fetch(broker, {
    ...owner,
    connectionId: connection.id,
    epoch: request.shareSessionEpoch,
    partitions: named,
    forgotten: request.forgottenTopicsData.flatMap(({ topicId, partitions }) =>
      partitions.map((partition) => ({ topicId, partition })),
    ),
    acknowledges: named.some(({ acknowledgementBatches }) => acknowledgementBatches.length > 0),
  });
  if (plan.kind === 'refused') {
    if (plan.errorCode === brokerErrorCodes.SHARE_SESSION_LIMIT_REACHED)
      await delay(cluster.clock, request.maxWaitMs, context.signal, true);
    return { errorCode: plan.errorCode };
  }
  if (plan.kind === 'begun') endWithConnection(plan.session, context);
  const acknowledged = new Map<string, PartitionAnswer & SharedTopicPartition>();
  for (const { topicId, partition, acknowledgementBatches: batches } of named) {
    if (batches.length === 0) continue;
    const code = acknowledge(owner, { topicId, partition, batches }, request.isRenewAck, context);
    const answer = { topicId, partition, partitionIndex: partition, acknowledgeErrorCode: code, records: NOTHING };
    acknowledged.set(`${topicId}/${partition}`, answer);
  }
  const fetches = plan.kind !== 'ended' && !request.isRenewAck;
  if (fetches && !isAcquireMode(request.shareAcquireMode)) return { errorCode: brokerErrorCodes.UNKNOWN_SERVER_ERROR };
  const fetched = fetches ? await fetch(owner, [...plan.session.partitions.values()], request, context) : [];
  if (plan.kind === 'ended') endSession(plan.session, context);
  // Kafka 4.3 fails altogether where the session names a topic that it does not know, with what was acquired beside it.
  if (fetches && fetched.some(({ answer }) => answer.errorCode === brokerErrorCodes.UNKNOWN_TOPIC_ID))
    return { errorCode: brokerErrorCodes.UNKNOWN_SERVER_ERROR };
  const answers = fetched.flatMap(({ topicId, partition, answer }): TopicAnswer[] => {
    const key = `${topicId}/${partition}`;
    const own = acknowledged.get(key);
    acknowledged.delete(key);
    const isTold = (answer.errorCode ?? 0) !== 0 || (answer.acquiredRecords?.length ?? 0) > 0;
    if (own === undefined && plan.kind === 'continued' && !isTold) return [];
    return [{ topicId, answer: { ...answer, acknowledgeErrorCode: own?.acknowledgeErrorCode ?? 0 } }];
  });
  for (const { topicId, partition: _, ...answer } of acknowledged.values()) answers.push({ topicId, answer });
  return respond(owner, answers, context);
});

function isAcquireMode(mode: number): boolean {
  return mode === BATCH_OPTIMIZED || mode === RECORD_LIMIT;
}

function asksForRecords({ maxBytes, minBytes, maxRecords, maxWaitMs }: ShareFetchRequest): boolean {
  return maxBytes !== 0 || minBytes !== 0 || maxRecords !== 0 || maxWaitMs !== 0;
}

/** The answer about one partition. */
interface TopicAnswer {
  readonly topicId: string;
  readonly answer: PartitionAnswer;
}

interface FetchedPartition extends SharedTopicPartition {
  readonly answer: PartitionAnswer;
}

/** Waits until there is something to acquire, and acquires it. */
async function fetch(
  { groupId, memberId }: ShareSessionOwner,
  partitions: readonly SharedTopicPartition[],
  request: ShareFetchRequest,
  context: RequestContext,
): Promise<FetchedPartition[]> {
  const { cluster, broker, signal } = context;
  const leaders = cluster.service(SharePartitionLeaders);
  const wanted: Wanted[] = await Promise.all(
    partitions.map(async (each) => ({ ...each, led: await leaders.open(broker, { groupId, ...each }) })),
  );
  const led = wanted.flatMap((each) => ('leader' in each.led ? [each.led.leader] : []));
  const acquired = new Map<SharePartitionLeader, SharedRecords>();
  const acquire = (): boolean => {
    if (!hasEnough(led, request, groupId, context)) return false;
    acquireAll(led, acquired, memberId, request, groupId, context);
    return [...acquired.values()].some(({ acquired: ranges, hasMoved }) => ranges.length > 0 || hasMoved);
  };
  await waitUntil({
    clock: cluster.clock,
    condition: () => led.length === 0 || acquire() || request.minBytes <= 0,
    watched: [...led.flatMap(({ changed, partition }) => [changed, partition.changed]), broker.changed],
    timeoutMs: request.maxWaitMs,
    signal,
  });
  if (acquired.size === 0 && !signal.aborted) acquireAll(led, acquired, memberId, request, groupId, context);
  return wanted.map(({ topicId, partition, led: found }) => ({
    topicId,
    partition,
    answer: answerOf(partition, found, acquired),
  }));
}

function isCommittedOnly(groupId: string, { cluster }: RequestContext): boolean {
  return cluster.groupConfig(groupId, 'share.isolation.level') === 'read_committed';
}

function hasEnough(
  led: readonly SharePartitionLeader[],
  { minBytes }: ShareFetchRequest,
  groupId: string,
  context: RequestContext,
): boolean {
  const until = isCommittedOnly(groupId, context) ? 'lastStableOffset' : 'highWatermark';
  let bytes = 0;
  return led.some((leader) => leader.isCurrent && (bytes += bytesToShare(leader, until)) >= minBytes);
}

function acquireAll(
  led: readonly SharePartitionLeader[],
  acquired: Map<SharePartitionLeader, SharedRecords>,
  memberId: string,
  request: ShareFetchRequest,
  groupId: string,
  context: RequestContext,
): void {
  const nowMs = context.cluster.clock.nowMs();
  const current = led.filter((leader) => leader.isCurrent);
  const maxBytes = Math.floor(request.maxBytes / Math.max(1, current.length));
  let left = request.maxRecords;
  for (const leader of current) {
    const records = acquireRecords(leader, {
      memberId,
      mode: request.shareAcquireMode === RECORD_LIMIT ? 'record-limit' : 'batch-optimized',
      maxRecords: left,
      batchSize: request.batchSize,
      maxBytes,
      minOneBatch: true,
      isCommittedOnly: isCommittedOnly(groupId, context),
      nowMs,
    });
    acquired.set(leader, records);
    for (const range of records.acquired) left -= Number(range.lastOffset - range.firstOffset) + 1;
  }
}

function answerOf(
  partitionIndex: number,
  led: LedSharePartition,
  acquired: ReadonlyMap<SharePartitionLeader, SharedRecords>,
): PartitionAnswer {
  if (!('leader' in led)) {
    const { errorCode, partition } = led;
    const answer = { partitionIndex, errorCode, records: NOTHING };
    if (errorCode !== brokerErrorCodes.NOT_LEADER_OR_FOLLOWER || partition === undefined) return answer;
    return { ...answer, currentLeader: { leaderId: partition.leaderId, leaderEpoch: partition.leaderEpoch } };
  }
  const given = acquired.get(led.leader);
  return { partitionIndex, records: given?.records ?? NOTHING, acquiredRecords: [...(given?.acquired ?? [])] };
}

function respond(
  { groupId }: ShareSessionOwner,
  answers: readonly TopicAnswer[],
  context: RequestContext,
): Input<ShareFetchResponse> {
  const { cluster, connection } = context;
  const leaders = answers.flatMap(({ answer }) => answer.currentLeader?.leaderId ?? []);
  return {
    acquisitionLockTimeoutMs: lockDurationMs(groupId, context),
    responses: groupByTopic(answers),
    nodeEndpoints: nodeEndpoints(cluster, connection.listener.name, leaders),
  };
}
