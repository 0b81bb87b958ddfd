import type { ProducerRecord } from '../model/producer-record.ts';
import type { Serialized } from '../model/serdes.ts';
import type { RecordHeader } from '../protocol/records/index.ts';
import type { SendSpan } from './flush-tracker.ts';
import type { TopicQueue } from './partition-queue.ts';
import type { SendTarget } from './producer-batch.ts';
import type { RecordMetadata } from './record-metadata.ts';
import type { SendCall } from './send-call.ts';

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
