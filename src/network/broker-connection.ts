import { NetworkError, ProtocolError, TimeoutError, type KafkaError } from '../errors/kafka-error.ts';
import type { ConnectionEvent, RequestEvent } from '../instrumentation/events.ts';
import type { Api, Input } from '../protocol/api.ts';
import { decodeResponseHeader, encodeRequestFrame } from '../protocol/framing.ts';
import { Reader } from '../protocol/wire/reader.ts';
import { inspectAs } from '../util/custom-inspect.ts';
import { deferred } from '../util/deferred.ts';
import { LazyTimer } from '../util/lazy-timer.ts';
import type { BrokerVersions } from './broker-versions.ts';
import type { BrokerAddress, Connection, RequestOptions } from './connection.ts';
import type { Endpoint } from './endpoint.ts';
import { nextCorrelationId, type HandshakeResult } from './handshake-machine.ts';
import type { NetworkSettings } from './network-options.ts';
import { PeerClosedError } from './peer-closed-error.ts';
import { settle, type PendingRequest } from './pending-request.ts';
import { brokerName, closedError, timeoutError } from './request-errors.ts';
import { SessionRenewal, type RenewedSession } from './session-renewal.ts';
import type { Transport, TransportReceiver } from './transport.ts';

/** What a finished set-up hands over. */
export interface EstablishedConnection {
  readonly address: BrokerAddress;
  readonly lane: string;
  readonly maxInFlight: number;
  readonly transport: Transport;
  readonly handshake: HandshakeResult;
  readonly settings: NetworkSettings;
  /** Called once, when the connection is of no more use. */
  readonly onClose: () => void;
}

/** The {@link Connection} over a {@link Transport}: pipelining, time-outs, throttling, renewal of its session, idle end. */
export class BrokerConnection implements Connection, TransportReceiver {
  readonly nodeId: number | undefined;
  readonly endpoint: Endpoint;
  readonly lane: string;
  readonly versions: BrokerVersions;
  readonly #settings: NetworkSettings;
  readonly #transport: Transport;
  readonly #maxInFlight: number;
  readonly #onClose: () => void;
  readonly #closed = deferred<void>();
  readonly #session: SessionRenewal;
  /** Sent and not answered, oldest first: answers come in this order. */
  readonly #inFlight: PendingRequest[] = [];
  /** Not sent yet: the bound is reached, the broker asked for silence, or the session is being renewed. */
  readonly #waiting: PendingRequest[] = [];
  /** Sent, without an answer to come, and not yet taken by the kernel. */
  readonly #writing = new Set<PendingRequest>();
  readonly #deadlines: LazyTimer;
  readonly #idle: LazyTimer;
  readonly #silence: LazyTimer;
  #open = true;
  #retired = false;
  #error: Error | undefined;
  #correlationId = -1;
  #mutedUntilMs = -Infinity;
  #lastUsedMs: number;
  #answered = false;
  #keepsAlive = false;

