import { AuthenticationError, KafkaError, NetworkError } from '../errors/kafka-error.ts';
import type { ErrorCode } from '../errors/error-codes.ts';

/** One server that was tried, and why it could not be used. */
export interface ServerFailure {
  /** `host:port`, with the broker's id where it is known. */
  readonly server: string;
  readonly error: Error;
}

/** Errors that no further try mends: the configuration of this client or of the port is wrong. */
const lastingCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'NOT_KAFKA',
  'TLS_UNTRUSTED_CERTIFICATE',
  'TLS_HOST_NAME_MISMATCH',
  'UNSUPPORTED_VERSION',
]);

/**
 * The error for a cluster of which no server could be used. It is retriable unless trying again is of no use.
 *
 * @param hasWorked whether this client has reached the cluster before: then only wrong credentials are taken for lasting, since
 *   everything else happens while brokers restart
 */
export function bootstrapFailure(failures: readonly ServerFailure[], hasWorked: boolean): KafkaError {
  const unauthenticated = failures.find(({ error }) => error instanceof AuthenticationError && !isTls(error));
  if (unauthenticated !== undefined) return unauthenticated.error as AuthenticationError;
  const lasting = !hasWorked && failures.length > 0 && failures.every(({ error }) => isLasting(error));
  const first = failures[0]?.error;
  // One server with a lasting error: that error's own code says more than ours.
  if (lasting && failures.length === 1 && first instanceof KafkaError) return first;
  const list = failures.map(({ server, error }) => `${server}: ${error.message}`).join('; ');
  const causes = failures.map(({ error }) => error);
  return new NetworkError(
    `Cannot reach the cluster: ${failures.length === 1 ? 'not even the only server' : `none of ${failures.length} servers`} ` +
      `could be used (${list}); check bootstrapServers, that brokers listen there, and that tls and sasl fit their listener`,
    {
      code: 'BOOTSTRAP_FAILED',
      retriable: !lasting,
      cause: causes.length === 1 ? causes[0] : new AggregateError(causes, 'every server failed'),
    },
  );
}

function isLasting(error: Error): boolean {
  return error instanceof AuthenticationError || (error instanceof KafkaError && lastingCodes.has(error.code));
}

function isTls(error: KafkaError): boolean {
  return error.code.startsWith('TLS_');
}
