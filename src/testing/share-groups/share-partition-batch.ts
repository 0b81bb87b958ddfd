/** What a share group makes of one record, by Kafka's words. */
export type DeliveryState = 'available' | 'acquired' | 'acknowledged' | 'archived';

/** Whose turn a record is, or the records of a batch that have always had the same. */
export interface Delivery {
  state: DeliveryState;
  /** How often it was acquired. */
  count: number;
  /** Who holds it; empty unless it is acquired. */
  memberId: string;
  /** When the lock ends; Infinity unless it is acquired. */
  lockedUntilMs: number;
  /** What was written down last: acquiring is not. */
  written: { readonly state: Exclude<DeliveryState, 'acquired'>; readonly count: number } | undefined;
}

/** Records of a batch that have one state. */
export interface BatchPart {
  readonly firstOffset: bigint;
  readonly lastOffset: bigint;
  readonly delivery: Delivery;
}

/**
 * A batch of records between the start and the end of a share partition. Its records have one state together until somebody
 * treats them differently; from then on each has its own.
 */
export class SharePartitionBatch {
  readonly firstOffset: bigint;
  readonly lastOffset: bigint;
  /** One for all, or one for each record, in order. */
  #parts: readonly BatchPart[];
  #isSplit = false;

  constructor(firstOffset: bigint, lastOffset: bigint, delivery: Delivery) {
    this.firstOffset = firstOffset;
    this.lastOffset = lastOffset;
    this.#parts = [{ firstOffset, lastOffset, delivery }];
  }

  get isSplit(): boolean {
    return this.#isSplit;
  }

  get size(): number {
    return Number(this.lastOffset - this.firstOffset) + 1;
  }

  /** The state of all records, where they have one; of the first one otherwise. */
  get delivery(): Delivery {
    return this.at(this.firstOffset);
  }

  /** The states with the records that they are of: one for all, or one for each. */
  get parts(): readonly BatchPart[] {
    return this.#parts;
  }

  at(offset: bigint): Delivery {
    const part = this.#parts[this.#isSplit ? Number(offset - this.firstOffset) : 0];
    if (part === undefined) throw new Error(`offset ${offset} is not in ${this.firstOffset}..${this.lastOffset}`);
    return part.delivery;
  }

  /** Gives each record a state of its own. */
  split(): void {
    if (this.#isSplit) return;
    const { delivery } = this;
    this.#parts = Array.from({ length: this.size }, (_, index) => {
      const offset = this.firstOffset + BigInt(index);
      return { firstOffset: offset, lastOffset: offset, delivery: { ...delivery } };
    });
    this.#isSplit = true;
  }

  /** Whether it lies within these offsets, which are both included. */
  isWithin(firstOffset: bigint, lastOffset: bigint): boolean {
    return this.firstOffset >= firstOffset && this.lastOffset <= lastOffset;
  }

  has(offset: bigint): boolean {
    return offset >= this.firstOffset && offset <= this.lastOffset;
  }
}

/** A record that nobody holds. */
export function freeDelivery(count: number): Delivery {
  return { state: 'available', count, memberId: '', lockedUntilMs: Infinity, written: undefined };
}

export function isDone({ state }: Pick<Delivery, 'state'>): boolean {
  return state === 'acknowledged' || state === 'archived';
}
