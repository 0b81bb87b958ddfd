/** A transaction that a broker reports as aborted: its producer, and the offset of its first record in the partition. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

/**
 * Which batches of one fetched range belong to aborted transactions; asked batch by batch, in the order of the log.
 *
 * The list may come in any order and hold several transactions of one producer: each counts from its first offset until that
 * producer's next abort marker.
 */
export class AbortedTransactions {
  readonly #byFirstOffset: readonly AbortedTransaction[];
  readonly #aborting = new Set<bigint>();
  #next = 0;

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#byFirstOffset = [...aborted].sort((a, b) =>
      a.firstOffset < b.firstOffset ? -1 : a.firstOffset > b.firstOffset ? 1 : 0,
    );
  }

  /** Whether the transactional batch that ends at `lastOffset` was aborted. */
  isAborted(producerId: bigint, lastOffset: bigint): boolean {
    this.#takeUpTo(lastOffset);
    return this.#aborting.has(producerId);
  }

  /** An abort marker was read: what this producer writes after it is a new transaction. */
  handleAbortMarker(producerId: bigint, offset: bigint): void {
    this.#takeUpTo(offset);
    this.#aborting.delete(producerId);
  }

  #takeUpTo(offset: bigint): void {
    for (; ; this.#next++) {
      const transaction = this.#byFirstOffset[this.#next];
      if (transaction === undefined || transaction.firstOffset > offset) return;
      this.#aborting.add(transaction.producerId);
    }
  }
}
