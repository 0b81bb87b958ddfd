import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { FetchRequest } from '../../protocol/generated/fetch.ts';
import type { RequestContext } from '../handler.ts';
import type { EpochEnd } from '../log/leader-epochs.ts';
import type { PartitionLog, Visibility } from '../log/partition-log.ts';
import { findPartition, type FoundPartition } from '../state/partition-lookup.ts';
import type { PartitionState } from '../state/partition-state.ts';
import type { PartitionAnswer } from './fetch-sessions.ts';
import type { FetchedPartition } from './fetched-partition.ts';

const NOTHING: Buffer = Buffer.alloc(0);
const RACK_AWARE = 'org.apache.kafka.common.replica.RackAwareReplicaSelector';

/** What a fetch finds where it wants to read. */
type Finding =
  | { readonly kind: 'missing'; readonly found: FoundPartition }
  | { readonly kind: 'outOfRange' }
  | { readonly kind: 'diverged'; readonly log: PartitionLog; readonly at: EpochEnd }
  | { readonly kind: 'elsewhere'; readonly log: PartitionLog; readonly replicaId: number }
  | { readonly kind: 'readable'; readonly log: PartitionLog };

/** The partition of a fetch, on the broker that is asked. */
export function findFetched(wanted: FetchedPartition, { cluster, broker, version }: RequestContext): FoundPartition {
  const { topic: name, topicId, currentLeaderEpoch } = wanted;
  // Clients that may be sent to a follower (KIP-392) are those that can tell their rack.
  const expectation = { currentLeaderEpoch, anyReplica: version >= 11 };
  return findPartition(cluster, broker, { name, topicId }, wanted.partition, expectation);
}

/** How many bytes a fetch could be given of a partition; Infinity if there is something else to tell at once. */
export function bytesToGive(wanted: FetchedPartition, request: FetchRequest, context: RequestContext): number {
  const finding = look(wanted, request, context);
  if (finding.kind !== 'readable') return Infinity;
  return finding.log.availableBytes(wanted.fetchOffset, visibility(request), wanted.partitionMaxBytes);
}

/** The answer of a fetch for one partition. */
export function readPartition(
  wanted: FetchedPartition,
  limits: { readonly maxBytes: number; readonly minOneBatch: boolean },
  request: FetchRequest,
  context: RequestContext,
): PartitionAnswer {
  const finding = look(wanted, request, context);
  switch (finding.kind) {
    case 'missing':
      return missing(wanted, finding.found, context);
    case 'outOfRange':
      return failure(wanted, brokerErrorCodes.OFFSET_OUT_OF_RANGE);
    case 'diverged': {
      const { epoch, endOffset } = finding.at;
      return { ...watermarks(wanted, finding.log, request, context), divergingEpoch: { epoch, endOffset } };
    }
    case 'elsewhere':
      return { ...watermarks(wanted, finding.log, request, context), preferredReadReplica: finding.replicaId };
    case 'readable':
      return give(wanted, finding.log, limits, request, context);
    default:
      return finding satisfies never;
  }
}

function look(wanted: FetchedPartition, request: FetchRequest, context: RequestContext): Finding {
  const found = findFetched(wanted, context);
  if (!('topic' in found)) return { kind: 'missing', found };
  const { partition } = found;
  const { log } = partition;
  const { fetchOffset, lastFetchedEpoch } = wanted;
  const replicaId = preferredReplica(partition, wanted, request, context);
  if (replicaId !== undefined) return { kind: 'elsewhere', log, replicaId };
  if (lastFetchedEpoch >= 0) {
    log.epochs.begin(partition.leaderEpoch, log.endOffset);
    const at = log.epochs.endOf(lastFetchedEpoch, log.endOffset);
    if (at === undefined) return { kind: 'outOfRange' };
    if (at.epoch < lastFetchedEpoch || at.endOffset < fetchOffset) return { kind: 'diverged', log, at };
  }
  if (fetchOffset < log.startOffset || fetchOffset > log.endOffset) return { kind: 'outOfRange' };
  return { kind: 'readable', log };
}

/** KIP-392: the in-sync follower in the rack of the client, where the leader is asked and stands in another. */
function preferredReplica(
  partition: PartitionState,
  { fetchOffset }: FetchedPartition,
  { rackId }: FetchRequest,
  { cluster, broker, version }: RequestContext,
): number | undefined {
  if (version < 11 || rackId === '' || partition.leaderId !== broker.id || broker.rack === rackId) return undefined;
  if (cluster.brokerConfig('replica.selector.class', broker) !== RACK_AWARE) return undefined;
  const { startOffset, endOffset } = partition.log;
  if (fetchOffset < startOffset || fetchOffset > endOffset) return undefined;
  return partition.isr.find((id) => {
    const replica = cluster.brokers.get(id);
    return id !== broker.id && replica?.isRunning === true && replica.rack === rackId;
  });
}

function give(
  wanted: FetchedPartition,
  log: PartitionLog,
  limits: { readonly maxBytes: number; readonly minOneBatch: boolean },
  request: FetchRequest,
  context: RequestContext,
): PartitionAnswer {
  const { fetchOffset } = wanted;
  const { records, endOffset } = log.read(fetchOffset, { ...limits, until: visibility(request) });
  const answer = watermarks(wanted, log, request, context);
  if (request.isolationLevel !== 1) return { ...answer, records };
  const aborted = log.abortedWithin(fetchOffset, endOffset);
  return {
    ...answer,
    abortedTransactions: aborted.map(({ producerId, firstOffset }) => ({ producerId, firstOffset })),
    records,
  };
}

function watermarks(
  { partition }: FetchedPartition,
  log: PartitionLog,
  { isolationLevel }: FetchRequest,
  { version }: RequestContext,
): PartitionAnswer {
  return {
    partitionIndex: partition,
    errorCode: 0,
    highWatermark: log.highWatermark,
    lastStableOffset: log.lastStableOffset,
    ...(version >= 5 ? { logStartOffset: log.startOffset } : {}),
    abortedTransactions: isolationLevel === 1 ? [] : null,
    records: NOTHING,
  };
}

function missing(wanted: FetchedPartition, found: FoundPartition, { version }: RequestContext): PartitionAnswer {
  const { errorCode, partition } = found;
  const answer = failure(wanted, errorCode);
  if (partition === undefined) return { ...answer, abortedTransactions: [] };
  const isStale =
    errorCode === brokerErrorCodes.NOT_LEADER_OR_FOLLOWER || errorCode === brokerErrorCodes.FENCED_LEADER_EPOCH;
  if (!isStale || version < 16) return answer;
  return { ...answer, currentLeader: { leaderId: partition.leaderId, leaderEpoch: partition.leaderEpoch } };
}

function failure({ partition }: FetchedPartition, errorCode: number): PartitionAnswer {
  return {
    partitionIndex: partition,
    errorCode,
    highWatermark: -1n,
    abortedTransactions: null,
    records: NOTHING,
  };
}

function visibility({ isolationLevel }: FetchRequest): Visibility {
  return isolationLevel === 1 ? 'lastStableOffset' : 'highWatermark';
}
