import { KafkaError, NetworkError, ProtocolError, TimeoutError } from '../errors/kafka-error.ts';
import { endpointText } from '../util/endpoint-text.ts';
import type { BrokerAddress } from './connection.ts';
import { PeerClosedError } from './peer-closed-error.ts';

/** A broker as messages name it: `broker 1 (kafka:9092)`. */
export function brokerName({ nodeId, endpoint }: BrokerAddress): string {
  return nodeId === undefined ? `broker ${endpointText(endpoint)}` : `broker ${nodeId} (${endpointText(endpoint)})`;
}

/** What {@link closedError} says about the request and the connection that ended under it. */
export interface LostRequest {
  /** `Cannot send Metadata to broker 1 (kafka:9092)` */
  readonly doing: string;
  readonly cause: Error | undefined;
  readonly sent: boolean;
  /** Whether the next answer would have been for this request: then what is wrong with the answer concerns it. */
  readonly next: boolean;
  readonly advice: string | undefined;
}

/** The error of a request whose connection ended. */
export function closedError({ doing, cause, sent, next, advice }: LostRequest): KafkaError {
  if (next && cause instanceof ProtocolError) {
    return new ProtocolError(cause.message, { code: cause.code, cause, sent });
  }
  const details = { code: 'CONNECTION_CLOSED', retriable: true, sent, cause } as const;
  return new NetworkError(`${doing}: ${whyClosed(cause)}${advice === undefined ? '' : `; ${advice}`}`, details);
}

/** The error of a request that was not answered in time. */
export function timeoutError(doing: string, timeoutMs: number, sent: boolean): TimeoutError {
  const why = sent ? 'it did not answer' : 'requests before it were not answered, so it was not sent';
  return new TimeoutError(`${doing}: ${why} within ${timeoutMs} ms`, {
    code: 'REQUEST_TIMED_OUT',
    retriable: true,
    sent,
  });
}

function whyClosed(cause: Error | undefined): string {
  if (cause === undefined) return 'this client closed the connection';
  if (cause instanceof PeerClosedError) return 'the broker closed the connection';
  if (cause instanceof KafkaError) return `the connection was given up (${cause.message})`;
  return `the connection was lost (${cause.message})`;
}
