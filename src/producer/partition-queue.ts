import type { ProducerRecord } from '../model/producer-record.ts';
import type { SerdeContext, Serialized, Serializer } from '../model/serdes.ts';
import type { RecordHeader } from '../protocol/records/index.ts';
import type { BrokerLane } from './broker-lane.ts';
import { Fifo } from './fifo.ts';
import type { SendSpan } from './flush-tracker.ts';
import type { PartitionMachine } from './partition-machine.ts';
import { RoundRobinPartition, type PartitionView, type StickyPartition } from './partitioner-machine.ts';
import type { ProducerBatch, SendTarget } from './producer-batch.ts';
import type { RecordMetadata } from './record-metadata.ts';
import type { SendCall } from './send-call.ts';

/** One partition that is written to: its open batch, and the machine that has the complete ones. */
export class PartitionQueue {
  readonly topic: TopicQueue;
  readonly partition: number;
  readonly machine: PartitionMachine<ProducerBatch>;
  /** Records are added to this one. */
  open: ProducerBatch | undefined;
  /** The broker that leads the partition, as far as is known. */
  lane: BrokerLane<PartitionQueue> | undefined;
  /** Whether the leader is in the client's rack. */
  isNear = false;
  /** Whether it stands in its lane's list of those that may have something to send. */
  isListed = false;
  /** How large its batches are, for the next one's first buffer. */
  expectedBytes = 0;

  constructor(topic: TopicQueue, partition: number, machine: PartitionMachine<ProducerBatch>) {
    this.topic = topic;
    this.partition = partition;
    this.machine = machine;
  }

  /** About how much waits to be sent, what is under way not counted. */
  get waitingBytes(): number {
    return (this.open?.builder?.sizeBytes ?? 0) + this.machine.waitingCount * this.expectedBytes;
  }

  get isEmpty(): boolean {
    return this.open === undefined && this.machine.isEmpty;
  }
}

/** One topic that is written to. */
export class TopicQueue implements PartitionView {
  readonly name: string;
  topicId: string;
  /** Whether its partitions are known. */
  isKnown = false;
  isLookedUp = false;
  /** It has been given up: whoever still holds it makes nothing more of it. */
  isGone = false;
  readonly partitions: PartitionQueue[] = [];
  /** How large a batch may become, uncompressed: `batchSizeBytes`, or less once a broker found that too large for the topic. */
  maxBatchBytes: number;
  readonly sticky: StickyPartition;
  readonly roundRobin: RoundRobinPartition = new RoundRobinPartition();
  /** Sends that wait for the partitions to be known, or for a serializer, or behind one that does. */
  readonly held: Fifo<HeldSend | HeldRest> = new Fifo<HeldSend | HeldRest>();
  readonly keySerde: Serializer<unknown> | undefined;
  readonly valueSerde: Serializer<unknown> | undefined;
  readonly keyContext: SerdeContext;
  readonly valueContext: SerdeContext;
  readonly #canTake: (lane: BrokerLane<PartitionQueue>) => boolean;

  constructor(name: string, topicId: string, parts: TopicParts) {
    this.name = name;
    this.topicId = topicId;
    this.sticky = parts.sticky;
    this.maxBatchBytes = parts.maxBatchBytes;
    this.keySerde = parts.serdes.key;
    this.valueSerde = parts.serdes.value;
    this.#canTake = parts.canTake;
    this.keyContext = Object.freeze({ topic: name, field: 'key' });
    this.valueContext = Object.freeze({ topic: name, field: 'value' });
  }

  readonly isAvailable = (partition: number): boolean => {
    const lane = this.partitions[partition]?.lane;
    return lane !== undefined && this.#canTake(lane);
  };

  readonly isNear = (partition: number): boolean => this.partitions[partition]?.isNear === true;

  readonly waitingBytes = (partition: number): number => this.partitions[partition]?.waitingBytes ?? 0;

  /** Whether its keys and values are bytes or texts already. */
  get isPlain(): boolean {
    return this.keySerde === undefined && this.valueSerde === undefined;
  }

  /** Whether a record may go straight into its batch. */
  get isFree(): boolean {
    return this.isKnown && this.held.length === 0;
  }
}

/** What makes the keys and values of a topic into bytes; without one they are bytes already. */
export interface TopicSerdes {
  readonly key?: Serializer<unknown> | undefined;
  readonly value?: Serializer<unknown> | undefined;
}

/** What a topic that is written to begins with. */
export interface TopicParts {
  readonly sticky: StickyPartition;
  readonly serdes: TopicSerdes;
  readonly maxBatchBytes: number;
  /** Whether a broker takes what it is sent: one that has stood still for too long does not. */
  readonly canTake: (lane: BrokerLane<PartitionQueue>) => boolean;
}

/** A record that could not go into a batch at once. */
export interface HeldSend {
  readonly kind: 'record';
  readonly topic: TopicQueue;
  /** A copy of what was given, for who chooses the partition. */
  readonly record: Pick<ProducerRecord<unknown, unknown>, 'topic' | 'key' | 'value' | 'partition'>;
  readonly target: SendTarget;
  readonly promise: Promise<RecordMetadata> | undefined;
  readonly index: number;
  readonly span: SendSpan;
  readonly headers: readonly RecordHeader[] | undefined;
  readonly timestampMs: number;
  /** When `send` was called. */
  readonly calledMs: number;
  key: Serialized;
  value: Serialized;
  /** Chosen already, where it only waits for memory; -1 otherwise. */
  partition: number;
  /** Whether the serializers have answered. */
  isSerialized: boolean;
  /** What it takes of the buffer memory while it waits. */
  chargedBytes: number;
  /** Whether it counts among the sends that wait although memory is full. */
  isCounted: boolean;
  /** It has been rejected; whoever comes to it passes over it. */
  isOver: boolean;
}

/**
 * The records of an array from `next` to `end`, which wait together: for memory behind one of them or another send, or for their topic
 * to be known. An object for each would be most of what a program has in memory that sends much before its topic is known.
 */
export interface HeldRest {
  readonly kind: 'rest';
  readonly call: SendCall;
  /** Once it waits a copy: who sent the array may fill it with other records. */
  records: readonly ProducerRecord<unknown, unknown>[];
  isCopied: boolean;
  readonly calledMs: number;
  readonly timestampMs: number;
  next: number;
  readonly end: number;
  /** See {@link HeldSend}. */
  chargedBytes: number;
  isCounted: boolean;
}
