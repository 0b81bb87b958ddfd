import type { Cluster } from '../../cluster/cluster.ts';
import { callOptionsError, checkCallOptions, duration } from '../../cluster/call-options.ts';
import type { CallOptions } from '../../cluster/request.ts';
import type { KafkaError } from '../../errors/kafka-error.ts';
import { ClosedError, TimeoutError, UsageError } from '../../errors/kafka-error.ts';
import type { ShareConsumerStatistics } from '../../instrumentation/statistics.ts';
import type { TopicPartition } from '../../model/topic-partition.ts';
import { deferred } from '../../util/deferred.ts';
import { quote } from '../../util/option-rules.ts';
import { settledWithin } from '../../util/settled-within.ts';
import { pollOptionRules, takeOrReject, type PollOptions } from '../poll.ts';
import { RecordLoop, recordsOptionRules, type RecordsOptions } from '../read-loops.ts';
import type { NoRecords } from '../reading.ts';
import { isEager, recordDeserializers } from '../record-values.ts';
import { TopicInterest } from '../topic-interest.ts';
import { acknowledgeTypes } from './acquired-records-machine.ts';
import { acquiredOf, type AcquiredRecords } from './acquired-records.ts';
import { AcknowledgementResults } from './share-acknowledgements.ts';
import { ShareFetcher } from './share-fetcher.ts';
import { ShareGroupMember } from './share-group-member.ts';
import type { ShareGroupMembership, SharePartition } from './share-group-membership.ts';
import {
  resolveShareConsumerOptions,
  type AcknowledgementResult,
  type AcknowledgeType,
  type GivenShareConsumerOptions,
  type ResolvedShareConsumerOptions,
} from './share-options.ts';
import { ShareReading } from './share-reading.ts';
import { ShareRecordSource } from './share-record-source.ts';
import { acquiredIndexOf, type ShareRecord } from './share-record.ts';
import { ShareRunLoop } from './share-run-loop.ts';
import { resolveShareRunOptions, type ShareRunOptions } from './share-run-options.ts';

const CLOSE_TIMEOUT_MS = 30_000;
/** What is left at least to give records back and to leave when handlers have used up the time to close. */
const FAREWELL_MS = 1000;
const COMMIT_TIMEOUT_MS = 60_000;
/** So often is looked whether an assignment is settled that brings nothing, of which nobody tells. */
const SETTLED_LOOK_MS = 100;

/** How {@link ShareConsumer.close} goes about it. */
export interface ShareCloseOptions {
  /** How long it may take, in milliseconds. @defaultValue 30000 */
  readonly timeoutMs?: number | undefined;
}

/**
 * Reads records of topics as a queue, as a member of a share group (KIP-932, Kafka 4.2 and later): each record goes to one of the members,
 * also of one partition, is locked for it, and is acknowledged by itself; what is released, or not acknowledged in time, is delivered again.
 *
 * One reader at a time: a loop, `poll`, or `run`. A record is accepted when the loop asks for the next one, a poll result when `poll` is
 * called again, in `run` when its handler has resolved; one in hand when a loop ends is released. With `acknowledgementMode: 'explicit'`
 * nothing is acknowledged but by {@link ShareConsumer.acknowledge}. Java: `KafkaShareConsumer`.
 *
 * @example
 * ```ts
 * const consumer = kafka.shareConsumer({ groupId: 'mailers' });
 * consumer.subscribe(['mails']);
 * await consumer.run({ eachRecord: (record) => send(record.value), concurrency: 20 });
 * ```
 */
export class ShareConsumer<
  K = Buffer | null,
  V = Buffer | null,
  R extends ShareRecord<unknown, unknown> = ShareRecord<K, V>,
