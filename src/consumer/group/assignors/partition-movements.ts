import type { TopicPartition } from '../../../model/topic-partition.ts';
import { HashedPartitions } from './java-order.ts';

interface Move {
  readonly from: string;
  readonly to: string;
}

/** What has moved from whom to whom during one assignment, so that two members do not exchange partitions of a topic. */
export class PartitionMovements {
  readonly #moves = new Map<TopicPartition, Move>();
  readonly #byTopic = new Map<string, Map<string, HashedPartitions>>();

  move(partition: TopicPartition, from: string, to: string): void {
    const before = this.#moves.get(partition);
    if (before === undefined) return this.#add(partition, { from, to });
    this.#remove(partition, before);
    if (before.from !== to) this.#add(partition, { from: before.from, to });
  }

  /** The partition to move in the place of `partition`: one that came the other way before goes back instead. */
  instead(partition: TopicPartition, from: string, to: string): TopicPartition {
    const origin = this.#moves.get(partition)?.from ?? from;
    const reverse = this.#byTopic.get(partition.topic)?.get(pairKey({ from: to, to: origin }));
    return reverse?.first() ?? partition;
  }

  #add(partition: TopicPartition, move: Move): void {
    this.#moves.set(partition, move);
    const pairs = this.#byTopic.get(partition.topic) ?? new Map<string, HashedPartitions>();
    this.#byTopic.set(partition.topic, pairs);
    const same = pairs.get(pairKey(move)) ?? new HashedPartitions();
    pairs.set(pairKey(move), same);
    same.add(partition);
  }

  #remove(partition: TopicPartition, move: Move): void {
    this.#moves.delete(partition);
    const pairs = this.#byTopic.get(partition.topic);
    const same = pairs?.get(pairKey(move));
    same?.delete(partition);
    if (same?.size === 0) pairs?.delete(pairKey(move));
  }
}

function pairKey({ from, to }: Move): string {
  return JSON.stringify([from, to]);
}
