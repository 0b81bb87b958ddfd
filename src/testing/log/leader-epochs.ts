/** From which offset on a leader epoch appended. */
export interface LeaderEpochStart {
  readonly epoch: number;
  readonly startOffset: bigint;
}

/** Where an epoch ended, as OffsetForLeaderEpoch tells it. */
export interface EpochEnd {
  readonly epoch: number;
  readonly endOffset: bigint;
}

/** Which leader epoch wrote which offsets of a partition (KIP-101, KIP-320). */
export class LeaderEpochs {
  #starts: LeaderEpochStart[] = [];

  all(): readonly LeaderEpochStart[] {
    return this.#starts;
  }

  /** The latest epoch that wrote. */
  get latest(): number | undefined {
    return this.#starts.at(-1)?.epoch;
  }

  /** Notes that an epoch appends from here on. */
  begin(epoch: number, startOffset: bigint): void {
    if (epoch <= (this.latest ?? -1)) return;
    // An epoch that wrote nothing leaves no trace.
    if (this.#starts.at(-1)?.startOffset === startOffset) this.#starts.pop();
    this.#starts.push({ epoch, startOffset });
  }

  /** The epoch that wrote this offset. */
  epochOf(offset: bigint): number | undefined {
    return this.#starts.findLast(({ startOffset }) => startOffset <= offset)?.epoch;
  }

  /** The largest epoch up to the asked one and where it ended; undefined where nothing is known of it. */
  endOf(epoch: number, logEndOffset: bigint): EpochEnd | undefined {
    const latest = this.latest;
    if (latest === undefined || epoch < 0) return undefined;
    if (epoch === latest) return { epoch, endOffset: logEndOffset };
    const next = this.#starts.findIndex((start) => start.epoch > epoch);
    const after = this.#starts[next];
    if (after === undefined) return undefined; // in the future
    const before = this.#starts[next - 1];
    return { epoch: before?.epoch ?? epoch, endOffset: after.startOffset };
  }

  /** Forgets what lies before the first offset of the log. */
  dropBefore(offset: bigint): void {
    const index = this.#starts.findLastIndex(({ startOffset }) => startOffset <= offset);
    const first = this.#starts[index];
    if (first === undefined || (index === 0 && first.startOffset === offset)) return;
    this.#starts = [{ epoch: first.epoch, startOffset: offset }, ...this.#starts.slice(index + 1)];
  }

  /** Forgets what was cut off. */
  truncateTo(offset: bigint): void {
    this.#starts = this.#starts.filter(({ startOffset }) => startOffset < offset);
  }
}
