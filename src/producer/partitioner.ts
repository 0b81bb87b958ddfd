/** What a {@link Partitioner} is told of a record. */
export interface PartitionerInput<K = unknown, V = unknown> {
  /** The topic that the record goes to. */
  readonly topic: string;
  /** As it was given to `send`. */
  readonly key: K | null;
  /** As it was given to `send`. */
  readonly value: V | null;
  /** What the serializer made of the key. */
  readonly serializedKey: string | Uint8Array | null;
  /** How many partitions the topic has now; it may grow. */
  readonly partitionCount: number;
}

/** Chooses the partition of a record: an integer from 0 to below `partitionCount`. Must not wait. */
export type Partitioner<K = unknown, V = unknown> = (input: PartitionerInput<K, V>) => number;

/**
 * The partition of records without a key, for one topic: stays with one until enough bytes went there, then takes another by
 * chance (KIP-480, KIP-794). So batches are large although records spread evenly.
 */
export class StickyPartition {
  readonly #stickyBytes: number;
  readonly #random: () => number;
  #partition = -1;
  #bytes = 0;

  /** @param stickyBytes how much goes to one partition before another has its turn */
  constructor(stickyBytes: number, random: () => number) {
    this.#stickyBytes = stickyBytes;
    this.#random = random;
  }

  /** @param isAvailable whether a partition has a leader: one without is only taken if none has */
  next(partitionCount: number, isAvailable: (partition: number) => boolean): number {
    const keep = this.#partition >= 0 && this.#partition < partitionCount && this.#bytes < this.#stickyBytes;
    if (!keep) this.#switch(partitionCount, isAvailable);
    return this.#partition;
  }

  /** A record was put into the partition that {@link next} gave. */
  count(bytes: number): void {
    this.#bytes += bytes;
  }

  #switch(partitionCount: number, isAvailable: (partition: number) => boolean): void {
    const previous = this.#partition;
    const start = Math.floor(this.#random() * partitionCount);
    this.#bytes = 0;
    this.#partition = start;
    for (let step = 0; step < partitionCount; step++) {
      const candidate = (start + step) % partitionCount;
      if (!isAvailable(candidate)) continue;
      this.#partition = candidate;
      if (candidate !== previous) return;
    }
  }
}

/** Gives the partitions of one topic in turn (KIP-369), leaving out those without a leader while others have one. */
export class RoundRobinPartition {
  #next = 0;

  next(partitionCount: number, isAvailable: (partition: number) => boolean): number {
    for (let step = 0; step < partitionCount; step++) {
      const candidate = (this.#next + step) % partitionCount;
      if (!isAvailable(candidate)) continue;
      this.#next = candidate + 1;
      return candidate;
    }
    return this.#next++ % partitionCount;
  }
}
