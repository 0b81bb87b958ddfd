import { ClosedError, KafkaError, ProtocolError, TimeoutError } from '../errors/kafka-error.ts';
import type { EventPublisher } from '../instrumentation/event-publisher.ts';
import type { MetadataResponse } from '../protocol/generated/metadata.ts';
import type { TimerHandle } from '../util/clock.ts';
import type { BrokerConnections } from './broker-connections.ts';
import { CallGuard, type CallEnd } from './call-guard.ts';
import { MetadataMachine, type RefreshOrder } from './metadata-machine.ts';
import { hasPassingError, metadataRequest, metadataUpdate, routesAlike } from './metadata-response.ts';
import { MetadataSnapshot, type Broker, type LeaderHint, type TopicMetadata } from './metadata-snapshot.ts';
import { isRebootstrapRequired, MetadataSource } from './metadata-source.ts';
import { retryBackoff, type ResolvedClientOptions } from './options.ts';
import { DEFAULT_CALL_TIMEOUT_MS, type CallOptions } from './request.ts';
import { TopicWait } from './topic-wait.ts';

/** After this long without any answer the bootstrap servers are used although brokers are known (KIP-1102). */
const REBOOTSTRAP_AFTER_MS = 300_000;

/** How {@link MetadataRefresh.refresh} goes about it. */
export interface RefreshOptions extends CallOptions {
  /** Every topic of the cluster, or those known. @defaultValue known */
  readonly topics?: 'all' | 'known' | undefined;
  /** Topics to ask for this time, besides those of interest. */
  readonly including?: readonly string[] | undefined;
}

/** The topics that a refresh asks for, as `order.topics` has them and by name. */
interface Asked {
  readonly scope: 'all' | 'known' | 'new';
  readonly names: ReadonlySet<string>;
  /** Whether brokers may create what is missing. */
  readonly mayCreate: boolean;
  /** Whether it leaves out some of what was due, which the next refresh has to bring. */
  readonly isPart: boolean;
}

/** What a waiter is shown when a refresh has ended. */
type RefreshEnd =
  { readonly kind: 'answered'; readonly asked: Asked } | { readonly kind: 'failed'; readonly error: KafkaError };

interface Waiter {
  /** Topics it needs, so that a refresh asks for them. */
  readonly names: readonly string[];
  readonly allowAutoTopicCreation: boolean;
  handleEnd(end: RefreshEnd): void;
  reject(error: unknown): void;
}

type Listener = (snapshot: MetadataSnapshot, previous: MetadataSnapshot) => void;

/** Keeps the snapshot of the cluster fresh: the driver of {@link MetadataMachine}, with those who wait for a refresh. */
export class MetadataRefresh {
  readonly #options: ResolvedClientOptions;
  readonly #events: EventPublisher;
  readonly #machine: MetadataMachine;
  readonly #source: MetadataSource;
  readonly #interest = new Set<string>();
  readonly #waiters = new Set<Waiter>();
  readonly #listeners = new Set<Listener>();
  readonly #closing = new AbortController();
  #snapshot = MetadataSnapshot.empty;
  #underWay: Asked | undefined;
  #timer: TimerHandle | undefined;
  #lastFailure: KafkaError | undefined;
  #isCreatingTurn = false;

