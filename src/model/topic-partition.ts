/** One partition of a topic. */
export interface TopicPartition {
  /** The topic's name. */
  readonly topic: string;
  /** The number of the partition, from 0. */
  readonly partition: number;
}

/** A key that is the same for equal partitions; topics cannot contain `:`. */
export function topicPartitionKey(topic: string, partition: number): string {
  return `${topic}:${partition}`;
}

/** {@link topicPartitionKey} of a partition that is at hand as an object. */
export function keyOf({ topic, partition }: TopicPartition): string {
  return topicPartitionKey(topic, partition);
}

/** By topic, then by number: for lists that people read. */
export function comparePartitions(a: TopicPartition, b: TopicPartition): number {
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1;
  return a.partition - b.partition;
}

/** Items of one topic together; topics and items stay in the order in which they come. */
export function byTopic<Item extends { readonly topic: string }>(
  items: readonly Item[],
): [topic: string, items: Item[]][] {
  const topics = new Map<string, Item[]>();
  for (const item of items) {
    const same = topics.get(item.topic);
    if (same === undefined) topics.set(item.topic, [item]);
    else same.push(item);
  }
  return [...topics];
}
