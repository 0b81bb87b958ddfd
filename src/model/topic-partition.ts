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
