import type { Cluster } from '../cluster/cluster.ts';
import { retryBackoff } from '../cluster/options.ts';
import { KafkaError } from '../errors/kafka-error.ts';
import { asError } from '../errors/thrown.ts';
import { topicPartitionKey } from '../model/topic-partition.ts';
import { backoffMs } from '../util/backoff.ts';
import { delay } from '../util/delay.ts';
import { quote } from '../util/option-rules.ts';
import type { Divergence } from './fetch/epoch-validation.ts';
import {
  BEGINNING,
  END,
  isOutdatedMember,
  isPassingFailure,
  type CommitIdentity,
  type OffsetClient,
} from './offset-client.ts';
import type { ResolvedConsumerOptions } from './options.ts';
import type { PartitionState, StartingPoint } from './partition-state.ts';

/** What finding first offsets needs of the consumer. */
export interface StartingOffsetsParts {
  readonly cluster: Cluster;
  readonly offsets: OffsetClient;
  readonly options: ResolvedConsumerOptions;
  readonly partitions: () => readonly PartitionState[];
  /** The member of the new protocol that reads offsets, if it is one. */
  readonly member: () => CommitIdentity | undefined;
  /** Some partition can be fetched now, or has something to say. */
  readonly onFound: () => void;
  readonly onFatal: (error: Error) => void;
}

/** Finds out where to begin to read, for every partition that does not know: the group's offset, or by `autoOffsetReset`. */
export class StartingOffsets {
  readonly #parts: StartingOffsetsParts;
  readonly #closing = new AbortController();
  #isRunning = false;

  constructor(parts: StartingOffsetsParts) {
    this.#parts = parts;
  }

