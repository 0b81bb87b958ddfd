/**
 * The memory of one answer of a broker, which the records of several partitions were read from: goes back to the connection as soon as the
 * last of them is done with it, so that the same few buffers serve all fetches. Without that, buffers of megabytes would outlive the
 * young generation while they wait for the reader, and only full collections would free them.
 *
 * Whoever is dropped and never says that it is done keeps the memory from going back, and the garbage collector gets it: always right.
 */
export class FrameLease {
  readonly #giveBack: () => void;
  #readers = 0;
  #isKept = false;

  /** @param giveBack from `Connection.leaseOf` */
  constructor(giveBack: () => void) {
    this.#giveBack = giveBack;
  }

  /** Somebody reads from the memory, until {@link FrameLease.end}. */
  begin(): this {
    this.#readers++;
    return this;
  }

  /** Views of the memory were handed out: it does not go back any more. */
  keep(): void {
    this.#isKept = true;
  }

  /** One who has begun is done, and nothing that it handed out is a view of the memory, unless it said so. */
  end(): void {
    this.#readers--;
    if (this.#readers === 0 && !this.#isKept) this.#giveBack();
  }
}
