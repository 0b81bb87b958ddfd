import type { ProducerRecord } from '../model/producer-record.ts';
import type { SerdeContext, Serialized } from '../model/serdes.ts';
import type { RecordHeader } from '../protocol/records/index.ts';
import type { BrokerLane } from './broker-lane.ts';
import { Fifo } from './fifo.ts';
import type { SendSpan } from './flush-tracker.ts';
import type { PartitionMachine } from './partition-machine.ts';
import type { RoundRobinPartition, StickyPartition } from './partitioner.ts';
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
  /** Whether it stands in its lane's list of those that may have something to send. */
  isListed = false;
  /** How large its batches are, for the next one's first buffer. */
  expectedBytes = 0;

  constructor(topic: TopicQueue, partition: number, machine: PartitionMachine<ProducerBatch>) {
    this.topic = topic;
    this.partition = partition;
    this.machine = machine;
  }

  get isEmpty(): boolean {
    return this.open === undefined && this.machine.isEmpty;
  }
}

/** One topic that is written to. */
export class TopicQueue {
  readonly name: string;
  topicId: string;
  /** Whether its partitions are known. */
  isKnown = false;
  isLookedUp = false;
  /** It has been given up: whoever still holds it makes nothing more of it. */
  isGone = false;
  readonly partitions: PartitionQueue[] = [];
  readonly sticky: StickyPartition;
  readonly roundRobin: RoundRobinPartition;
  /** Sends that wait for the partitions to be known, or for a serializer, or behind one that does. */
  readonly held: Fifo<HeldSend> = new Fifo<HeldSend>();
  readonly keyContext: SerdeContext;
  readonly valueContext: SerdeContext;
  readonly isAvailable = (partition: number): boolean => this.partitions[partition]?.lane !== undefined;

  constructor(name: string, topicId: string, sticky: StickyPartition, roundRobin: RoundRobinPartition) {
    this.name = name;
    this.topicId = topicId;
    this.sticky = sticky;
    this.roundRobin = roundRobin;
    this.keyContext = Object.freeze({ topic: name, field: 'key' });
    this.valueContext = Object.freeze({ topic: name, field: 'value' });
  }

  /** Whether a record may go straight into its batch. */
  get isFree(): boolean {
    return this.isKnown && this.held.length === 0;
  }
}

/** A record that could not go into a batch at once. */
export interface HeldSend {
  readonly kind: 'record';
  readonly topic: TopicQueue;
  readonly record: ProducerRecord<unknown, unknown>;
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

/** What is left of an array, from `next` on, that waits for memory behind one of its own records or another send. */
export interface HeldRest {
  readonly kind: 'rest';
  readonly call: SendCall;
  readonly records: readonly ProducerRecord<unknown, unknown>[];
  readonly calledMs: number;
  readonly timestampMs: number;
  next: number;
}
