import { inspectAs } from '../util/custom-inspect.ts';

/** What all records of one delivered batch have in common. */
export interface DeliveredBatch {
  readonly topic: string;
  readonly partition: number;
  /** The offset of the batch's first record; -1 if the broker did not tell. */
  readonly baseOffset: bigint;
}

/**
 * Where a record was written.
 *
 * Its properties are getters, so it can be destructured and made into JSON (the offset as text), but not spread.
 */
export class RecordMetadata {
  readonly #batch: DeliveredBatch;
  readonly #offsetDelta: number;
  readonly #timestamp: number;
  readonly #serializedKeySize: number;
  readonly #serializedValueSize: number;

  /** @internal */
  constructor(
    batch: DeliveredBatch,
    offsetDelta: number,
    timestamp: number,
    serializedKeySize: number,
    serializedValueSize: number,
  ) {
    this.#batch = batch;
    this.#offsetDelta = offsetDelta;
    this.#timestamp = timestamp;
    this.#serializedKeySize = serializedKeySize;
    this.#serializedValueSize = serializedValueSize;
  }

  /** The topic that the record is in. */
  get topic(): string {
    return this.#batch.topic;
  }

  /** The partition that the record is in. */
  get partition(): number {
    return this.#batch.partition;
  }

  /**
   * The record's offset in its partition; -1 where the broker does not tell: with `acks: 0`, and for a record that turned out
   * to have been written by an earlier attempt so long ago that the broker has forgotten where.
   */
  get offset(): bigint {
    const { baseOffset } = this.#batch;
    return baseOffset < 0n ? -1n : baseOffset + BigInt(this.#offsetDelta);
  }

  /** The record's time in milliseconds since 1970: its own, or the broker's if the topic has `LogAppendTime`. */
  get timestamp(): number {
    return this.#timestamp;
  }

  /** The bytes of the key; -1 if it is null. */
  get serializedKeySize(): number {
    return this.#serializedKeySize;
  }

  /** The bytes of the value, uncompressed; -1 if it is null. */
  get serializedValueSize(): number {
    return this.#serializedValueSize;
  }

  /** The same as a plain object, the offset as text, since JSON has no bigint. */
  toJSON(): Record<string, string | number> {
    return { ...this.#plain(), offset: this.offset.toString() };
  }

  static {
    inspectAs(this, (metadata) => metadata.#plain());
  }

  #plain(): Record<string, string | number | bigint> {
    const { topic, partition, offset, timestamp, serializedKeySize, serializedValueSize } = this;
    return { topic, partition, offset, timestamp, serializedKeySize, serializedValueSize };
  }
}
