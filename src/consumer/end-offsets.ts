import type { Assignment } from './assignment.ts';
import type { ConsumerRecord } from './consumer-record.ts';
import { END, type OffsetClient } from './offset-client.ts';
import type { PartitionState } from './partition-state.ts';
import type { EndOffsets } from './read-loops.ts';

/** Where each partition ended when a loop `until: 'end'` first met it. */
export class EndsAtFirstSight implements EndOffsets {
  readonly #assignment: Assignment;
  readonly #offsets: OffsetClient;
  /** Whether there is an assignment at all; until then nothing has ended. */
  readonly #isAssigned: () => boolean;
  readonly #ends = new Map<PartitionState, bigint>();

  constructor(assignment: Assignment, offsets: OffsetClient, isAssigned: () => boolean) {
    this.#assignment = assignment;
    this.#offsets = offsets;
    this.#isAssigned = isAssigned;
  }

  wants(state: PartitionState): boolean {
    const end = this.#ends.get(state);
    // Not before its end is known: what is appended meanwhile would be read, too.
    return end !== undefined && !this.#isRead(state, end);
  }

  includes(state: PartitionState, record: ConsumerRecord<unknown, unknown>): boolean {
    return record.offset < (this.#ends.get(state) ?? 0n);
  }

  async isDone(): Promise<boolean> {
    if (!this.#isAssigned()) return false;
    const { states } = this.#assignment;
    const unknown = states.filter((state) => !this.#ends.has(state));
    if (unknown.length > 0) {
      const ends = await this.#offsets.list(
        unknown.map(({ topic, partition }) => ({ topic, partition, timestamp: END })),
      );
      for (const [index, state] of unknown.entries()) this.#ends.set(state, ends[index]?.offset ?? 0n);
    }
    return this.#assignment.states.every((state) => {
      const end = this.#ends.get(state);
      return end !== undefined && this.#isRead(state, end);
    });
  }

  #isRead(state: PartitionState, end: bigint): boolean {
    const next = state.ready.at(state.readyIndex)?.offset ?? state.position;
    return next !== undefined && next >= end;
  }
}
