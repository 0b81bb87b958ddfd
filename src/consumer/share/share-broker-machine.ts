import { backoffMs, type BackoffPolicy } from '../../util/backoff.ts';
import { ShareSessionMachine } from './share-session-machine.ts';

/** What to send to the broker now. */
export type ShareStep =
  /** Records, and with the request the acknowledgements that are queued, if a session is open. */
  | 'fetch'
  /** Acknowledgements by themselves. */
  | 'acknowledge'
  /** Renewals, which no fetch may carry. */
  | 'renew'
  /** The end of a session: everything that it holds is released. */
  | 'farewell';

/** How things stand with one broker, as its driver sees it now. */
export interface ShareBrokerView {
  /** Whether records are wanted from it, and there are partitions to fetch. */
  readonly wantsRecords: boolean;
  readonly hasQueued: boolean;
  readonly hasRenewals: boolean;
  /** Whether acknowledgements are queued of partitions that a fetch would not name. */
  readonly hasStrayQueued: boolean;
  /** Whether nothing is assigned, held or queued at it any more. */
  readonly isIdle: boolean;
  /** Whether the consumer is being closed: what is queued goes with the end of the session. */
  readonly isClosing: boolean;
}

/** So long queued acknowledgements may wait for a fetch that takes them along, in milliseconds. */
export const ACKNOWLEDGE_DELAY_MS = 100;

/** Decides what goes to one broker next: one request at a time, as its session demands. */
export class ShareBrokerMachine {
  readonly session: ShareSessionMachine = new ShareSessionMachine();
  readonly #backoff: BackoffPolicy;
  readonly #random: () => number;
  #isBusy = false;
  #failures = 0;
  #retryAtMs = 0;
  /** When the first of the acknowledgements was queued that wait now. */
  #queuedSinceMs: number | undefined;
  #isFlushing = false;

  constructor(backoff: BackoffPolicy, random: () => number) {
    this.#backoff = backoff;
    this.#random = random;
  }

  /** Whether a request is under way. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Acknowledgements are queued. */
  handleQueued(nowMs: number): void {
    this.#queuedSinceMs ??= nowMs;
  }

  /** Somebody waits for what is queued now to be acknowledged. */
  flush(): void {
    this.#isFlushing = true;
  }

  /** What is due now; it counts as sent. */
  take(view: ShareBrokerView, nowMs: number): ShareStep | undefined {
    // Who is closed does not come back: there is nothing to wait for.
    const isPaused = nowMs < this.#retryAtMs && !view.isClosing;
    const step = this.#isBusy || isPaused ? undefined : this.#next(view, nowMs);
    if (step === undefined) return undefined;
    this.#isBusy = true;
    if (step === 'acknowledge' || (step === 'fetch' && this.session.isOpen)) {
      this.#queuedSinceMs = undefined;
      this.#isFlushing = false;
    }
    return step;
  }

  handleAnswer(): void {
    this.#isBusy = false;
    this.#failures = 0;
    this.session.handleAnswer();
  }

  /** What was taken could not be sent after all; nothing has happened. */
  handleUnsent(): void {
    this.#isBusy = false;
  }

  /** The session has ended as it was told to. */
  handleFarewell(): void {
    this.#isBusy = false;
    this.#endSession();
    this.session.handleFinal();
  }

  handleRefusal(errorCode: number, nowMs: number): void {
    this.#pause(nowMs);
    this.#endSession();
    this.session.handleRefusal(errorCode);
  }

  handleFailure(nowMs: number): void {
    this.#pause(nowMs);
    this.#endSession();
    this.session.handleFailure();
  }

  /** When to call {@link take} next, although nothing happens until then. */
  nextDeadlineMs(view: ShareBrokerView, nowMs: number): number {
    if (this.#isBusy) return Infinity;
    const waits = view.wantsRecords || view.hasQueued || view.hasRenewals || this.session.mayLinger;
    if (nowMs < this.#retryAtMs) return waits ? this.#retryAtMs : Infinity;
    if (!view.hasQueued || this.#queuedSinceMs === undefined) return Infinity;
    return this.#queuedSinceMs + ACKNOWLEDGE_DELAY_MS;
  }

  #next(view: ShareBrokerView, nowMs: number): ShareStep | undefined {
    const { session } = this;
    if (session.mayLinger) return 'farewell';
    if (!session.isOpen) return view.wantsRecords && !view.isClosing ? 'fetch' : undefined;
    if (view.isClosing) return 'farewell';
    if (!view.hasQueued) this.#isFlushing = false;
    if (view.hasRenewals) return 'renew';
    const isDue = this.#isFlushing || view.hasStrayQueued || this.#hasWaited(nowMs);
    if (view.hasQueued && isDue && !(view.wantsRecords && !this.#isFlushing && !view.hasStrayQueued)) {
      return 'acknowledge';
    }
    if (view.wantsRecords) return 'fetch';
    return view.isIdle ? 'farewell' : undefined;
  }

  #hasWaited(nowMs: number): boolean {
    return this.#queuedSinceMs !== undefined && nowMs >= this.#queuedSinceMs + ACKNOWLEDGE_DELAY_MS;
  }

  #pause(nowMs: number): void {
    this.#isBusy = false;
    this.#failures++;
    this.#retryAtMs = nowMs + backoffMs(this.#backoff, this.#failures, this.#random());
  }

  #endSession(): void {
    this.#queuedSinceMs = undefined;
    this.#isFlushing = false;
  }
}
