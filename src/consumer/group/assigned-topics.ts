import type { Cluster } from '../../cluster/cluster.ts';
import type { TopicPartition } from '../../model/topic-partition.ts';

/** Partitions by the id of their topic, as the new protocol has them. */
export type PartitionsById = readonly { readonly topicId: string; readonly partitions: readonly number[] }[];

/** Finds the names of topics that a coordinator gives by id, and the other way round. */
export class AssignedTopics {
  readonly #cluster: Cluster;
  readonly #ids = new Map<string, string>();
  #given: PartitionsById = [];

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Whether all topics of the last assignment have a name. */
  get isComplete(): boolean {
    return this.#given.every(({ topicId }) => this.#cluster.metadata.topicName(topicId) !== undefined);
  }

  /** Takes an assignment in; answers as much of it as has a name. */
  take(given: PartitionsById): TopicPartition[] {
    this.#given = given;
    return this.resolved();
  }

  /** As much of the last assignment as has a name by now. */
  resolved(): TopicPartition[] {
    return this.identified().map(({ topic, topicId, partition }) => {
      this.#ids.set(topic, topicId);
      return { topic, partition };
    });
  }

  /** The same, with the ids under which the topics were given. */
  identified(): (TopicPartition & { readonly topicId: string })[] {
    return this.#given.flatMap(({ topicId, partitions }) => {
      const topic = this.#cluster.metadata.topicName(topicId);
      return topic === undefined ? [] : partitions.map((partition) => ({ topic, topicId, partition }));
    });
  }

  /** The same partitions by the ids under which they were given. */
  byId(partitions: readonly TopicPartition[]): { topicId: string; partitions: number[] }[] {
    const numbers = new Map<string, number[]>();
    for (const { topic, partition } of partitions) {
      const topicId = this.#ids.get(topic);
      if (topicId === undefined) continue;
      numbers.set(topicId, [...(numbers.get(topicId) ?? []), partition]);
    }
    return [...numbers].map(([topicId, own]) => ({ topicId, partitions: own }));
  }
}
