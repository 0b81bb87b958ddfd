import type { TopicPartition } from '../../../model/topic-partition.ts';
import { javaHash } from '../../../util/java-hash.ts';

/**
 * The order in which Java walks through its hash tables. Kafka's sticky assignors depend on it where several members own more than
 * their share: a group may have a Java member and one of this client as leader by turns, and partitions would move each time.
 */

const FIRST_TABLE_SIZE = 16;
const LOAD_FACTOR = 0.75;

/** `hashCode` of Kafka's `TopicPartition`. */
function hashOfPartition({ topic, partition }: TopicPartition): number {
  return (Math.imul(31, 31 + partition) + javaHash(topic)) | 0;
}

/** The texts as a `HashMap` gives them again that they were put into in this order. */
export function inHashOrder<T>(items: readonly T[], textOf: (item: T) => string): T[] {
  let tableSize = FIRST_TABLE_SIZE;
  while (items.length > tableSize * LOAD_FACTOR) tableSize *= 2;
  return items
    .map((item) => ({ item, bucket: bucketOf(javaHash(textOf(item)), tableSize) }))
    .sort((a, b) => a.bucket - b.bucket)
    .map(({ item }) => item);
}

/** A `HashSet<TopicPartition>`, as far as its first element goes. */
export class HashedPartitions {
  readonly #items = new Set<TopicPartition>();
  #tableSize = FIRST_TABLE_SIZE;

  get size(): number {
    return this.#items.size;
  }

  add(item: TopicPartition): void {
    this.#items.add(item);
    if (this.#items.size > this.#tableSize * LOAD_FACTOR) this.#tableSize *= 2;
  }

  delete(item: TopicPartition): void {
    this.#items.delete(item);
  }

  first(): TopicPartition | undefined {
    let first: TopicPartition | undefined;
    let lowest = Infinity;
    for (const item of this.#items) {
      const bucket = bucketOf(hashOfPartition(item), this.#tableSize);
      if (bucket >= lowest) continue;
      lowest = bucket;
      first = item;
    }
    return first;
  }
}

function bucketOf(hash: number, tableSize: number): number {
  return (hash ^ (hash >>> 16)) & (tableSize - 1);
}
