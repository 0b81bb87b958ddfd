import type { TopicPartition } from '../../../model/topic-partition.ts';
import type { AssignablePartition, MemberSubscription, PartitionAssignor } from './assignor.ts';
import { compareMembers, compareText, distinctMembers } from './ordering.ts';

/** Deals the partitions of all topics out to the members in turn, past those who do not want the topic. Java: `RoundRobinAssignor`. */
function assignRoundRobin(
  topics: ReadonlyMap<string, readonly AssignablePartition[]>,
  given: readonly MemberSubscription[],
): Map<string, TopicPartition[]> {
  const members = distinctMembers(given).sort(compareMembers);
  const assignments = new Map<string, TopicPartition[]>(members.map(({ memberId }) => [memberId, []]));
  const wanted = [...new Set(members.flatMap((member) => member.topics))].sort(compareText);
  let next = 0;
  for (const topic of wanted) {
    for (const { partition } of topics.get(topic) ?? []) {
      while (members[next % members.length]?.topics.includes(topic) !== true) next++;
      const member = members[next++ % members.length];
      if (member !== undefined) assignments.get(member.memberId)?.push({ topic, partition });
    }
  }
  return assignments;
}

/** Java: `roundrobin`. */
export const roundRobinAssignor: PartitionAssignor = { name: 'roundrobin', assign: assignRoundRobin };
