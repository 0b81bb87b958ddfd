import { checkCallOptions } from '../cluster/call-options.ts';
import type { TopicPartition } from '../model/topic-partition.ts';
import { func, object, type OptionRule } from '../util/option-rules.ts';
import type { Assignment } from './assignment.ts';
import type { ReaderTask } from './group/holding.ts';
import type { PartitionState } from './partition-state.ts';

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

const callbacks: Readonly<Record<keyof RebalanceListener, OptionRule>> = {
  onPartitionsAssigned: func,
  onPartitionsRevoked: func,
  onPartitionsLost: func,
};

/**
 * Refuses a callback that nobody would ever call. What else a listener has is its own: it may be an object with a life.
 *
 * @throws UsageError INVALID_OPTION, UNKNOWN_OPTION
 */
export function checkListener(listener: unknown): void {
  const named = object.accepts(listener)
    ? Object.fromEntries(Object.entries(listener as object).filter(([name]) => /^on[A-Z]/.test(name)))
    : listener;
  checkCallOptions(named, 'the rebalance listener', callbacks);
}

/** What {@link Rebalances} needs of its consumer. */
export interface RebalancesParts {
  readonly assignment: Assignment;
  readonly listener: () => RebalanceListener;
  /**
   * Resolves when no handler of `run` works on records of these partitions, which are `held`; a loop has none in hand here. What
   * is not wanted any more is told so by its signal.
   */
  readonly handlersDone: (states: readonly PartitionState[]) => Promise<void>;
  /** Commits what is processed, if auto-commit is on; never rejects. */
  readonly commitProcessed: () => Promise<void>;
  /** The assignment has ended while nobody looked. */
  readonly onEnded: () => void;
}

/** Changes the assignment as the group says, and tells the user's listener around it. */
export class Rebalances {
  readonly #parts: RebalancesParts;
  /** Partitions that were taken away, of which the listener has yet to hear. */
  #lost: readonly PartitionState[] = [];

  constructor(parts: RebalancesParts) {
    this.#parts = parts;
  }

  async run({ kind, partitions }: ReaderTask): Promise<void> {
    if (kind === 'assign') await this.#assign(partitions);
    else if (kind === 'revoke') await this.#revoke(partitions);
    else await this.#lose(partitions);
  }

  /** The partitions belong to others already; the listener hears of it when a reader waits. */
  end(): void {
    const { assignment, onEnded } = this.#parts;
    this.#lost = [...this.#lost, ...assignment.states];
    assignment.end();
    onEnded();
  }

  async #assign(partitions: readonly TopicPartition[]): Promise<void> {
    const { assignment, listener } = this.#parts;
    const states = assignment.add(partitions, { kind: 'committed' });
    // `run` hands out records of what it keeps while a listener hears of the rest.
    for (const state of states) state.held = true;
    try {
      await listener().onPartitionsAssigned?.(partitions);
    } finally {
      for (const state of states) state.held = false;
    }
  }

  async #revoke(partitions: readonly TopicPartition[]): Promise<void> {
    const { assignment, listener, handlersDone, commitProcessed } = this.#parts;
    const states = assignment.statesOf(partitions);
    for (const state of states) state.held = true;
    try {
      await handlersDone(states);
      await commitProcessed();
      await listener().onPartitionsRevoked?.(partitions);
    } finally {
      assignment.remove(partitions);
    }
  }

  async #lose(partitions: readonly TopicPartition[]): Promise<void> {
    const { listener, handlersDone } = this.#parts;
    const states = this.#lost;
    this.#lost = [];
    await handlersDone(states);
    const heard = listener();
    if (heard.onPartitionsLost === undefined) await heard.onPartitionsRevoked?.(partitions);
    else await heard.onPartitionsLost(partitions);
  }
}
