import { reasonOf } from '../errors/thrown.ts';
import type { ProducerRecord } from '../model/producer-record.ts';
import type { Serialized } from '../model/serdes.ts';
import { quote } from '../util/option-rules.ts';
import { partitionOfKey } from './key-hash.ts';
import { BuiltInPartitioner, type Partitioner } from './partitioner.ts';
import type { TopicQueue } from './partition-queue.ts';
import { notSent } from './send-errors.ts';
import { swallow } from './serialize.ts';

/** Finds the partition of a record: the one that it names, or what the option `partitioner` says. */
export class PartitionChooser {
  readonly #partitioner: BuiltInPartitioner | Partitioner;
  /** Whether {@link chooseByKey} says where a record goes that names no partition. */
  readonly hashesKeys: boolean;
  readonly #onTooHigh: () => void;

  /** @param onTooHigh somebody names a partition above those that are known: the topic may have grown */
  constructor(partitioner: BuiltInPartitioner | Partitioner, onTooHigh: () => void) {
    this.#partitioner = partitioner;
    this.hashesKeys =
      partitioner instanceof BuiltInPartitioner && partitioner.kind === 'default' && !partitioner.ignoreKeys;
    this.#onTooHigh = onTooHigh;
  }

  /** @throws SendError INVALID_ARGUMENT if there is no such partition */
  choose(topic: TopicQueue, record: ProducerRecord<unknown, unknown>, key: Serialized, value: Serialized): number {
    const { partition } = record;
    if (partition !== undefined) return this.#checkPartition(topic, partition, 'the record names');
    // Nearly all records: decided first, and apart, so that V8 finds this small enough to put it into its caller.
    if (this.hashesKeys) return this.chooseByKey(topic, key);
    return this.#chooseOtherwise(topic, record, key, value);
  }

  /** By the hash of the key, or the partition that records without one stay with for a while. */
  chooseByKey(topic: TopicQueue, key: Serialized): number {
    const count = topic.partitions.length;
    return key === null ? topic.sticky.next(count, topic) : partitionOfKey(key, count);
  }

  #chooseOtherwise(
    topic: TopicQueue,
    record: ProducerRecord<unknown, unknown>,
    key: Serialized,
    value: Serialized,
  ): number {
    const partitioner = this.#partitioner;
    if (!(partitioner instanceof BuiltInPartitioner)) {
      return this.#checkPartition(topic, ask(partitioner, topic, record, key, value), 'the partitioner chose');
    }
    const count = topic.partitions.length;
    return (partitioner.kind === 'round-robin' ? topic.roundRobin : topic.sticky).next(count, topic);
  }

  #checkPartition(topic: TopicQueue, partition: unknown, who: string): number {
    const count = topic.partitions.length;
    if (Number.isInteger(partition) && Number(partition) >= 0 && Number(partition) < count) return Number(partition);
    // The topic may have grown meanwhile.
    if (Number.isInteger(partition) && Number(partition) >= count) this.#onTooHigh();
    swallow(partition);
    const given = partition instanceof Promise ? 'a promise, but must answer at once' : `partition ${quote(partition)}`;
    const why = `${who} ${given}, and the topic has ${count}: 0 to ${count - 1}`;
    throw notSent(topic.name, 'INVALID_ARGUMENT', why);
  }
}

function ask(
  partitioner: Partitioner,
  topic: TopicQueue,
  record: ProducerRecord<unknown, unknown>,
  serializedKey: Serialized,
  serializedValue: Serialized,
): unknown {
  try {
    return partitioner({
      topic: topic.name,
      key: record.key ?? null,
      value: record.value ?? null,
      serializedKey,
      serializedValue,
      partitionCount: topic.partitions.length,
      isAvailable: topic.isAvailable,
    });
  } catch (error) {
    const reason = reasonOf(error);
    throw notSent(topic.name, 'INVALID_ARGUMENT', `the partitioner threw: ${reason}`, error);
  }
}
