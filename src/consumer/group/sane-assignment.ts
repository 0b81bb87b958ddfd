import { topicPartitionKey, type TopicPartition } from '../../model/topic-partition.ts';

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
