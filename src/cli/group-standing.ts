import type { GroupOffset, ListedOffset, OffsetSpec, ShareGroupOffset, TopicPartition } from '../index.ts';
import { comparePartitions, keyOf } from '../model/topic-partition.ts';
import { sortOut, type AdminSession } from './admin-command.ts';

/** Where a group is in a partition, and how far that is from the end. */
export type Standing = (GroupOffset | ShareGroupOffset) & {
  /** Undefined if the partition is no more. */
  readonly endOffset: bigint | undefined;
  /** Undefined if the group has not begun there, or the partition is no more. */
  readonly lag: bigint | undefined;
};

/** The types of all groups by their ids: which calls are for a group depends on that. */
export async function groupTypes({ admin, limits }: AdminSession): Promise<ReadonlyMap<string, string | undefined>> {
  const groups = await admin.listGroups(limits);
  return new Map(groups.map(({ groupId, type }) => [groupId, type]));
}

/** Where a group stands: in all partitions that it has offsets of, and in these, by topic and number. */
export async function listStanding(
  session: AdminSession,
  groupId: string,
  isShare: boolean,
  including: readonly TopicPartition[],
): Promise<Standing[]> {
  const { admin, limits } = session;
  const known = isShare
    ? await admin.listShareGroupOffsets(groupId, limits)
    : await admin.listGroupOffsets(groupId, limits);
  const standing = new Map<string, GroupOffset | ShareGroupOffset>(known.map((at) => [keyOf(at), at]));
  for (const { topic, partition } of including) {
    const notBegun = { topic, partition, leaderEpoch: undefined };
    const key = keyOf(notBegun);
    if (standing.has(key)) continue;
    standing.set(
      key,
      isShare
        ? { ...notBegun, startOffset: undefined, lag: undefined }
        : { ...notBegun, offset: undefined, metadata: '' },
    );
  }
  const ends = await offsetsAt(session, [...standing.values()], 'latest');
  return [...standing.values()].sort(comparePartitions).map((at) => {
    const endOffset = ends.get(keyOf(at))?.offset;
    // Only the broker knows how much of what is behind its start a share group is done with.
    if ('startOffset' in at) return { ...at, endOffset };
    const lag = endOffset === undefined || at.offset === undefined ? undefined : endOffset - at.offset;
    return { ...at, endOffset, lag: lag !== undefined && lag < 0n ? 0n : lag };
  });
}

/** The offsets of one place in partitions, by {@link keyOf}; a partition that is no more has none. */
export async function offsetsAt(
  { admin, limits }: AdminSession,
  partitions: readonly TopicPartition[],
  at: OffsetSpec,
): Promise<ReadonlyMap<string, ListedOffset>> {
  const wanted = partitions.map(({ topic, partition }) => ({ topic, partition, at }));
  const { done } = sortOut(await admin.listOffsets(wanted, { ...limits, settled: true }));
  return new Map(done.map((found) => [keyOf(found), found]));
}
