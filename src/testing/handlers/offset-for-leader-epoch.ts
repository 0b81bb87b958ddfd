import type { Input } from '../../protocol/api.ts';
import {
  OffsetForLeaderEpoch,
  type OffsetForLeaderEpochRequestOffsetForLeaderPartition,
  type OffsetForLeaderEpochResponseEpochEndOffset,
} from '../../protocol/generated/offset-for-leader-epoch.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import { findPartition } from '../state/partition-lookup.ts';

/**
 * OffsetForLeaderEpoch, versions 2-4.
 *
 * Does: the end of an epoch, or of the last one before it (KIP-320); fencing by the epoch that the client knows.
 * Leaves out: -
 * v3 replica id · v4 flexible
 */
export const offsetForLeaderEpochHandler: AnyHandler = defineHandler(OffsetForLeaderEpoch, (request, context) => ({
  topics: request.topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map((wanted) => endOf(topic, wanted, context)),
  })),
}));

function endOf(
  name: string,
  { partition: index, currentLeaderEpoch, leaderEpoch }: OffsetForLeaderEpochRequestOffsetForLeaderPartition,
  { cluster, broker }: RequestContext,
): Input<OffsetForLeaderEpochResponseEpochEndOffset> {
  const found = findPartition(cluster, broker, { name }, index, { currentLeaderEpoch });
  if (!('topic' in found)) return { partition: index, errorCode: found.errorCode };
  const { log, leaderEpoch: latest } = found.partition;
  log.epochs.begin(latest, log.endOffset);
  const end = log.epochs.endOf(leaderEpoch, log.endOffset);
  return { partition: index, leaderEpoch: end?.epoch ?? -1, endOffset: end?.endOffset ?? -1n };
}
