import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { Input } from '../../protocol/api.ts';
import {
  ListOffsets,
  type ListOffsetsRequest,
  type ListOffsetsRequestListOffsetsPartition,
  type ListOffsetsResponseListOffsetsPartitionResponse,
} from '../../protocol/generated/list-offsets.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import { findByTimestamp, findMaxTimestamp, type FoundRecord } from '../log/timestamp-search.ts';
import { findPartition } from '../state/partition-lookup.ts';

/**
 * ListOffsets, versions 1-11.
 *
 * Does: first and next offset, by time, the highest time (KIP-734), local and tiered ends (KIP-405, KIP-1005) of a log that is
 * all local; for readers of committed records the last stable offset; leader epochs.
 * Leaves out: waiting (v10 `timeoutMs`), as nothing is read from afar.
 * v2 isolation · v4 leader epoch · v6 flexible · v7 highest time · v8 earliest local · v9 latest tiered · v11 earliest to upload
 */
export const listOffsetsHandler: AnyHandler = defineHandler(ListOffsets, async (request, context) => {
  const topics = await Promise.all(
    request.topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(partitions.map((wanted) => answer(name, wanted, request, context))),
    })),
  );
  return { topics };
});

type PartitionAnswer = Input<ListOffsetsResponseListOffsetsPartitionResponse>;

/** What a negative timestamp asks for, and since which version. */
const specs = {
  latest: { timestamp: -1n, since: 1 },
  earliest: { timestamp: -2n, since: 1 },
  maxTimestamp: { timestamp: -3n, since: 7 },
  earliestLocal: { timestamp: -4n, since: 8 },
  latestTiered: { timestamp: -5n, since: 9 },
  earliestPendingUpload: { timestamp: -6n, since: 11 },
} as const;

type Spec = keyof typeof specs;

async function answer(
  name: string,
  wanted: ListOffsetsRequestListOffsetsPartition,
  { isolationLevel }: ListOffsetsRequest,
  { cluster, broker, version }: RequestContext,
): Promise<PartitionAnswer> {
  const { partitionIndex, timestamp, currentLeaderEpoch } = wanted;
  const spec = (Object.keys(specs) as Spec[]).find((each) => specs[each].timestamp === timestamp);
  const fail = (errorCode: number): PartitionAnswer => ({ partitionIndex, errorCode });
  if (timestamp < 0n && (spec === undefined || version < specs[spec].since))
    return fail(brokerErrorCodes.UNSUPPORTED_VERSION);
  const found = findPartition(cluster, broker, { name }, partitionIndex, { currentLeaderEpoch });
  if (!('topic' in found)) return fail(found.errorCode);
  const { log, leaderEpoch } = found.partition;
  log.epochs.begin(leaderEpoch, log.endOffset);
  const end = isolationLevel === 1 ? log.lastStableOffset : log.highWatermark;
  const offset =
    spec === undefined ? await findByTimestamp(log, Number(timestamp), end) : await bySpec(log, spec, end, leaderEpoch);
  if (offset === undefined) return { partitionIndex, errorCode: 0 };
  return {
    partitionIndex,
    errorCode: 0,
    timestamp: BigInt(offset.timestampMs),
    offset: offset.offset,
    ...(version >= 4 ? { leaderEpoch: offset.leaderEpoch } : {}),
  };
}

async function bySpec(
  log: PartitionLog,
  spec: Spec,
  end: bigint,
  leaderEpoch: number,
): Promise<FoundRecord | undefined> {
  switch (spec) {
    case 'latest':
      return { offset: end, timestampMs: -1, leaderEpoch };
    case 'earliest':
    case 'earliestLocal':
      return { offset: log.startOffset, timestampMs: -1, leaderEpoch: log.epochs.epochOf(log.startOffset) ?? -1 };
    case 'maxTimestamp':
      return findMaxTimestamp(log, end);
    case 'latestTiered':
    case 'earliestPendingUpload':
      return { offset: -1n, timestampMs: -1, leaderEpoch: -1 };
    default:
      spec satisfies never;
      return undefined;
  }
}
