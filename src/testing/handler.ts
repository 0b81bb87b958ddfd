import type { Api, Input } from '../protocol/api.ts';
import type { BrokerState } from './state/broker-state.ts';
import type { ClusterState } from './state/cluster-state.ts';

/** Which side of a broker a request came in through. */
export interface ListenerInfo {
  /** `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT`, `SASL_SSL`. */
  readonly name: string;
  readonly tls: boolean;
  readonly sasl: boolean;
}

/** What a broker remembers of one client connection. */
export interface ConnectionState {
  readonly id: number;
  readonly listener: ListenerInfo;
  /** The address of the client. */
  readonly clientHost: string;
  /** `User:ANONYMOUS` until SASL or a client certificate says more. */
  principal: string;
  /** What the client said of itself with ApiVersions (KIP-511). */
  software: { readonly name: string; readonly version: string } | undefined;
  /** Set to end the connection behind the answer under way, as a broker does after a failed login. */
  isEnding: boolean;
  /** State of handlers that belongs to the connection, by the handler's own key. */
  readonly attachments: Map<symbol, unknown>;
}

/** What a handler knows besides its request. */
export interface RequestContext {
  readonly cluster: ClusterState;
  /** The broker that was asked. */
  readonly broker: BrokerState;
  readonly connection: ConnectionState;
  readonly version: number;
  readonly clientId: string | null;
  /** Aborted when nobody waits for the answer any more: the connection or the broker is gone. */
  readonly signal: AbortSignal;
}

/**
 * One API of the brokers: what they do with a request.
 *
 * A handler throws only for bytes that no client would send; Kafka's refusals are error codes in its answer.
 */
export interface Handler<Req, Res> {
  readonly api: Api<Req, Res>;
  /** The lowest version that is answered. */
  readonly minVersion: number;
  /** The highest version that is answered; an older Kafka that the cluster pretends to be may know fewer. */
  readonly maxVersion: number;
  /** Where ApiVersions lists lower versions than are answered; see `defineHandler`. */
  readonly listedFrom?: number;
  /** The answer; undefined where none is sent (a Produce with acks 0); or the end of the connection. */
  handle(this: void, request: Req, context: RequestContext): Outcome<Res> | Promise<Outcome<Res>>;
}

type Outcome<Res> = Input<Res> | undefined | 'disconnect';

/** A handler with its types forgotten, as the dispatcher keeps it: only it may call `handle`, with what the same API has read. */
export interface AnyHandler {
  readonly api: Api<unknown, unknown>;
  readonly minVersion: number;
  readonly maxVersion: number;
  readonly listedFrom?: number;
  handle(this: void, request: never, context: RequestContext): unknown;
}

/**
 * Makes a handler, typed by its API; the versions default to all stable ones of the API.
 *
 * `listedFrom` is for an API of which clients look for versions that no broker answers any more: ApiVersions lists them.
 */
export function defineHandler<Req, Res>(
  api: Api<Req, Res>,
  handle: Handler<Req, Res>['handle'],
  versions: { readonly min?: number; readonly max?: number; readonly listedFrom?: number } = {},
): AnyHandler {
  return Object.freeze({
    api,
    handle,
    minVersion: versions.min ?? api.minVersion,
    maxVersion: versions.max ?? api.maxVersion,
    ...(versions.listedFrom === undefined ? {} : { listedFrom: versions.listedFrom }),
  });
}
