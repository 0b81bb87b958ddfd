import type { Cluster } from '../cluster/cluster.ts';
import type { CallOptions } from '../cluster/request.ts';
import { brokerErrorCodes, type BrokerErrorName } from '../errors/broker-error-codes.ts';
import { KafkaError, UsageError } from '../errors/kafka-error.ts';
import type { TimerHandle } from '../util/clock.ts';
import type { Assignment } from './assignment.ts';
import type { CommitIdentity, OffsetClient, OffsetToCommit } from './offset-client.ts';
import type { AssignmentTerm, PartitionState } from './partition-state.ts';

/** What commits need of their consumer. */
export interface CommitsParts {
  readonly cluster: Cluster;
  readonly groupId: string;
  readonly offsets: OffsetClient;
  readonly assignment: Assignment;
  /** A coordinator does not know the member of this generation any more. */
  readonly onDisowned: (generationId: number, errorCode: number) => void;
}

const NOBODY: CommitIdentity = { generationId: -1, memberId: '' };

/** Commits offsets one after the other, by hand and by itself. */
export class Commits {
  readonly #parts: CommitsParts;
  /** The last commit, so that an older one is never written over a newer one. */
  #last: Promise<unknown> = Promise.resolve();
  #timer: TimerHandle | undefined;
  #isAutoUnderWay = false;

  constructor(parts: CommitsParts) {
    this.#parts = parts;
  }

  /** Commits processed offsets every so often, until {@link Commits.stop}. */
  startAutoCommit(intervalMs: number): void {
    const { clock } = this.#parts.cluster;
    if (this.#timer !== undefined) return;
    this.#timer = clock.setTimer(() => {
      this.#timer = undefined;
      this.startAutoCommit(intervalMs);
      if (!this.#isAutoUnderWay) void this.#autoCommit();
    }, intervalMs);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== undefined) this.#parts.cluster.clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  /** What is processed and not committed. */
  processed(): OffsetToCommit[] {
    return this.#parts.assignment.states.flatMap((state) =>
      offsetToCommit(state, state.processed, state.processedEpoch),
    );
  }

  /** What is processed, and what is in hand. */
  handedOut(): OffsetToCommit[] {
    return this.#parts.assignment.states.flatMap((state) => offsetToCommit(state, state.position, state.positionEpoch));
  }

  /** Commits what is processed; what goes wrong is an event, not an error. */
  async commitProcessed(options: CallOptions = {}): Promise<void> {
    try {
      await this.#last;
      const { states } = this.#parts.assignment;
      await this.commit(this.processed(), states[0]?.term, options);
    } catch {
      // Told by the event; the records will be read again.
    }
  }

  /**
   * Commits these offsets after those of earlier calls.
   *
   * @param term the assignment that they come from; undefined for partitions that are nobody's
   */
  commit(
    offsets: readonly OffsetToCommit[],
    term: AssignmentTerm | undefined,
    options: CallOptions = {},
  ): Promise<void> {
    const commit = this.#last.then(() => this.#commit(offsets, term, options));
    this.#last = commit.catch(() => undefined);
    return commit;
  }

  async #autoCommit(): Promise<void> {
    this.#isAutoUnderWay = true;
    await this.commitProcessed();
    this.#isAutoUnderWay = false;
  }

  async #commit(
    offsets: readonly OffsetToCommit[],
    term: AssignmentTerm | undefined,
    options: CallOptions,
  ): Promise<void> {
    if (offsets.length === 0) return;
    if (term?.ended === true) throw notOwned('the assignment that they come from has ended');
    const { cluster, groupId, assignment } = this.#parts;
    const identity = term ?? NOBODY;
    try {
      await this.#parts.offsets.commit(offsets, identity, options);
    } catch (error) {
      const cause = error instanceof KafkaError ? error.cause : undefined;
      if (error instanceof KafkaError && error.code === 'PARTITION_NOT_OWNED' && cause instanceof KafkaError) {
        this.#parts.onDisowned(identity.generationId, brokerErrorCodes[cause.code as BrokerErrorName]);
      }
      if (error instanceof Error) cluster.events.publish('consumer.commit.failed', { groupId, error });
      throw error;
    }
    for (const { topic, partition, offset } of offsets) {
      const state = assignment.get(topic, partition);
      if (state?.term.generationId === identity.generationId) state.committed = offset;
    }
    cluster.events.publish('consumer.committed', { groupId, partitions: offsets.length });
  }
}

/** The partitions belong to somebody else by now: a commit would take records from them, or give them some twice. */
export function notOwned(why: string): UsageError {
  return new UsageError(
    `Cannot commit offsets: ${why}; the records are read again by the member that has the partition now`,
    {
      code: 'PARTITION_NOT_OWNED',
    },
  );
}

function offsetToCommit(state: PartitionState, offset: bigint | undefined, leaderEpoch: number): OffsetToCommit[] {
  if (offset === undefined || offset === state.committed) return [];
  return [{ topic: state.topic, partition: state.partition, offset, leaderEpoch, metadata: '' }];
}
