import { ClosedError, KafkaError, NetworkError, TimeoutError } from '../errors/kafka-error.ts';
import type { ConnectionEvent } from '../instrumentation/events.ts';
import type { BrokerStatistics } from '../instrumentation/statistics.ts';
import { inspectAs } from '../util/custom-inspect.ts';
import { resolveSaslOptions } from '../security/sasl-options.ts';
import { resolveTlsOptions } from '../security/tls-options.ts';
import { backoffMs } from '../util/backoff.ts';
import { endpointText } from '../util/endpoint-text.ts';
import { BrokerConnection } from './broker-connection.ts';
import { connectBroker, type ReadyTransport } from './connect-broker.ts';
import type { BrokerAddress, Connection } from './connection.ts';
import type { Endpoint } from './endpoint.ts';
import type { NetworkOptions, NetworkSettings } from './network-options.ts';
import { brokerName } from './request-errors.ts';
import { systemLookUp } from './resolve-host.ts';

const DEFAULT_MAX_IN_FLIGHT = 64;
/** KIP-601: the set-up time-out doubles with each failure, up to this. */
const MAX_SETUP_TIMEOUT_MS = 30_000;

/** What may be said about one call of {@link ConnectionPool.connect}. */
export interface ConnectOptions {
  /** Gives up waiting: rejects with the signal's reason. The attempt goes on for others, and for later. */
  readonly signal?: AbortSignal | undefined;
  /** How long to wait for the connection, back-off included, in milliseconds. @defaultValue as long as the attempt takes */
  readonly timeoutMs?: number | undefined;
  /** Requests in flight on a new connection of this lane. @defaultValue that of the pool */
  readonly maxInFlight?: number | undefined;
}

/** What is remembered of an endpoint from one connection to the next. */
interface EndpointState {
  failures: number;
  notBeforeMs: number;
  apiVersionsVersion: number | undefined;
  lastError: KafkaError | undefined;
}

interface Attempt {
  readonly promise: Promise<BrokerConnection>;
  readonly abort: AbortController;
  readonly address: BrokerAddress;
}

/** The connections of one client: at most one for each broker and lane. */
export class ConnectionPool {
  readonly #settings: NetworkSettings;
  readonly #connections = new Map<string, BrokerConnection>();
  readonly #attempts = new Map<string, Attempt>();
  /** All that have a socket, retired ones included. */
  readonly #sockets = new Set<BrokerConnection>();
  readonly #endpoints = new Map<string, EndpointState>();
  #closed = false;

