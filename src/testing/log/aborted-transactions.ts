/** A transaction that was aborted, as a partition remembers it for readers of committed records. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
  /** Where its marker stands. */
  readonly lastOffset: bigint;
}

/** The aborted transactions of one partition, in the order of their markers. */
export class AbortedTransactions {
  #all: AbortedTransaction[] = [];

  add(transaction: AbortedTransaction): void {
    this.#all.push(transaction);
  }

  all(): readonly AbortedTransaction[] {
    return this.#all;
  }

  /** Those that a reader of these offsets has to skip: they overlap them. */
  within(from: bigint, to: bigint): AbortedTransaction[] {
    return this.#all.filter(({ firstOffset, lastOffset }) => lastOffset >= from && firstOffset < to);
  }

  /** Forgets those that lie before the first offset of the log. */
  dropBefore(offset: bigint): void {
    if ((this.#all[0]?.lastOffset ?? offset) < offset)
      this.#all = this.#all.filter(({ lastOffset }) => lastOffset >= offset);
  }

  /** Forgets those whose marker was cut off. */
  truncateTo(offset: bigint): void {
    this.#all = this.#all.filter(({ lastOffset }) => lastOffset < offset);
  }
}
