import type { Cluster } from '../cluster/cluster.ts';
import { DEFAULT_CALL_TIMEOUT_MS, type CallOptions } from '../cluster/request.ts';
import { brokerErrorCodes, type BrokerErrorName } from '../errors/broker-error-codes.ts';
import { KafkaError, UsageError } from '../errors/kafka-error.ts';
import { topicPartitionKey } from '../model/topic-partition.ts';
import type { TimerHandle } from '../util/clock.ts';
import { delay } from '../util/delay.ts';
import type { Assignment } from './assignment.ts';
import type { CommitIdentity, OffsetClient, OffsetToCommit } from './offset-client.ts';
import type { Membership } from './group/membership.ts';
import type { PartitionState } from './partition-state.ts';

/** What commits need of their consumer. */
export interface CommitsParts {
  readonly cluster: Cluster;
  readonly groupId: string;
  readonly offsets: OffsetClient;
  readonly assignment: Assignment;
  /** The member of the group that the offsets are committed for; undefined for partitions assigned by hand. */
  readonly member: () => Pick<Membership, 'identity' | 'refused'> | undefined;
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
      await this.commit(this.processed(), this.#parts.assignment.states, options);
    } catch {
      // Told by the event; the records will be read again.
    }
  }

  /**
   * Commits these offsets after those of earlier calls.
   *
   * @param states the assigned partitions that they are of; none for partitions that are nobody's
   */
  commit(
    offsets: readonly OffsetToCommit[],
    states: readonly PartitionState[],
    options: CallOptions = {},
  ): Promise<void> {
    const commit = this.#last.then(() => this.#commit(offsets, states, options));
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
    states: readonly PartitionState[],
    options: CallOptions,
  ): Promise<void> {
    if (offsets.length === 0) return;
    const { cluster, groupId } = this.#parts;
    const wanted = offsets.map(({ topic, partition }) => topicPartitionKey(topic, partition));
    const own = states.filter(({ topic, partition }) => wanted.includes(topicPartitionKey(topic, partition)));
    try {
      await this.#send(offsets, own, options);
    } catch (error) {
      if (error instanceof Error && !isNotSent(error)) {
        cluster.events.publish('consumer.commit.failed', { groupId, error });
      }
      throw error;
    }
    for (const { topic, partition, offset } of offsets) {
      const state = own.find((each) => each.topic === topic && each.partition === partition);
      if (state !== undefined) state.committed = offset;
    }
    cluster.events.publish('consumer.committed', { groupId, partitions: offsets.length });
  }

  /** Sends the commit, again for each identity that the member has got since it was refused under the one before. */
  async #send(
    offsets: readonly OffsetToCommit[],
    states: readonly PartitionState[],
    options: CallOptions,
  ): Promise<void> {
    const { clock } = this.#parts.cluster;
    const deadlineMs = clock.nowMs() + (options.timeoutMs ?? DEFAULT_CALL_TIMEOUT_MS);
    for (;;) {
      if (states.some(({ term }) => term.ended)) throw notOwned('the assignment that they come from has ended');
      const member = this.#parts.member();
      const identity = member?.identity ?? NOBODY;
      if (member !== undefined && identity.generationId < 0)
        throw notOwned('this consumer is not in its group just now');
      try {
        return await this.#parts.offsets.commit(offsets, identity, options);
      } catch (error) {
        const code = membershipCode(error);
        if (member === undefined || code === undefined) throw error;
        const leftMs = deadlineMs - clock.nowMs();
        const done = new AbortController();
        const ends = options.signal === undefined ? done.signal : AbortSignal.any([done.signal, options.signal]);
        const isLate = delay(clock, leftMs, ends, true).then(() => false);
        const isRenewed = await Promise.race([member.refused(identity, code), isLate]);
        done.abort();
        options.signal?.throwIfAborted();
        if (!isRenewed) throw error;
      }
    }
  }
}

/** The code of a refusal that concerns the membership, not the offsets. */
function membershipCode(error: unknown): number | undefined {
  if (!(error instanceof KafkaError)) return undefined;
  const { code } = error.code === 'PARTITION_NOT_OWNED' && error.cause instanceof KafkaError ? error.cause : error;
  return membershipCodes.find((name) => name === code) === undefined
    ? undefined
    : brokerErrorCodes[code as BrokerErrorName];
}

const membershipCodes: readonly BrokerErrorName[] = [
  'UNKNOWN_MEMBER_ID',
  'ILLEGAL_GENERATION',
  'REBALANCE_IN_PROGRESS',
  'STALE_MEMBER_EPOCH',
  'FENCED_MEMBER_EPOCH',
];

function isNotSent(error: Error): boolean {
  return error instanceof UsageError && error.code === 'PARTITION_NOT_OWNED';
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