  /** @throws UsageError for TLS or SASL options that cannot be used; opens nothing */
  constructor(options: NetworkOptions) {
    this.#settings = {
      ...options,
      tls: resolveTlsOptions(options.tls),
      sasl: resolveSaslOptions(options.sasl),
      maxInFlightRequests: options.maxInFlightRequests ?? DEFAULT_MAX_IN_FLIGHT,
      lookUp: options.lookUp ?? systemLookUp,
    };
  }

  /** How many connections are open. */
  get size(): number {
    return this.#sockets.size;
  }

  /** The connections that are open now, by broker. */
  statistics(): BrokerStatistics[] {
    const brokers = new Map<string, BrokerStatistics>();
    for (const { nodeId, endpoint, inFlight } of this.#sockets) {
      const key = `${nodeId ?? ''} ${endpointText(endpoint)}`;
      const { connections, requestsInFlight } = brokers.get(key) ?? { connections: 0, requestsInFlight: 0 };
      brokers.set(key, {
        nodeId,
        ...endpoint,
        connections: connections + 1,
        requestsInFlight: requestsInFlight + inFlight,
      });
    }
    return [...brokers.values()];
  }

  /**
   * The open connection to this broker on this lane, or a new one. Concurrent callers share one attempt, and its failure.
   *
   * After a failure the next attempt waits for the reconnect back-off of the endpoint (KIP-144), which doubles with each failure.
   * A broker that is known under another address than before gets a new connection; the old one ends with its last answer.
   *
   * @throws NetworkError, AuthenticationError, TimeoutError, ProtocolError: why it could not be; ClosedError after {@link close}
   */
  async connect(target: BrokerAddress, lane: string, options: ConnectOptions = {}): Promise<Connection> {
    if (this.#closed) throw new ClosedError('the connection pool');
    options.signal?.throwIfAborted();
    const key = connectionKey(target, lane);
    const open = this.#usable(key, target);
    if (open !== undefined) return open;
    let attempt = this.#attempts.get(key);
    if (attempt !== undefined && !isSame(attempt.address.endpoint, target.endpoint)) {
      attempt.abort.abort(new ClosedError('a connection to an outdated address'));
      attempt = undefined;
    }
    attempt ??= this.#begin(key, target, lane, options.maxInFlight ?? this.#settings.maxInFlightRequests);
    return this.#wait(attempt, options);
  }

  /** How long an attempt to reach this endpoint would have to wait now, in milliseconds; 0 where it would not. */
  backoffRemainingMs(endpoint: Endpoint): number {
    const state = this.#endpoints.get(endpointText(endpoint));
    return state === undefined ? 0 : Math.max(0, state.notBeforeMs - this.#settings.clock.nowMs());
  }

  /** Ends all connections to a broker that is no longer part of the cluster. */
  async forgetBroker(nodeId: number): Promise<void> {
    await this.#closeWhere((address) => address.nodeId === nodeId);
  }

  /** Ends the connections of a lane: those of a client that has been closed. */
  async closeLane(lane: string): Promise<void> {
    await this.#closeWhere((_address, of) => of === lane);
  }

  /** Ends everything; resolves when no socket and no timer is left. Later calls of {@link connect} reject CLOSED. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#closeWhere(() => true);
  }

  toJSON(): object {
    return { connections: [...this.#sockets].map((each) => each.toJSON()) };
  }

  static {
    inspectAs(this, (instance) => instance.toJSON(), 'ConnectionPool');
  }

  #usable(key: string, target: BrokerAddress): BrokerConnection | undefined {
    const connection = this.#connections.get(key);
    if (connection === undefined) return undefined;
    if (connection.isOpen && isSame(connection.endpoint, target.endpoint)) return connection;
    this.#connections.delete(key);
    connection.retire();
    return undefined;
  }

  #begin(key: string, address: BrokerAddress, lane: string, maxInFlight: number): Attempt {
    const abort = new AbortController();
    const promise = this.#run(key, address, lane, maxInFlight, abort.signal);
    const attempt: Attempt = { promise, abort, address };
    this.#attempts.set(key, attempt);
    const forget = (): void => {
      if (this.#attempts.get(key) === attempt) this.#attempts.delete(key);
    };
    promise.then(forget, forget);
    return attempt;
  }

  async #run(
    key: string,
    address: BrokerAddress,
    lane: string,
    maxInFlight: number,
    signal: AbortSignal,
  ): Promise<BrokerConnection> {
    const settings = this.#settings;
    const state = this.#endpointState(address.endpoint);
    await this.#pause(state.notBeforeMs, signal);
    signal.throwIfAborted();
    const beganMs = settings.clock.nowMs();
    const setupTimeoutMs = this.#setupTimeoutMs(state.failures);
    try {
      const { apiVersionsVersion } = state;
      const establish = (ready: ReadyTransport): BrokerConnection => {
        const onClose = (): void => this.#remove(key, connection);
        const connection = new BrokerConnection({ address, lane, maxInFlight, settings, onClose, ...ready });
        this.#add(key, connection, settings.clock.nowMs() - beganMs);
        state.apiVersionsVersion = ready.handshake.apiVersionsVersion;
        return connection;
      };
      const connection = await connectBroker({
        address,
        settings,
        setupTimeoutMs,
        apiVersionsVersion,
        signal,
        establish,
      });
      if (!connection.isOpen) throw lostAtOnce(connection);
      Object.assign(state, { failures: 0, notBeforeMs: 0, lastError: undefined });
      return connection;
    } catch (error) {
      if (!signal.aborted) this.#noteFailure(state, error, address, lane);
      throw error;
    }
  }

  #noteFailure(state: EndpointState, error: unknown, address: BrokerAddress, lane: string): void {
    const { clock, random, reconnectBackoffMs, reconnectBackoffMaxMs, events } = this.#settings;
    state.failures++;
    const policy = { initialMs: reconnectBackoffMs, maxMs: reconnectBackoffMaxMs };
    state.notBeforeMs = clock.nowMs() + backoffMs(policy, state.failures, random());
    state.lastError = error instanceof KafkaError ? error : undefined;
    if (error instanceof Error) events.publish('connection.failed', { ...eventOf(address, lane), error });
  }

  #add(key: string, connection: BrokerConnection, durationMs: number): void {
    this.#sockets.add(connection);
    this.#connections.set(key, connection);
    this.#settings.events.publish('connection.opened', { ...eventOf(connection, connection.lane), durationMs });
  }

  #remove(key: string, connection: BrokerConnection): void {
    this.#sockets.delete(connection);
    if (this.#connections.get(key) === connection) this.#connections.delete(key);
  }

  #setupTimeoutMs(failures: number): number {
    const { connectionSetupTimeoutMs: initialMs, random } = this.#settings;
    const maxMs = Math.max(initialMs, MAX_SETUP_TIMEOUT_MS);
    return failures === 0 ? initialMs : backoffMs({ initialMs, maxMs }, failures + 1, random());
  }

  #endpointState(endpoint: Endpoint): EndpointState {
    const key = endpointText(endpoint);
    let state = this.#endpoints.get(key);
    if (state === undefined) {
      state = { failures: 0, notBeforeMs: 0, apiVersionsVersion: undefined, lastError: undefined };
      this.#endpoints.set(key, state);
    }
    return state;
  }

  #pause(untilMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#settings;
    const delayMs = untilMs - clock.nowMs();
    if (delayMs <= 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        clock.clearTimer(timer);
        reject(signal.reason as Error);
      };
      const timer = clock.setTimer(() => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      }, delayMs);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** The caller's own patience with a shared attempt. */
  #wait(attempt: Attempt, { signal, timeoutMs }: ConnectOptions): Promise<Connection> {
    if (signal === undefined && timeoutMs === undefined) return attempt.promise;
    const { clock } = this.#settings;
    return new Promise((resolve, reject) => {
      const giveUp = (): void => end(() => reject(this.#impatience(attempt.address, timeoutMs ?? 0)));
      const timer = timeoutMs === undefined ? undefined : clock.setTimer(giveUp, timeoutMs);
      const onAbort = (): void => end(() => reject(signal?.reason as Error));
      const end = (settle: () => void): void => {
        if (timer !== undefined) clock.clearTimer(timer);
        signal?.removeEventListener('abort', onAbort);
        settle();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      attempt.promise.then(
        (connection) => end(() => resolve(connection)),
        (error: Error) => end(() => reject(error)),
      );
    });
  }

  #impatience(address: BrokerAddress, timeoutMs: number): TimeoutError {
    const cause = this.#endpoints.get(endpointText(address.endpoint))?.lastError;
    const last = cause === undefined ? '' : `; the last attempt failed with: ${cause.message}`;
    return new TimeoutError(`Cannot connect to ${brokerName(address)}: not ready within ${timeoutMs} ms${last}`, {
      code: 'CONNECTION_SETUP_TIMEOUT',
      retriable: true,
      sent: false,
      cause,
    });
  }

  async #closeWhere(matches: (address: BrokerAddress, lane: string) => boolean): Promise<void> {
    const ending: Promise<unknown>[] = [];
    for (const [key, attempt] of this.#attempts) {
      if (!matches(attempt.address, laneOf(key))) continue;
      attempt.abort.abort(new ClosedError(`the connection to ${brokerName(attempt.address)}`));
      ending.push(
        attempt.promise.then(
          (connection) => connection.close(),
          () => undefined,
        ),
      );
    }
    for (const connection of this.#sockets) {
      if (matches(connection, connection.lane)) ending.push(connection.close());
    }
    await Promise.all(ending);
  }
}

function lostAtOnce(connection: BrokerConnection): NetworkError {
  const cause = connection.error;
  const why = cause === undefined ? 'it was closed' : cause.message;
  return new NetworkError(`Cannot connect to ${brokerName(connection)}: the connection did not last (${why})`, {
    code: 'CONNECTION_FAILED',
    retriable: true,
    cause,
  });
}

function connectionKey({ nodeId, endpoint }: BrokerAddress, lane: string): string {
  return `${nodeId ?? endpointText(endpoint)} ${lane}`;
}

function laneOf(key: string): string {
  return key.slice(key.indexOf(' ') + 1);
}

function isSame(a: Endpoint, b: Endpoint): boolean {
  return a.host === b.host && a.port === b.port;
}

function eventOf({ nodeId, endpoint: { host, port } }: BrokerAddress, lane: string): ConnectionEvent {
  return { nodeId, host, port, lane };
}
