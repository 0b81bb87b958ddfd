import { ConsumerRecord, type BatchContext } from './consumer-record.ts';

type AnyRecord = ConsumerRecord<unknown, unknown>;

/** Records in order, which may be an array of them. */
export interface RecordList extends Iterable<AnyRecord> {
  readonly length: number;
  /** Counted from the end if negative. */
  at(index: number): AnyRecord | undefined;
  slice(start: number, end: number): RecordList;
}

/** Neighbours of one batch: `count` of those of `context`, from `first` on, which stand from `start` on in the list. */
interface Stretch {
  readonly context: BatchContext;
  readonly first: number;
  readonly count: number;
  readonly start: number;
}

/**
 * Records that are made when they are asked for, and not kept: thousands of them that wait for a reader would outlive V8's young
 * generation, which grows for it and never shrinks.
 */
export class LazyRecords implements RecordList {
  length = 0;
  readonly #stretches: Stretch[] = [];
  /** In which of them the last record was found: most are asked for in their order. */
  #current = 0;
  /** The last one that was made: who holds it gets it again. */
  #last: AnyRecord | undefined;
  #lastIndex = -1;

  /** Whether its records give their bytes as they are. */
  get areBytes(): boolean {
    return this.#stretches[0]?.context.deserializers.areBytes === true;
  }

  /** Puts `count` of the records of `context` at the end. */
  add(context: BatchContext, first = 0, count: number = context.places.length): void {
    this.#stretches.push({ context, first, count, start: this.length });
    this.length += count;
  }

  at(index: number): AnyRecord | undefined {
    const place = index < 0 ? this.length + index : index;
    if (place === this.#lastIndex) return this.#last;
    if (place < 0 || place >= this.length) return undefined;
    if (this.#lastIndex < 0) this.#look();
    const stretch = this.#stretchOf(place);
    const record = new ConsumerRecord<unknown, unknown>(stretch.context, stretch.first + place - stretch.start);
    this.#lastIndex = place;
    return (this.#last = record);
  }

  slice(start: number, end: number): LazyRecords {
    const part = new LazyRecords();
    for (const stretch of this.#stretches) {
      const from = Math.max(0, start - stretch.start);
      const to = Math.min(stretch.count, end - stretch.start);
      if (from < to) part.add(stretch.context, stretch.first + from, to - from);
    }
    return part;
  }

  /** All of them, to be kept; the one in somebody's hand is among them. */
  toArray(): AnyRecord[] {
    const [inHand, index] = [this.#last, this.#lastIndex];
    const all = Array.from(this);
    if (inHand !== undefined) all[index] = inHand;
    return all;
  }

  /** What `make` makes of each. */
  map<T>(make: (context: BatchContext, index: number) => T): T[] {
    this.#look();
    const made: T[] = [];
    for (const { context, first, count } of this.#stretches) {
      for (let index = first; index < first + count; index++) made.push(make(context, index));
    }
    return made;
  }

  [Symbol.iterator](): IterableIterator<AnyRecord> {
    return new LazyIterator(this);
  }

  #look(): void {
    for (const { context } of this.#stretches) context.use.isLookedAt = true;
  }

  /** From the last one on to its neighbours: batches may hold one record each. */
  #stretchOf(place: number): Stretch {
    let stretch = this.#stretches[this.#current] as Stretch;
    while (place < stretch.start) stretch = this.#stretches[--this.#current] as Stretch;
    while (place >= stretch.start + stretch.count) stretch = this.#stretches[++this.#current] as Stretch;
    return stretch;
  }
}

/** No generator, whose every step costs as much as a record. */
class LazyIterator implements IterableIterator<AnyRecord> {
  readonly #records: LazyRecords;
  #index = 0;

  constructor(records: LazyRecords) {
    this.#records = records;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<AnyRecord, undefined> {
    const value = this.#records.at(this.#index++);
    // One place where an answer is made: V8 leaves it out then, where it sees the loop.
    return { done: value === undefined, value } as IteratorResult<AnyRecord, undefined>;
  }
}
