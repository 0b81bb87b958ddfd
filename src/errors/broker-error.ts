import { brokerErrorByNumber, type BrokerErrorName } from './broker-error-codes.ts';
import { AuthenticationError, AuthorizationError, FencedError, KafkaError } from './kafka-error.ts';

/** A broker answered with an error code. */
export class BrokerError extends KafkaError {}

const authorizationErrors: ReadonlySet<string> = new Set<BrokerErrorName>([
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'DELEGATION_TOKEN_AUTHORIZATION_FAILED',
]);

const authenticationErrors: ReadonlySet<string> = new Set<BrokerErrorName>([
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'ILLEGAL_SASL_STATE',
]);

const fencedErrors: ReadonlySet<string> = new Set<BrokerErrorName>([
  'PRODUCER_FENCED',
  'FENCED_INSTANCE_ID',
  'TRANSACTION_COORDINATOR_FENCED',
]);

/**
 * The error for a code that a broker answered with.
 *
 * @param errorCode the number on the wire; one that this release does not know becomes `UNKNOWN_SERVER_ERROR`
 * @param doing what was being done, as the start of the message: `Cannot create topic "orders"`
 * @param brokerMessage the broker's own words, where the response has them
 */
export function brokerError(errorCode: number, doing: string, brokerMessage?: string | null): KafkaError {
  const known = brokerErrorByNumber(errorCode);
  const name: BrokerErrorName = known?.name ?? 'UNKNOWN_SERVER_ERROR';
  const label = known === undefined ? `an error code unknown to this release, ${errorCode}` : name;
  const message = brokerMessage
    ? `${doing}: ${brokerMessage.replace(/\.$/, '')} (${label})`
    : `${doing}: the broker answered ${label}`;
  const details = { code: name, retriable: known?.retriable ?? false };
  if (authorizationErrors.has(name)) return new AuthorizationError(message, details);
  if (authenticationErrors.has(name)) return new AuthenticationError(message, details);
  if (fencedErrors.has(name)) return new FencedError(message, details);
  return new BrokerError(message, details);
}
