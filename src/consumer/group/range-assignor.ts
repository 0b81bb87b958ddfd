import { topicPartitionKey, type TopicPartition } from '../../model/topic-partition.ts';

/** What an assignor knows of one member of the group. */
export interface MemberSubscription {
  readonly memberId: string;
  /** The configured identity of a static member (KIP-345), or null. */
  readonly groupInstanceId: string | null;
  readonly topics: readonly string[];
}

/**
 * Gives each member a consecutive range of each topic's partitions; the first members get one more where it does not divide.
 *
 * Members are ordered as Java orders them (static ones first, by instance id; then by member id), so that it does not matter
 * whether a Java member or this client is the leader. Java: `RangeAssignor`.
 *
 * @param partitionCount how many partitions a topic has; undefined or 0 where the topic is not known, which then nobody gets
 */
export function assignRange(
  members: readonly MemberSubscription[],
  partitionCount: (topic: string) => number | undefined,
): Map<string, TopicPartition[]> {
  const assignments = new Map<string, TopicPartition[]>(members.map((member) => [member.memberId, []]));
  const ordered = [...new Map(members.map((member) => [member.memberId, member])).values()].sort(compareMembers);
  const topics = [...new Set(ordered.flatMap((member) => member.topics))].sort(compareText);
  for (const topic of topics) {
    const readers = ordered.filter((member) => member.topics.includes(topic));
    const count = partitionCount(topic) ?? 0;
    const each = Math.floor(count / readers.length);
    const withOneMore = count % readers.length;
    let next = 0;
    readers.forEach((member, index) => {
      const end = next + each + (index < withOneMore ? 1 : 0);
      for (; next < end; next++) assignments.get(member.memberId)?.push({ topic, partition: next });
    });
  }
  return assignments;
}

function compareMembers(a: MemberSubscription, b: MemberSubscription): number {
  if (a.groupInstanceId !== null && b.groupInstanceId !== null)
    return compareText(a.groupInstanceId, b.groupInstanceId);
  if (a.groupInstanceId !== null) return -1;
  if (b.groupInstanceId !== null) return 1;
  return compareText(a.memberId, b.memberId);
}

/** By UTF-16 code units, as Java's `String.compareTo`; a locale's order would differ between machines. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The partitions of `given` that are real: no negative number, none twice, only of these topics. */
export function saneAssignment(
  given: readonly TopicPartition[],
  topics: ReadonlySet<string>,
): { readonly partitions: TopicPartition[]; readonly refused: TopicPartition[] } {
  const seen = new Set<string>();
  const partitions: TopicPartition[] = [];
  const refused: TopicPartition[] = [];
  for (const { topic, partition } of given) {
    const key = topicPartitionKey(topic, partition);
    if (seen.has(key)) continue;
    seen.add(key);
    (partition >= 0 && topics.has(topic) ? partitions : refused).push({ topic, partition });
  }
  return { partitions, refused };
}
