/** A topic as assignments see it. */
export interface ViewedTopic {
  readonly name: string;
  readonly topicId: string;
  readonly partitionCount: number;
}

/** The topics of the cluster, passed in to decisions. */
export interface TopicsView {
  byName(name: string): ViewedTopic | undefined;
  byId(topicId: string): ViewedTopic | undefined;
  names(): readonly string[];
}

/** One partition as one word, for sets of them. */
export function partitionKey(topicId: string, partition: number): string {
  return `${topicId}:${partition}`;
}

/** The topic id and number that {@link partitionKey} put together. */
export function splitPartitionKey(key: string): { readonly topicId: string; readonly partition: number } {
  const colon = key.lastIndexOf(':');
  return { topicId: key.slice(0, colon), partition: Number(key.slice(colon + 1)) };
}

/** The same partitions topic by topic, as requests and answers have them. */
export function byTopicId(keys: Iterable<string>): { topicId: string; partitions: number[] }[] {
  const topics = new Map<string, number[]>();
  for (const key of keys) {
    const { topicId, partition } = splitPartitionKey(key);
    const partitions = topics.get(topicId);
    if (partitions === undefined) topics.set(topicId, [partition]);
    else partitions.push(partition);
  }
  return [...topics].map(([topicId, partitions]) => ({ topicId, partitions: partitions.sort((a, b) => a - b) }));
}
