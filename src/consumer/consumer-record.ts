import { RecordHeaders, type RecordHeaderEntry } from '../model/record-headers.ts';
import { readTerm, type ReadTerm } from '../model/read-term.ts';
import type { TopicPartition } from '../model/topic-partition.ts';
import { readHeaders } from '../protocol/records/index.ts';
import { placeOfOne, type RecordPlaces } from '../protocol/records/record-places.ts';
import { BufferViews } from '../util/buffer-views.ts';
import { inspectAs } from '../util/custom-inspect.ts';
import { jsonSafe } from './json-safe.ts';

/** Who set a record's timestamp: the producer, or the broker when it appended the record. */
export type TimestampType = 'create' | 'logAppend';

/** Turns bytes into what the user reads; the consumer's serdes, bound. */
export interface RecordDeserializers {
  /** Whether both give the bytes as they are, so that reading them once more gives the same. */
  readonly areBytes?: boolean;
  readonly key: (bytes: Buffer | null, record: ConsumerRecord<unknown, unknown>) => unknown;
  readonly value: (bytes: Buffer | null, record: ConsumerRecord<unknown, unknown>) => unknown;
}

/** What records of one batch share, so that each of them carries only its number. */
export interface BatchContext {
  /** The assigned partition that the records were fetched for. */
  readonly state: TopicPartition & { readonly term?: ReadTerm };
  /** What the places of the records count in. */
  readonly content: BufferViews;
  readonly places: RecordPlaces;
  readonly baseOffset: bigint;
  readonly leaderEpoch: number;
  readonly timestampType: TimestampType;
  readonly deserializers: RecordDeserializers;
  readonly use: BatchUse;
}

/** What becomes of a batch; apart from it, so that who wants to know keeps none of its bytes in memory. */
export interface BatchUse {
  /** Whether records of it have been made. */
  isLookedAt: boolean;
}

/** The values of a record of a producer: what {@link ConsumerRecord.toProducerRecord} makes. */
export interface ForwardedRecord<K, V, Name extends string = string> {
  /** Where it goes. */
  readonly topic: Name;
  /** The key as it was deserialized. */
  readonly key: K;
  /** The value as it was deserialized. */
  readonly value: V;
  /** The headers of the record that was read. */
  readonly headers: RecordHeaders;
  /** In milliseconds since 1970; absent where the record has none. */
  readonly timestamp?: number;
}

/** Stands for a value that was not deserialized yet; `undefined` may be what a deserializer answers. */
const notRead: unique symbol = Symbol('not read');

let contextOfRecord: (record: ConsumerRecord<unknown, unknown>) => BatchContext;
let deserializeRecord: (record: ConsumerRecord<unknown, unknown>) => Promise<void> | undefined;
let overrideValue: (record: ConsumerRecord<unknown, unknown>, value: unknown) => void;

/**
 * A record that was read.
 *
 * Its fields are getters over the bytes that were fetched: use {@link ConsumerRecord.toProducerRecord} to forward it, not a
 * spread. Keys and values that are bytes are views of bytes that they share with their neighbours, which stay in memory as long as one of
 * them is used; to keep a record for long, keep what {@link ConsumerRecord.detach} gives.
 */
export class ConsumerRecord<K = Buffer | null, V = Buffer | null> {
  readonly #context: BatchContext;
  readonly #index: number;
  #key: unknown = notRead;
  #value: unknown = notRead;
  #headers: RecordHeaders | undefined = undefined;

  static {
    contextOfRecord = (record) => record.#context;
    overrideValue = (record, value) => {
      record.#value = value;
    };
    // Runs the deserializers now, for those that may answer with a promise or that a policy watches.
    deserializeRecord = (record) => {
      const { deserializers } = record.#context;
      const key = record.#key === notRead ? deserializers.key(record.keyBytes, record) : record.#key;
      const value = record.#value === notRead ? deserializers.value(record.valueBytes, record) : record.#value;
      if (!isPromise(key) && !isPromise(value)) {
        record.#key = key;
        record.#value = value;
        return undefined;
      }
      return Promise.all([key, value]).then(([settledKey, settledValue]) => {
        record.#key = settledKey;
        record.#value = settledValue;
      });
    };
  }

  /** @internal */
  constructor(context: BatchContext, index: number) {
    this.#context = context;
    this.#index = index;
  }

  /** The topic it was read from. */
  get topic(): string {
    return this.#context.state.topic;
  }

  /** The number of the partition. */
  get partition(): number {
    return this.#context.state.partition;
  }

  /** The record's place in its partition. */
  get offset(): bigint {
    return this.#context.baseOffset + BigInt(this.#context.places.offsetDelta(this.#index));
  }

  /** In milliseconds since 1970; -1 if the record has none. */
  get timestamp(): number {
    return this.#context.places.timestampMs(this.#index);
  }

  /** Who set {@link ConsumerRecord.timestamp}. */
  get timestampType(): TimestampType {
    return this.#context.timestampType;
  }

  /** The epoch of the leader that appended the record; -1 where it is not known. */
  get leaderEpoch(): number {
    return this.#context.leaderEpoch;
  }

