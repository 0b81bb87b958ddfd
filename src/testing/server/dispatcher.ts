import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { Api, Input } from '../../protocol/api.ts';
import { decodeRequestHeader, encodeResponseFrame, peekRequest } from '../../protocol/framing.ts';
import { ApiVersions } from '../../protocol/generated/api-versions.ts';
import { Reader } from '../../protocol/wire/reader.ts';
import { delay } from '../../util/delay.ts';
import type { AnyHandler, ConnectionState, RequestContext } from '../handler.ts';
import type { BrokerState } from '../state/broker-state.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { Outcome, Serve } from './client-connection.ts';
import type { ServedApis } from './served-apis.ts';

/** A request that a broker has read and not yet answered. */
export interface ArrivedRequest {
  readonly handler: AnyHandler;
  readonly message: unknown;
  readonly correlationId: number;
  readonly context: RequestContext;
  /** What it took on the wire, without its length. */
  readonly sizeBytes: number;
}

/**
 * What a request comes to: its answer; undefined where none is due (a Produce with acks 0); `disconnect`; or `silence`, which
 * holds the connection for ever, as a broker answers in order.
 */
export type Reply = object | undefined | 'disconnect' | 'silence';

/** What is to be done with a request. */
export type Admission =
  | { readonly do: 'handle' }
  | { readonly do: 'answer'; readonly message: object }
  | { readonly do: 'disconnect' }
  | { readonly do: 'silence' };

/** Stands before the handlers: authentication, faults, the log of requests. The first gate is the outermost. */
export interface RequestGate {
  /** Decides whether a request gets further. */
  admit?(request: ArrivedRequest): Admission | Promise<Admission>;
  /** Sees the answer before it is encoded; may change it, as a quota adds its throttle time. */
  answered?(request: ArrivedRequest, answer: object): object | undefined;
  /** Decides when, and whether, what stands behind this gate sees the request (`next`, which takes another one in its place), and what becomes of the answer. */
  around?(request: ArrivedRequest, next: (replaced?: ArrivedRequest) => Promise<Reply>): Promise<Reply>;
  /** Told what became of a request, with the size of its answer on the wire. */
  ended?(request: ArrivedRequest, reply: Reply, answerBytes: number): void;
}

/** Reads requests, lets the gates look at them, has them handled, and encodes the answers. */
export class Dispatcher {
  readonly #cluster: ClusterState;
  readonly #apis: ServedApis;
  readonly #gates: readonly RequestGate[];

  constructor(cluster: ClusterState, apis: ServedApis, gates: readonly RequestGate[]) {
    this.#cluster = cluster;
    this.#apis = apis;
    this.#gates = gates;
  }

  /** How this broker serves a frame. */
  serving(broker: BrokerState): Serve {
    return (frame, connection, signal) => this.#serve(broker, frame, connection, signal);
  }

  /** Kafka's names of the APIs that the brokers answer. */
  get apiNames(): string[] {
    return this.#apis.all().map(({ handler }) => handler.api.name);
  }

  /** Whether the brokers answer this API. */
  serves(api: Pick<Api<never, never>, 'key'>): boolean {
    return this.#apis.find(api.key) !== undefined;
  }

  /** What a request comes to that is asked by the cluster itself, past sockets and gates. */
  async ask<Req, Res>(api: Api<Req, Res>, message: Input<Req>, version: number, broker: BrokerState): Promise<Res> {
    const served = this.#apis.find(api.key);
    if (served === undefined) throw new Error(`Nothing answers ${api.name}`);
    const { signal } = new AbortController();
    const context = { cluster: this.#cluster, broker, connection: insideConnection, version, clientId: null, signal };
    // As they would be read from a socket: absent fields have their defaults then.
    const request = api.decodeRequest(api.encodeRequest(message, version), version);
    const answer = (await served.handler.handle(request as never, context)) as Res;
    return api.decodeResponse(api.encodeResponse(answer as Input<Res>, version), version);
  }

  async #serve(broker: BrokerState, frame: Buffer, connection: ConnectionState, signal: AbortSignal): Promise<Outcome> {
    const request = this.#read(broker, frame, connection, signal);
    if (request === 'disconnect') return request;
    if (Array.isArray(request)) return { pieces: request };
    try {
      return await this.#serveRequest(request);
    } catch (error) {
      if (!signal.aborted) warn(request, error);
      return 'disconnect';
    }
  }

