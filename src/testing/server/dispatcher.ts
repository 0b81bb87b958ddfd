import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { Api } from '../../protocol/api.ts';
import { decodeRequestHeader, encodeResponseFrame, peekRequest } from '../../protocol/framing.ts';
import { ApiVersions } from '../../protocol/generated/api-versions.ts';
import { Reader } from '../../protocol/wire/reader.ts';
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
}

/** What is to be done with a request. */
export type Admission =
  | { readonly do: 'handle' }
  | { readonly do: 'answer'; readonly message: unknown }
  | { readonly do: 'disconnect' }
  | { readonly do: 'silence' };

/** Stands before the handlers: authentication, faults, the log of requests. The first that does not say `handle` decides. */
export interface RequestGate {
  admit(request: ArrivedRequest): Admission | Promise<Admission>;
  /** Sees the answer before it is encoded; may change it, as a quota adds its throttle time. */
  answered?(request: ArrivedRequest, answer: unknown): unknown;
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

  async #serve(broker: BrokerState, frame: Buffer, connection: ConnectionState, signal: AbortSignal): Promise<Outcome> {
    const request = this.#read(broker, frame, connection, signal);
    if (request === 'disconnect' || Array.isArray(request)) return request;
    let answer = await this.#answer(request);
    if (answer === undefined || answer === 'disconnect') return answer;
    for (const gate of this.#gates) answer = gate.answered?.(request, answer) ?? answer;
    const api = request.handler.api as Api<unknown, object>;
    return encodeResponseFrame(api, answer as object, request.context.version, request.correlationId);
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
      return {
        handler,
        message,
        correlationId,
        context: { cluster: this.#cluster, broker, connection, version, clientId, signal },
      };
    } catch {
      return 'disconnect'; // as Kafka does with bytes that it cannot read
    }
  }

  async #answer(request: ArrivedRequest): Promise<unknown> {
    for (const gate of this.#gates) {
      const admission = await gate.admit(request);
      if (admission.do === 'answer') return admission.message;
      if (admission.do === 'disconnect') return 'disconnect';
      if (admission.do === 'silence') return undefined;
    }
    return request.handler.handle(request.message as never, request.context);
  }

  /** KIP-511: whoever asks in a version that is too new is told in version 0 which ones there are. */
  #refuseVersion(correlationId: number): Buffer[] {
    const served = this.#apis.find(ApiVersions.key);
    const range = { apiKey: ApiVersions.key, minVersion: served?.min ?? 0, maxVersion: served?.max ?? 0 };
    const message = { errorCode: brokerErrorCodes.UNSUPPORTED_VERSION, apiKeys: [range] };
    return encodeResponseFrame(ApiVersions, message, 0, correlationId);
  }
}
