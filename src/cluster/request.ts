import type { VersionLimits } from '../network/version-rules.ts';
import type { Api, Input } from '../protocol/api.ts';

/** What a coordinator coordinates. */
export type CoordinatorType = 'group' | 'transaction' | 'share';

/** Which broker a request is for. */
export type Destination =
  /** Whichever is least busy; after a network error another one. */
  | { readonly kind: 'any' }
  | { readonly kind: 'controller' }
  | { readonly kind: 'broker'; readonly nodeId: number }
  | { readonly kind: 'leader'; readonly topic: string; readonly partition: number }
  | { readonly kind: 'coordinator'; readonly type: CoordinatorType; readonly key: string };

/**
 * A request that says where it goes and whether it may be sent again; the engine of the {@link Cluster} does the rest.
 */
export interface ClusterRequest<Req, Res> {
  readonly api: Api<Req, Res>;
  readonly to: Destination;
  /** The body, or how to make it for the version that the broker speaks. */
  readonly message: Input<Req> | ((version: number) => Input<Req>);
  /** The start of every error message: `Cannot commit offsets of group "orders"`. */
  readonly doing: string;
  /** Versions that fit, where not all do. */
  readonly versions?: VersionLimits;
  /**
   * The connection to use.
   *
   * @defaultValue control, which all clients share: a request that the broker holds back must not use it
   */
  readonly lane?: string;
  /** How long one attempt may take, in milliseconds. @defaultValue requestTimeoutMs */
  readonly timeoutMs?: number;
  /**
   * The code that concerns the whole request. Retriable ones are tried again after a pause; those about a leader, a coordinator
   * or the controller renew the routing first; all others reject.
   */
  readonly errorCode?: (response: Res) => number;
  /** The broker's own words beside {@link errorCode}. */
  readonly errorMessage?: (response: Res) => string | null | undefined;
  /**
   * Whether the request may be sent again: always, not once its bytes may have reached a broker, or not at all.
   *
   * @defaultValue safe
   */
  readonly retry?: 'safe' | 'not-after-sent' | 'never';
}

/** What callers may say about one call. */
export interface CallOptions {
  /** Ends the call early: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How long the call may take with all its attempts, in milliseconds. Java: `default.api.timeout.ms`.
   *
   * @defaultValue 60000
   */
  readonly timeoutMs?: number | undefined;
}

/** How long a call may take where its caller does not say. */
export const DEFAULT_CALL_TIMEOUT_MS = 60_000;
