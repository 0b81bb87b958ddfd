import type { ErrorCode } from './error-codes.ts';

/** What every {@link KafkaError} is made from. */
export interface KafkaErrorDetails {
  /** What {@link KafkaError.code} will be. */
  readonly code: ErrorCode;
  /** Whether the same call may succeed later. @defaultValue false */
  readonly retriable?: boolean;
  /** The error behind this one. */
  readonly cause?: unknown;
  /** For a request that failed: whether its bytes may have reached the broker. */
  readonly sent?: boolean;
}

/**
 * The base of all errors that Kavka rejects with; match on {@link KafkaError.code}, which is stable.
 *
 * The subclasses say who has to act: {@link UsageError} the caller, {@link BrokerError} whoever the broker's code names,
 * {@link NetworkError} the network, {@link ProtocolError} nobody (bytes that cannot be trusted), and so on.
 */
export class KafkaError extends Error {
  /** What happened, in one stable word. See docs/errors.md. */
  readonly code: ErrorCode;
  /** Whether the same call may succeed later. It is advice: what was being done matters as well. */
  readonly retriable: boolean;
  /** For a request that failed: whether its bytes may have reached the broker. Absent where nothing is known of it. */
  declare readonly sent?: boolean;

  constructor(message: string, details: KafkaErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = details.code;
    this.retriable = details.retriable ?? false;
    if (details.sent !== undefined) this.sent = details.sent;
  }
}

/** The caller asked for something that cannot be: an option, an argument, a call at the wrong time. */
export class UsageError extends KafkaError {}

/** A connection could not be made or kept. */
export class NetworkError extends KafkaError {}

/** Something did not finish within its time. */
export class TimeoutError extends KafkaError {}

/** Bytes arrived that cannot be trusted: truncated, inconsistent, or beyond a limit. */
export class ProtocolError extends KafkaError {
  constructor(message: string, details: Partial<KafkaErrorDetails> = {}) {
    super(message, { ...details, code: details.code ?? 'PROTOCOL_ERROR' });
  }
}

/** The broker does not accept who we are, or TLS could not establish who the broker is. Fatal for the client. */
export class AuthenticationError extends KafkaError {}

/** The broker knows who we are and does not allow the operation. */
export class AuthorizationError extends KafkaError {}

/** Another client took over this one's identity (a static member or a transactional id). Fatal for the client. */
export class FencedError extends KafkaError {}

/** The client has been closed; the call came later, or was still waiting. */
export class ClosedError extends KafkaError {
  constructor(what: string) {
    super(`Cannot use ${what}: it has been closed`, { code: 'CLOSED' });
  }
}

/** Narrows what was caught to a {@link KafkaError}, of one code if given. */
export function isKafkaError(error: unknown, code?: ErrorCode): error is KafkaError {
  return error instanceof KafkaError && (code === undefined || error.code === code);
}
