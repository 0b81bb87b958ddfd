/** One partition of a topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A key that is the same for equal partitions; topics cannot contain `:`. */
export function topicPartitionKey(topic: string, partition: number): string {
  return `${topic}:${partition}`;
}
