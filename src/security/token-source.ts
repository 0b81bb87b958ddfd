import { KafkaError, NetworkError, TimeoutError } from '../errors/kafka-error.ts';
import type { Clock } from '../util/clock.ts';
import type { BearerToken } from './bearer-token.ts';

/** Gets a new token; the signal aborts when nobody waits for it any more. */
export type FetchToken = (signal: AbortSignal) => Promise<BearerToken>;

/** A token for one conversation. */
export interface TokenForUse {
  readonly value: string;
  /** Whether it was there before; a newer one might do where the broker refuses it. */
  readonly wasHeld: boolean;
}

/** Told that a new token could not be had while the one before is still good. */
export type TokenTrouble = (error: KafkaError, expiresAtMs: number) => void;

/** A token is renewed after this part of its life, plus a random part of the window: as Java does, and not all clients at once. */
const EARLIEST_RENEWAL = 0.8;
const RENEWAL_WINDOW = 0.05;
/**
 * With less left than this a token that could not be renewed is not used: the session that it buys would have to be renewed within a
 * second, which brokers refuse (KIP-368).
 */
const LEAST_USABLE_MS = 2000;
/** Whoever gives tokens has this long for one; a connection gives up earlier, and the next may still take it. */
const TOKEN_TIMEOUT_MS = 30_000;

/**
 * The tokens of one client: one at a time for all its connections, asked for when one is needed and the last is past four fifths of its
 * life. Who cannot give a new one is no trouble until the last has expired.
 */
export class TokenSource {
  readonly #fetch: FetchToken;
  readonly #clock: Clock;
  readonly #random: () => number;
  #held: { readonly value: string; readonly expiresAtMs: number; readonly renewAtMs: number } | undefined;
  #underWay: Promise<BearerToken> | undefined;
  /** The last two: a connection may still be telling of the one before. */
  #secrets: readonly string[] = [];

  constructor(fetch: FetchToken, clock: Clock, random: () => number) {
    this.#fetch = fetch;
    this.#clock = clock;
    this.#random = random;
  }

  /** What must not be shown. */
  get secrets(): readonly string[] {
    return this.#secrets;
  }

  /**
   * A token that is good as far as we know.
   *
   * @throws NetworkError TOKEN_UNAVAILABLE, or whatever a {@link KafkaError} of the one who gives them says
   */
  async get(trouble: TokenTrouble): Promise<TokenForUse> {
    const held = this.#held;
    if (held !== undefined && this.#clock.wallMs() < held.renewAtMs) return { value: held.value, wasHeld: true };
    try {
      this.#underWay ??= this.#renew().finally(() => (this.#underWay = undefined));
      const { value } = await this.#underWay;
      return { value, wasHeld: false };
    } catch (error) {
      const why = unavailable(error);
      if (held === undefined || held.expiresAtMs - this.#clock.wallMs() < LEAST_USABLE_MS) throw why;
      trouble(why, held.expiresAtMs);
      return { value: held.value, wasHeld: true };
    }
  }

  /** The broker refuses this token: the next one who asks gets another. */
  forget(value: string): void {
    if (this.#held?.value === value) this.#held = undefined;
  }

  async #renew(): Promise<BearerToken> {
    const askedAtMs = this.#clock.wallMs();
    const token = await this.#inTime();
    const { value, expiresAtMs } = token;
    this.#secrets = [...this.#secrets, value].slice(-2);
    // Counted from the question: how long the answer took is a part of the token's life.
    const lifeMs = expiresAtMs === undefined ? 0 : expiresAtMs - askedAtMs;
    const renewAtMs = askedAtMs + lifeMs * (EARLIEST_RENEWAL + RENEWAL_WINDOW * this.#random());
    this.#held = expiresAtMs === undefined || lifeMs <= 0 ? undefined : { value, expiresAtMs, renewAtMs };
    return token;
  }

  async #inTime(): Promise<BearerToken> {
    const abort = new AbortController();
    const late = new TimeoutError(`Cannot get a token for OAUTHBEARER: there was none within ${TOKEN_TIMEOUT_MS} ms`, {
      code: 'TOKEN_UNAVAILABLE',
      retriable: true,
    });
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimer(() => {
        reject(late);
        abort.abort(late);
      }, TOKEN_TIMEOUT_MS);
      // The connection that waits keeps the process alive; one that was given up must not.
      timer.unref();
      void this.#fetch(abort.signal)
        .then(resolve, reject)
        .finally(() => this.#clock.clearTimer(timer));
    });
  }
}

/** Whoever gives tokens may be away for a while, as a broker may: that is no reason to give up. */
function unavailable(error: unknown): KafkaError {
  if (error instanceof KafkaError) return error;
  const why = error instanceof Error && error.message !== '' ? error.message : 'see the cause';
  return new NetworkError(`Cannot get a token for OAUTHBEARER: the function that gives them failed (${why})`, {
    code: 'TOKEN_UNAVAILABLE',
    retriable: true,
    cause: error,
  });
}
