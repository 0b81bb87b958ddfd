import type { Cluster } from '../cluster/cluster.ts';
import type { CallOptions } from '../cluster/request.ts';
import { ClosedError, KafkaError, TimeoutError, UsageError } from '../errors/kafka-error.ts';
import type { ConsumerGroupMetadata } from '../model/consumer-group-metadata.ts';
import type { TopicPartition } from '../model/topic-partition.ts';
import { parseInt64 } from '../util/int64.ts';
import { quote } from '../util/option-rules.ts';
import { Assignment } from './assignment.ts';
import { Commits } from './commits.ts';
import { isCovered, offsetsOf, type Committable, type PartitionOffset } from './committable.ts';
import type { ConsumerBatch, PollResult } from './consumer-batch.ts';
import type { ConsumerRecord } from './consumer-record.ts';
import { EndsAtFirstSight } from './end-offsets.ts';
import { Fetcher } from './fetch/fetcher.ts';
import { GroupMember } from './group/group-member.ts';
import type { OffsetForTime, PartitionEnd, PartitionLag } from './offset-answers.ts';
import { BEGINNING, END, OffsetClient, type CommittedOffset } from './offset-client.ts';
import { resolveConsumerOptions, type GivenConsumerOptions, type ResolvedConsumerOptions } from './options.ts';
import type { AssignmentTerm, PartitionState, StartingPoint } from './partition-state.ts';
import { pollRecords, takeOrReject, type PollOptions } from './poll.ts';
import { BatchLoop, RecordLoop, type RecordsOptions } from './read-loops.ts';
import { Reading } from './reading.ts';
import { Rebalances, type RebalanceListener } from './rebalance-listener.ts';
import { RecordSource } from './record-source.ts';
import { recordDeserializers } from './record-values.ts';
import { StartingOffsets } from './starting-offsets.ts';
import { TopicInterest } from './topic-interest.ts';

export type { Committable, OffsetAndMetadata, PartitionOffset } from './committable.ts';
export type { ConsumerGroupMetadata } from '../model/consumer-group-metadata.ts';
export type { OffsetForTime, PartitionEnd, PartitionLag } from './offset-answers.ts';
export type { PollOptions } from './poll.ts';
export type { RebalanceListener } from './rebalance-listener.ts';

const CLOSE_TIMEOUT_MS = 30_000;

/**
 * Reads records: as a member of a group that shares the partitions of its topics (`subscribe`), or partitions of one's own
 * choice (`assign`).
 *
 * One reader at a time: a loop, or `poll`. A record is processed when the loop asks for the next one, a poll result when `poll`
 * is called again; auto-commit commits what is processed and never what is in hand. A record in hand when a loop ends is
 * undecided: `commit()` takes it in, `close()` leaves it, the next read delivers it again.
 *
 * @example
 * ```ts
 * const consumer = kafka.consumer({ groupId: 'billing', autoOffsetReset: 'earliest' });
 * consumer.subscribe(['orders']);
 * for await (const record of consumer) await bill(record.value);
 * ```
 */
export class Consumer<
  K = Buffer | null,
  V = Buffer | null,
  R extends ConsumerRecord<unknown, unknown> = ConsumerRecord<K, V>,
  B extends ConsumerBatch<unknown, unknown> = ConsumerBatch<K, V>,
