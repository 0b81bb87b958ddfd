import { KafkaError, type ErrorCode } from '../errors/index.ts';
import type { SendError } from '../errors/send-error.ts';
import { deferred, type Deferred } from '../util/deferred.ts';

/**
 * The sends between two flushes: how many are not settled yet, and what failed that nobody but a flush may learn of.
 *
 * A batch holds records of one span only, so that a flush waits for exactly what was sent before it.
 */
export class SendSpan {
  #unsettled = 0;
  #failures = 0;
  #firstError: SendError | undefined;
  readonly #onEmpty: () => void;
  readonly #onFailure: ((error: SendError) => void) | undefined;

  constructor(onEmpty: () => void, onFailure?: (error: SendError) => void) {
    this.#onEmpty = onEmpty;
    this.#onFailure = onFailure;
  }

  /** Whether somebody waits for all of them: none may be held back to gather more. */
  isFlushing = false;

  get isEmpty(): boolean {
    return this.#unsettled === 0;
  }

  /** How many are not settled yet. */
  get unsettled(): number {
    return this.#unsettled;
  }

  get failures(): number {
    return this.#failures;
  }

  get firstError(): SendError | undefined {
    return this.#firstError;
  }

  /** Records were handed to `send`. */
  begin(records: number): void {
    this.#unsettled += records;
  }

  /** Records were acknowledged, or failed and somebody took the error. */
  end(records: number): void {
    this.#unsettled -= records;
    if (this.#unsettled === 0) this.#onEmpty();
  }

  /** What has failed so far is not told any more. */
  forgetFailures(): void {
    this.#failures = 0;
    this.#firstError = undefined;
  }

  /** A record failed: the next flush rejects. */
  fail(error: SendError): void {
    this.#failures++;
    this.#firstError ??= error;
    this.#onFailure?.(error);
    this.end(1);
  }
}

/** What each flush waits for. */
export class FlushTracker {
  /** Oldest first; the last one is open. */
  readonly #spans: { readonly span: SendSpan; flushed: Deferred<void> | undefined }[] = [];
  #failures = 0;
  #firstError: SendError | undefined;

  readonly #onFailure: ((error: SendError) => void) | undefined;

  /** @param onFailure told of each record that failed, before those who wait for the flush */
  constructor(onFailure?: (error: SendError) => void) {
    this.#onFailure = onFailure;
    this.#open();
  }

  /** Where sends are counted now. */
  get current(): SendSpan {
    const last = this.#spans.at(-1);
    return last?.span ?? this.#open();
  }

  get isIdle(): boolean {
    return this.#spans.every(({ span }) => span.isEmpty);
  }

  /** How many sends are not settled yet. */
  get unsettled(): number {
    return this.#spans.reduce((sum, { span }) => sum + span.unsettled, 0);
  }

  /** The next flush tells of what fails from now on only: who closes was told of the rest by the sends themselves. */
  forgetFailures(): void {
    this.#failures = 0;
    this.#firstError = undefined;
    for (const { span } of this.#spans) span.forgetFailures();
  }

  /** Resolves when all sends so far have settled; rejects then if one of them failed, or one before that no flush has told of. */
  flush(doing = 'Cannot flush'): Promise<void> {
    const last = this.#spans.at(-1);
    if (last === undefined) return Promise.resolve();
    const flushed = deferred<void>();
    last.flushed = flushed;
    last.span.isFlushing = true;
    this.#open();
    this.#advance(doing);
    return flushed.promise;
  }

  #open(): SendSpan {
    const span = new SendSpan(() => this.#advance('Cannot flush'), this.#onFailure);
    this.#spans.push({ span, flushed: undefined });
    return span;
  }

  #advance(doing: string): void {
    for (;;) {
      const first = this.#spans[0];
      if (first?.flushed === undefined || !first.span.isEmpty) return;
      this.#spans.shift();
      this.#failures += first.span.failures;
      this.#firstError ??= first.span.firstError;
      const error = this.#takeError(doing);
      void afterSends(first.flushed, error);
    }
  }

  #takeError(doing: string): KafkaError | undefined {
    const failures = this.#failures;
    const first = this.#firstError;
    this.#failures = 0;
    this.#firstError = undefined;
    if (first === undefined) return undefined;
    const code: ErrorCode = 'SEND_FAILED';
    const what = failures === 1 ? 'a record was not delivered' : `${failures} records were not delivered, the first`;
    return new KafkaError(`${doing}: ${what}: ${first.message}`, { code, retriable: first.retriable, cause: first });
  }
}

/**
 * Who waits for a send learns of its end before who waits for the flush: a promise that is rejected by adopting a rejected one
 * needs three turns of the microtask queue for that.
 */
async function afterSends(flushed: Deferred<void>, error: KafkaError | undefined): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await Promise.resolve();
  if (error === undefined) flushed.resolve();
  else flushed.reject(error);
}
