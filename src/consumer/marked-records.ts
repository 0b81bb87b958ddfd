/** A record that was handed out, and whether it is processed. */
interface Entry {
  readonly offset: bigint;
  readonly epoch: number;
  isMarked: boolean;
}

/** So many entries that are done are kept before the list is made shorter. */
const KEPT_ENTRIES = 1024;

/**
 * Records of one partition that were handed out, and which of them are marked as processed, in any order.
 *
 * Offsets may be committed only up to the first record that is not: a commit says that all before it is done.
 */
export class MarkedRecords {
  /** By offset, from `#head` on; the first of them is not marked. */
  #entries: Entry[] = [];
  #head = 0;
  /** The leader epoch of the last record before {@link MarkedRecords.firstOpen}, or -1. */
  lastEpoch = -1;

  /** How many entries are kept, with those that are done. */
  get size(): number {
    return this.#entries.length;
  }

  /** The first record that is not marked; undefined if all are. */
  get firstOpen(): bigint | undefined {
    return this.#entries[this.#head]?.offset;
  }

  /** The first record from `offset` on that is not marked. */
  firstOpenFrom(offset: bigint): bigint | undefined {
    for (let index = this.#indexOf(offset); index < this.#entries.length; index++) {
      const entry = this.#entries[index];
      if (entry?.isMarked === false) return entry.offset;
    }
    return undefined;
  }

  add(offset: bigint, epoch: number): void {
    this.#entries.push({ offset, epoch, isMarked: false });
  }

  mark(offset: bigint): void {
    const entry = this.#entries[this.#indexOf(offset)];
    if (entry?.offset !== offset) return;
    entry.isMarked = true;
    this.#advance();
  }

  markBefore(offset: bigint): void {
    const end = this.#indexOf(offset);
    for (let index = this.#head; index < end; index++) {
      const entry = this.#entries[index];
      if (entry !== undefined) entry.isMarked = true;
    }
    this.#advance();
  }

  /** Records from `offset` on are as if they had not been handed out. */
  forgetFrom(offset: bigint): void {
    this.#entries.length = this.#indexOf(offset);
    if (this.#head === this.#entries.length) this.#entries = [];
    if (this.#entries.length === 0) this.#head = 0;
  }

  #advance(): void {
    for (let entry = this.#entries[this.#head]; entry?.isMarked === true; entry = this.#entries[++this.#head])
      this.lastEpoch = entry.epoch;
    if (this.#head < KEPT_ENTRIES || this.#head * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#head);
    this.#head = 0;
  }

  /** Where the first entry from `offset` on stands, or would. */
  #indexOf(offset: bigint): number {
    let low = this.#head;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.#entries[middle];
      if (entry !== undefined && entry.offset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
