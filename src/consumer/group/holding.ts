import { keyOf, type TopicPartition } from '../../model/topic-partition.ts';

/** Something that only a waiting reader may do: change the assignment, and let the listener know. */
export interface ReaderTask {
  /** `assign`: they are ours from now on; `revoke`: to be given up; `lose`: they are somebody else's already. */
  readonly kind: 'assign' | 'revoke' | 'lose';
  readonly partitions: readonly TopicPartition[];
}

/**
 * What the reader has of its group, which may differ from what the group has given it: listeners run only while the reader waits, one
 * at a time. Both kinds of membership keep their partitions in one of these.
 */
export class Holding {
  readonly #held = new Map<string, TopicPartition>();
  #lost: TopicPartition[] = [];
  #running: ReaderTask | undefined;
  /** Whether all was lost while the task that runs had yet to be done: what it assigned is not ours. */
  #isStale = false;
  /** A target in which all that is held was found; undefined once either may have changed. */
  #covering: readonly TopicPartition[] | undefined;

  /** The partitions whose records may be handed out, with those that a listener is just told of. */
  get partitions(): TopicPartition[] {
    return [...this.#held.values()];
  }

  get isEmpty(): boolean {
    return this.#held.size === 0;
  }

  /** Whether a task was begun and is not done. */
  get isBusy(): boolean {
    return this.#running !== undefined;
  }

  /** Whether partitions were lost of which no listener has heard. */
  get hasLost(): boolean {
    return this.#lost.length > 0;
  }

  /** What is held and not in `target`, which nobody changes later. */
  without(target: readonly TopicPartition[]): TopicPartition[] {
    // Asked at every read, between which hardly ever anything changes: a consumer may have thousands of partitions.
    if (target === this.#covering) return [];
    const wanted = new Set(target.map(keyOf));
    const rest = this.partitions.filter((partition) => !wanted.has(keyOf(partition)));
    if (rest.length === 0) this.#covering = target;
    return rest;
  }

  /** What is in `target` and not held. */
  missing(target: readonly TopicPartition[]): TopicPartition[] {
    return target.filter((partition) => !this.#held.has(keyOf(partition)));
  }

  /** @returns the task, for the driver to do */
  begin(kind: ReaderTask['kind'], partitions: readonly TopicPartition[]): ReaderTask {
    this.#covering = undefined;
    if (kind === 'assign') for (const partition of partitions) this.#held.set(keyOf(partition), partition);
    this.#running = { kind, partitions };
    this.#isStale = false;
    return this.#running;
  }

  beginLosing(): ReaderTask {
    const partitions = this.#lost;
    this.#lost = [];
    return this.begin('lose', partitions);
  }

  /** The task is done; says which, and whether all was lost meanwhile. Undefined if none was under way. */
  finish(): { readonly kind: ReaderTask['kind']; readonly isStale: boolean } | undefined {
    const done = this.#running;
    if (done === undefined) return undefined;
    this.#running = undefined;
    if (done.kind === 'revoke') for (const partition of done.partitions) this.#held.delete(keyOf(partition));
    return { kind: done.kind, isStale: this.#isStale };
  }

  /** All is somebody else's. A listener that is just told that partitions go need not hear it again. */
  loseAll(): void {
    const told = this.#running?.kind === 'revoke' ? this.#running.partitions : [];
    this.#isStale = true;
    this.#lost.push(...this.without(told));
    this.#held.clear();
  }
}
