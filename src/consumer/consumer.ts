import type { Cluster } from '../cluster/cluster.ts';
import { abortSignal, callOptionsError, checkCallOptions } from '../cluster/call-options.ts';
import type { CallOptions } from '../cluster/request.ts';
import { ClosedError, KafkaError, UsageError } from '../errors/kafka-error.ts';
import type { ConsumerStatistics } from '../instrumentation/statistics.ts';
import type { ConsumerGroupMetadata } from '../model/consumer-group-metadata.ts';
import type { TopicPartition } from '../model/topic-partition.ts';
import { quote } from '../util/option-rules.ts';
import { settledWithin } from '../util/settled-within.ts';
import { Assignment } from './assignment.ts';
import { closeOptionRules, type CloseOptions } from './close-options.ts';
import { Commits } from './commits.ts';
import { isCovered, markProcessed, offsetsOf, type Committable, type PartitionOffset } from './committable.ts';
import type { ConsumerBatch, PollResult } from './consumer-batch.ts';
import type { ConsumerRecord } from './consumer-record.ts';
import { EndsAtFirstSight } from './end-offsets.ts';
import { Fetcher } from './fetch/fetcher.ts';
import type { OffsetForTime, PartitionEnd, PartitionLag } from './offset-answers.ts';
import { OffsetClient, type CommittedOffset } from './offset-client.ts';
import { resolveConsumerOptions, type GivenConsumerOptions, type ResolvedConsumerOptions } from './options.ts';
import type { PartitionState } from './partition-state.ts';
import { onePartition, partitionList, type Partitions } from './partition-list.ts';
import { Positions, type PartitionTime } from './positions.ts';
import { pollOptionRules, pollRecords, takeOrReject, type PollOptions } from './poll.ts';
import { BatchLoop, RecordLoop, recordsOptionRules, type RecordsOptions } from './read-loops.ts';
import { Reading } from './reading.ts';
import { checkListener, type RebalanceListener } from './rebalance-listener.ts';
import { RecordStream, streamOptionRules, type StreamOptions } from './record-stream.ts';
import { RecordSource } from './record-source.ts';
import { recordDeserializers } from './record-values.ts';
import { RunLoop } from './run-loop.ts';
import { resolveRunOptions, type RunOptions } from './run-options.ts';
import { StartingOffsets } from './starting-offsets.ts';
import { SubscribedGroup } from './subscribed-group.ts';
import { parseSubscription, type TopicSelector } from './subscription.ts';
import { TopicInterest } from './topic-interest.ts';

export type { Committable, OffsetAndMetadata, PartitionOffset } from './committable.ts';
export type { ConsumerGroupMetadata } from '../model/consumer-group-metadata.ts';
export type { OffsetForTime, PartitionEnd, PartitionLag } from './offset-answers.ts';
export type { PollOptions } from './poll.ts';
export type { RebalanceListener } from './rebalance-listener.ts';
export type { Re2Pattern, TopicSelector } from './subscription.ts';

