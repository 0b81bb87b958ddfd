import type { ProducerRecord } from '../model/producer-record.ts';
import { isPromiseLike, type Serialized } from '../model/serdes.ts';
import type { RecordHeader } from '../protocol/records/index.ts';
import type { SendError } from '../errors/send-error.ts';
import type { BufferMemory } from './buffer-memory.ts';
import type { SendSpan } from './flush-tracker.ts';
import type { HeldRest, HeldSend, TopicQueue } from './partition-queue.ts';
import { failTarget, type SendTarget } from './producer-batch.ts';
import type { ProducerCluster } from './producer-cluster.ts';
import type { RecordMetadata } from './record-metadata.ts';
import { checkSerialized, refusal, serializationFailed } from './serialize.ts';
import { notSent, topicOf } from './send-errors.ts';

/** What a record takes beside its key and value while it is held by itself, and as one of an array, about. */
const heldOverheadBytes = 256;
const listedOverheadBytes = 64;

/** What happens to sends that were held. */
export interface HeldSendHooks {
  /** The first of its topic may go on. */
  handleFree(held: HeldSend): void;
  /** The same for records of an array. */
  handleRestFree(topic: TopicQueue, rest: HeldRest): void;
  /** Memory came free: sends that wait for it may go on. */
  handleMemory(): void;
}

/**
 * Sends that their topic holds, in the order of the calls: while its partitions are unknown, or a serializer takes its time.
 * They hold what they have of the buffer memory, even if it is full: then they count among the sends that wait.
 */
export class HeldSends {
  readonly #cluster: ProducerCluster;
  readonly #memory: BufferMemory;
  readonly #hooks: HeldSendHooks;
  #countedCount = 0;

  constructor(cluster: ProducerCluster, memory: BufferMemory, hooks: HeldSendHooks) {
    this.#cluster = cluster;
    this.#memory = memory;
    this.#hooks = hooks;
  }

  /** Sends that are held by their topics although memory is full. */
  get countedCount(): number {
    return this.#countedCount;
  }

  /** A send that begins to wait now. */
  make(
    topic: TopicQueue,
    record: ProducerRecord<unknown, unknown>,
    headers: readonly RecordHeader[] | undefined,
    timestampMs: number,
    target: SendTarget,
    promise: Promise<RecordMetadata> | undefined,
    index: number,
    span: SendSpan,
  ): HeldSend {
    const { key, value, partition } = record;
    return {
      kind: 'record',
      topic,
      // Who sent it may change it for the next one.
      record: { topic: topic.name, key, value, partition },
      target,
      promise,
      index,
      span,
      headers,
      timestampMs,
      calledMs: this.#cluster.clock.nowMs(),
      key: null,
      value: null,
      partition: -1,
      isSerialized: false,
      chargedBytes: 0,
      isCounted: false,
      isOver: false,
    };
  }

  /** Puts a send behind those that its topic holds already. */
  hold(held: HeldSend, key: Serialized | PromiseLike<Serialized>, value: Serialized | PromiseLike<Serialized>): void {
    this.#push(held.topic, held);
    if (isPromiseLike(key) || isPromiseLike(value)) {
      this.#charge(held, null, null);
      this.#awaitSerializers(held, key, value);
    } else {
      held.isSerialized = true;
      this.#charge(held, key, value);
    }
  }

  /** The same for records of an array that have no serializers. */
  holdRest(topic: TopicQueue, rest: HeldRest): void {
    this.#push(topic, rest);
    for (let index = rest.next; index < rest.end; index++) {
      const record = rest.records[index];
      rest.chargedBytes += listedOverheadBytes + sizeOf(record?.key) + sizeOf(record?.value);
    }
    this.#memory.take(rest.chargedBytes);
  }

  /** Lets the held records of a topic go on, up to the first whose serializer has not answered. */
  release(topic: TopicQueue): void {
    if (!topic.isKnown) return;
    for (let head = topic.held.peek(); head !== undefined; head = topic.held.peek()) {
      if (head.kind === 'record' && !head.isOver && !head.isSerialized) return;
      topic.held.shift();
      this.#discharge(head);
      if (head.kind === 'rest') this.#hooks.handleRestFree(topic, head);
      else if (!head.isOver) this.#hooks.handleFree(head);
    }
  }

  reject(held: HeldSend | HeldRest, error: (topic: string) => SendError): void {
    if (held.kind === 'rest') {
      this.#discharge(held);
      for (let index = held.next; index < held.end; index++) {
        held.call.fail(index, error(topicOf(held.records[index])));
      }
      return;
    }
    if (held.isOver) return;
    held.isOver = true;
    this.#discharge(held);
    failTarget(held.target, held.promise, held.index, error(held.topic.name), held.span, this.#cluster.events);
  }

  /** Rejects those whose serializers have taken too long. */
  expire(topic: TopicQueue, nowMs: number, maxBlockMs: number): void {
    for (let head = topic.held.peek(); head !== undefined; head = topic.held.peek()) {
      if (head.calledMs + maxBlockMs > nowMs) break;
      topic.held.shift();
      const why = `its serializer did not answer within ${maxBlockMs} ms`;
      this.reject(head, (name) => notSent(name, 'DELIVERY_TIMEOUT', why, undefined, true));
    }
    this.release(topic);
  }

  #awaitSerializers(
    held: HeldSend,
    key: Serialized | PromiseLike<Serialized>,
    value: Serialized | PromiseLike<Serialized>,
  ): void {
    const { topic } = held;
    const named = (field: string) => (error: unknown) => {
      throw serializationFailed(topic.name, field, error);
    };
    const both = [Promise.resolve(key).catch(named('key')), Promise.resolve(value).catch(named('value'))] as const;
    Promise.all(both).then(
      ([keyBytes, valueBytes]) => {
        if (held.isOver) return;
        held.isSerialized = true;
        try {
          held.key = checkSerialized(keyBytes, topic.name, 'key');
          held.value = checkSerialized(valueBytes, topic.name, 'value');
        } catch (error) {
          this.reject(held, () => refusal(held.record, error));
        }
        this.release(topic);
        this.#hooks.handleMemory();
      },
      (error: unknown) => {
        if (!held.isOver) this.reject(held, () => refusal(held.record, error));
        this.release(topic);
        this.#hooks.handleMemory();
      },
    );
  }

  #charge(held: HeldSend, key: Serialized, value: Serialized): void {
    held.key = key;
    held.value = value;
    held.chargedBytes = heldOverheadBytes + (key?.length ?? 0) + (value?.length ?? 0);
    this.#memory.take(held.chargedBytes);
  }

  #push(topic: TopicQueue, held: HeldSend | HeldRest): void {
    if (this.#memory.isFull) {
      this.#countedCount++;
      held.isCounted = true;
    }
    topic.held.push(held);
  }

  #discharge(held: HeldSend | HeldRest): void {
    this.#memory.release(held.chargedBytes);
    held.chargedBytes = 0;
    if (held.isCounted) this.#countedCount--;
    held.isCounted = false;
  }
}

/** The length of a key or value that is not checked yet. */
function sizeOf(content: unknown): number {
  return typeof content === 'string' || content instanceof Uint8Array ? content.length : 0;
}
