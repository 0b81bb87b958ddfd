/** What is known of the partitions of a topic when one must be chosen. */
export interface PartitionView {
  /** Whether what is put there can leave. */
  readonly isAvailable: (partition: number) => boolean;
  /** Whether its leader is in the client's rack. */
  readonly isNear: (partition: number) => boolean;
  /** How much waits there to be sent. */
  readonly waitingBytes: (partition: number) => number;
}

/** How a {@link StickyPartition} chooses. */
export interface StickyOptions {
  /** How much goes to one partition before another has its turn. */
  readonly stickyBytes: number;
  /** Whether partitions where much waits are chosen less often. */
  readonly adaptive: boolean;
  /** Whether partitions led in the client's rack are preferred. */
  readonly rackAware: boolean;
  readonly random: () => number;
}

/**
 * The partition of records without a key, for one topic: stays with one until enough bytes went there, then takes another by
 * chance (KIP-480, KIP-794). So batches are large although records spread evenly.
 */
export class StickyPartition {
  readonly #options: StickyOptions;
  #partition = -1;
  #bytes = 0;

  constructor(options: StickyOptions) {
    this.#options = options;
  }

  /** A partition that is not available is only taken if none is. */
  next(partitionCount: number, view: PartitionView): number {
    const partition = this.#partition;
    const mayStay = partition >= 0 && partition < partitionCount && this.#bytes < this.#options.stickyBytes;
    if (mayStay && view.isAvailable(partition)) return partition;
    const candidates = this.#candidates(partitionCount, view);
    // With nowhere else to go, what is gathered stays together.
    if (mayStay && candidates.length === 0) return partition;
    this.#bytes = 0;
    this.#partition = candidates.length === 0 ? this.#anyOf(partitionCount) : this.#choose(candidates, view);
    return this.#partition;
  }

  /** A record was put into a partition: it counts if that is the one which {@link next} gave. */
  count(partition: number, bytes: number): void {
    if (partition === this.#partition) this.#bytes += bytes;
  }

  #candidates(partitionCount: number, view: PartitionView): number[] {
    const available: number[] = [];
    for (let partition = 0; partition < partitionCount; partition++) {
      if (view.isAvailable(partition)) available.push(partition);
    }
    if (!this.#options.rackAware) return available;
    const near = available.filter(view.isNear);
    return near.length > 0 ? near : available;
  }

  #choose(candidates: readonly number[], view: PartitionView): number {
    const { adaptive, stickyBytes } = this.#options;
    const turnsWaiting = candidates.map((each) => (adaptive ? Math.floor(view.waitingBytes(each) / stickyBytes) : 0));
    const most = turnsWaiting.reduce((max, each) => Math.max(max, each), 0);
    if (turnsWaiting.every((each) => each === most)) {
      const others = candidates.filter((each) => each !== this.#partition);
      return others[this.#anyOf(others.length)] ?? this.#partition;
    }
    // The one where most waits keeps a chance: otherwise nobody would notice that its broker has recovered.
    const weights = turnsWaiting.map((each) => most + 1 - each);
    let mark = this.#options.random() * weights.reduce((sum, each) => sum + each, 0);
    const at = weights.findIndex((weight) => (mark -= weight) < 0);
    return candidates[at] ?? this.#partition;
  }

  #anyOf(count: number): number {
    return Math.floor(this.#options.random() * count);
  }
}

/** Gives the partitions of one topic in turn (KIP-369), leaving out those that are not available while others are. */
export class RoundRobinPartition {
  #next = 0;

  next(partitionCount: number, view: Pick<PartitionView, 'isAvailable'>): number {
    for (let step = 0; step < partitionCount; step++) {
      const candidate = (this.#next + step) % partitionCount;
      if (!view.isAvailable(candidate)) continue;
      this.#next = candidate + 1;
      return candidate;
    }
    return this.#next++ % partitionCount;
  }
}