const CLOSE_TIMEOUT_MS = 30_000;
/** What is left at least for the last commit and for leaving the group when handlers have used up the time to close. */
const FAREWELL_MS = 1000;

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
  readonly #positions: Positions;
  readonly #commits: Commits | undefined;
  readonly #interest: TopicInterest;
  readonly #group: SubscribedGroup | undefined;
  readonly #closing = new AbortController();
  readonly #stopListening: () => void;
  /** The topics of partitions that were assigned by hand. */
  #assignedTopics: readonly string[] | undefined;
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
      member: () => this.#group?.offsetReader,
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
      onTruncated: (state, divergence) => {
        this.#starts.truncated(state, divergence);
        this.#starts.find();
        this.#reading.notify();
      },
      onFatal,
    });
    this.#source = new RecordSource({
      options: resolved,
      deserializers,
      partitions,
      onDrained: (state) => this.#fetcher.drained(state),
      onReady: () => this.#reading.notify(),
      onCorrupt: (state, error) => this.#handleCorruption(state, error),
    });
    this.#reading = new Reading({
      clock: cluster.clock,
      source: this.#source,
      member: () => this.#group?.member,
      onRead: () => this.#begin(),
    });
    this.#positions = new Positions({
      cluster,
      offsets: this.#offsets,
      assignment: this.#assignment,
      isolationLevel: resolved.isolationLevel,
      onMoved: () => this.#moved(),
    });
    this.#commits = this.#makeCommits(resolved.groupId);
    this.#interest = new TopicInterest({
      cluster,
      allowAutoTopicCreation: resolved.allowAutoCreateTopics,
      signal: this.#closing.signal,
      onKnown: () => this.#fetcher.pump(),
      onFatal,
    });
    this.#group =
      resolved.groupId === undefined
        ? undefined
        : new SubscribedGroup({
            cluster,
            groupId: resolved.groupId,
            options: resolved,
            lane: this.#groupLane,
            assignment: this.#assignment,
            interest: this.#interest,
            reading: this.#reading,
            signal: this.#closing.signal,
            allowsTopic: (topic) => this.#isDefined(topic),
            commitProcessed: () => this.#commitProcessed({ timeoutMs: resolved.maxPollIntervalMs }),
          });
    this.#stopListening = cluster.onMetadata(() => this.#fetcher.pump());
  }

  // Choosing partitions ---------------------------------------------------------------------------------------------------

  /**
   * Reads these topics as a member of the group, instead of those subscribed before: a name, a `RegExp` (evaluated here, new topics
   * are found after `metadataMaxAgeMs`), `{ re2 }` (by the broker, KIP-848), or a list of these. Does no IO: the consumer joins at the
   * first read, or at {@link Consumer.waitForAssignment}. A topic that does not exist is waited for.
   *
   * @throws {@link UsageError} `INVALID_STATE`: no groupId, or partitions were assigned by hand
   */
  subscribe(topics: TopicSelector | readonly TopicSelector[], listener: RebalanceListener = {}): void {
    this.#refuseWhenClosed();
    const group = this.#group;
    if (group === undefined)
      throw invalidState('Cannot subscribe: the consumer has no group; give it a groupId, or use assign');
    if (this.#assignedTopics !== undefined)
      throw invalidState('Cannot subscribe: partitions were assigned by hand; use another consumer');
    const subscription = parseSubscription(topics);
    checkListener(listener);
    for (const name of subscription.names) this.#refuseUndefined('subscribe to', name);
    if (subscription.re2 !== undefined) this.#refuseRe2(subscription.re2);
    group.subscribe(subscription, listener);
    this.#hasBegun = false;
    if (this.#reading.isBusy) this.#begin();
    this.#reading.interrupt();
  }

  /**
   * Gives all partitions up and leaves the group: commits what is processed if auto-commit is on, tells the listener, and leaves. A
   * waiting loop ends; to read again, subscribe again. Java: `unsubscribe`.
   */
  async unsubscribe(): Promise<void> {
    this.#refuseWhenClosed();
    if (this.#group?.member === undefined) return;
    await this.#commitProcessed({});
    const leaving = this.#group.unsubscribe('the consumer unsubscribed', 'default');
    this.#reading.interrupt();
    await leaving;
  }

  /**
   * Makes the group assign its partitions anew, although nothing has changed that it could see; in the new protocol the broker decides
   * that alone. Java: `enforceRebalance` (KIP-568).
   *
   * @param reason what the logs of brokers and members will say (KIP-800)
   */
  enforceRebalance(reason = 'the application asked for it'): void {
    this.#refuseWhenClosed();
    if (this.#group?.member === undefined)
      throw invalidState('Cannot enforce a rebalance: nothing is subscribed; call subscribe first');
    this.#group.member.rejoin(reason);
  }

  /**
   * Reads these partitions, instead of those assigned before; no group takes part, but its offsets are used if there is a
   * `groupId`. A partition that stays is read on from where it is.
   *
   * @throws {@link UsageError} `INVALID_STATE`: topics are subscribed
   */
  assign(partitions: Partitions): void {
    this.#refuseWhenClosed();
    if (this.#group?.member !== undefined)
      throw invalidState('Cannot assign partitions: topics are subscribed; use another consumer');
    const list = partitionList(partitions, 'assign partitions');
    for (const { topic } of list) this.#refuseUndefined('assign', topic);
    this.#assignedTopics = [...new Set(list.map(({ topic }) => topic))];
    this.#assignment.replace(list, () => this.#starts.first());
    this.#hasBegun = false;
    this.#reading.interrupt();
  }

  #refuseUndefined(doing: string, topic: unknown): void {
    if (this.#isDefined(topic)) return;
    throw new UsageError(
      `Cannot ${doing} ${quote(topic)}: it is not among the topics of the consumer; add it to topics`,
      {
        code: 'INVALID_ARGUMENT',
      },
    );
  }

  #isDefined(topic: unknown): boolean {
    const { topics } = this.#options;
    return topics === undefined || (typeof topic === 'string' && Object.hasOwn(topics, topic));
  }

  /** Which topics it would bring, the broker decides: of some there may be no serdes, and a classic group knows none. */
  #refuseRe2(re2: string): void {
    const why =
      this.#options.topics !== undefined
        ? 'the consumer knows the serdes of its topics only; use a RegExp'
        : this.#options.groupProtocol === 'classic'
          ? "only the new protocol has such patterns; use groupProtocol: 'consumer', or a RegExp"
          : undefined;
    if (why === undefined) return;
    throw new UsageError(`Cannot subscribe to the pattern ${quote(re2)}: ${why}`, { code: 'INVALID_ARGUMENT' });
  }

  /** The partitions that this consumer has now. */
  assignment(): TopicPartition[] {
    return this.#assignment.partitions;
  }

  /** Joins the group if need be, and resolves once the partitions are assigned and the listener has run. Counts as a read. */
  async waitForAssignment(
    options: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {},
  ): Promise<TopicPartition[]> {
    checkCallOptions(options, 'waitForAssignment');
    const { timeoutMs = 60_000, signal } = options;
    signal?.throwIfAborted();
    this.#beginRead();
    try {
      const deadlineMs = this.#cluster.clock.nowMs() + timeoutMs;
      const isDone = (): boolean => this.#isAssigned();
      const end = await takeOrReject(this.#reading, { signal, deadlineMs, wants: () => false, isDone });
      if (end === 'timeout' && this.#group !== undefined) throw this.#group.lateAssignment(timeoutMs);
      return this.assignment();
    } finally {
      this.#reading.end(false);
    }
  }

  /** Who this consumer is in its group; give it to `transaction.sendOffsets`. */
  groupMetadata(): ConsumerGroupMetadata {
    if (this.#group === undefined)
      throw invalidState('Cannot tell its group: the consumer has no group; give it a groupId');
    return this.#group.metadata();
  }

  // Reading ---------------------------------------------------------------------------------------------------------------

  /** A loop over records: a record is processed when the loop asks for the next. */
  [Symbol.asyncIterator](): AsyncIterableIterator<R> {
    return this.records();
  }

  /** A loop over records, with an end: after `limit` records, where the partitions end now, or when `signal` aborts. */
  records(options: RecordsOptions = {}): AsyncIterableIterator<R> {
    checkCallOptions(options, 'records', recordsOptionRules);
    return this.#records(options);
  }

  #records(options: RecordsOptions): AsyncIterableIterator<R> {
    this.#refuseUnassigned();
    const end =
      options.until === undefined
        ? undefined
        : new EndsAtFirstSight(this.#assignment, this.#offsets, () => this.#isAssigned());
    // What type a record has, the options say; here it is bytes and functions that read them.
    return new RecordLoop<K, V>(
      this.#reading,
      options,
      end,
    ) as AsyncIterableIterator<unknown> as AsyncIterableIterator<R>;
  }

  /** A loop over batches: consecutive records of one partition, at most `maxPollRecords`. */
  batches(options: { readonly signal?: AbortSignal | undefined } = {}): AsyncIterableIterator<B> {
    checkCallOptions(options, 'batches', { signal: abortSignal });
    this.#refuseUnassigned();
    const loop = new BatchLoop<K, V>(this.#reading, { ...options, maxRecords: this.#options.maxPollRecords });
    return loop as AsyncIterableIterator<unknown> as AsyncIterableIterator<B>;
  }

  /**
   * The next records, as an array with `batches` of the same by partition; empty if none came in time. They are processed when
   * `poll` is called again.
   */
  async poll(options: PollOptions = {}): Promise<PollResult<K, V, R, B>> {
    checkCallOptions(options, 'poll', pollOptionRules);
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

  /**
   * Calls a handler for each record or batch, several at a time if `concurrency` says so, and resolves when the run has ended: by
   * `signal`, `context.stop()` or {@link Consumer.close}. The order of a partition is kept, a slow one does not stop the others.
   *
   * A record is processed when its handler has resolved. An error ends the run once the other handlers are done, unless `onError`
   * answers `retry` or `skip`; the next read delivers what was not processed again. When partitions are revoked, no handler is
   * begun for them, the signal of those under way aborts, they are awaited, what is processed is committed, and the listener runs;
   * the others go on. Each handler may take `maxPollIntervalMs`.
   *
   * @throws {@link UsageError} `CONSUMER_BUSY`: another read is under way
   */
  async run(options: RunOptions<R, B>): Promise<void> {
    const resolved = resolveRunOptions(options);
    this.#refuseUnassigned();
    const { clock, events } = this.#cluster;
    const { maxPollIntervalMs, maxPollRecords } = this.#options;
    const [reading, member] = [this.#reading, () => this.#group?.member];
    await new RunLoop({ reading, member, clock, events, maxPollIntervalMs, maxPollRecords, options: resolved }).run();
  }

  /**
   * The records as a Readable in object mode, which reads on only while there is room in it. It asks for the next record before the
   * last is done, so that only {@link Consumer.markProcessed} or a commit can say what is: `autoCommit: true` is refused.
   *
   * @throws {@link UsageError} `INVALID_STATE`: autoCommit is true
   */
  stream(options: StreamOptions = {}): RecordStream<R> {
    checkCallOptions(options, 'stream', streamOptionRules);
    this.#refuseUnassigned();
    if (this.#options.autoCommit === true) {
      throw invalidState(
        'Cannot stream: autoCommit would commit records that wait in the stream; use autoCommit "marked" and markProcessed, or false',
      );
    }
    return new RecordStream<R>(this.#records(options), options.highWaterMark);
  }

  /**
   * With `autoCommit: 'marked'`: this record, or all of this batch, is processed. In any order; committed are per partition the
   * offsets before the first record that is not marked.
   *
   * @returns false if the partition was given up meanwhile: whoever has it now reads the record again
   * @throws {@link UsageError} `INVALID_STATE`: autoCommit is not "marked"
   */
  markProcessed(what: ConsumerRecord<unknown, unknown> | ConsumerBatch<unknown, unknown>): boolean {
    if (this.#options.autoCommit !== 'marked')
      throw invalidState('Cannot mark records as processed: autoCommit is not "marked"');
    return markProcessed(what);
  }

  /**
   * What is in hand (a poll result, or what a loop left) is not processed: the next read delivers it again. With `autoCommit:
   * 'marked'`, all that is not marked.
   */
  rewind(): void {
    this.#reading.rewind();
    if (this.#options.autoCommit === 'marked') for (const state of this.#assignment.states) state.rewindToMarks();
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
    checkCallOptions(options, 'commit');
    options.signal?.throwIfAborted();
    const commits = this.#commits;
    if (commits === undefined)
      throw invalidState('Cannot commit offsets: the consumer has no group; give it a groupId');
    if (what === undefined) return this.#commitAll(commits, options);
    const { offsets, states } = offsetsOf(what, this.#assignment, this.#group?.member !== undefined);
    // What is committed up to its last record is processed, whatever becomes of the loop.
    if (offsets.length > 0 && this.#reading.inHand.every((state) => isCovered(state, offsets)))
      this.#reading.settleInHand();
    if (this.#reading.isRunning)
      for (const { topic, partition, offset } of offsets) this.#assignment.get(topic, partition)?.settleBefore(offset);
    await commits.commit(offsets, states, options);
  }

  /** The offsets that the group has, in the order asked for. */
  async committed(partitions: Partitions, options: CallOptions = {}): Promise<CommittedOffset[]> {
    this.#refuseWhenClosed();
    checkCallOptions(options, 'committed');
    return this.#offsets.committed(partitionList(partitions, 'look up committed offsets'), options);
  }

  // Positions -------------------------------------------------------------------------------------------------------------

  /** The next offset to hand out; undefined while it is not known, or if the partition is not assigned. Does no IO. */
  position(of: TopicPartition): bigint | undefined {
    const { topic, partition } = onePartition(of, 'tell a position');
    return this.#assignment.get(topic, partition)?.position;
  }

  /**
   * Reads on from this offset.
   *
   * @throws {@link UsageError} `PARTITION_NOT_OWNED`: the partition is not assigned
   */
  seek(to: PartitionOffset): void {
    this.#refuseWhenClosed();
    this.#positions.seek(to);
  }

  /** Reads on from the first record that there is, of these partitions or of all. */
  seekToBeginning(partitions: Partitions = this.assignment()): void {
    this.#refuseWhenClosed();
    this.#positions.seekToBeginning(partitions);
  }

  /** Reads on from the end, of these partitions or of all: what comes from now on. */
  seekToEnd(partitions: Partitions = this.assignment()): void {
    this.#refuseWhenClosed();
    this.#positions.seekToEnd(partitions);
  }

  /** Reads on from the first record of this time (milliseconds since 1970) or later, from the end if there is none. */
  seekToTimestamp(timestampMs: number, partitions: Partitions = this.assignment()): void {
    this.#refuseWhenClosed();
    this.#positions.seekToTimestamp(timestampMs, partitions);
  }

  /** Hands out no records of these partitions until {@link Consumer.resume}; they stay assigned. */
  pause(partitions: Partitions = this.assignment()): void {
    this.#refuseWhenClosed();
    this.#positions.pause(partitions);
  }

  /** Hands out records of these partitions again. */
  resume(partitions: Partitions = this.paused()): void {
    this.#refuseWhenClosed();
    this.#positions.resume(partitions);
  }

  /** The partitions that are paused. */
  paused(): TopicPartition[] {
    return this.#positions.paused();
  }

  /**
   * How far the position is behind the end that the last fetch told: of what is decided with `read_committed`. Undefined while one of the two
   * is not known, or if the partition is not assigned. Does no IO, and the end of a partition that is not fetched, as a paused one, grows
   * old: {@link Consumer.lag} asks for it. Java: `currentLag` (KIP-695).
   */
  currentLag(of: TopicPartition): bigint | undefined {
    return this.#positions.currentLag(of);
  }

  /** How far each assigned partition is behind its end. */
  async lag(options: CallOptions = {}): Promise<PartitionLag[]> {
    this.#refuseWhenClosed();
    checkCallOptions(options, 'lag');
    return this.#positions.lag(options);
  }

  /** The first offset of each partition, in the order asked for. */
  async beginningOffsets(partitions: Partitions, options: CallOptions = {}): Promise<PartitionEnd[]> {
    this.#refuseWhenClosed();
    checkCallOptions(options, 'beginningOffsets');
    return this.#positions.beginningOffsets(partitions, options);
  }

  /** The end of each partition (with `read_committed`, of what is decided), in the order asked for. */
  async endOffsets(partitions: Partitions, options: CallOptions = {}): Promise<PartitionEnd[]> {
    this.#refuseWhenClosed();
    checkCallOptions(options, 'endOffsets');
    return this.#positions.endOffsets(partitions, options);
  }

  /** The first offset of each partition at or after a time in milliseconds since 1970, in the order asked for. */
  async offsetsForTimes(
    times: PartitionTime | readonly PartitionTime[],
    options: CallOptions = {},
  ): Promise<OffsetForTime[]> {
    this.#refuseWhenClosed();
    checkCallOptions(options, 'offsetsForTimes');
    return this.#positions.offsetsForTimes(times, options);
  }

  // The end ---------------------------------------------------------------------------------------------------------------

  /**
   * Ends a waiting read, commits what is processed if auto-commit is on, tells the listener, leaves the group, and closes the
   * connections. Never waits for the body of a loop; what it has in hand is not committed. Later calls reject `CLOSED`.
   *
   */
  close(options: CloseOptions = {}): Promise<void> {
    const error = callOptionsError(options, 'close', closeOptionRules);
    if (error !== undefined) return Promise.reject(error);
    this.#closed ??= this.#close(options);
    return this.#closed;
  }

  /** @internal Where it is and what it holds now, for `kafka.statistics()`. */
  statistics(): ConsumerStatistics {
    const { groupId, maxBufferedBytes } = this.#options;
    const partitions = this.#positions.statistics();
    return {
      lane: this.#fetchLane,
      groupId,
      memberId: this.#group?.metadata().memberId || undefined,
      partitions,
      bufferedBytes: partitions.reduce((sum, { bufferedBytes }) => sum + bufferedBytes, 0),
      maxBufferedBytes,
    };
  }

  /** The same as {@link Consumer.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close({ timeoutMs = CLOSE_TIMEOUT_MS, groupMembership = 'default' }: CloseOptions): Promise<void> {
    const { clock } = this.#cluster;
    const deadlineMs = clock.nowMs() + timeoutMs;
    this.#commits?.stop();
    await settledWithin(clock, timeoutMs, this.#reading.close());
    await settledWithin(clock, deadlineMs - clock.nowMs(), this.#reading.handlersFinished());
    this.#reading.abandonHandlers();
    const giveUp = new AbortController();
    // However long one handler takes: what the others have done is to be committed.
    const leftMs = Math.max(deadlineMs - clock.nowMs(), Math.min(timeoutMs, FAREWELL_MS));
    const timer = clock.setTimer(() => giveUp.abort(), leftMs);
    let failure: { readonly error: unknown } | undefined;
    try {
      this.#fetcher.close();
      this.#starts.close();
      const sessionsEnded = this.#fetcher.endSessions();
      const farewell = this.#farewell(giveUp.signal).catch((error: unknown) => {
        failure = { error };
      });
      await Promise.race([farewell, aborted(giveUp.signal)]);
      const leaving = this.#group?.member?.leave('the consumer is being closed', groupMembership);
      await Promise.race([Promise.all([leaving, sessionsEnded]), aborted(giveUp.signal)]);
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
    await this.#commitProcessed({ signal });
    if (this.#group?.member !== undefined) await this.#group.farewell();
  }

  // Inside ----------------------------------------------------------------------------------------------------------------

  #makeCommits(groupId: string | undefined): Commits | undefined {
    if (groupId === undefined) return undefined;
    return new Commits({
      cluster: this.#cluster,
      groupId,
      offsets: this.#offsets,
      assignment: this.#assignment,
      member: () => this.#group?.member,
    });
  }

  /** What a read sets going: metadata of the topics, and then joining, looking for offsets, fetching. */
  #begin(): void {
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      if (this.#assignedTopics === undefined) this.#group?.begin();
      else this.#interest.follow(this.#assignedTopics);
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
    return this.#group?.member?.isSettled ?? true;
  }

  async #commitProcessed(options: CallOptions): Promise<void> {
    if (this.#options.autoCommit) await this.#commits?.commitProcessed(options);
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
    const { states } = this.#assignment;
    // While closing, the caller of close() cannot know what the body of a loop is doing: what it has in hand is not done. Nor does
    // one handler know of the others, and of streams only the marks tell.
    const isOthers = this.#closed !== undefined || this.#reading.isRunning || this.#options.autoCommit === 'marked';
    if (isOthers) return commits.commit(commits.processed(), states, options);
    const offsets = commits.handedOut();
    this.#reading.settleInHand();
    return commits.commit(offsets, states, options);
  }

  /** Something was sought, paused or is read on. */
  #moved(): void {
    if (this.#hasBegun) this.#starts.find();
    if (this.#hasBegun) this.#fetcher.pump();
    this.#reading.interrupt();
  }

  #refuseUnassigned(): void {
    this.#refuseWhenClosed();
    if (this.#group?.member !== undefined || this.#assignedTopics !== undefined) return;
    throw invalidState('Cannot read: nothing is subscribed or assigned; call subscribe or assign first');
  }

  #refuseWhenClosed(): void {
    // A listener that runs because of close() may still commit.
    if (this.#closing.signal.aborted) throw new ClosedError('the consumer');
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function invalidState(message: string): UsageError {
  return new UsageError(message, { code: 'INVALID_STATE' });
}