  /** Begins the search if some partition needs it and none is under way. */
  find(): void {
    for (const state of this.#parts.partitions())
      if (state.start?.kind === 'seek') state.failure ??= this.#noOffset(state);
    if (!this.#isRunning && this.#open().length > 0) void this.#run();
  }

  /** The group has no offset for the partition, or the log does not have it. */
  reset(state: PartitionState, why: KafkaError): void {
    const { autoOffsetReset } = this.#parts.options;
    if (autoOffsetReset === 'none') {
      state.startFrom({ kind: 'seek' });
      state.failure = why;
      return;
    }
    state.startFrom({ kind: 'timestamp', timestamp: this.#resetTimestamp(autoOffsetReset) });
  }

  #resetTimestamp(reset: Exclude<ResolvedConsumerOptions['autoOffsetReset'], 'none'>): bigint {
    if (typeof reset === 'string') return reset === 'earliest' ? BEGINNING : END;
    return BigInt(Math.max(0, Math.round(this.#parts.cluster.clock.wallMs() - reset.byDurationMs)));
  }

  /** Where a partition begins that was assigned just now. */
  first(): StartingPoint {
    const { groupId, autoOffsetReset } = this.#parts.options;
    if (groupId !== undefined) return { kind: 'committed' };
    // Without a group there is no offset to be had: "none" leaves it to the user to seek.
    if (autoOffsetReset === 'none') return { kind: 'seek' };
    return { kind: 'timestamp', timestamp: this.#resetTimestamp(autoOffsetReset) };
  }

  /**
   * The log was cut off before the fetch position, as by an unclean election (KIP-320): reads on where the logs part, if that is known,
   * else by `autoOffsetReset`; with `none` the read ends.
   */
  truncated(state: PartitionState, divergence: Divergence | undefined): void {
    const { position } = state;
    // Nobody has seen what was cut off: it is fetched again as it is now.
    if (divergence !== undefined && position !== undefined && position <= divergence.offset) return state.refetch();
    const { topic, partition } = state;
    const part = divergence === undefined ? 'an unknown offset' : `offset ${divergence.offset}`;
    const why = new KafkaError(
      `Cannot read on in ${topic}-${partition} at offset ${position ?? state.fetchOffset}: its log was cut off at ${part}, behind which records were read that are gone; seek to where to read on`,
      { code: 'LOG_TRUNCATED' },
    );
    this.#parts.cluster.events.publish('warning', {
      message: `The log of ${topic}-${partition} was cut off`,
      error: why,
    });
    if (divergence === undefined || this.#parts.options.autoOffsetReset === 'none') this.reset(state, why);
    else state.startAt(divergence.offset, divergence.epoch);
  }

  close(): void {
    this.#closing.abort();
  }

  #open(): PartitionState[] {
    return this.#parts
      .partitions()
      .filter(({ start, term }) => start !== undefined && start.kind !== 'seek' && !term.ended);
  }

  async #run(): Promise<void> {
    const { cluster, onFound, onFatal } = this.#parts;
    const backoff = retryBackoff(cluster.options);
    this.#isRunning = true;
    for (let failures = 0; ;) {
      const open = this.#open();
      if (open.length === 0 || this.#closing.signal.aborted) break;
      let failed: boolean;
      try {
        await this.#readCommitted(open);
        failed = !(await this.#listTimestamps(open));
      } catch (error) {
        if (this.#closing.signal.aborted) break;
        if (!isPassingFailure(error) && !isOutdatedMember(error)) {
          onFatal(asError(error));
          break;
        }
        failed = true;
      }
      onFound();
      if (!failed) failures = 0;
      else await delay(cluster.clock, backoffMs(backoff, ++failures, cluster.random()), this.#closing.signal);
    }
    this.#isRunning = false;
  }

  async #readCommitted(open: readonly PartitionState[]): Promise<void> {
    const asked = open.flatMap((state) => (state.start?.kind === 'committed' ? [{ state, start: state.start }] : []));
    if (asked.length === 0) return;
    const answers = await this.#parts.offsets.committedPositions(
      asked.map(({ state }) => state),
      { signal: this.#closing.signal },
      this.#parts.member(),
    );
    for (const [index, { state, start }] of asked.entries()) {
      // The user may have sought, or the group taken the partition away, while the coordinator answered.
      if (state.start !== start || state.term.ended) continue;
      const answer = answers[index];
      const offset = answer?.offset;
      if (offset === undefined) this.reset(state, this.#noOffset(state));
      else {
        state.startAt(offset, answer?.leaderEpoch);
        state.committed = offset;
      }
    }
  }

  /** False if some leader did not answer. */
  async #listTimestamps(open: readonly PartitionState[]): Promise<boolean> {
    const asked = open.flatMap((state) => (state.start?.kind === 'timestamp' ? [{ state, start: state.start }] : []));
    if (asked.length === 0) return true;
    const round = await this.#parts.offsets.listOnce(
      asked.map(({ state: { topic, partition }, start: { timestamp } }) => ({ topic, partition, timestamp })),
    );
    const found = new Map(
      round.found.map((answer) => [topicPartitionKey(answer.topic, answer.partition), answer.offset]),
    );
    for (const { state, start } of asked) {
      const offset = found.get(topicPartitionKey(state.topic, state.partition));
      if (offset === undefined || state.start !== start || state.term.ended) continue;
      // No record is as young as the timestamp: those that come next are.
      if (offset < 0n) state.startFrom({ kind: 'timestamp', timestamp: END });
      else state.startAt(offset);
    }
    const final = round.failed.find(({ passing }) => !passing);
    if (final !== undefined) throw final.error;
    return round.failed.length === 0;
  }

  #noOffset({ topic, partition }: PartitionState): KafkaError {
    const group = this.#parts.options.groupId;
    const state = group === undefined ? 'the consumer has no group' : `group ${quote(group)} has no offset for it`;
    return new KafkaError(
      `Cannot read ${topic}-${partition}: ${state}, and autoOffsetReset is "none"; commit an offset first, or seek`,
      { code: 'NO_OFFSET' },
    );
  }
}
