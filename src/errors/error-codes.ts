import type { BrokerErrorName } from './broker-error-codes.ts';

/**
 * The codes that Kavka gives to errors of its own, with what each one means.
 *
 * A broker's answer keeps Kafka's own name (`TOPIC_ALREADY_EXISTS`); see {@link BrokerErrorName}.
 */
export const clientErrorCodes: Readonly<Record<ClientErrorCode, string>> = {
  INVALID_OPTION: 'an option has a value outside of what it allows',
  UNKNOWN_OPTION: 'an option does not exist, most often because it is misspelt',
  INVALID_ARGUMENT: 'an argument of a call cannot be used',
  INVALID_STATE: 'the call does not fit what the client is doing',
  CONSUMER_BUSY: 'another read of the same consumer is under way',
  PARTITION_NOT_OWNED: 'the partition is not, or no longer, assigned to this consumer',
  NO_OFFSET: 'a partition has no committed offset and autoOffsetReset is "none"',
  LOG_TRUNCATED: 'records that were read are not in the log any more, and autoOffsetReset is "none"',
  BUFFER_FULL: 'too many sends wait for buffer memory',
  SERIALIZATION_FAILED: 'a serializer refused a key, a value or a header',
  DESERIALIZATION_FAILED: 'a deserializer refused a key or a value',
  COMPRESSION_FAILED: 'a codec could not compress or decompress',
  TRANSACTION_REQUIRED: 'a transactional producer sends only inside a transaction',
  TRANSACTION_ABORTED: 'a transaction was not committed: nothing of it will be seen',
  DNS_FAILED: 'a host name could not be resolved',
  CONNECTION_FAILED: 'a connection to a broker could not be opened',
  CONNECTION_CLOSED: 'a connection ended while a request was under way',
  NOT_KAFKA: 'the other side does not speak the Kafka protocol, or TLS is on at one side only',
  TLS_FAILED: 'a TLS handshake failed',
  TLS_UNTRUSTED_CERTIFICATE: 'the broker has a certificate that no trusted authority signed',
  TLS_HOST_NAME_MISMATCH: 'the certificate of the broker is for another host name',
  TOKEN_UNAVAILABLE: 'there was no token to authenticate with',
  BOOTSTRAP_FAILED: 'none of the bootstrap servers could be used',
  BROKER_UNKNOWN: 'the cluster does not know a broker of this id (any more)',
  CONNECTION_SETUP_TIMEOUT: 'a connection was not ready in time',
  OPERATION_TIMEOUT: 'a call did not finish in time',
  DELIVERY_TIMEOUT: 'a record was not acknowledged in time',
  PROTOCOL_ERROR: 'the bytes that arrived are not what the protocol allows',
  CORRUPT_BATCH: 'a record batch does not match its checksum or its own header',
  RESPONSE_TOO_LARGE: 'a broker announced an answer above maxResponseBytes',
  SEND_FAILED: 'one or more records of a call were not delivered',
  ACKNOWLEDGE_FAILED: 'one or more records of a share group were not acknowledged',
  ADMIN_FAILED: 'one or more items of an administrative call failed',
  FENCED: 'another client took over the identity of this one',
  CLOSED: 'the client has been closed',
};

/** The name of an error that Kavka itself found; {@link clientErrorCodes} says what each one means. */
export type ClientErrorCode =
  | 'INVALID_OPTION'
  | 'UNKNOWN_OPTION'
  | 'INVALID_ARGUMENT'
  | 'INVALID_STATE'
  | 'CONSUMER_BUSY'
  | 'PARTITION_NOT_OWNED'
  | 'NO_OFFSET'
  | 'LOG_TRUNCATED'
  | 'BUFFER_FULL'
  | 'SERIALIZATION_FAILED'
  | 'DESERIALIZATION_FAILED'
  | 'COMPRESSION_FAILED'
  | 'TRANSACTION_REQUIRED'
  | 'TRANSACTION_ABORTED'
  | 'DNS_FAILED'
  | 'CONNECTION_FAILED'
  | 'CONNECTION_CLOSED'
  | 'NOT_KAFKA'
  | 'TLS_FAILED'
  | 'TLS_UNTRUSTED_CERTIFICATE'
  | 'TLS_HOST_NAME_MISMATCH'
  | 'TOKEN_UNAVAILABLE'
  | 'BOOTSTRAP_FAILED'
  | 'BROKER_UNKNOWN'
  | 'CONNECTION_SETUP_TIMEOUT'
  | 'OPERATION_TIMEOUT'
  | 'DELIVERY_TIMEOUT'
  | 'PROTOCOL_ERROR'
  | 'CORRUPT_BATCH'
  | 'RESPONSE_TOO_LARGE'
  | 'SEND_FAILED'
  | 'ACKNOWLEDGE_FAILED'
  | 'ADMIN_FAILED'
  | 'FENCED'
  | 'CLOSED';

/** What `error.code` holds: Kafka's name for an answer of a broker, Kavka's own otherwise. */
export type ErrorCode = BrokerErrorName | ClientErrorCode;