>
  implements AsyncDisposable, AsyncIterable<R>
{
  readonly #cluster: Cluster;
  readonly #options: ResolvedShareConsumerOptions;
  readonly #lanes: readonly [share: string, group: string];
  readonly #source: ShareRecordSource;
  readonly #reading: ShareReading;
  readonly #results: AcknowledgementResults;
  readonly #fetcher: ShareFetcher;
  readonly #member: ShareGroupMembership;
  readonly #interest: TopicInterest;
  readonly #closing = new AbortController();
  readonly #stopListening: () => void;
  readonly #onClosed: (() => void) | undefined;
  #topics: readonly string[] = [];
  #assignment: readonly SharePartition[] = [];
  #hasBegun = false;
  /** How many records the reader could take now. */
  #room: () => number;
  /** Whether a reader that finds nothing waits for more; a fetch for one that does not would only hold up acknowledgements. */
  #mayWait = true;
  #closed: Promise<void> | undefined;

  /** @internal Use `kafka.shareConsumer()`. `onClosed` is called at the end of `close()`. */
  constructor(cluster: Cluster, options: GivenShareConsumerOptions<K, V>, onClosed?: () => void) {
    this.#cluster = cluster;
    this.#onClosed = onClosed;
    const resolved = (this.#options = resolveShareConsumerOptions(options));
    const { groupId } = resolved;
    const number = cluster.nextClientNumber();
    const [lane, groupLane] = (this.#lanes = [`share-${number}`, `share-group-${number}`]);
    this.#room = () => resolved.maxPollRecords;
    const deserializers = recordDeserializers(resolved, 'set onDeserializationError');
    const onFatal = (error: Error): void => this.#reading.fail(error);
    this.#results = new AcknowledgementResults(groupId, cluster.events, resolved.onAcknowledged);
    this.#member = new ShareGroupMember({
      cluster,
      groupId,
      lane: groupLane,
      topics: () => this.#topics,
      onAssignment: (partitions) => this.#assign(partitions),
      onLost: () => this.#assign([]),
      onFatal,
    });
    this.#source = new ShareRecordSource({
      clock: cluster.clock,
      options: resolved,
      isEager: isEager(resolved),
      onLook: (acquired, nowMs) => this.#fetcher.look(acquired, nowMs),
      onDemand: (isWaiting) => this.#fetcher.want(isWaiting && this.#mayWait),
      onNearlyRead: () => this.#fetcher.nearlyRead(),
      onReady: () => this.#reading.notify(),
      onCorrupt: ({ topic, partition }, error) => {
        const message = `A batch of ${topic}-${partition} cannot be read; its records are released`;
        cluster.events.publish('warning', { message, error });
      },
    });
    this.#reading = new ShareReading({
      clock: cluster.clock,
      source: this.#source,
      member: () => undefined,
      onRead: () => this.#begin(),
    });
    this.#fetcher = new ShareFetcher({
      cluster,
      lane,
      options: resolved,
      memberId: this.#member.memberId,
      owner: this,
      deserializers,
      results: this.#results,
      paceMs: () => this.#source.paceMs,
      room: () => this.#room(),
      onAcquired: (acquired) => this.#source.add(acquired),
      onLost: () => this.#reading.interrupt(),
      onChange: () => this.#reading.notify(),
      onFatal,
    });
    this.#interest = new TopicInterest({
      cluster,
      allowAutoTopicCreation: resolved.allowAutoCreateTopics,
      signal: this.#closing.signal,
      onKnown: () => this.#fetcher.pump(),
      onFatal,
    });
    this.#stopListening = cluster.onMetadata(() => this.#fetcher.pump());
  }

  // Choosing topics -------------------------------------------------------------------------------------------------------

  /**
   * Reads these topics, instead of those subscribed before. Does no IO: the consumer joins its group at the first read, or at
   * {@link ShareConsumer.waitForAssignment}. A topic that does not exist is waited for; patterns there are none. Java: `subscribe`.
   *
   * @throws {@link UsageError} `INVALID_ARGUMENT`: something else than names, or a listener as other consumers take
   */
  subscribe(topics: string | readonly string[]): void;
  subscribe(topics: string | readonly string[], listener?: unknown): void {
    this.#refuseWhenClosed();
    if (listener !== undefined)
      throw invalidArgument(
        `Cannot subscribe with ${quote(listener)} beside the topics: several topics go into an array, and a share group, whose members own no partitions, calls no listener`,
      );
    const names: readonly unknown[] = Array.isArray(topics) ? topics : [topics];
    for (const name of names) {
      if (typeof name !== 'string' || name === '')
        throw invalidArgument(`Cannot subscribe to ${quote(name)}: a share group takes names of topics only`);
      const { topics: defined } = this.#options;
      if (defined !== undefined && !Object.hasOwn(defined, name))
        throw invalidArgument(
          `Cannot subscribe to ${quote(name)}: it is not among the topics of the consumer; add it to topics`,
        );
    }
    this.#topics = [...new Set(names as readonly string[])];
    this.#hasBegun = false;
    if (this.#reading.isBusy) this.#begin();
  }

  /** Subscribes to nothing: what was not read goes back, the member leaves its group, and reads wait for the next `subscribe`. */
  unsubscribe(): void {
    this.#refuseWhenClosed();
    if (this.#topics.length === 0) return;
    this.#topics = [];
    this.#member.subscribed();
    this.#assign([]);
  }

  /** The topics that were subscribed to. */
  subscription(): string[] {
    return [...this.#topics];
  }

  /** The partitions that the group lets this member read from now; others may have the same ones. */
  assignment(): TopicPartition[] {
    return this.#assignment.map(({ topic, partition }) => ({ topic, partition }));
  }

  /** Joins the group if need be, and resolves once it is known what to read. Counts as a read. */
  async waitForAssignment(
    options: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {},
  ): Promise<TopicPartition[]> {
    checkCallOptions(options, 'waitForAssignment');
    const { timeoutMs = 60_000, signal } = options;
    const { clock } = this.#cluster;
    signal?.throwIfAborted();
    this.#refuseUnsubscribed();
    this.#reading.begin();
    this.#mayWait = false;
    try {
      const endMs = clock.nowMs() + timeoutMs;
      for (;;) {
        const deadlineMs = Math.min(endMs, clock.nowMs() + SETTLED_LOOK_MS);
        const isDone = (): boolean => this.#member.isSettled;
        const end = await takeOrReject(this.#reading, { signal, deadlineMs, wants: () => false, isDone });
        if (end === 'done') return this.assignment();
        if (clock.nowMs() >= endMs) throw this.#lateAssignment(timeoutMs);
      }
    } finally {
      this.#endRead();
    }
  }

  // Reading ---------------------------------------------------------------------------------------------------------------

  /** A loop over records: a record is accepted when the loop asks for the next. */
  [Symbol.asyncIterator](): AsyncIterableIterator<R> {
    return this.records();
  }

  /** A loop over records, with an end: after `limit` records, or when `signal` aborts. */
  records(options: Omit<RecordsOptions, 'until'> = {}): AsyncIterableIterator<R> {
    const { limit: limitRule, signal: signalRule } = recordsOptionRules;
    checkCallOptions(options, 'records', { limit: limitRule, signal: signalRule });
    this.#refuseUnsubscribed();
    const { limit, signal } = options;
    this.#room = () => limit ?? this.#options.maxPollRecords;
    const loop: unknown = new RecordLoop<K, V, AcquiredRecords>(this.#reading, { limit, signal });
    return loop as AsyncIterableIterator<R>;
  }

  /**
   * The next records; empty if none came in time. They are accepted when the consumer is read again, unless they were acknowledged
   * otherwise. Java: `poll`.
   */
  async poll(options: PollOptions = {}): Promise<R[]> {
    checkCallOptions(options, 'poll', pollOptionRules);
    const { minRecords = 1, maxRecords = this.#options.maxPollRecords, timeoutMs = 1000, signal } = options;
    signal?.throwIfAborted();
    this.#refuseUnsubscribed();
    this.#reading.begin();
    const records: unknown[] = [];
    this.#room = () => maxRecords - records.length;
    try {
      const deadlineMs = this.#cluster.clock.nowMs() + timeoutMs;
      while (records.length < maxRecords) {
        this.#mayWait = records.length < minRecords;
        this.#source.mayThrow = records.length === 0;
        const untilMs = records.length >= minRecords ? -Infinity : deadlineMs;
        const taken = await (records.length === 0
          ? takeOrReject(this.#reading, { signal, deadlineMs: untilMs })
          : this.#takeMore(untilMs));
        if (typeof taken === 'string') break;
        for (const record of this.#reading.handOut(taken, maxRecords - records.length)) records.push(record);
      }
      return records as R[];
    } finally {
      this.#endRead();
    }
  }

  /**
   * Calls a handler for each record, several at a time if `concurrency` says so, and resolves when the run has ended: by `signal`,
   * `context.stop()` or {@link ShareConsumer.close}. There is no order: neither of topics, nor of a partition.
   *
   * A record is accepted when its handler has resolved, unless it was acknowledged before. One whose handler throws is released, and the
   * run goes on; `onError` may decide otherwise.
   *
   * @throws {@link UsageError} `CONSUMER_BUSY`: another read is under way
   */
  async run(options: ShareRunOptions<R>): Promise<void> {
    const resolved = resolveShareRunOptions(options);
    this.#refuseUnsubscribed();
    const loop = new ShareRunLoop({
      reading: this.#reading,
      events: this.#cluster.events,
      groupId: this.#options.groupId,
      isImplicit: this.#options.acknowledgementMode === 'implicit',
      acknowledge: (record, type) => this.acknowledge(record, type),
      options: resolved,
    });
    this.#room = () => loop.room;
    try {
      await loop.run();
    } finally {
      this.#fetcher.want(false);
    }
  }

  // Acknowledging ---------------------------------------------------------------------------------------------------------

  /**
   * Says what becomes of a record in hand, or of several, in any order; in both modes. It is queued, and goes to the broker with the next
   * fetch or within 100 ms; {@link ShareConsumer.commit} sends it now. `renew` begins the time of the lock anew (KIP-1222), and leaves the
   * record in hand. Java: `acknowledge` (KIP-932).
   *
   * @throws {@link UsageError} `INVALID_RECORD_STATE`: a record is not held (any more), since its lock has ended, or it was acknowledged before;
   *   then none of them is acknowledged
   */
  acknowledge(
    records: R | ShareRecord<unknown, unknown> | readonly ShareRecord<unknown, unknown>[],
    type: AcknowledgeType = 'accept',
  ): void {
    this.#refuseWhenClosed();
    if (!Object.hasOwn(acknowledgeTypes, type) || (type as string) === 'gap')
      throw invalidArgument(
        `Cannot acknowledge as ${quote(type)}: it must be one of "accept", "release", "reject", "renew"`,
      );
    const all: readonly ShareRecord<unknown, unknown>[] = Array.isArray(records) ? records : [records];
    const nowMs = this.#cluster.clock.nowMs();
    for (const record of all) this.#refuseUnheld(record, nowMs);
    for (const record of all) acquiredOf(record)?.acknowledge(acquiredIndexOf(record), acknowledgeTypes[type]);
  }

  /**
   * Sends the acknowledgements that are queued, and resolves with what became of them and of those under way. In implicit mode it is the
   * caller's word that what the reader has in hand is processed; in `run`, the records of handlers under way are not. Java: `commitSync`.
   *
   * @throws {@link AcknowledgeError} some were refused; its `results` tell of all
   */
  async commit(options: CallOptions = {}): Promise<AcknowledgementResult[]> {
    this.#refuseWhenClosed();
    checkCallOptions(options, 'commit');
    const { signal, timeoutMs = COMMIT_TIMEOUT_MS } = options;
    signal?.throwIfAborted();
    if (!this.#reading.isRunning && this.#closed === undefined) this.#reading.settleInHand();
    const results = this.#results.collect();
    try {
      await this.#untilSettled(signal, timeoutMs);
      return this.#results.collected(results);
    } finally {
      this.#results.forget(results);
    }
  }

  /**
   * How long the brokers lock a record for a member before they give it to another, in milliseconds; undefined before the first answer.
   * It is set by the group's config `share.record.lock.duration.ms`. Java: `acquisitionLockTimeoutMs` (KIP-1222).
   */
  get acquisitionLockTimeoutMs(): number | undefined {
    return this.#fetcher.lockTimeoutMs;
  }

  // The end ---------------------------------------------------------------------------------------------------------------

  /**
   * Ends a waiting read, waits for handlers of `run`, sends what is acknowledged, releases everything else, leaves the group, and closes the
   * connections. Never waits for the body of a loop: the record that it has in hand is released. Later calls reject `CLOSED`.
   */
  close(options: ShareCloseOptions = {}): Promise<void> {
    const error = callOptionsError(options, 'close', { timeoutMs: duration });
    if (error !== undefined) return Promise.reject(error);
    this.#closed ??= this.#close(options);
    return this.#closed;
  }

  /** @internal What it holds now, for `kafka.statistics()`. */
  statistics(): ShareConsumerStatistics {
    const { groupId, maxBufferedBytes } = this.#options;
    const { memberId } = this.#member;
    const partitions = this.assignment();
    return { lane: this.#lanes[0], groupId, memberId, partitions, ...this.#fetcher.held(), maxBufferedBytes };
  }

  /** The same as {@link ShareConsumer.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close({ timeoutMs = CLOSE_TIMEOUT_MS }: ShareCloseOptions): Promise<void> {
    const { clock } = this.#cluster;
    const deadlineMs = clock.nowMs() + timeoutMs;
    await settledWithin(clock, timeoutMs, this.#reading.close());
    await settledWithin(clock, deadlineMs - clock.nowMs(), this.#reading.handlersFinished());
    this.#reading.abandonHandlers();
    // However long one handler takes: what the others have done is to be told.
    const leftMs = Math.max(deadlineMs - clock.nowMs(), Math.min(timeoutMs, FAREWELL_MS));
    try {
      this.#source.releaseUnread();
      await settledWithin(clock, leftMs, Promise.all([this.#fetcher.close(), this.#member.leave(leftMs)]));
    } finally {
      this.#closing.abort();
      this.#fetcher.stop();
      this.#stopListening();
      await Promise.all(this.#lanes.map((lane) => this.#cluster.closeLane(lane)));
      this.#onClosed?.();
    }
  }

  // Inside ----------------------------------------------------------------------------------------------------------------

  #begin(): void {
    if (this.#hasBegun || this.#topics.length === 0) return;
    this.#hasBegun = true;
    this.#interest.follow(this.#topics);
    this.#member.subscribed();
  }

  #endRead(): void {
    this.#mayWait = true;
    this.#source.mayThrow = true;
    this.#reading.end(false);
    this.#fetcher.want(false);
  }

  /** More for a poll that has records already; an error is left for the next one, so that those are not lost. */
  async #takeMore(deadlineMs: number): Promise<AcquiredRecords | NoRecords> {
    try {
      return await this.#reading.take({ more: true, deadlineMs, isDone: () => this.#source.hasFailure });
    } catch {
      return 'stopped';
    }
  }

  #assign(partitions: readonly SharePartition[]): void {
    if (this.#closing.signal.aborted) return;
    this.#assignment = partitions;
    this.#fetcher.assign(partitions);
    this.#reading.notify();
  }

  #refuseUnheld(record: unknown, nowMs: number): void {
    const acquired = acquiredOf(record);
    if (acquired?.owner !== this) throw invalidArgument('Cannot acknowledge what is no record of this share consumer');
    this.#fetcher.look(acquired, nowMs);
    if (acquired.machine.isHeld(acquiredIndexOf(record))) return;
    const { topic, partition, offset } = record as ShareRecord<unknown, unknown>;
    const why = acquired.machine.isVoid
      ? 'its share session has ended'
      : 'it was acknowledged before, or its lock has timed out';
    throw new UsageError(`Cannot acknowledge the record of ${topic}-${partition} at offset ${offset}: ${why}`, {
      code: 'INVALID_RECORD_STATE',
    });
  }

  async #untilSettled(signal: AbortSignal | undefined, timeoutMs: number): Promise<void> {
    const { clock } = this.#cluster;
    const over = deferred<never>();
    const onAbort = (): void => over.reject(signal?.reason);
    const timer = clock.setTimer(() => over.reject(lateCommit(timeoutMs)), timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await Promise.race([this.#fetcher.settled(), over.promise]);
    } finally {
      clock.clearTimer(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #lateAssignment(timeoutMs: number): KafkaError {
    const cause = this.#cluster.lastFailure ?? this.#member.lastFailure;
    const why = cause === undefined ? 'check that the cluster and the coordinator can be reached' : cause.message;
    const doing = `Cannot join share group ${quote(this.#options.groupId)}`;
    return new TimeoutError(`${doing}: no assignment within ${timeoutMs} ms; ${why}`, {
      code: 'OPERATION_TIMEOUT',
      retriable: true,
      cause,
    });
  }

  #refuseUnsubscribed(): void {
    this.#refuseWhenClosed();
    if (this.#topics.length > 0) return;
    throw new UsageError('Cannot read: nothing is subscribed; call subscribe first', { code: 'INVALID_STATE' });
  }

  #refuseWhenClosed(): void {
    if (this.#closing.signal.aborted) throw new ClosedError('the consumer');
  }
}

function lateCommit(timeoutMs: number): TimeoutError {
  return new TimeoutError(`Cannot acknowledge records: the brokers did not answer within ${timeoutMs} ms`, {
    code: 'OPERATION_TIMEOUT',
    retriable: true,
  });
}

function invalidArgument(message: string): UsageError {
  return new UsageError(message, { code: 'INVALID_ARGUMENT' });
}
