import { UsageError } from '../errors/kafka-error.ts';
import { topicPartitionKey, type TopicPartition } from '../model/topic-partition.ts';
import { PartitionState, type AssignmentTerm, type StartingPoint } from './partition-state.ts';

/** The partitions that a consumer has now. */
export class Assignment {
  readonly #states = new Map<string, PartitionState>();
  #list: readonly PartitionState[] = [];

  /** All partitions, in the order in which they were assigned. */
  get states(): readonly PartitionState[] {
    return this.#list;
  }

  get partitions(): TopicPartition[] {
    return this.#list.map(({ topic, partition }) => ({ topic, partition }));
  }

  get(topic: string, partition: number): PartitionState | undefined {
    return this.#states.get(topicPartitionKey(topic, partition));
  }

  /** @throws UsageError PARTITION_NOT_OWNED */
  owned({ topic, partition }: TopicPartition, doing: string): PartitionState {
    const state = this.get(topic, partition);
    if (state !== undefined) return state;
    throw new UsageError(`Cannot ${doing} ${topic}-${partition}: the partition is not assigned to this consumer`, {
      code: 'PARTITION_NOT_OWNED',
    });
  }

  /** Replaces the assignment; with `keep`, partitions that stay keep their state. */
  replace(
    partitions: readonly TopicPartition[],
    term: AssignmentTerm,
    start: StartingPoint | (() => StartingPoint),
    keep = false,
  ): void {
    const before = new Map(this.#states);
    this.#states.clear();
    for (const { topic, partition } of partitions) {
      const key = topicPartitionKey(topic, partition);
      const kept = keep ? before.get(key) : undefined;
      if (kept !== undefined) before.delete(key);
      const first = typeof start === 'function' ? start() : start;
      this.#states.set(key, kept ?? new PartitionState(topic, partition, term, first));
    }
    for (const gone of before.values()) gone.drop();
    this.#list = [...this.#states.values()];
  }

  /** Ends the assignment: what was handed out of it cannot be committed any more. */
  end(): void {
    for (const state of this.#list) {
      state.term.ended = true;
      state.drop();
    }
    this.#states.clear();
    this.#list = [];
  }
}
