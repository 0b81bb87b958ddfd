import type { Api, Input } from '../protocol/api.ts';
import type { BrokerVersions } from './broker-versions.ts';
import type { Endpoint } from './endpoint.ts';

/** Which broker a connection is for. */
export interface BrokerAddress {
  /** The broker's id, or undefined while only its bootstrap address is known. */
  readonly nodeId: number | undefined;
  readonly endpoint: Endpoint;
}

/** What may be said about one request. */
export interface RequestOptions {
  /**
   * How long the answer may take from the moment the request is handed to the socket, in milliseconds; a long poll gives the
   * time that the broker may hold it back, and some more. As long again it may wait for its turn before that.
   *
   * @defaultValue requestTimeoutMs
   */
  readonly timeoutMs?: number | undefined;
  /** Gives the request up: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** The broker does not answer this request (Produce with acks 0): it resolves with undefined once it is written. */
  readonly noResponse?: boolean | undefined;
  /** The process need not stay alive for the answer: a consumer fetches ahead also while nobody reads. @defaultValue false */
  readonly background?: boolean | undefined;
}

/**
 * An open connection to a broker: connected, authenticated, its versions known.
 *
 * Requests are pipelined and answered in order. While a request is under way the connection keeps the process alive, otherwise
 * it does not. Where the broker bounds the session, the connection authenticates again by itself (KIP-368); requests wait
 * meanwhile, in order.
 */
export interface Connection extends BrokerAddress {
  readonly lane: string;
  readonly versions: BrokerVersions;
  readonly isOpen: boolean;
  /** Requests handed to the socket and not yet answered. */
  readonly inFlight: number;
  /** Bytes of requests that the kernel has not taken yet. */
  readonly bytesToWrite: number;

  /**
   * Sends a request and resolves with its decoded answer.
   *
   * Buffers in `message` are sent by reference. They belong to the connection until the promise has settled, and to the caller
   * again afterwards, however it settled: an answer counts only when the kernel has taken all of the request, and a request that
   * is given up before that takes the connection with it, whose end is awaited (CVE-2026-35554 is what happens otherwise).
   *
   * Rejects with an error whose `sent` says whether bytes of the request may have reached the broker:
   * `NetworkError` CONNECTION_CLOSED, `TimeoutError` REQUEST_TIMED_OUT (once sent, this closes the connection, as in Java: the
   * answers behind it would wait, too), `ProtocolError` for an answer that cannot be trusted (closes as well), `UsageError` for
   * a message that cannot be encoded.
   */
  send<Req, Res>(api: Api<Req, Res>, version: number, message: Input<Req>, options?: RequestOptions): Promise<Res>;

  /**
   * How to give back the memory that an answer was read into, so that the next ones are read into it: for whoever got the answer and
   * knows that nothing reads its buffers any more. Undefined where it is not worth it. Never to do so is right as well.
   *
   * @param memory what the buffers of the answer are views of
   */
  leaseOf(memory: ArrayBufferLike): (() => void) | undefined;

  /** Ends the connection; what is under way rejects. Resolves when the socket is gone. */
  close(error?: Error): Promise<void>;
}
