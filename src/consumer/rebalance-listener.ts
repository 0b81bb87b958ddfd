import type { TopicPartition } from '../model/topic-partition.ts';
import type { Assignment } from './assignment.ts';
import type { AssignmentTerm } from './partition-state.ts';

/**
 * Hears of changes of the assignment. Each call is awaited, and made only while a reader waits, so that nothing is in hand.
 *
 * What a listener throws rejects the read that it runs in; the change of the assignment is made all the same.
 */
export interface RebalanceListener {
  /** The partitions are assigned; no record of them was handed out yet, so this is the place to `seek`. */
  onPartitionsAssigned?(partitions: readonly TopicPartition[]): void | Promise<void>;
  /** The partitions are about to be given up; commits of them still succeed. */
  onPartitionsRevoked?(partitions: readonly TopicPartition[]): void | Promise<void>;
  /** The partitions belong to others already; commits are refused. Without it, `onPartitionsRevoked` is called. */
  onPartitionsLost?(partitions: readonly TopicPartition[]): void | Promise<void>;
}

/** What {@link Rebalances} needs of its consumer. */
export interface RebalancesParts {
  readonly assignment: Assignment;
  readonly listener: () => RebalanceListener;
  /** Commits what is processed, if auto-commit is on; never rejects. */
  readonly commitProcessed: () => Promise<void>;
  /** The assignment has ended while nobody looked. */
  readonly onEnded: () => void;
}

/** Changes the assignment as the group says, and tells the user's listener around it. */
export class Rebalances {
  readonly #parts: RebalancesParts;
  /** Partitions that were taken away, of which the listener has yet to hear. */
  #lost: readonly TopicPartition[] = [];

  constructor(parts: RebalancesParts) {
    this.#parts = parts;
  }

  async install(partitions: readonly TopicPartition[], term: AssignmentTerm): Promise<void> {
    this.#parts.assignment.replace(partitions, term, { kind: 'committed' });
    await this.#parts.listener().onPartitionsAssigned?.(partitions);
  }

  async giveUp(isLost: boolean): Promise<void> {
    const { assignment, listener, commitProcessed } = this.#parts;
    const partitions = isLost ? this.#lost : assignment.partitions;
    this.#lost = [];
    try {
      if (!isLost) await commitProcessed();
      if (partitions.length > 0) await tell(listener(), partitions, isLost);
    } finally {
      assignment.end();
    }
  }

  /** The partitions belong to others already; the listener hears of it when a reader waits. */
  end(): void {
    const { assignment, onEnded } = this.#parts;
    this.#lost = assignment.partitions;
    assignment.end();
    onEnded();
  }
}

async function tell(
  listener: RebalanceListener,
  partitions: readonly TopicPartition[],
  isLost: boolean,
): Promise<void> {
  if (isLost && listener.onPartitionsLost !== undefined) await listener.onPartitionsLost(partitions);
  else await listener.onPartitionsRevoked?.(partitions);
}
