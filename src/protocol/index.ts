/**
 * `kavka/protocol`: Kafka's protocol without a client. Every API as a pair of encoder and decoder, the messages that no API
 * carries, record batches, and the table of error codes.
 *
 * Importing this module loads the codec of every API; `kavka` itself loads only those that its clients use
 * (docs/decisions/protocol-index.md).
 */
export { apis } from './generated/apis.ts';
export { schemas } from './generated/schemas.ts';
export type * from './generated/messages.ts';
export type { Api, DataSchema, Input } from './api.ts';
export { checkVersion, lastVersion } from './api.ts';
export { apiByKey, type AnyApi } from './api-by-key.ts';
export {
  decodeRequestHeader,
  decodeResponseHeader,
  encodeRequestFrame,
  encodeResponseFrame,
  peekRequest,
} from './framing.ts';
export { Reader } from './wire/reader.ts';
export { ZERO_UUID } from './wire/uuid.ts';
export { Writer } from './wire/writer.ts';
export * from './records/index.ts';
export {
  brokerErrorByNumber,
  brokerErrorCodes,
  type BrokerErrorCode,
  type BrokerErrorName,
} from '../errors/broker-error-codes.ts';
