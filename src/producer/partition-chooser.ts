import type { ProducerRecord } from '../model/producer-record.ts';
import type { Serialized } from '../model/serdes.ts';
import { quote } from '../util/option-rules.ts';
import { partitionOfKey } from './key-hash.ts';
import type { Partitioner } from './partitioner.ts';
import type { TopicQueue } from './partition-queue.ts';
import { notSent } from './send-errors.ts';

/** Finds the partition of a record: the one that it names, or what the option `partitioner` says. */
export class PartitionChooser {
  readonly #partitioner: 'default' | 'round-robin' | Partitioner;
  readonly #onTooHigh: () => void;

  /** @param onTooHigh somebody names a partition above those that are known: the topic may have grown */
  constructor(partitioner: 'default' | 'round-robin' | Partitioner, onTooHigh: () => void) {
    this.#partitioner = partitioner;
    this.#onTooHigh = onTooHigh;
  }

  /** @throws SendError INVALID_ARGUMENT if there is no such partition */
  choose(topic: TopicQueue, record: ProducerRecord<unknown, unknown>, key: Serialized): number {
    const count = topic.partitions.length;
    const { partition } = record;
    if (partition !== undefined) return this.#checkPartition(topic, partition, 'the record names');
    const partitioner = this.#partitioner;
    if (partitioner === 'default') {
      return key === null ? topic.sticky.next(count, topic.isAvailable) : partitionOfKey(key, count);
    }
    if (partitioner === 'round-robin') return topic.roundRobin.next(count, topic.isAvailable);
    const chosen = partitioner({
      topic: topic.name,
      key: record.key ?? null,
      value: record.value ?? null,
      serializedKey: key,
      partitionCount: count,
    });
    return this.#checkPartition(topic, chosen, 'the partitioner chose');
  }

  #checkPartition(topic: TopicQueue, partition: unknown, who: string): number {
    const count = topic.partitions.length;
    if (Number.isInteger(partition) && Number(partition) >= 0 && Number(partition) < count) return Number(partition);
    // The topic may have grown meanwhile.
    if (Number.isInteger(partition) && Number(partition) >= count) this.#onTooHigh();
    const why = `${who} partition ${quote(partition)}, and the topic has ${count}: 0 to ${count - 1}`;
    throw notSent(topic.name, 'INVALID_ARGUMENT', why);
  }
}
