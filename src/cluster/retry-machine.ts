import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import type { KafkaError } from '../errors/kafka-error.ts';
import { AuthenticationError, NetworkError, TimeoutError } from '../errors/kafka-error.ts';
import { backoffMs, type BackoffPolicy } from '../util/backoff.ts';
import type { ClusterRequest, Destination } from './request.ts';

/** How one attempt failed. */
export interface AttemptFailure {
  readonly error: KafkaError;
  /** The broker's code for the whole request, where it answered with one. */
  readonly brokerCode?: number;
  /** Whether bytes of the request may have reached a broker. */
  readonly sent: boolean;
}

/** What to renew before the next attempt. */
export type Renewal = 'nothing' | 'metadata' | 'coordinator';

/** What follows from a failed attempt. */
export type RetryStep =
  | { readonly kind: 'fail'; readonly error: KafkaError }
  /** There is no time left for the pause that would be due. */
  | { readonly kind: 'late'; readonly error: KafkaError }
  | { readonly kind: 'retry'; readonly delayMs: number; readonly renew: Renewal };

/** What the request allows. */
export interface RetryTerms {
  readonly to: Destination;
  readonly retry: NonNullable<ClusterRequest<unknown, unknown>['retry']>;
  readonly retries: number;
  readonly backoff: BackoffPolicy;
  readonly deadlineMs: number;
}

/** A broker or partition that fresh metadata lacks so many times is taken not to exist. */
const UNKNOWN_TRIES = 4;

const coordinatorCodes: ReadonlySet<number> = new Set([
  brokerErrorCodes.NOT_COORDINATOR,
  brokerErrorCodes.COORDINATOR_NOT_AVAILABLE,
]);

const routingCodes: ReadonlySet<number> = new Set([
  brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION,
  brokerErrorCodes.LEADER_NOT_AVAILABLE,
  brokerErrorCodes.NOT_LEADER_OR_FOLLOWER,
  brokerErrorCodes.REPLICA_NOT_AVAILABLE,
  brokerErrorCodes.NOT_CONTROLLER,
  brokerErrorCodes.KAFKA_STORAGE_ERROR,
  brokerErrorCodes.FENCED_LEADER_EPOCH,
  brokerErrorCodes.UNKNOWN_LEADER_EPOCH,
  brokerErrorCodes.UNKNOWN_TOPIC_ID,
]);

/** Whether one request is tried again, when, and what is looked up before. It knows no socket and no clock. */
export class RetryMachine {
  readonly #terms: RetryTerms;
  #failures = 0;
  #unknown = 0;

  constructor(terms: RetryTerms) {
    this.#terms = terms;
  }

  get failures(): number {
    return this.#failures;
  }

  /** @param random a number in [0, 1) */
  handleFailure(failure: AttemptFailure, nowMs: number, random: number): RetryStep {
    const { error } = failure;
    this.#failures += 1;
    if (!this.#mayRetry(failure) || this.#failures > this.#terms.retries) return { kind: 'fail', error };
    const delayMs = backoffMs(this.#terms.backoff, this.#failures, random);
    if (nowMs + delayMs >= this.#terms.deadlineMs) return { kind: 'late', error };
    return { kind: 'retry', delayMs, renew: this.#renewal(failure) };
  }

  #mayRetry({ error, brokerCode, sent }: AttemptFailure): boolean {
    const { retry, to } = this.#terms;
    if (retry === 'never') return false;
    if (brokerCode !== undefined) return error.retriable;
    if (error.code === 'BROKER_UNKNOWN' && to.kind === 'broker') return ++this.#unknown < UNKNOWN_TRIES;
    if (!isPassing(error)) return false;
    return retry === 'safe' || !sent;
  }

  #renewal({ error, brokerCode }: AttemptFailure): Renewal {
    const { to } = this.#terms;
    if (brokerCode === undefined || coordinatorCodes.has(brokerCode)) {
      if (to.kind === 'coordinator') return 'coordinator';
    }
    if (brokerCode !== undefined) return routingCodes.has(brokerCode) ? 'metadata' : 'nothing';
    return to.kind === 'any' && error.code !== 'BROKER_UNKNOWN' ? 'nothing' : 'metadata';
  }
}

/** Whether an error of our own (not an answer of a broker) may be gone at the next try. */
export function isPassing(error: KafkaError): boolean {
  if (error instanceof AuthenticationError || error.code === 'NOT_KAFKA') return false;
  return error instanceof NetworkError || error instanceof TimeoutError;
}