>
  implements AsyncDisposable, AsyncIterable<R>
{
  readonly #cluster: Cluster;
  readonly #options: ResolvedConsumerOptions;
  readonly #fetchLane: string;
  readonly #groupLane: string;
  readonly #assignment = new Assignment();
  readonly #offsets: OffsetClient;
  readonly #fetcher: Fetcher;
  readonly #starts: StartingOffsets;
  readonly #source: RecordSource;
  readonly #reading: Reading;
  readonly #commits: Commits | undefined;
  readonly #interest: TopicInterest;
  readonly #rebalances: Rebalances;
  readonly #closing = new AbortController();
  readonly #stopListening: () => void;
  #member: GroupMember | undefined;
  #listener: RebalanceListener = {};
  #topics: readonly string[] = [];
  #isAssignedByHand = false;
  #hasBegun = false;
  readonly #onClosed: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  /** @internal Use `kafka.consumer()`. `onClosed` is called at the end of `close()`. */
  constructor(cluster: Cluster, options: GivenConsumerOptions<K, V> = {}, onClosed?: () => void) {
    this.#cluster = cluster;
    this.#onClosed = onClosed;
    const resolved = (this.#options = resolveConsumerOptions(options));
    const number = cluster.nextClientNumber();
    this.#fetchLane = `fetch-${number}`;
    this.#groupLane = `group-${number}`;
    this.#offsets = new OffsetClient(cluster, this.#groupLane, resolved);
    const deserializers = recordDeserializers(resolved);
    const partitions = (): readonly PartitionState[] => this.#assignment.states;
    const onFatal = (error: Error): void => this.#reading.fail(error);
    this.#starts = new StartingOffsets({
      cluster,
      offsets: this.#offsets,
      options: resolved,
      partitions,
      onFound: () => {
        this.#fetcher.pump();
        this.#reading.notify();
      },
      onFatal,
    });
    this.#fetcher = new Fetcher({
      cluster,
      lane: this.#fetchLane,
      options: resolved,
      deserializers,
      partitions,
      onChange: () => this.#reading.notify(),
      onOutOfRange: (state, error) => this.#handleOutOfRange(state, error),
      onFatal,
    });
    this.#source = new RecordSource({
      options: resolved,
      deserializers,
      partitions,
      onDrained: (state) => this.#fetcher.drained(state),
      onCorrupt: (state, error) => this.#handleCorruption(state, error),
    });
    this.#reading = new Reading({
      clock: cluster.clock,
      source: this.#source,
      member: () => this.#member,
      onRead: () => this.#begin(),
    });
    this.#commits = this.#makeCommits(resolved.groupId);
    this.#interest = new TopicInterest({
      cluster,
      allowAutoTopicCreation: resolved.allowAutoCreateTopics,
      signal: this.#closing.signal,
      onKnown: () => this.#fetcher.pump(),
      onFatal,
    });
    this.#rebalances = new Rebalances({
      assignment: this.#assignment,
      listener: () => this.#listener,
      commitProcessed: () => this.#commitProcessed({ timeoutMs: resolved.maxPollIntervalMs }),
      onEnded: () => this.#reading.interrupt(),
    });
    this.#stopListening = cluster.onMetadata(() => this.#fetcher.pump());
  }

  // Choosing partitions ---------------------------------------------------------------------------------------------------

  /**
   * Reads these topics as a member of the group, instead of those subscribed before. Does no IO: the consumer joins at the first
   * read, or at {@link Consumer.waitForAssignment}. A topic that does not exist is waited for.
   *
   * @throws {@link UsageError} `INVALID_STATE`: no groupId, or partitions were assigned by hand
   */
  subscribe(topics: string | readonly string[], listener: RebalanceListener = {}): void {
    this.#refuseWhenClosed();
    const { groupId } = this.#options;
    if (groupId === undefined)
      throw invalidState('Cannot subscribe: the consumer has no group; give it a groupId, or use assign');
    if (this.#isAssignedByHand)
      throw invalidState('Cannot subscribe: partitions were assigned by hand; use another consumer');
    const names = typeof topics === 'string' ? [topics] : topics;
    if (
      !Array.isArray(names) ||
      names.length === 0 ||
      !names.every((name) => typeof name === 'string' && name !== '')
    ) {
      throw new UsageError(
        'Cannot subscribe: give the name of a topic, or a list of names; patterns are not in this release',
        {
          code: 'INVALID_ARGUMENT',
        },
      );
    }
    for (const name of names) this.#refuseUndefined('subscribe to', name);
    this.#topics = [...new Set(names)];
    this.#listener = listener;
    this.#hasBegun = false;
    this.#member ??= this.#makeMember(groupId);
    this.#member.subscribed();
    this.#reading.interrupt();
  }

  /**
   * Reads these partitions, instead of those assigned before; no group takes part, but its offsets are used if there is a
   * `groupId`. A partition that stays is read on from where it is.
   *
   * @throws {@link UsageError} `INVALID_STATE`: topics are subscribed
   */
  assign(partitions: readonly TopicPartition[]): void {
    this.#refuseWhenClosed();
    if (this.#member !== undefined)
      throw invalidState('Cannot assign partitions: topics are subscribed; use another consumer');
    for (const { topic, partition } of partitions) {
      this.#refuseUndefined('assign', topic);
      if (typeof topic === 'string' && topic !== '' && Number.isInteger(partition) && partition >= 0) continue;
      throw new UsageError(`Cannot assign ${quote(topic)}-${quote(partition)}: give { topic, partition }`, {
        code: 'INVALID_ARGUMENT',
      });
    }
    this.#isAssignedByHand = true;
    this.#topics = [...new Set(partitions.map(({ topic }) => topic))];
    const term: AssignmentTerm = { generationId: -1, memberId: '', ended: false };
    this.#assignment.replace(partitions, term, () => this.#firstStart(), true);
    this.#hasBegun = false;
    this.#reading.interrupt();
  }

  #refuseUndefined(doing: string, topic: unknown): void {
    const { topics } = this.#options;
    if (topics === undefined || (typeof topic === 'string' && Object.hasOwn(topics, topic))) return;
    throw new UsageError(
      `Cannot ${doing} ${quote(topic)}: it is not among the topics of the consumer; add it to topics`,
      {
        code: 'INVALID_ARGUMENT',
      },
    );
  }

  /** The partitions that this consumer has now. */
  assignment(): TopicPartition[] {
    return this.#assignment.partitions;
  }

  /** Joins the group if need be, and resolves once the partitions are assigned and the listener has run. Counts as a read. */
  async waitForAssignment(
    options: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {},
  ): Promise<TopicPartition[]> {
    const { timeoutMs = 60_000, signal } = options;
    signal?.throwIfAborted();
    this.#beginRead();
    try {
      const deadlineMs = this.#cluster.clock.nowMs() + timeoutMs;
      const isDone = (): boolean => this.#isAssigned();
      const end = await takeOrReject(this.#reading, { signal, deadlineMs, wants: () => false, isDone });
      if (end === 'timeout') {
        // Without the cluster there is no group: then that is the reason, and its error lists the servers with advice.
        const cause = this.#cluster.lastFailure ?? this.#member?.lastFailure;
        const why = cause === undefined ? 'check that the cluster and the coordinator can be reached' : cause.message;
        throw new TimeoutError(
          `Cannot join group ${quote(this.#options.groupId)}: no assignment within ${timeoutMs} ms; ${why}`,
          { code: 'OPERATION_TIMEOUT', retriable: true, cause },
        );
      }
      return this.assignment();
    } finally {
      this.#reading.end(false);
    }
  }

  /** Who this consumer is in its group; give it to `transaction.sendOffsets`. */
  groupMetadata(): ConsumerGroupMetadata {
    return {
      groupId: this.#group('tell its group'),
      generationId: this.#member?.generationId ?? -1,
      memberId: this.#member?.memberId ?? '',
      groupInstanceId: this.#options.groupInstanceId,
    };
  }

  // Reading ---------------------------------------------------------------------------------------------------------------

  /** A loop over records: a record is processed when the loop asks for the next. */
  [Symbol.asyncIterator](): AsyncIterableIterator<R> {
    return this.records();
  }

  /** A loop over records, with an end: after `limit` records, where the partitions end now, or when `signal` aborts. */
  records(options: RecordsOptions = {}): AsyncIterableIterator<R> {
    this.#refuseUnassigned();
    const { limit, until } = options;
    if (limit !== undefined && !(Number.isInteger(limit) && limit >= 0)) {
      throw new UsageError(`Cannot read ${quote(limit)} records: the limit must be an integer from 0`, {
        code: 'INVALID_ARGUMENT',
      });
    }
    if (until !== undefined && until !== 'end') {
      throw new UsageError(`Cannot read until ${quote(until)}: it must be "end"`, { code: 'INVALID_ARGUMENT' });
    }
    const end =
      until === undefined ? undefined : new EndsAtFirstSight(this.#assignment, this.#offsets, () => this.#isAssigned());
    // What type a record has, the options say; here it is bytes and functions that read them.
    return new RecordLoop<K, V>(
      this.#reading,
      options,
      end,
    ) as AsyncIterableIterator<unknown> as AsyncIterableIterator<R>;
  }

  /** A loop over batches: consecutive records of one partition, at most `maxPollRecords`. */
  batches(options: { readonly signal?: AbortSignal | undefined } = {}): AsyncIterableIterator<B> {
    this.#refuseUnassigned();
    return new BatchLoop<K, V>(this.#reading, options) as AsyncIterableIterator<unknown> as AsyncIterableIterator<B>;
  }

  /**
   * The next records, as an array with `batches` of the same by partition; empty if none came in time. They are processed when
   * `poll` is called again.
   */
  async poll(options: PollOptions = {}): Promise<PollResult<K, V, R, B>> {
    options.signal?.throwIfAborted();
    this.#beginRead();
    try {
      const maxRecords = options.maxRecords ?? this.#options.maxPollRecords;
      const result: unknown = await pollRecords<K, V>(this.#reading, this.#cluster.clock, { ...options, maxRecords });
      return result as PollResult<K, V, R, B>;
    } finally {
      this.#reading.end(false);
    }
  }

  /** What is in hand (a poll result, or what a loop left) is not processed: the next read delivers it again. */
  rewind(): void {
    this.#reading.rewind();
    this.#fetcher.pump();
  }

  // Committing ------------------------------------------------------------------------------------------------------------

  /**
   * Commits: without an argument everything that is processed and what is in hand; or up to and with a record, a batch, the
   * records of a poll; or given offsets, which are the next to read.
   *
   * @throws `PARTITION_NOT_OWNED` the assignment that it was read in has ended; nothing is sent
   */
  async commit(what?: Committable, options: CallOptions = {}): Promise<void> {
    this.#refuseWhenClosed();
    options.signal?.throwIfAborted();
    const commits = this.#commits;
    if (commits === undefined)
      throw invalidState('Cannot commit offsets: the consumer has no group; give it a groupId');
    if (what === undefined) return this.#commitAll(commits, options);
    const { offsets, term } = offsetsOf(what, this.#assignment, this.#member !== undefined);
    // What is committed up to its last record is processed, whatever becomes of the loop.
    if (offsets.length > 0 && this.#reading.inHand.every((state) => isCovered(state, offsets)))
      this.#reading.settleInHand();
    await commits.commit(offsets, term, options);
  }

  /** The offsets that the group has, in the order asked for. */
  async committed(partitions: readonly TopicPartition[], options: CallOptions = {}): Promise<CommittedOffset[]> {
    this.#refuseWhenClosed();
    return this.#offsets.committed(partitions, options);
  }

  // Positions -------------------------------------------------------------------------------------------------------------

  /** The next offset to hand out; undefined while it is not known, or if the partition is not assigned. Does no IO. */
  position({ topic, partition }: TopicPartition): bigint | undefined {
    return this.#assignment.get(topic, partition)?.position;
  }

  /**
   * Reads on from this offset.
   *
   * @throws {@link UsageError} `PARTITION_NOT_OWNED`: the partition is not assigned
   */
  seek({ topic, partition, offset }: PartitionOffset): void {
    const state = this.#owned({ topic, partition }, 'seek in');
    const parsed = parseInt64(offset);
    if (parsed === undefined || parsed < 0n) {
      throw new UsageError(`Cannot seek in ${topic}-${partition} to ${quote(offset)}: give an offset from 0`, {
        code: 'INVALID_ARGUMENT',
      });
    }
    state.startAt(parsed);
    this.#moved(state);
  }

  /** Reads on from the first record that there is, of these partitions or of all. */
  seekToBeginning(partitions: TopicPartition | readonly TopicPartition[] = this.assignment()): void {
    this.#seekTo(partitions, { kind: 'timestamp', timestamp: BEGINNING });
  }

  /** Reads on from the end, of these partitions or of all: what comes from now on. */
  seekToEnd(partitions: TopicPartition | readonly TopicPartition[] = this.assignment()): void {
    this.#seekTo(partitions, { kind: 'timestamp', timestamp: END });
  }

  /** Reads on from the first record of this time (milliseconds since 1970) or later, from the end if there is none. */
  seekToTimestamp(
    timestampMs: number,
    partitions: TopicPartition | readonly TopicPartition[] = this.assignment(),
  ): void {
    this.#seekTo(partitions, { kind: 'timestamp', timestamp: timestampOf(timestampMs) });
  }

  /** Hands out no records of these partitions until {@link Consumer.resume}; they stay assigned. */
  pause(partitions: TopicPartition | readonly TopicPartition[] = this.assignment()): void {
    for (const partition of listOf(partitions)) this.#owned(partition, 'pause').paused = true;
    this.#reading.interrupt();
  }

  /** Hands out records of these partitions again. */
  resume(partitions: TopicPartition | readonly TopicPartition[] = this.paused()): void {
    for (const partition of listOf(partitions)) this.#owned(partition, 'resume').paused = false;
    this.#fetcher.pump();
    this.#reading.interrupt();
  }

  /** The partitions that are paused. */
  paused(): TopicPartition[] {
    return this.#assignment.states
      .filter((state) => state.paused)
      .map(({ topic, partition }) => ({ topic, partition }));
  }

  /** How far each assigned partition is behind its end. */
  async lag(options: CallOptions = {}): Promise<PartitionLag[]> {
    const ends = await this.endOffsets(this.assignment(), options);
    return ends.map(({ topic, partition, offset: endOffset }) => {
      const position = this.position({ topic, partition });
      return {
        topic,
        partition,
        position,
        endOffset,
        lag: position === undefined ? undefined : max(endOffset - position, 0n),
      };
    });
  }

  /** The first offset of each partition, in the order asked for. */
  async beginningOffsets(partitions: readonly TopicPartition[], options: CallOptions = {}): Promise<PartitionEnd[]> {
    return this.#list(
      partitions.map(({ topic, partition }) => ({ topic, partition, timestamp: BEGINNING })),
      options,
    );
  }

  /** The end of each partition (with `read_committed`, of what is decided), in the order asked for. */
  async endOffsets(partitions: readonly TopicPartition[], options: CallOptions = {}): Promise<PartitionEnd[]> {
    return this.#list(
      partitions.map(({ topic, partition }) => ({ topic, partition, timestamp: END })),
      options,
    );
  }

  /** The first offset of each partition at or after a time in milliseconds since 1970, in the order asked for. */
  async offsetsForTimes(
    times: readonly (TopicPartition & { readonly timestamp: number })[],
    options: CallOptions = {},
  ): Promise<OffsetForTime[]> {
    const queries = times.map(({ topic, partition, timestamp }) => ({
      topic,
      partition,
      timestamp: timestampOf(timestamp),
    }));
    const answers = await this.#list(queries, options);
    return answers.map(({ topic, partition, offset, timestamp }) => {
      const isFound = offset >= 0n;
      return { topic, partition, offset: isFound ? offset : undefined, timestamp: isFound ? timestamp : undefined };
    });
  }

  // The end ---------------------------------------------------------------------------------------------------------------

  /**
   * Ends a waiting read, commits what is processed if auto-commit is on, tells the listener, leaves the group, and closes the
   * connections. Never waits for the body of a loop; what it has in hand is not committed. Later calls reject `CLOSED`.
   *
   * @param options.timeoutMs how long it may take (30 s by default)
   */
  close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#closed ??= this.#close(options.timeoutMs ?? CLOSE_TIMEOUT_MS);
    return this.#closed;
  }

  /** The same as {@link Consumer.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(timeoutMs: number): Promise<void> {
    const { clock } = this.#cluster;
    const giveUp = new AbortController();
    const timer = clock.setTimer(() => giveUp.abort(), timeoutMs);
    let failure: { readonly error: unknown } | undefined;
    try {
      this.#commits?.stop();
      await Promise.race([this.#reading.close(), aborted(giveUp.signal)]);
      this.#fetcher.close();
      this.#starts.close();
      const farewell = this.#farewell(giveUp.signal).catch((error: unknown) => {
        failure = { error };
      });
      await Promise.race([farewell, aborted(giveUp.signal)]);
      await Promise.race([this.#member?.leave('the consumer is being closed'), aborted(giveUp.signal)]);
    } finally {
      clock.clearTimer(timer);
      this.#closing.abort();
      this.#assignment.end();
      this.#stopListening();
      await Promise.all([this.#cluster.closeLane(this.#fetchLane), this.#cluster.closeLane(this.#groupLane)]);
      this.#onClosed?.();
    }
    if (failure !== undefined) throw failure.error;
  }

  /** Commits and tells the listener, as when partitions are revoked. */
  async #farewell(signal: AbortSignal): Promise<void> {
    const partitions = this.assignment();
    await this.#commitProcessed({ signal });
    if (this.#member !== undefined && partitions.length > 0) await this.#listener.onPartitionsRevoked?.(partitions);
  }

  // Inside ----------------------------------------------------------------------------------------------------------------

  #makeCommits(groupId: string | undefined): Commits | undefined {
    if (groupId === undefined) return undefined;
    return new Commits({
      cluster: this.#cluster,
      groupId,
      offsets: this.#offsets,
      assignment: this.#assignment,
      onDisowned: (generationId, errorCode) => this.#member?.disowned(generationId, errorCode),
    });
  }

  #makeMember(groupId: string): GroupMember {
    return new GroupMember({
      cluster: this.#cluster,
      groupId,
      options: this.#options,
      lane: this.#groupLane,
      topics: () => this.#topics,
      topicsKnown: () => this.#interest.known,
      install: (partitions, term) => this.#rebalances.install(partitions, term),
      giveUp: (isLost) => this.#rebalances.giveUp(isLost),
      endAssignment: () => this.#rebalances.end(),
      onReaderNeeded: () => this.#reading.interrupt(),
      onFatal: (error) => this.#reading.fail(error),
      askCount: () => this.#reading.asks,
      inHand: () => this.#describeInHand(),
    });
  }

  /** What a read sets going: metadata of the topics, and then joining, looking for offsets, fetching. */
  #begin(): void {
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.#interest.follow(this.#topics);
      if (this.#options.autoCommit) this.#commits?.startAutoCommit(this.#options.autoCommitIntervalMs);
    }
    this.#starts.find();
    this.#fetcher.pump();
  }

  #beginRead(): void {
    this.#refuseUnassigned();
    this.#reading.begin();
  }

  #isAssigned(): boolean {
    return this.#member === undefined || (this.#member.generationId >= 0 && !this.#member.needsReader);
  }

  async #commitProcessed(options: CallOptions): Promise<void> {
    if (this.#options.autoCommit) await this.#commits?.commitProcessed(options);
  }

  #firstStart(): StartingPoint {
    if (this.#options.groupId !== undefined) return { kind: 'committed' };
    const { autoOffsetReset } = this.#options;
    // Without a group there is no offset to be had: "none" leaves it to the user to seek.
    if (autoOffsetReset === 'none') return { kind: 'seek' };
    return { kind: 'timestamp', timestamp: autoOffsetReset === 'earliest' ? BEGINNING : END };
  }

  #handleOutOfRange(state: PartitionState, error: Error): void {
    this.#cluster.events.publish('warning', {
      message: `Offset ${state.fetchOffset} of ${state.topic}-${state.partition} does not exist`,
      error,
    });
    this.#starts.reset(
      state,
      error instanceof KafkaError ? error : new KafkaError(error.message, { code: 'OFFSET_OUT_OF_RANGE' }),
    );
    this.#starts.find();
    this.#reading.notify();
  }

  #handleCorruption(state: PartitionState, error: Error): void {
    const message = `A batch of ${state.topic}-${state.partition} cannot be read; it is fetched again`;
    this.#cluster.events.publish('warning', { message, error });
    this.#fetcher.handleCorruption(state);
  }

  #commitAll(commits: Commits, options: CallOptions): Promise<void> {
    const term = this.#assignment.states[0]?.term;
    // While closing, the caller of close() cannot know what the body of a loop is doing: what it has in hand is not done.
    if (this.#closed !== undefined) return commits.commit(commits.processed(), term, options);
    const offsets = commits.handedOut();
    this.#reading.settleInHand();
    return commits.commit(offsets, term, options);
  }

  #seekTo(partitions: TopicPartition | readonly TopicPartition[], start: StartingPoint): void {
    for (const partition of listOf(partitions)) {
      const state = this.#owned(partition, 'seek in');
      state.startFrom({ ...start });
      this.#moved(state);
    }
  }

  #moved(state: PartitionState): void {
    state.failures = 0;
    state.retryAtMs = 0;
    if (this.#hasBegun) {
      this.#starts.find();
      this.#fetcher.pump();
    }
    this.#reading.interrupt();
  }

  async #list(
    queries: readonly (TopicPartition & { readonly timestamp: bigint })[],
    options: CallOptions,
  ): Promise<(TopicPartition & { readonly offset: bigint; readonly timestamp: number })[]> {
    this.#refuseWhenClosed();
    options.signal?.throwIfAborted();
    if (queries.length === 0) return [];
    await this.#cluster.topics([...new Set(queries.map(({ topic }) => topic))], options);
    return this.#offsets.list(queries, options);
  }

  #owned(partition: TopicPartition, doing: string): PartitionState {
    this.#refuseWhenClosed();
    return this.#assignment.owned(partition, doing);
  }

  #group(what: string): string {
    if (this.#options.groupId !== undefined) return this.#options.groupId;
    throw invalidState(`Cannot ${what}: the consumer has no group; give it a groupId`);
  }

  #describeInHand(): string {
    const states = this.#reading.inHand;
    if (states.length === 0) return 'nothing';
    return states
      .map(({ topic, partition, position = 0n }) => `${topic}-${partition} up to offset ${position - 1n}`)
      .join(', ');
  }

  #refuseUnassigned(): void {
    this.#refuseWhenClosed();
    if (this.#member !== undefined || this.#isAssignedByHand) return;
    throw invalidState('Cannot read: nothing is subscribed or assigned; call subscribe or assign first');
  }

  #refuseWhenClosed(): void {
    // A listener that runs because of close() may still commit.
    if (this.#closing.signal.aborted) throw new ClosedError('the consumer');
  }
}

function timestampOf(timestampMs: number): bigint {
  if (Number.isSafeInteger(timestampMs) && timestampMs >= 0) return BigInt(timestampMs);
  throw new UsageError(`Cannot use timestamp ${quote(timestampMs)}: give milliseconds since 1970`, {
    code: 'INVALID_ARGUMENT',
  });
}

function listOf(partitions: TopicPartition | readonly TopicPartition[]): readonly TopicPartition[] {
  return 'topic' in partitions ? [partitions] : partitions;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function invalidState(message: string): UsageError {
  return new UsageError(message, { code: 'INVALID_STATE' });
}
