import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { Input } from '../../protocol/api.ts';
import {
  Fetch,
  type FetchRequest,
  type FetchResponse,
  type FetchResponsePartitionData,
} from '../../protocol/generated/fetch.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import type { Visibility } from '../log/partition-log.ts';
import { findPartition, nodeEndpoints, type FoundPartition } from '../state/partition-lookup.ts';
import { waitUntil } from '../wait-until.ts';
import type { FetchedPartition } from '../fetch/fetched-partition.ts';

/**
 * Fetch, versions 4-18.
 *
 * Does: wait for `minBytes` up to `maxWaitMs`; both byte limits, with the first batch always whole; committed records only,
 * with the list of what was aborted; leader epochs (KIP-320); topic ids; hints of the leader (KIP-951). The records are
 * views of the log.
 * Leaves out: fetches of followers, who are answered as consumers are.
 * v5 log start · v7 sessions (KIP-227) · v9 leader epoch · v11 rack · v12 flexible, diverging epoch · v13 topic ids · v16 hints
 */
export const fetchHandler: AnyHandler = defineHandler(Fetch, async (request, context) => {
  const partitions = request.topics.flatMap((topic) =>
    topic.partitions.map((partition) => ({ topic: topic.topic, topicId: topic.topicId, ...partition })),
  );
  await waitForBytes(partitions, request, context);
  return respond(read(partitions, request, context), context);
});

type PartitionAnswer = Input<FetchResponsePartitionData> & { readonly records: Buffer };

interface Answered {
  readonly partition: FetchedPartition;
  readonly answer: PartitionAnswer;
}

const NOTHING: Buffer = Buffer.alloc(0);

function find(partition: FetchedPartition, { cluster, broker, version }: RequestContext): FoundPartition {
  const { topic: name, topicId, currentLeaderEpoch } = partition;
  const expectation = { currentLeaderEpoch, anyReplica: version >= 11 };
  return findPartition(cluster, broker, { name, topicId }, partition.partition, expectation);
}

function visibility({ isolationLevel }: FetchRequest): Visibility {
  return isolationLevel === 1 ? 'lastStableOffset' : 'highWatermark';
}

/** Holds the answer back until there is enough to give, something to tell, or the client's patience ends. */
async function waitForBytes(
  partitions: readonly FetchedPartition[],
  request: FetchRequest,
  context: RequestContext,
): Promise<void> {
  const { cluster, broker, signal } = context;
  const { minBytes, maxWaitMs } = request;
  if (partitions.length === 0 || minBytes <= 0 || maxWaitMs <= 0) return;
  const watched = partitions.flatMap((partition) => find(partition, context).partition?.changed ?? []);
  await waitUntil({
    clock: cluster.clock,
    condition: () => hasEnough(partitions, request, context),
    watched: [...watched, broker.changed],
    timeoutMs: maxWaitMs,
    signal,
  });
}

function hasEnough(partitions: readonly FetchedPartition[], request: FetchRequest, context: RequestContext): boolean {
  const until = visibility(request);
  let bytes = 0;
  for (const wanted of partitions) {
    const found = find(wanted, context);
    if (!('topic' in found)) return true;
    const { log } = found.partition;
    if (wanted.fetchOffset < log.startOffset || wanted.fetchOffset > log.endOffset) return true;
    bytes += log.availableBytes(wanted.fetchOffset, until, wanted.partitionMaxBytes);
    if (bytes >= request.minBytes) return true;
  }
  return false;
}

function read(partitions: readonly FetchedPartition[], request: FetchRequest, context: RequestContext): Answered[] {
  const { cluster, broker } = context;
  let left = Math.min(request.maxBytes, Number(cluster.brokerConfig('fetch.max.bytes', broker)));
  let isFirst = true;
  return partitions.map((partition) => {
    const maxBytes = Math.max(0, Math.min(partition.partitionMaxBytes, left));
    const answer = readPartition(partition, maxBytes, isFirst, request, context);
    if (answer.records.length > 0) isFirst = false;
    left -= answer.records.length;
    return { partition, answer };
  });
}

function readPartition(
  wanted: FetchedPartition,
  maxBytes: number,
  minOneBatch: boolean,
  request: FetchRequest,
  context: RequestContext,
): PartitionAnswer {
  const found = find(wanted, context);
  if (!('topic' in found)) return { ...failure(wanted, found.errorCode), ...leaderHint(found, context) };
  const { log } = found.partition;
  const { fetchOffset } = wanted;
  if (fetchOffset < log.startOffset || fetchOffset > log.highWatermark)
    return failure(wanted, brokerErrorCodes.OFFSET_OUT_OF_RANGE);
  const { records, endOffset } = log.read(fetchOffset, { maxBytes, minOneBatch, until: visibility(request) });
  return {
    partitionIndex: wanted.partition,
    errorCode: 0,
    highWatermark: log.highWatermark,
    lastStableOffset: log.lastStableOffset,
    ...(context.version >= 5 ? { logStartOffset: log.startOffset } : {}),
    abortedTransactions:
      request.isolationLevel === 1
        ? log.abortedWithin(fetchOffset, endOffset).map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))
        : null,
    records,
  };
}

function failure(wanted: FetchedPartition, errorCode: number): PartitionAnswer {
  return {
    partitionIndex: wanted.partition,
    errorCode,
    highWatermark: -1n,
    abortedTransactions: null,
    records: NOTHING,
  };
}

function leaderHint(
  { errorCode, partition }: FoundPartition,
  { version }: RequestContext,
): Pick<PartitionAnswer, 'currentLeader'> {
  const isStale =
    errorCode === brokerErrorCodes.NOT_LEADER_OR_FOLLOWER || errorCode === brokerErrorCodes.FENCED_LEADER_EPOCH;
  if (!isStale || version < 16 || partition === undefined) return {};
  return { currentLeader: { leaderId: partition.leaderId, leaderEpoch: partition.leaderEpoch } };
}

function respond(
  answered: readonly Answered[],
  { cluster, connection, version }: RequestContext,
): Input<FetchResponse> {
  const responses: { topic: string; topicId: string; partitions: PartitionAnswer[] }[] = [];
  for (const { partition, answer } of answered) {
    const { topic, topicId } = partition;
    const last = responses.at(-1);
    if (last?.topic === topic && last.topicId === topicId) last.partitions.push(answer);
    else responses.push({ topic, topicId, partitions: [answer] });
  }
  if (version < 16) return { responses };
  const leaders = answered.flatMap(({ answer }) => answer.currentLeader?.leaderId ?? []);
  return { responses, nodeEndpoints: nodeEndpoints(cluster, connection.listener.name, leaders) };
}
