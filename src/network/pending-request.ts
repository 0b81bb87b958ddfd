import type { Api } from '../protocol/api.ts';

/** A request from `send` until its promise settles. */
export interface PendingRequest {
  readonly api: Api<unknown, unknown>;
  readonly version: number;
  readonly message: unknown;
  readonly timeoutMs: number;
  readonly noResponse: boolean;
  readonly background: boolean;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (response: unknown) => void;
  readonly reject: (error: unknown) => void;
  onAbort: (() => void) | undefined;
  correlationId: number;
  /** When it is given up; first for waiting, then, from the moment it is sent, for the answer. */
  deadlineMs: number;
  /** When it was handed to the socket. */
  sentAtMs: number;
  /** Where its last byte is in the stream of all bytes written. */
  endsAtByte: number;
  /** The caller has given it up; its answer will be dropped. */
  abandoned: boolean;
  /** Whether its promise has settled. */
  settled: boolean;
}

/** Settles once; a second call changes nothing. */
export function settle(request: PendingRequest, error: unknown, response?: unknown): void {
  if (request.settled) return;
  request.settled = true;
  if (request.onAbort !== undefined) request.signal?.removeEventListener('abort', request.onAbort);
  if (error === undefined) request.resolve(response);
  else request.reject(error);
}
