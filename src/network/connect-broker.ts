import { AuthenticationError, KafkaError, NetworkError, TimeoutError } from '../errors/kafka-error.ts';
import { tlsError } from '../security/tls-errors.ts';
import { deferred } from '../util/deferred.ts';
import { endpointText } from '../util/endpoint-text.ts';
import type { TimerHandle } from '../util/clock.ts';
import type { BrokerAddress } from './connection.ts';
import { HandshakeDriver } from './handshake-driver.ts';
import type { HandshakeResult } from './handshake-machine.ts';
import type { NetworkSettings } from './network-options.ts';
import { PeerClosedError } from './peer-closed-error.ts';
import { brokerName } from './request-errors.ts';
import { resolveHost } from './resolve-host.ts';
import { Transport, type TransportReceiver } from './transport.ts';

/** What one attempt to reach a broker needs. */
export interface ConnectRequest<Established> {
  readonly address: BrokerAddress;
  readonly settings: NetworkSettings;
  /** The bound for TCP, TLS and handshake together, for each resolved address. */
  readonly setupTimeoutMs: number;
  readonly apiVersionsVersion: number | undefined;
  /** Ends the attempt. */
  readonly signal: AbortSignal;
  /**
   * Takes the socket over, at once: the next frame, or the end, may be in the bytes that have already arrived, and somebody has
   * to hear of it.
   */
  readonly establish: (ready: ReadyTransport) => Established;
}

/** A socket on which everything that precedes the first request is done. */
export interface ReadyTransport {
  readonly transport: Transport;
  readonly handshake: HandshakeResult;
}

/**
 * Connects to a broker: every address of its name in turn (KIP-302), until one gets through TCP, TLS and handshake.
 *
 * Who we are and who the broker is does not depend on the address, so a failure of that kind ends the attempt.
 */
export async function connectBroker<Established>(request: ConnectRequest<Established>): Promise<Established> {
  const { address, settings, signal } = request;
  const addresses = await unlessAborted(resolveHost(address.endpoint.host, settings.lookUp), signal);
  const failures: KafkaError[] = [];
  for (const resolved of addresses) {
    signal.throwIfAborted();
    try {
      return await new Setup(request, resolved).run();
    } catch (error) {
      if (signal.aborted || !(error instanceof KafkaError)) throw error;
      if (error instanceof AuthenticationError) throw error;
      failures.push(error);
    }
  }
  const last = failures.at(-1);
  if (last === undefined || failures.length === 1) throw last ?? new Error('no address');
  const tried = addresses.map((each, index) => `${each}: ${failures[index]?.code ?? ''}`).join(', ');
  throw new NetworkError(
    `Cannot connect to ${brokerName(address)}: none of its ${failures.length} addresses works (${tried})`,
    {
      code: last.code,
      retriable: failures.some(({ retriable }) => retriable),
      cause: new AggregateError(failures, 'one error for each address'),
    },
  );
}

/** One address: a handshake over a {@link Transport}, within a time. */
class Setup<Established> implements TransportReceiver {
  readonly #request: ConnectRequest<Established>;
  readonly #resolved: string;
  readonly #handshake: HandshakeDriver;
  readonly #transport: Transport;
  readonly #timer: TimerHandle;
  readonly #done = deferred<Established>();
  readonly #onAbort = (): void => this.#transport.close(abortReason(this.#request.signal));
  #connected = false;

