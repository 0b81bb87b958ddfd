const BLOCK_SIZE = 1_000n;

/** Producer ids, each given once: brokers take them out of blocks that the controller hands out. */
export class ProducerIds {
  #nextBlock: bigint;
  readonly #blocks = new Map<number, { next: bigint; readonly end: bigint }>();

  /** @param nextBlock where the blocks begin; a cluster that comes back goes on behind those it gave out */
  constructor(nextBlock = 0n) {
    this.#nextBlock = nextBlock;
  }

  /** Where the next block begins. */
  get nextBlock(): bigint {
    return this.#nextBlock;
  }

  /** The next id of this broker. */
  take(brokerId: number): bigint {
    const block = this.#blocks.get(brokerId);
    if (block !== undefined && block.next < block.end) return block.next++;
    const start = this.#nextBlock;
    this.#nextBlock += BLOCK_SIZE;
    this.#blocks.set(brokerId, { next: start + 1n, end: this.#nextBlock });
    return start;
  }
}
