import { ProtocolError } from '../../errors/kafka-error.ts';
import type { ShareFetchResponsePartitionData } from '../../protocol/generated/share-fetch.ts';
import type { AcquiredRange } from './acquired-records-machine.ts';
import type { SessionPartition } from './share-session-machine.ts';

/** What a broker says it has locked for us, counted from the first of the offsets. */
export interface Acquisition {
  readonly baseOffset: bigint;
  /** Behind the last one. */
  readonly endOffset: bigint;
  readonly ranges: readonly AcquiredRange[];
}

/**
 * What was acquired of a partition; undefined if nothing was.
 *
 * @throws ProtocolError the ranges are not in order, so that nobody could tell what they mean
 */
export function acquisitionOf(data: ShareFetchResponsePartitionData): Acquisition | undefined {
  const first = data.acquiredRecords[0];
  if (first === undefined) return undefined;
  const baseOffset = first.firstOffset;
  const ranges: AcquiredRange[] = [];
  let endOffset = baseOffset;
  for (const { firstOffset, lastOffset, deliveryCount } of data.acquiredRecords) {
    const last = lastOffset - baseOffset;
    if (firstOffset < endOffset || lastOffset < firstOffset || last > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new ProtocolError(
        `Cannot use the acquired records of partition ${data.partitionIndex}: they are not in order`,
      );
    }
    ranges.push({ first: Number(firstOffset - baseOffset), last: Number(last), deliveryCount });
    endOffset = lastOffset + 1n;
  }
  return { baseOffset, endOffset, ranges };
}

/** The partitions that a session shall forget, by their topics. */
export function forgottenTopics(
  partitions: readonly SessionPartition[],
): { readonly topicId: string; readonly partitions: number[] }[] {
  const topics = new Map<string, number[]>();
  for (const { topicId, partition } of partitions) {
    const same = topics.get(topicId);
    if (same === undefined) topics.set(topicId, [partition]);
    else same.push(partition);
  }
  return [...topics].map(([topicId, ofTopic]) => ({ topicId, partitions: ofTopic }));
}