  /** The key, deserialized at the first read where the deserializer is lazy. */
  get key(): K {
    if (this.#key === notRead) this.#key = this.#context.deserializers.key(this.keyBytes, this);
    return this.#key as K;
  }

  /** The value, deserialized at the first read where the deserializer is lazy. */
  get value(): V {
    if (this.#value === notRead) this.#value = this.#context.deserializers.value(this.valueBytes, this);
    return this.#value as V;
  }

  /** Its headers, in the order in which they were sent; read at the first use. */
  get headers(): RecordHeaders {
    if (this.#headers === undefined) {
      const { content, places } = this.#context;
      const count = places.headerCount(this.#index);
      const read = count > 0 ? readHeaders(content.bytes, places.headersStart(this.#index) - content.from, count) : [];
      this.#headers = new RecordHeaders(read.map(({ key, value }): RecordHeaderEntry => [key, value]));
    }
    return this.#headers;
  }

  /** The key as it was sent: a view of the fetched bytes. */
  get keyBytes(): Buffer | null {
    const { content, places } = this.#context;
    const length = places.keyLength(this.#index);
    return length < 0 ? null : content.view(places.keyStart(this.#index), length);
  }

  /** The value as it was sent: a view of the fetched bytes. */
  get valueBytes(): Buffer | null {
    const { content, places } = this.#context;
    const length = places.valueLength(this.#index);
    return length < 0 ? null : content.view(places.valueStart(this.#index), length);
  }

  /** The bytes that the key takes; -1 if it is null. */
  get serializedKeySize(): number {
    return this.#context.places.keyLength(this.#index);
  }

  /** The bytes that the value takes; -1 if it is null. */
  get serializedValueSize(): number {
    return this.#context.places.valueLength(this.#index);
  }

  /** A record for `producer.send` with the same key, value, headers and timestamp. */
  toProducerRecord<const Name extends string = string>(target: { readonly topic: Name }): ForwardedRecord<K, V, Name> {
    const { key, value, headers, timestamp } = this;
    return { topic: target.topic, key, value, headers, ...(timestamp >= 0 ? { timestamp } : {}) };
  }

  /** The same record with bytes of its own, which keeps nothing else in memory. */
  detach(): ConsumerRecord<K, V> {
    const headers = [...this.headers];
    const parts = [this.keyBytes, this.valueBytes, ...headers.map(([, value]) => value)];
    // Not from Buffer's pool, where a neighbour would be kept alive with it.
    const bytes = Buffer.allocUnsafeSlow(parts.reduce((sum, part) => sum + (part?.length ?? 0), 0));
    let end = 0;
    const copies = parts.map((part) => {
      if (part === null) return null;
      part.copy(bytes, end);
      end += part.length;
      return bytes.subarray(end - part.length, end);
    });
    const { places } = this.#context;
    const [keyLength, valueLength] = [this.serializedKeySize, this.serializedValueSize];
    const place = placeOfOne({
      offsetDelta: places.offsetDelta(this.#index),
      timestampMs: this.timestamp,
      keyStart: 0,
      keyLength,
      valueStart: Math.max(0, keyLength),
      valueLength,
      headersStart: 0,
      headerCount: 0,
    });
    const copy = this.placedAt({ ...this.#context, content: new BufferViews(bytes), places: place }, 0);
    copy.#headers = new RecordHeaders(headers.map(([key], index) => [key, copies[index + 2] ?? null]));
    // What is a view of the fetched bytes is made anew from the copy; everything else stays what it is.
    if (!(this.#key instanceof Uint8Array)) copy.#key = this.#key;
    if (!(this.#value instanceof Uint8Array)) copy.#value = this.#value;
    return copy;
  }

  /** @internal The same record, which stands somewhere else now. */
  protected placedAt(context: BatchContext, index: number): ConsumerRecord<K, V> {
    return new ConsumerRecord<K, V>(context, index);
  }

  /** The record as JSON can hold it: the offset as text, bytes as base64. Never throws. */
  toJSON(): Record<string, unknown> {
    return {
      topic: this.topic,
      partition: this.partition,
      offset: this.offset.toString(),
      timestamp: this.timestamp,
      timestampType: this.timestampType,
      key: jsonSafe(() => this.key, this.keyBytes),
      value: jsonSafe(() => this.value, this.valueBytes),
      headers: this.headers.toJSON(),
    };
  }

  static {
    // Not a computed member because of isolatedDeclarations.
    Object.defineProperty(this.prototype, readTerm, {
      get(this: ConsumerRecord): ReadTerm | undefined {
        return this.#context.state.term;
      },
    });
    inspectAs(this, (record) => record.#inspect());
  }

  #inspect(): unknown {
    const { topic, partition, offset, timestamp, headers } = this;
    const read = (get: () => unknown, bytes: Buffer | null): unknown => {
      try {
        return get();
      } catch {
        return bytes;
      }
    };
    const key = read(() => this.key, this.keyBytes);
    return { topic, partition, offset, timestamp, key, value: read(() => this.value, this.valueBytes), headers };
  }
}

/** What a record shares with its batch. */
export function contextOf(record: ConsumerRecord<unknown, unknown>): BatchContext {
  return contextOfRecord(record);
}

/** Runs the deserializers of a record now; the promise is there only if one of them answered with one. */
export function deserializeNow(record: ConsumerRecord<unknown, unknown>): Promise<void> | undefined {
  return deserializeRecord(record);
}

/** Makes `value` the value of a record whose bytes could not be deserialized. */
export function replaceValue(record: ConsumerRecord<unknown, unknown>, value: unknown): void {
  overrideValue(record, value);
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
