import { KafkaError } from '../errors/kafka-error.ts';
import type { SendError } from '../errors/send-error.ts';
import { reasonOf } from '../errors/thrown.ts';
import { isPromiseLike, type Serialized, type SerdeContext, type Serializer } from '../model/serdes.ts';
import { quote } from '../util/option-rules.ts';
import { notSent, topicOf } from './send-errors.ts';

/** A key or value of a producer without a serde. */
export function plain(content: unknown, field: 'key' | 'value'): Serialized {
  if (typeof content === 'string' || content instanceof Uint8Array) return content;
  if (content === null || content === undefined) return null;
  const given = typeof content === 'object' ? Object.prototype.toString.call(content) : typeof content;
  const expected = 'where a string, a Uint8Array or null was expected';
  throw new TypeError(`${given} given for its ${field}, ${expected}; give the producer a serde`);
}

/** What a serializer makes of a key or value, or its promise; what it throws names topic and field. */
export function serialize(
  serde: Serializer<unknown>,
  content: unknown,
  context: SerdeContext,
): Serialized | PromiseLike<Serialized> {
  try {
    const serialized = serde.serialize(content ?? null, context);
    return isPromiseLike(serialized) ? serialized : checkSerialized(serialized, context.topic, context.field);
  } catch (error) {
    throw serializationFailed(context.topic, context.field, error);
  }
}

/** A serializer is the user's code, and may answer with anything. */
export function checkSerialized(serialized: unknown, topic: string, field: string): Serialized {
  if (typeof serialized === 'string' || serialized instanceof Uint8Array || serialized === null) return serialized;
  const error = new TypeError(`the serializer answered with ${quote(serialized)}, not a string, a Uint8Array or null`);
  throw serializationFailed(topic, field, error);
}

/** The error of a record whose key or value could not be serialized. */
export function serializationFailed(topic: string, field: string, error: unknown): SendError {
  const reason = reasonOf(error);
  return notSent(topic, 'SERIALIZATION_FAILED', `its ${field} could not be serialized: ${reason}`, error);
}

/** What the record's send rejects with. */
export function refusal(record: unknown, error: unknown): SendError {
  const topic = topicOf(record);
  if (error instanceof KafkaError && 'outcome' in error) return error as SendError;
  if (typeof record !== 'object' || record === null) {
    return notSent(topic, 'INVALID_ARGUMENT', `${quote(record)} given, where a record was expected`, error);
  }
  const why = reasonOf(error);
  return notSent(topic, 'INVALID_ARGUMENT', why, error);
}

/** A promise that nobody will wait for must not end the process. */
export function swallow(value: unknown): void {
  if (isPromiseLike(value)) value.then(undefined, () => undefined);
}