  constructor(request: ConnectRequest<Established>, resolved: string) {
    const { address, settings, setupTimeoutMs, apiVersionsVersion } = request;
    const { tls, clock, maxResponseBytes } = settings;
    this.#request = request;
    this.#resolved = resolved;
    this.#handshake = new HandshakeDriver({
      doing: this.#doing,
      endpoint: address.endpoint,
      settings,
      apiVersionsVersion,
      send: (pieces) => this.#transport.write(pieces),
      finish: (result) => this.#finish(result),
      fail: (error) => this.#transport.close(error),
    });
    const { host, port } = address.endpoint;
    this.#transport = new Transport({ address: resolved, port, host, tls, maxResponseBytes }, this);
    this.#timer = clock.setTimer(() => this.#transport.close(this.#timeout()), setupTimeoutMs);
    request.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  run(): Promise<Established> {
    return this.#done.promise;
  }

  handleConnect(): void {
    this.#connected = true;
    this.#handshake.start();
  }

  handleFrame(frame: Buffer): void {
    this.#handshake.handleFrame(frame);
  }

  handleClosing(): void {
    // The socket has to be gone before the next address is tried.
  }

  handleClose(error: Error | undefined): void {
    this.#stop();
    this.#done.reject(this.#request.signal.aborted ? abortReason(this.#request.signal) : this.#explain(error));
  }

  #finish(handshake: HandshakeResult): void {
    this.#stop();
    this.#done.resolve(this.#request.establish({ transport: this.#transport, handshake }));
  }

  #stop(): void {
    this.#handshake.stop();
    this.#request.settings.clock.clearTimer(this.#timer);
    this.#request.signal.removeEventListener('abort', this.#onAbort);
  }

  get #doing(): string {
    const { endpoint } = this.#request.address;
    const via = endpoint.host === this.#resolved ? '' : ` at ${endpointText({ ...endpoint, host: this.#resolved })}`;
    return `Cannot connect to ${brokerName(this.#request.address)}${via}`;
  }

  #timeout(): TimeoutError {
    const where = this.#connected ? `while ${this.#handshake.stage}` : this.#waitingFor;
    const advice = this.#connected ? `; ${this.#adviceOnSilence}` : '';
    return new TimeoutError(
      `${this.#doing}: not ready within ${Math.round(this.#request.setupTimeoutMs)} ms, ${where}${advice}`,
      {
        code: 'CONNECTION_SETUP_TIMEOUT',
        retriable: true,
      },
    );
  }

  get #adviceOnSilence(): string {
    return this.#handshake.isOurTurn
      ? 'the broker is waiting: check what the token or the authenticator of sasl is waiting for'
      : 'check that the port is a Kafka listener, and whether it needs TLS';
  }

  get #waitingFor(): string {
    return this.#request.settings.tls === undefined ? 'waiting for TCP' : 'waiting for TCP and TLS';
  }

  #explain(error: Error | undefined): KafkaError {
    const withDoing = (why: string, code: 'CONNECTION_FAILED' | 'NOT_KAFKA', retriable: boolean): NetworkError =>
      new NetworkError(`${this.#doing}: ${why}`, { code, retriable, cause: error });
    if (error instanceof NetworkError && error.code === 'NOT_KAFKA') {
      return withDoing(error.message.replace(/^[^:]*: /, ''), 'NOT_KAFKA', false);
    }
    if (error instanceof KafkaError) return error;
    const tls = error === undefined ? undefined : tlsError(error, this.#doing);
    if (tls !== undefined) return tls;
    return withDoing(this.#whyClosed(error), 'CONNECTION_FAILED', true);
  }

  #whyClosed(error: Error | undefined): string {
    if (!this.#connected) return this.#whyNotConnected(error);
    const why = error === undefined || error instanceof PeerClosedError ? 'it closed the connection' : error.message;
    const encrypted = this.#request.settings.tls !== undefined;
    const guess = encrypted ? 'whether it is a Kafka listener' : 'whether the port needs TLS (option tls)';
    return `${why} while ${this.#handshake.stage}; check ${guess} or another SASL setting`;
  }

  #whyNotConnected(error: Error | undefined): string {
    const code = error !== undefined && 'code' in error ? String(error.code) : '';
    if (code === 'ECONNREFUSED') return 'nothing listens there (ECONNREFUSED)';
    const encrypted = this.#request.settings.tls !== undefined;
    if (encrypted && (code === 'ECONNRESET' || error instanceof PeerClosedError)) {
      return 'it closed the connection before TLS was established; check whether the port speaks TLS, or leave out tls';
    }
    return error?.message ?? 'the connection was closed';
  }
}

function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error
    ? signal.reason
    : new Error('the attempt was given up', { cause: signal.reason });
}

/** A name server may take its time; whoever gave up does not wait for it. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(abortReason(signal));
    const onAbort = (): void => reject(abortReason(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
