import { contextOf, type ConsumerRecord } from './consumer-record.ts';
import { inspectAs } from '../util/custom-inspect.ts';
import { PartitionState } from './partition-state.ts';
import { LazyRecords, type RecordList } from './record-list.ts';

let stateOfBatch: (batch: ConsumerBatch<unknown, unknown>) => PartitionState;
let lastOfBatch: (batch: ConsumerBatch<unknown, unknown>) => ConsumerRecord<unknown, unknown>;

/** Consecutive records of one partition, in the order of its log. */
export class ConsumerBatch<K = Buffer | null, V = Buffer | null> implements Iterable<ConsumerRecord<K, V>> {
  /** The topic that was read. */
  readonly topic: string;
  /** The number of the partition. */
  readonly partition: number;
  /** The end of the partition, as far as replicated, when the records were fetched. */
  readonly highWatermark: bigint;
  readonly #state: PartitionState;
  #list: RecordList;

  static {
    stateOfBatch = (batch) => batch.#state;
    lastOfBatch = (batch) => {
      const last = batch.#list.at(-1);
      if (last === undefined) throw new TypeError('Cannot tell the last record of a batch: it is empty');
      return last;
    };
    inspectAs(
      this,
      ({ topic, partition, records, highWatermark }) => ({ topic, partition, records, highWatermark }),
      'ConsumerBatch',
    );
  }

  /** @internal */
  constructor(state: PartitionState, list: RecordList) {
    this.topic = state.topic;
    this.partition = state.partition;
    this.#list = list;
    this.highWatermark = state.highWatermark;
    this.#state = state;
  }

  /** The records, in the order of their offsets. */
  get records(): readonly ConsumerRecord<K, V>[] {
    if (this.#list instanceof LazyRecords) this.#list = this.#list.toArray();
    return this.#list as readonly ConsumerRecord<K, V>[];
  }

  /** How many records there are; never 0. */
  get length(): number {
    return this.#list.length;
  }

  /**
   * The records up to and with this one are processed, although the batch as a whole is not yet: they are committed, and not handed
   * out again if the handler or the loop throws. Without effect once the reader has gone on, or the partition was given up.
   */
  markProcessed(record: Pick<ConsumerRecord<unknown, unknown>, 'offset'>): void {
    const state = this.#state;
    const first = this.#list.at(0);
    if (first === undefined || record.offset < first.offset || record.offset > lastOf(this).offset) return;
    if (!state.dropped && !state.term.ended) state.settleBefore(record.offset + 1n);
  }

  /**
   * Goes through {@link ConsumerBatch.records}. Where keys and values are bytes as they came, it takes less memory than that: each
   * record is made when it is its turn, and none is kept.
   */
  [Symbol.iterator](): IterableIterator<ConsumerRecord<K, V>> {
    const list = this.#list;
    // What a deserializer has made, the user may change, and expects to find so again.
    const isPassing = list instanceof LazyRecords && list.areBytes;
    return (isPassing ? list : this.records)[Symbol.iterator]() as IterableIterator<ConsumerRecord<K, V>>;
  }
}

/** The last record of a batch. */
export function lastOf(batch: ConsumerBatch<unknown, unknown>): ConsumerRecord<unknown, unknown> {
  return lastOfBatch(batch);
}

/** The partition, and with it the assignment, that a batch or a record came from. */
export function stateOf(item: ConsumerRecord<unknown, unknown> | ConsumerBatch<unknown, unknown>): PartitionState {
  if (item instanceof ConsumerBatch) return stateOfBatch(item);
  const { state } = contextOf(item);
  // A record itself knows no more of its partition than its name, so that neither file needs the other.
  if (state instanceof PartitionState) return state;
  throw new TypeError('Cannot use the record: no consumer read it');
}

/** What `poll` gives: the records, and the same by partition. */
export type PollResult<K, V, R = ConsumerRecord<K, V>, B = ConsumerBatch<K, V>> = R[] & {
  /** The same records, together with those of their partition. */
  readonly batches: readonly B[];
};

export function pollResult<K, V>(batches: readonly ConsumerBatch<K, V>[]): PollResult<K, V> {
  const only = batches.length === 1 ? batches[0] : undefined;
  const records = only === undefined ? batches.flatMap((batch) => batch.records) : [...only.records];
  // Not enumerable: to a loop, to JSON and to an assertion it is an array of records.
  return Object.defineProperty(records, 'batches', { value: batches }) as PollResult<K, V>;
}
