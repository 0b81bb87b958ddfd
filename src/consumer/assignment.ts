import { UsageError } from '../errors/kafka-error.ts';
import { topicPartitionKey, type TopicPartition } from '../model/topic-partition.ts';
import { PartitionState, type StartingPoint } from './partition-state.ts';

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

  /** The states of those of the partitions that are assigned. */
  statesOf(partitions: readonly TopicPartition[]): PartitionState[] {
    return partitions.flatMap(({ topic, partition }) => this.get(topic, partition) ?? []);
  }

  /** Makes these partitions the assignment; those that stay keep their state. */
  replace(partitions: readonly TopicPartition[], start: () => StartingPoint): void {
    const wanted = new Set(partitions.map(({ topic, partition }) => topicPartitionKey(topic, partition)));
    this.remove(this.partitions.filter(({ topic, partition }) => !wanted.has(topicPartitionKey(topic, partition))));
    for (const { topic, partition } of partitions) this.#put(topic, partition, start);
    this.#list = [...this.#states.values()];
  }

  /** Adds partitions, save those that are assigned already. Answers their states. */
  add(partitions: readonly TopicPartition[], start: StartingPoint): PartitionState[] {
    for (const { topic, partition } of partitions) this.#put(topic, partition, () => ({ ...start }));
    this.#list = [...this.#states.values()];
    return this.statesOf(partitions);
  }

  /** Takes partitions out: what was handed out of them cannot be committed any more. */
  remove(partitions: readonly TopicPartition[]): void {
    for (const state of this.statesOf(partitions)) {
      state.term.ended = true;
      state.drop();
      this.#states.delete(topicPartitionKey(state.topic, state.partition));
    }
    this.#list = [...this.#states.values()];
  }

  /** Ends the assignment. */
  end(): void {
    this.remove(this.partitions);
  }

  #put(topic: string, partition: number, start: () => StartingPoint): void {
    const key = topicPartitionKey(topic, partition);
    if (!this.#states.has(key)) this.#states.set(key, new PartitionState(topic, partition, { ended: false }, start()));
  }
}
