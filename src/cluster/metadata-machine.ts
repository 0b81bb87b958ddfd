import { backoffMs, type BackoffPolicy } from '../util/backoff.ts';

/** What one refresh is to ask for. */
export interface RefreshOrder {
  /** Every topic of the cluster, all topics of interest, or only these, which are new. */
  readonly topics: 'all' | 'known' | readonly string[];
  /** Whether the brokers known are passed over and the bootstrap servers are asked (KIP-899, KIP-1102). */
  readonly rebootstrap: boolean;
}

/** How a refresh ended. */
export type RefreshOutcome =
  /** Answered; `settled` if no topic asked for has a passing error, `changed` if the cluster is not as it was known before. */
  | { readonly kind: 'answered'; readonly settled: boolean; readonly changed: boolean }
  /** No broker answered, or one answered with an error. */
  | { readonly kind: 'failed' }
  /** A broker said that this client shall begin again at its bootstrap servers. */
  | { readonly kind: 'rebootstrapRequired' };

/** Times that {@link MetadataMachine} goes by. */
export interface MetadataTimes extends BackoffPolicy {
  readonly maxAgeMs: number;
  /** After this long without any answer the brokers known are given up for the bootstrap servers (KIP-1102). */
  readonly rebootstrapAfterMs: number;
}

/**
 * When the metadata is read again: when it is old, when somebody finds it stale, when a topic is asked for that it lacks; one
 * refresh at a time, and never sooner than the back-off allows. It knows no socket and no clock.
 */
export class MetadataMachine {
  readonly #times: MetadataTimes;
  /** Refreshes in a row that failed, left a passing error, or told what was known although somebody had found it stale. */
  #unhelpful = 0;
  #inFlight: RefreshOrder | undefined;
  #takenAsStale = false;
  #stale = false;
  #all = false;
  #rebootstrap = false;
  #news = new Set<string>();
  #notBeforeMs = 0;
  #answeredMs: number | undefined;
  #failingSinceMs: number | undefined;

  constructor(times: MetadataTimes) {
    this.#times = times;
  }

  /** Refreshes in a row that did not help. */
  get unhelpful(): number {
    return this.#unhelpful;
  }

  /** Somebody found the metadata stale, or waits for something that was not in it. */
  handleStale(): void {
    this.#stale = true;
  }

  /** Somebody wants to see every topic of the cluster. */
  handleAllWanted(): void {
    this.#all = true;
  }

  /** Topics were asked for that no refresh has asked for yet. They alone are fetched, and at once: nothing was tried in vain. */
  handleNewTopics(names: Iterable<string>): void {
    for (const name of names) this.#news.add(name);
  }

  /** The refresh that was taken has ended. `random` is a number in [0, 1). */
  handleEnded(outcome: RefreshOutcome, nowMs: number, random: number): void {
    const onlyNew = typeof this.#inFlight?.topics === 'object';
    this.#inFlight = undefined;
    if (outcome.kind === 'answered') this.#handleAnswered(outcome, onlyNew, nowMs);
    else this.#handleFailed(outcome.kind === 'rebootstrapRequired', nowMs);
    const pauseMs = backoffMs(this.#times, Math.max(1, this.#unhelpful), random);
    this.#notBeforeMs = Math.max(onlyNew ? this.#notBeforeMs : 0, nowMs + pauseMs);
  }

  /** The refresh to start now, if one is due. Whoever takes it must report its end. */
  takeOrder(nowMs: number): RefreshOrder | undefined {
    const due = this.nextDeadlineMs();
    if (due === undefined || due > nowMs) return undefined;
    const onlyNew = !this.#all && !this.#isRefreshDue(nowMs);
    const rebootstrap = this.#rebootstrap || this.#isSilentTooLong(nowMs);
    const topics = onlyNew ? [...this.#news] : this.#all ? 'all' : 'known';
    this.#takenAsStale = !onlyNew && this.#stale;
    if (!onlyNew) this.#stale = false;
    this.#all = false;
    this.#news = new Set();
    this.#inFlight = { topics, rebootstrap };
    return this.#inFlight;
  }

  /** When to call {@link takeOrder} next; undefined while a refresh is under way, or before anything was asked for. */
  nextDeadlineMs(): number | undefined {
    if (this.#inFlight !== undefined) return undefined;
    // While nothing answers, a new topic is no reason to knock more often.
    if (this.#news.size > 0 && this.#failingSinceMs === undefined) return 0;
    if (this.#stale || this.#all || this.#news.size > 0) return this.#notBeforeMs;
    if (this.#answeredMs === undefined) return undefined;
    return Math.max(this.#notBeforeMs, this.#answeredMs + this.#times.maxAgeMs);
  }

  #handleAnswered(answer: { settled: boolean; changed: boolean }, onlyNew: boolean, nowMs: number): void {
    this.#failingSinceMs = undefined;
    this.#rebootstrap = false;
    if (!answer.settled) this.#stale = true;
    if (onlyNew) return;
    this.#answeredMs = nowMs;
    const helped = answer.settled && (answer.changed || !this.#takenAsStale);
    this.#unhelpful = helped ? 0 : this.#unhelpful + 1;
  }

  #handleFailed(rebootstrap: boolean, nowMs: number): void {
    this.#stale = true;
    this.#unhelpful += 1;
    this.#failingSinceMs ??= nowMs;
    this.#rebootstrap = rebootstrap;
  }

  #isRefreshDue(nowMs: number): boolean {
    if (nowMs < this.#notBeforeMs) return false;
    if (this.#stale) return true;
    return this.#answeredMs === undefined || nowMs >= this.#answeredMs + this.#times.maxAgeMs;
  }

  #isSilentTooLong(nowMs: number): boolean {
    return this.#failingSinceMs !== undefined && nowMs - this.#failingSinceMs >= this.#times.rebootstrapAfterMs;
  }
}