  constructor(options: ResolvedClientOptions, events: EventPublisher, pool: BrokerConnections) {
    this.#options = options;
    this.#events = events;
    this.#source = new MetadataSource(options, events, pool);
    this.#machine = new MetadataMachine({
      ...retryBackoff(options),
      maxAgeMs: options.metadataMaxAgeMs,
      rebootstrapAfterMs: REBOOTSTRAP_AFTER_MS,
    });
  }

  get snapshot(): MetadataSnapshot {
    return this.#snapshot;
  }

  /** Why the last refresh failed; undefined once one was answered. */
  get lastFailure(): KafkaError | undefined {
    return this.#lastFailure;
  }

  /** Resolves once the topics are usable and a broker is known. */
  topics(
    names: readonly string[],
    options: CallOptions & {
      readonly allowAutoTopicCreation?: boolean | undefined;
      readonly remember?: boolean | undefined;
    },
  ): Promise<MetadataSnapshot> {
    const wait = new TopicWait([...new Set(names)]);
    if (options.remember !== false) for (const name of names) this.#interest.add(name);
    if (wait.see(this.#snapshot, false, 0).kind === 'ready') return Promise.resolve(this.#snapshot);
    const allowAutoTopicCreation = options.allowAutoTopicCreation === true;
    return this.#wait({ names, allowAutoTopicCreation, doing: describeTopics(names) }, options, {
      begin: () => this.#wantTopics(wait.missing(this.#snapshot)),
      see: (end, settle) => {
        const covers = end.kind === 'answered' && asksFor(end.asked, wait.missing(this.#snapshot));
        const verdict = wait.see(this.#snapshot, covers, this.#options.clock.nowMs());
        if (verdict.kind === 'ready') settle.resolve(this.#snapshot);
        else if (verdict.kind === 'refused') {
          // What the cluster does not have is not asked for again until somebody wants it again.
          this.#interest.delete(verdict.topic);
          settle.reject(verdict.error);
        } else if (end.kind === 'failed' && !end.error.retriable) settle.reject(end.error);
        else if (covers) this.#machine.handleStale();
        else this.#wantTopics(wait.missing(this.#snapshot));
      },
      late: () => wait.reason(this.#snapshot),
    });
  }

  /** One refresh, or the one under way if it serves; rejects if it fails. */
  refresh(options: RefreshOptions): Promise<MetadataSnapshot> {
    const all = options.topics === 'all';
    const names = options.including ?? [];
    const does = (asked: Asked): boolean => serves(asked, all) && asksFor(asked, names);
    const want = (): void => (all ? this.#machine.handleAllWanted() : this.#machine.handleStale());
    const waiting = { names, allowAutoTopicCreation: false, doing: 'Cannot read the metadata of the cluster' };
    return this.#wait(waiting, options, {
      begin: () => {
        if (this.#underWay === undefined || !does(this.#underWay)) want();
      },
      see: (end, settle) => {
        if (end.kind === 'failed') settle.reject(end.error);
        else if (does(end.asked)) settle.resolve(this.#snapshot);
        else want();
      },
      late: () => 'no broker has answered yet; check bootstrapServers, and that the ports are Kafka listeners',
    });
  }

  refreshSoon(): void {
    this.#machine.handleStale();
    this.#pump();
  }

  onMetadata(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  learnLeaders(leaders: readonly LeaderHint[], brokers: readonly Broker[]): void {
    this.#use(this.#snapshot.withLeaders(leaders, brokers));
  }

  close(): void {
    const closed = new ClosedError('the client');
    this.#closing.abort(closed);
    if (this.#timer !== undefined) this.#options.clock.clearTimer(this.#timer);
    for (const waiter of [...this.#waiters]) waiter.reject(closed);
    this.#listeners.clear();
  }

  #wantTopics(missing: readonly string[]): void {
    const isNew = (name: string): boolean => this.#snapshot.topic(name) === undefined && !this.#isUnderWay(name);
    const news = missing.filter(isNew);
    this.#machine.handleNewTopics(news);
    if (news.length < missing.length || missing.length === 0) this.#machine.handleStale();
  }

  #isUnderWay(name: string): boolean {
    return this.#underWay !== undefined && asksFor(this.#underWay, [name]);
  }

  #wait(
    { names, allowAutoTopicCreation, doing }: Pick<Waiter, 'names' | 'allowAutoTopicCreation'> & { doing: string },
    { signal, timeoutMs = DEFAULT_CALL_TIMEOUT_MS }: CallOptions,
    decide: {
      begin(): void;
      see(end: RefreshEnd, settle: { resolve(snapshot: MetadataSnapshot): void; reject(error: unknown): void }): void;
      late(): string;
    },
  ): Promise<MetadataSnapshot> {
    return new Promise((resolve, onReject) => {
      const reject: (reason: unknown) => void = onReject;
      if (this.#closing.signal.aborted) return reject(new ClosedError('the client'));
      if (signal?.aborted === true) return reject(signal.reason);
      const settle = (act: () => void): void => {
        guard.dispose();
        this.#waiters.delete(waiter);
        this.#pump();
        act();
      };
      const onEnd = (end: CallEnd): void =>
        settle(() => reject(end.kind === 'aborted' ? end.reason : this.#late(doing, timeoutMs, decide.late())));
      const guard = new CallGuard(this.#options.clock, signal, timeoutMs, onEnd);
      const settlers = {
        resolve: (snapshot: MetadataSnapshot) => settle(() => resolve(snapshot)),
        reject: (error: unknown) => settle(() => reject(error)),
      };
      const waiter: Waiter = {
        names,
        allowAutoTopicCreation,
        handleEnd: (end) => decide.see(end, settlers),
        reject: settlers.reject,
      };
      this.#waiters.add(waiter);
      decide.begin();
      this.#pump();
    });
  }

  #late(doing: string, timeoutMs: number, why: string): KafkaError {
    // That no server can be reached is the whole reason, and its own error lists them.
    if (this.#lastFailure?.code === 'BOOTSTRAP_FAILED') return this.#lastFailure;
    return new TimeoutError(
      `${doing}: not possible within ${Math.round(timeoutMs)} ms; ${this.#lastFailure?.message ?? why}`,
      {
        code: 'OPERATION_TIMEOUT',
        retriable: true,
        cause: this.#lastFailure,
      },
    );
  }

  /** Starts a refresh if one is due, and keeps the one timer for the next. */
  #pump(): void {
    const { clock } = this.#options;
    if (this.#closing.signal.aborted) return;
    const order = this.#mayAsk() ? this.#machine.takeOrder(clock.nowMs()) : undefined;
    if (order !== undefined) void this.#run(order);
    if (this.#timer !== undefined) clock.clearTimer(this.#timer);
    this.#timer = undefined;
    const dueMs = this.#mayAsk() ? this.#machine.nextDeadlineMs() : undefined;
    if (dueMs === undefined) return;
    this.#timer = clock.setTimer(() => this.#pump(), dueMs - clock.nowMs());
    // Keeping metadata fresh is no reason to keep the process alive; somebody who waits for it is (their own timer does).
    if (this.#waiters.size === 0) this.#timer.unref();
  }

  /** A cluster that was never reached and that nobody waits for is left alone. */
  #mayAsk(): boolean {
    return this.#waiters.size > 0 || this.#snapshot.brokers.size > 0;
  }

  async #run(order: RefreshOrder): Promise<void> {
    const asked = this.#asked(order);
    this.#underWay = asked;
    const request = metadataRequest(asked.scope === 'all' ? undefined : [...asked.names], asked.mayCreate);
    const signal = this.#closing.signal;
    const next = await this.#source.fetch(request, this.#snapshot, order.rebootstrap, signal).then(
      (response) => ({ response }),
      (error: unknown) => ({ error }),
    );
    this.#underWay = undefined;
    if (signal.aborted) return;
    if ('response' in next) this.#handleAnswer(asked, next.response);
    else this.#handleFailure(next.error);
    this.#pump();
  }

  /**
   * What to ask for. A request lets brokers create all of its topics or none: those that may be created and the others, which
   * must not come (back) to life by it, are asked for in turn.
   */
  #asked({ topics }: RefreshOrder): Asked {
    const names = typeof topics === 'object' ? new Set(topics) : this.#wantedNames();
    const scope = typeof topics === 'object' ? 'new' : topics;
    const creatable = scope === 'all' ? [] : this.#creatableNames().filter((name) => names.has(name));
    const isMixed = creatable.length > 0 && creatable.length < names.size;
    if (isMixed) this.#isCreatingTurn = !this.#isCreatingTurn;
    if (isMixed && this.#isCreatingTurn)
      return { scope: 'new', names: new Set(creatable), mayCreate: true, isPart: true };
    return { scope, names, mayCreate: creatable.length > 0 && !isMixed, isPart: false };
  }

  #creatableNames(): string[] {
    const allowing = [...this.#waiters].filter((waiter) => waiter.allowAutoTopicCreation);
    return [...new Set(allowing.flatMap((waiter) => waiter.names))];
  }

  #wantedNames(): Set<string> {
    return new Set([...this.#interest, ...[...this.#waiters].flatMap((waiter) => waiter.names)]);
  }

  #handleAnswer(asked: Asked, response: MetadataResponse): void {
    const wanted = this.#wantedNames();
    // Topics that were asked for while this refresh was under way are not in its answer.
    const isLater = (topic: string): boolean => wanted.has(topic) && !asked.names.has(topic);
    const keep = (topic: string): boolean => asked.scope === 'new' || (asked.scope === 'known' && isLater(topic));
    const next = this.#snapshot.withUpdate(metadataUpdate(response, keep));
    const settled = [...wanted].every((name) => !asked.names.has(name) || isSettled(next.topic(name)));
    const outcome = { kind: 'answered', settled, changed: !routesAlike(this.#snapshot, next) } as const;
    this.#lastFailure = undefined;
    this.#machine.handleEnded(outcome, this.#options.clock.nowMs(), this.#options.random());
    if (asked.isPart) this.#machine.handleStale();
    this.#use(next);
    this.#tellWaiters({ kind: 'answered', asked });
  }

  #handleFailure(caught: unknown): void {
    const error =
      caught instanceof KafkaError
        ? caught
        : new ProtocolError('Cannot read the metadata of the cluster: its answer makes no sense', { cause: caught });
    this.#lastFailure = error;
    const kind = isRebootstrapRequired(error) ? 'rebootstrapRequired' : 'failed';
    this.#machine.handleEnded({ kind }, this.#options.clock.nowMs(), this.#options.random());
    this.#events.publish('metadata.failed', { error, failures: this.#machine.unhelpful });
    this.#tellWaiters({ kind: 'failed', error });
  }

  #tellWaiters(end: RefreshEnd): void {
    for (const waiter of [...this.#waiters]) waiter.handleEnd(end);
  }

  #use(next: MetadataSnapshot): void {
    const previous = this.#snapshot;
    if (next === previous) return;
    this.#snapshot = next;
    for (const listener of [...this.#listeners]) listener(next, previous);
    this.#events.publish('metadata.updated', {
      clusterId: next.clusterId,
      brokers: next.brokers.size,
      topics: next.topics.size,
    });
  }
}

function asksFor(asked: Asked, names: readonly string[]): boolean {
  return asked.scope === 'all' || names.every((name) => asked.names.has(name));
}

/** A topic that was asked for and left out of the answer is none that is settled. */
function isSettled(topic: TopicMetadata | undefined): boolean {
  return topic !== undefined && !hasPassingError(topic);
}

/** Whether a refresh of this scope is one of every topic, or of those known. */
function serves(asked: Asked, all: boolean): boolean {
  return asked.scope === 'all' || (!all && asked.scope === 'known');
}

function describeTopics(names: readonly string[]): string {
  if (names.length === 0) return 'Cannot reach the cluster';
  return `Cannot find ${names.length === 1 ? 'topic' : 'topics'} ${names
    .slice(0, 5)
    .map((name) => JSON.stringify(name))
    .join(', ')}`;
}
