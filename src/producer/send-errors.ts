import { KafkaError } from '../errors/kafka-error.ts';
import { SendError, type SendOutcome } from '../errors/send-error.ts';
import type { ErrorCode } from '../errors/error-codes.ts';
import { reasonOf } from '../errors/thrown.ts';
import { quote } from '../util/option-rules.ts';
import type { SequencedBatch } from './partition-machine.ts';

/** `Cannot send to partition 3 of topic "orders"` */
export function doingSend(topic: string, partition?: number): string {
  const where = partition === undefined ? '' : `partition ${partition} of `;
  return `Cannot send to ${where}topic ${quote(topic)}`;
}

/** The topic that was given for a record, for an error; empty where it cannot be read. */
export function topicOf(record: unknown): string {
  try {
    return typeof record === 'object' && record !== null ? String((record as { topic?: unknown }).topic) : '';
  } catch {
    return ''; // a getter, or a proxy, that throws
  }
}

/** A record that never came into a batch. */
export function notSent(topic: string, code: ErrorCode, why: string, cause?: unknown, retriable = false): SendError {
  return new SendError(`${doingSend(topic)}: ${why}`, { code, outcome: 'not-sent', topic, cause, retriable });
}

/** The same for an error of something that the send needed. */
export function notSentBecause(topic: string, cause: unknown): SendError {
  const code = cause instanceof KafkaError ? cause.code : 'SEND_FAILED';
  const why = reasonOf(cause);
  return notSent(topic, code, why, cause, cause instanceof KafkaError && cause.retriable);
}

/** An error of ours stays as it is; `retriable` says what any other one is taken for. */
export function toKafkaError(reason: unknown, { retriable }: { readonly retriable: boolean }): KafkaError {
  if (reason instanceof KafkaError) return reason;
  const message = reasonOf(reason);
  return new KafkaError(message, { code: 'SEND_FAILED', cause: reason, retriable });
}

/** What is known of a batch that is given up while it is not in flight, or with the last answer that it got. */
export function outcomeOf(batch: SequencedBatch): SendOutcome {
  if (batch.maybeWritten) return 'unknown';
  return batch.order < 0 ? 'not-sent' : 'refused';
}

/** For a record that is alone in its batch: larger batches are taken apart. */
const tooLarge: Readonly<Partial<Record<ErrorCode, string>>> = {
  MESSAGE_TOO_LARGE: 'send smaller records, compress them, or raise max.message.bytes of the topic',
  RECORD_LIST_TOO_LARGE: 'send smaller records, compress them, or raise segment.bytes of the topic',
};

/** The records of a batch were given up with `cause`. */
export function batchFailed(topic: string, partition: number, outcome: SendOutcome, cause: KafkaError): SendError {
  const doing = doingSend(topic, partition);
  const why = cause.message.startsWith(doing) ? cause.message : `${doing}: ${cause.message}`;
  const advice = tooLarge[cause.code];
  const message = advice === undefined ? why : `${why}; ${advice}`;
  return new SendError(message, { code: cause.code, outcome, topic, partition, cause, retriable: cause.retriable });
}

/** A record that nothing is wrong with, in a batch that was refused for the sake of others (KIP-467). */
export function besideInvalid(topic: string, partition: number, cause: SendError): SendError {
  const why = `other records of its batch are invalid, so none of them was written; it may be sent again`;
  const message = `${doingSend(topic, partition)}: ${why}`;
  const { code, outcome } = cause;
  return new SendError(message, { code, outcome, topic, partition, cause, retriable: true });
}

/** The deadline of a batch has passed. */
export function batchExpired(
  topic: string,
  partition: number,
  outcome: SendOutcome,
  batch: SequencedBatch & { readonly lastError: Error | undefined },
  deliveryTimeoutMs: number,
  laneError: Error | undefined,
): SendError {
  const cause = batch.lastError ?? laneError;
  const times = batch.attempts === 1 ? 'once' : `${batch.attempts} times`;
  const sent = batch.attempts === 0 ? 'it could not be sent' : `it was sent ${times} and not acknowledged`;
  const why = cause === undefined ? '' : `; the last error was: ${cause.message}`;
  const message = `${doingSend(topic, partition)}: ${sent} within deliveryTimeoutMs ${deliveryTimeoutMs}${why}`;
  return new SendError(message, { code: 'DELIVERY_TIMEOUT', outcome, topic, partition, cause, retriable: true });
}

/** The topic cannot be used any more. */
export function topicGone(topic: string, partition: number, outcome: SendOutcome, cause: unknown): SendError {
  const known = cause instanceof KafkaError ? cause : undefined;
  const why = reasonOf(cause);
  const message = `${doingSend(topic, partition)}: ${why}`;
  return new SendError(message, { code: known?.code ?? 'SEND_FAILED', outcome, topic, partition, cause });
}
