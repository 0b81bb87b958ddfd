import type { Input } from '../../protocol/api.ts';
import { Fetch, type FetchRequest, type FetchResponse } from '../../protocol/generated/fetch.ts';
import { byTopic, FetchSessions, type Answered } from '../fetch/fetch-sessions.ts';
import type { FetchedPartition } from '../fetch/fetched-partition.ts';
import { bytesToGive, findFetched, readPartition } from '../fetch/partition-reader.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import { nodeEndpoints } from '../state/partition-lookup.ts';
import { waitUntil } from '../wait-until.ts';

/**
 * Fetch, versions 4-18.
 *
 * Does: wait for `minBytes` up to `maxWaitMs`; both byte limits, with the first batch always whole and the last one cut off;
 * sessions (KIP-227); committed records only, with the list of what was aborted; leader epochs and where they diverge
 * (KIP-320); the replica in the client's rack (KIP-392); topic ids; hints of the leader (KIP-951). The records are views of the log.
 * Leaves out: fetches of followers, which are answered as consumers' are; giving up one used session for another.
 * v5 log start · v7 sessions · v9 leader epoch · v11 rack · v12 flexible, diverging epoch · v13 topic ids · v16 hints
 */
export const fetchHandler: AnyHandler = defineHandler(Fetch, async (request, context) => {
  const { cluster, broker, version } = context;
  const plan = cluster.service(FetchSessions).plan(broker, {
    sessionId: request.sessionId,
    sessionEpoch: request.sessionEpoch,
    partitions: request.topics.flatMap(({ topic, topicId, partitions }) =>
      partitions.map((partition) => ({ topic, topicId, ...partition })),
    ),
    forgotten: request.forgottenTopicsData,
    usesTopicIds: version >= 13,
  });
  if (typeof plan === 'number') return { errorCode: plan };
  await waitForBytes(plan.partitions, request, context);
  const { sessionId, answers } = plan.conclude(read(plan.partitions, request, context));
  return respond(sessionId, answers, context);
});

/** Holds the answer back until there is enough to give, something to tell, or the client's patience ends. */
async function waitForBytes(
  partitions: readonly FetchedPartition[],
  request: FetchRequest,
  context: RequestContext,
): Promise<void> {
  const { cluster, broker, signal } = context;
  const { minBytes, maxWaitMs } = request;
  if (partitions.length === 0 || minBytes <= 0 || maxWaitMs <= 0) return;
  const hasEnough = (): boolean => {
    let bytes = 0;
    return partitions.some((wanted) => (bytes += bytesToGive(wanted, request, context)) >= minBytes);
  };
  if (hasEnough()) return;
  const watched = partitions.flatMap((wanted) => findFetched(wanted, context).partition?.changed ?? []);
  await waitUntil({
    clock: cluster.clock,
    condition: hasEnough,
    watched: [...watched, broker.changed],
    timeoutMs: maxWaitMs,
    signal,
  });
}

function read(partitions: readonly FetchedPartition[], request: FetchRequest, context: RequestContext): Answered[] {
  const { cluster, broker } = context;
  let left = Math.min(request.maxBytes, Number(cluster.brokerConfig('fetch.max.bytes', broker)));
  let minOneBatch = true;
  const isKnown = (wanted: FetchedPartition): boolean => findFetched(wanted, context).partition !== undefined;
  const inOrder = [...partitions.filter(isKnown), ...partitions.filter((wanted) => !isKnown(wanted))];
  return inOrder.map((partition) => {
    const maxBytes = Math.max(0, Math.min(partition.partitionMaxBytes, left));
    const answer = readPartition(partition, { maxBytes, minOneBatch }, request, context);
    if (answer.records.length > 0) minOneBatch = false;
    left -= answer.records.length;
    return { partition, answer };
  });
}

function respond(
  sessionId: number,
  answers: readonly Answered[],
  { cluster, connection, version }: RequestContext,
): Input<FetchResponse> {
  const responses = byTopic(answers);
  const session = version >= 7 ? { sessionId } : {};
  if (version < 16) return { ...session, responses };
  const leaders = answers.flatMap(({ answer }) => answer.currentLeader?.leaderId ?? []);
  return { ...session, responses, nodeEndpoints: nodeEndpoints(cluster, connection.listener.name, leaders) };
}