  async #serveRequest(request: ArrivedRequest): Promise<Outcome> {
    const reply = await this.#reply(request, 0);
    if (typeof reply !== 'object') return await this.#withoutAnswer(request, reply);
    const { version, signal } = request.context;
    const api = request.handler.api as Api<unknown, object>;
    const pieces = encodeResponseFrame(api, reply, version, request.correlationId);
    this.#tell(request, reply, pieces);
    const throttleMs = throttleOf(reply);
    if (throttleMs <= 0) return { pieces };
    return { pieces, mute: () => delay(this.#cluster.clock, throttleMs, signal, true) };
  }

  async #withoutAnswer(request: ArrivedRequest, reply: 'disconnect' | 'silence' | undefined): Promise<Outcome> {
    this.#tell(request, reply, []);
    if (reply === undefined) return { pieces: undefined };
    if (reply === 'silence') await goneOf(request.context.signal);
    return 'disconnect';
  }

  #tell(request: ArrivedRequest, reply: Reply, pieces: readonly Buffer[]): void {
    const answerBytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    for (const gate of this.#gates) gate.ended?.(request, reply, answerBytes);
  }

  #read(
    broker: BrokerState,
    frame: Buffer,
    connection: ConnectionState,
    signal: AbortSignal,
  ): ArrivedRequest | Buffer[] | 'disconnect' {
    try {
      const reader = new Reader(frame, 'a request');
      const { apiKey, version } = peekRequest(reader);
      const served = this.#apis.find(apiKey);
      if (served === undefined) return 'disconnect';
      const { handler, min, max } = served;
      const inRange = version >= min && version <= max;
      if (!inRange && handler.api.key !== ApiVersions.key) return 'disconnect';
      const headerVersion = handler.api.requestHeaderVersion(inRange ? version : Math.min(version, max));
      const { correlationId, clientId } = decodeRequestHeader(reader, headerVersion);
      if (!inRange) return this.#refuseVersion(correlationId);
      const message: unknown = handler.api.readRequest(reader, version);
      reader.finish();
      const context = { cluster: this.#cluster, broker, connection, version, clientId, signal };
      return { handler, message, correlationId, context, sizeBytes: frame.length };
    } catch {
      return 'disconnect'; // as Kafka does with bytes that it cannot read
    }
  }

  /** What the gates from this one on, and the handler behind them, make of a request. */
  async #reply(request: ArrivedRequest, index: number): Promise<Reply> {
    const gate = this.#gates[index];
    if (gate === undefined) return (await request.handler.handle(request.message as never, request.context)) as Reply;
    const next = async (asked: ArrivedRequest = request): Promise<Reply> => {
      const admission = (await gate.admit?.(asked)) ?? { do: 'handle' };
      if (admission.do === 'disconnect' || admission.do === 'silence') return admission.do;
      const reply = admission.do === 'answer' ? admission.message : await this.#reply(asked, index + 1);
      return typeof reply === 'object' ? (gate.answered?.(asked, reply) ?? reply) : reply;
    };
    return gate.around === undefined ? await next() : await gate.around(request, next);
  }

  /** Whoever asks in a version that is too new is told so in version 0; since Kafka 2.4 also which ones there are (KIP-511). */
  #refuseVersion(correlationId: number): Buffer[] {
    const { min = 0, max = 0 } = this.#apis.find(ApiVersions.key) ?? {};
    const apiKeys = max >= 3 ? [{ apiKey: ApiVersions.key, minVersion: min, maxVersion: max }] : [];
    const message = { errorCode: brokerErrorCodes.UNSUPPORTED_VERSION, apiKeys };
    return encodeResponseFrame(ApiVersions, message, 0, correlationId);
  }
}

const insideConnection: ConnectionState = {
  id: 0,
  listener: { name: 'PLAINTEXT', tls: false, sasl: false },
  clientHost: '',
  principal: 'User:ANONYMOUS',
  isEnding: false,
  software: undefined,
  attachments: new Map(),
};

/** A mistake in this cluster, or in a test's own answer, is not to look like one of the client's. */
function warn({ handler, context }: ArrivedRequest, error: unknown): void {
  const what = `Cannot answer ${handler.api.name} version ${context.version} of client "${context.clientId ?? ''}"`;
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.emitWarning(`${what}: ${reason}; its connection was closed`, 'KavkaTestClusterWarning');
}

/** KIP-219: who is told to wait is not read from for as long. */
function throttleOf(reply: object): number {
  const { throttleTimeMs } = reply as { readonly throttleTimeMs?: unknown };
  return typeof throttleTimeMs === 'number' ? throttleTimeMs : 0;
}

function goneOf(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
