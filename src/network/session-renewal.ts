import type { KafkaError } from '../errors/kafka-error.ts';
import type { Endpoint } from './endpoint.ts';
import { HandshakeDriver } from './handshake-driver.ts';
import { renewalDelayMs, type HandshakeResult } from './handshake-machine.ts';
import type { NetworkSettings } from './network-options.ts';

/** What the renewal of a session needs, and whom it tells. */
export interface SessionRenewalOptions {
  /** The start of error messages: `Cannot authenticate again with broker kafka:9092`. */
  readonly doing: string;
  readonly endpoint: Endpoint;
  readonly settings: NetworkSettings;
  /** How the connection was set up. */
  readonly handshake: HandshakeResult;
  readonly send: (pieces: readonly Buffer[]) => void;
  /** The broker has agreed; requests may go on. */
  readonly onRenewed: (renewed: RenewedSession) => void;
  readonly onFailed: (error: KafkaError) => void;
}

/** A session that was renewed. */
export interface RenewedSession {
  /** The number of the last request on the connection. */
  readonly correlationId: number;
  readonly sessionLifetimeMs: number | undefined;
  /** From the first request of the renewal until it was agreed to. */
  readonly durationMs: number;
}

/**
 * Authenticates again on an open connection before the broker ends its session (KIP-368).
 *
 * When that is due, the connection's owner calls {@link begin} before its next request and holds that back: a connection on which
 * nothing is sent may be older than its session, because the broker looks at the time only when a request comes, and takes the
 * begin of a renewal at any time.
 */
export class SessionRenewal {
  readonly #options: SessionRenewalOptions;
  #handshake: HandshakeResult;
  #driver: HandshakeDriver | undefined;
  #dueAtMs = Infinity;
  #beganMs = 0;
  #deadlineMs = Infinity;

  constructor(options: SessionRenewalOptions) {
    this.#options = options;
    this.#handshake = options.handshake;
    this.#plan();
  }

  get isRunning(): boolean {
    return this.#driver !== undefined;
  }

  /** Whether requests must wait, for a renewal that runs or ought to. */
  holdsBack(nowMs: number): boolean {
    return nowMs >= this.#dueAtMs;
  }

  /** When a renewal that runs is given up; Infinity while none does. */
  get deadlineMs(): number {
    return this.#deadlineMs;
  }

  /** @param correlationId the number of the last request on the connection; the renewal goes on counting from there */
  begin(correlationId: number): void {
    const { doing, endpoint, settings, send, onFailed } = this.#options;
    const driver = new HandshakeDriver({
      doing,
      endpoint,
      settings,
      send,
      finish: (result) => this.#finish(driver, result),
      fail: onFailed,
    });
    this.#driver = driver;
    this.#beganMs = settings.clock.nowMs();
    this.noteAnswer();
    driver.startRenewal(this.#handshake, correlationId);
  }

  /** The answer to a request of the renewal. */
  handleFrame(frame: Buffer): void {
    this.noteAnswer();
    this.#driver?.handleFrame(frame);
  }

  /**
   * The broker has answered something, so it may take its whole time for the next answer.
   *
   * @param throttleTimeMs for how long it reads nothing
   */
  noteAnswer(throttleTimeMs = 0): void {
    if (this.#driver === undefined) return;
    const { clock, requestTimeoutMs } = this.#options.settings;
    this.#deadlineMs = clock.nowMs() + Math.min(throttleTimeMs, requestTimeoutMs) + requestTimeoutMs;
  }

  /** The connection has ended. */
  stop(): void {
    this.#driver?.stop();
    this.#driver = undefined;
    this.#deadlineMs = Infinity;
  }

  #finish({ correlationId }: HandshakeDriver, result: HandshakeResult): void {
    this.stop();
    this.#handshake = result;
    this.#plan();
    const durationMs = this.#options.settings.clock.nowMs() - this.#beganMs;
    this.#options.onRenewed({ correlationId, sessionLifetimeMs: result.sessionLifetimeMs, durationMs });
  }

  #plan(): void {
    const { clock, random } = this.#options.settings;
    this.#dueAtMs = clock.nowMs() + renewalDelayMs(this.#handshake.sessionLifetimeMs, random());
  }
}