  constructor({ address, lane, maxInFlight, transport, handshake, settings, onClose }: EstablishedConnection) {
    this.nodeId = address.nodeId;
    this.endpoint = address.endpoint;
    this.lane = lane;
    this.versions = handshake.versions;
    this.#settings = settings;
    this.#transport = transport;
    this.#maxInFlight = maxInFlight;
    this.#onClose = onClose;
    const { clock } = settings;
    this.#lastUsedMs = clock.nowMs();
    this.#session = new SessionRenewal({
      doing: `Cannot authenticate again with ${brokerName(this)}`,
      endpoint: this.endpoint,
      settings,
      handshake,
      send: (pieces) => transport.write(pieces),
      onRenewed: (renewed) => this.#handleRenewed(renewed),
      onFailed: (error) => this.#end(error),
    });
    this.#deadlines = new LazyTimer(clock, () => this.#checkDeadlines());
    this.#idle = new LazyTimer(clock, () => this.#checkIdle());
    this.#silence = new LazyTimer(clock, () => this.#sendWaiting());
    this.#idle.atLatest(this.#lastUsedMs + settings.connectionsMaxIdleMs);
    transport.receiver = this;
    transport.unref();
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Why it is not open any more, where there is a reason. */
  get error(): Error | undefined {
    return this.#error;
  }

  get inFlight(): number {
    return this.#inFlight.length;
  }

  get bytesToWrite(): number {
    return this.#transport.bytesToWrite;
  }

  send<Req, Res>(api: Api<Req, Res>, version: number, message: Input<Req>, options: RequestOptions = {}): Promise<Res> {
    const { timeoutMs = this.#settings.requestTimeoutMs, signal, noResponse = false, background = false } = options;
    return new Promise<Res>((resolve, reject) => {
      const request: PendingRequest = {
        api: api,
        version,
        message,
        timeoutMs,
        noResponse,
        background,
        signal,
        resolve: resolve as (response: unknown) => void,
        reject,
        onAbort: undefined,
        correlationId: -1,
        deadlineMs: Infinity,
        sentAtMs: 0,
        endsAtByte: 0,
        abandoned: false,
        settled: false,
      };
      this.#accept(request);
    });
  }

  close(error?: Error): Promise<void> {
    this.#end(error);
    return this.#closed.promise;
  }

  /** Takes no part in new work and ends when what is under way is done. */
  retire(): void {
    this.#retired = true;
    if (!this.#isBusy()) this.#end(undefined);
  }

  /** The socket was connected before this object was made. */
  handleConnect(): void {
    // Nothing is left to do.
  }

  handleFrame(frame: Buffer): void {
    const correlationId = frame.readInt32BE(0);
    const request = this.#inFlight[0];
    // Answers come in order: those to requests that were sent before the renewal began come first.
    if (request === undefined && this.#session.isRunning) return this.#session.handleFrame(frame);
    if (request === undefined) {
      throw new ProtocolError(`${this.#reading()}: it answered request ${correlationId}, and nothing was asked`);
    }
    if (request.correlationId !== correlationId) {
      const why = `it answered request ${correlationId} where ${request.correlationId} was next`;
      throw new ProtocolError(`${this.#reading()}: ${why}`);
    }
    // Decoded while it still counts as in flight: if it cannot be, it is rejected with all others when the socket is gone.
    const response = request.abandoned ? undefined : this.#decode(request, frame);
    this.#inFlight.shift();
    this.#answered = true;
    this.#lastUsedMs = this.#settings.clock.nowMs();
    const throttleMs = throttleTimeOf(response);
    this.#session.noteAnswer(throttleMs);
    if (throttleMs > 0) this.#mute(throttleMs);
    this.#publishAnswered(request, frame.length, throttleMs);
    this.#settleAnswered(request, response);
    if (this.#waiting.length > 0) this.#sendWaiting();
    this.#rest();
  }

  leaseOf(memory: ArrayBufferLike): (() => void) | undefined {
    return this.#transport.leaseOf(memory);
  }

  handleClosing(error: Error | undefined): void {
    this.#end(error);
  }

  handleClose(): void {
    const cause = this.#error;
    const next = this.#inFlight[0];
    const sent = [...this.#inFlight.splice(0), ...this.#writing];
    const unsent = this.#waiting.splice(0);
    this.#writing.clear();
    for (const request of sent) this.#fail(request, this.#closedError(request, cause, true, request === next));
    for (const request of unsent) this.#fail(request, this.#closedError(request, cause, false));
    this.#settings.events.publish('connection.closed', { ...this.#event(), error: cause });
    this.#closed.resolve();
  }

  toJSON(): object {
    return { ...this.#event(), isOpen: this.#open, inFlight: this.#inFlight.length, waiting: this.#waiting.length };
  }

  static {
    inspectAs(this, (instance) => instance.toJSON(), 'Connection');
  }

  #accept(request: PendingRequest): void {
    if (!this.#open) return settle(request, this.#closedError(request, this.#error, false));
    const { signal } = request;
    if (signal !== undefined) {
      if (signal.aborted) return settle(request, signal.reason);
      request.onAbort = () => this.#abort(request);
      signal.addEventListener('abort', request.onAbort, { once: true });
    }
    const nowMs = this.#settings.clock.nowMs();
    this.#lastUsedMs = nowMs;
    if (this.#waiting.length === 0 && this.#mayWrite(nowMs)) {
      this.#write(request, nowMs);
    } else {
      this.#setDeadline(request, nowMs + request.timeoutMs);
      this.#waiting.push(request);
      this.#prepareToSend(nowMs);
    }
    this.#keepAlive();
  }

  #mayWrite(nowMs: number): boolean {
    if (!this.#open || this.#session.holdsBack(nowMs)) return false;
    return this.#inFlight.length < this.#maxInFlight && nowMs >= this.#mutedUntilMs;
  }

  #sendWaiting(): void {
    const nowMs = this.#settings.clock.nowMs();
    while (this.#mayWrite(nowMs)) {
      const request = this.#waiting.shift();
      if (request === undefined) return;
      this.#write(request, nowMs);
    }
    if (this.#waiting.length > 0) this.#prepareToSend(nowMs);
    this.#rest();
  }

  /** Something waits: brings about what it waits for, where that is not an answer. */
  #prepareToSend(nowMs: number): void {
    if (!this.#open) return;
    if (nowMs < this.#mutedUntilMs) return this.#silence.atLatest(this.#mutedUntilMs);
    if (this.#session.isRunning || !this.#session.holdsBack(nowMs)) return;
    this.#session.begin(this.#correlationId);
    this.#deadlines.atLatest(this.#session.deadlineMs);
  }

  #handleRenewed({ correlationId, sessionLifetimeMs, durationMs }: RenewedSession): void {
    this.#correlationId = correlationId;
    this.#lastUsedMs = this.#settings.clock.nowMs();
    const { events } = this.#settings;
    events.publish('connection.reauthenticated', { ...this.#event(), durationMs, sessionLifetimeMs });
    this.#sendWaiting();
  }

  #write(request: PendingRequest, nowMs: number): void {
    const correlationId = nextCorrelationId(this.#correlationId);
    let pieces: Buffer[];
    try {
      const { api, version, message } = request;
      pieces = encodeRequestFrame(api, message, version, correlationId, this.#settings.clientId);
    } catch (error) {
      return settle(request, error);
    }
    this.#correlationId = correlationId;
    request.correlationId = correlationId;
    request.sentAtMs = nowMs;
    this.#setDeadline(request, nowMs + request.timeoutMs);
    if (request.noResponse) {
      this.#writing.add(request);
      this.#transport.write(pieces, () => this.#handleWritten(request));
    } else {
      this.#inFlight.push(request);
      this.#transport.write(pieces);
    }
    request.endsAtByte = this.#transport.bytesQueued;
    this.#publishSent(request, pieces);
  }

  #handleWritten(request: PendingRequest): void {
    // A destroyed socket calls back, too, as if all had been well.
    if (!this.#open || !this.#writing.delete(request)) return;
    settle(request, undefined, undefined);
    this.#rest();
  }

  #decode({ api, version }: PendingRequest, frame: Buffer): unknown {
    const reader = new Reader(frame, `${api.name} response version ${version}`);
    decodeResponseHeader(reader, api.responseHeaderVersion(version));
    const response = api.readResponse(reader, version);
    reader.finish();
    return response;
  }

  #settleAnswered(request: PendingRequest, response: unknown): void {
    if (this.#transport.bytesTaken >= request.endsAtByte) return settle(request, undefined, response);
    // No broker answers what it has not read, but a hostile one may, and the socket still reads the caller's buffers.
    this.#writing.add(request);
    this.#transport.afterWrites(() => {
      if (this.#open && this.#writing.delete(request)) settle(request, undefined, response);
      this.#rest();
    });
  }

  #mute(throttleTimeMs: number): void {
    this.#mutedUntilMs = Math.max(this.#mutedUntilMs, this.#lastUsedMs + throttleTimeMs);
    // The broker reads nothing meanwhile: what is already on its way will be answered that much later.
    for (const request of this.#inFlight) request.deadlineMs += Math.min(throttleTimeMs, request.timeoutMs);
    this.#settings.events.publish('broker.throttled', { ...this.#event(), throttleTimeMs });
  }

  #abort(request: PendingRequest): void {
    if (request.settled) return;
    const waitingAt = this.#waiting.indexOf(request);
    if (waitingAt >= 0) {
      this.#waiting.splice(waitingAt, 1);
      settle(request, request.signal?.reason);
      return this.#rest();
    }
    if (this.#transport.bytesTaken >= request.endsAtByte) {
      request.abandoned = true;
      return settle(request, request.signal?.reason);
    }
    // The socket still reads the caller's buffers, and half a request cannot be taken back: the connection goes with it.
    this.#end(
      new NetworkError(`${this.#reading()}: a request was given up while it was being written`, {
        code: 'CONNECTION_CLOSED',
        retriable: true,
      }),
    );
  }

  #setDeadline(request: PendingRequest, deadlineMs: number): void {
    request.deadlineMs = deadlineMs;
    this.#deadlines.atLatest(deadlineMs);
  }

  #checkDeadlines(): void {
    const nowMs = this.#settings.clock.nowMs();
    for (const request of [...this.#waiting]) {
      if (request.deadlineMs > nowMs) continue;
      this.#waiting.splice(this.#waiting.indexOf(request), 1);
      settle(request, timeoutError(this.#doing(request), request.timeoutMs, false));
    }
    const late = [...this.#inFlight, ...this.#writing].find(({ deadlineMs }) => deadlineMs <= nowMs);
    if (late !== undefined) return this.#end(timeoutError(this.#doing(late), late.timeoutMs, true));
    if (this.#session.deadlineMs <= nowMs) {
      if (this.#inFlight.length === 0) return this.#end(this.#renewalTimeout());
      this.#session.noteAnswer();
    }
    let next = this.#session.deadlineMs;
    for (const list of [this.#waiting, this.#inFlight, this.#writing]) {
      for (const { deadlineMs } of list) next = Math.min(next, deadlineMs);
    }
    if (next < Infinity) this.#deadlines.atLatest(next);
    this.#rest();
  }

  #checkIdle(): void {
    const { clock, connectionsMaxIdleMs } = this.#settings;
    const nowMs = clock.nowMs();
    const dueMs = (this.#isBusy() ? nowMs : this.#lastUsedMs) + connectionsMaxIdleMs;
    if (dueMs <= nowMs) this.#end(undefined);
    else this.#idle.atLatest(dueMs);
  }

  #isBusy(): boolean {
    return this.#inFlight.length > 0 || this.#waiting.length > 0 || this.#writing.size > 0;
  }

  /** Whether something is under way that the process must stay alive for. */
  #isAwaited(): boolean {
    for (const list of [this.#inFlight, this.#waiting, this.#writing]) {
      for (const { background } of list) if (!background) return true;
    }
    return false;
  }

  /** Lets the process end if nothing is under way any more that it must stay alive for. */
  #rest(): void {
    if (!this.#open) return;
    if (this.#retired && !this.#isBusy()) return this.#end(undefined);
    if (!this.#keepsAlive || this.#isAwaited()) return;
    this.#transport.unref();
    this.#keepsAlive = false;
  }

  #keepAlive(): void {
    if (this.#keepsAlive || !this.#isAwaited()) return;
    this.#keepsAlive = true;
    this.#transport.ref();
  }

  #end(error: Error | undefined): void {
    if (!this.#open) return;
    this.#open = false;
    this.#error = error;
    this.#deadlines.clear();
    this.#idle.clear();
    this.#silence.clear();
    this.#session.stop();
    this.#transport.close(error);
    this.#onClose();
  }

  #fail(request: PendingRequest, error: KafkaError): void {
    const { events, clock } = this.#settings;
    if (!request.settled && request.correlationId >= 0 && events.has('request.failed')) {
      events.publish('request.failed', {
        ...this.#requestEvent(request),
        error,
        durationMs: clock.nowMs() - request.sentAtMs,
      });
    }
    settle(request, request.signal?.aborted === true ? request.signal.reason : error);
  }

  #closedError(request: PendingRequest, cause: Error | undefined, sent: boolean, next = false): KafkaError {
    const doing = this.#doing(request);
    // A time-out is reported as such by the requests that ran out of time, and as the cause by the others.
    if (cause instanceof TimeoutError && request.deadlineMs <= this.#settings.clock.nowMs()) {
      return timeoutError(doing, request.timeoutMs, sent);
    }
    const unanswered = cause instanceof PeerClosedError && !this.#answered && this.#settings.sasl === undefined;
    const advice = unanswered ? 'if its listener authenticates clients, set the option sasl' : undefined;
    return closedError({ doing, cause, sent, next, advice });
  }

  #renewalTimeout(): TimeoutError {
    return timeoutError(`Cannot authenticate again with ${brokerName(this)}`, this.#settings.requestTimeoutMs, true);
  }

  #reading(): string {
    return `Cannot go on with ${brokerName(this)}`;
  }

  #doing(request: PendingRequest): string {
    return `Cannot send ${request.api.name} to ${brokerName(this)}`;
  }

  #event(): ConnectionEvent {
    return { nodeId: this.nodeId, host: this.endpoint.host, port: this.endpoint.port, lane: this.lane };
  }

  #requestEvent({ api, version, correlationId }: PendingRequest): RequestEvent {
    return { ...this.#event(), api: api.name, version, correlationId };
  }

  #publishSent(request: PendingRequest, pieces: readonly Buffer[]): void {
    const { events } = this.#settings;
    if (!events.has('request.sent')) return;
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    events.publish('request.sent', { ...this.#requestEvent(request), bytes });
  }

  #publishAnswered(request: PendingRequest, bytes: number, throttleTimeMs: number): void {
    const { events } = this.#settings;
    if (!events.has('request.answered')) return;
    const durationMs = this.#lastUsedMs - request.sentAtMs;
    events.publish('request.answered', { ...this.#requestEvent(request), bytes, durationMs, throttleTimeMs });
  }
}

function throttleTimeOf(response: unknown): number {
  if (typeof response !== 'object' || response === null || !('throttleTimeMs' in response)) return 0;
  return typeof response.throttleTimeMs === 'number' ? response.throttleTimeMs : 0;
}
