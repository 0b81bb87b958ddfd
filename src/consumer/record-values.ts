import { KafkaError } from '../errors/kafka-error.ts';
import { asError, reasonOf } from '../errors/thrown.ts';
import { bytes, isPromiseLike, type Deserializer, type SerdeContext } from '../model/serdes.ts';
import type { RecordHeaders } from '../model/record-headers.ts';
import type { ConsumerTopics } from '../model/topics.ts';
import { deserializeNow, replaceValue, type ConsumerRecord, type RecordDeserializers } from './consumer-record.ts';
import type { DeserializationDecision, DeserializationErrorPolicy, ResolvedConsumerOptions } from './options.ts';

/** What a deserializer is told; the headers are read only if it asks for them. */
class RecordContext implements SerdeContext {
  readonly topic: string;
  readonly field: 'key' | 'value';
  readonly #record: ConsumerRecord<unknown, unknown>;

  constructor(record: ConsumerRecord<unknown, unknown>, field: 'key' | 'value') {
    this.topic = record.topic;
    this.field = field;
    this.#record = record;
  }

  get headers(): RecordHeaders {
    return this.#record.headers;
  }
}

/** The options of consumers of all kinds that say how records are read. */
export interface ValueOptions extends Pick<ResolvedConsumerOptions, 'topics' | 'key' | 'value'> {
  readonly onDeserializationError: unknown;
}

/**
 * The functions that records of a consumer use to read their keys and values.
 *
 * @param advice what to do about a record that cannot be read, for the message
 */
export function recordDeserializers(
  options: ValueOptions,
  advice = 'seek past it, or set onDeserializationError',
): RecordDeserializers {
  const { topics, key, value } = options;
  if (topics === undefined) {
    const areBytes = key === bytes && value === bytes;
    return { areBytes, key: reader(key, 'key', advice), value: reader(value, 'value', advice) };
  }
  return { key: topicReader(topics, 'key', advice), value: topicReader(topics, 'value', advice) };
}

/** Whether records have to be deserialized before they are handed out. */
export function isEager(options: ValueOptions): boolean {
  const { topics, key, value } = options;
  const used = topics === undefined ? [key, value] : Object.values(topics).flatMap((topic) => [topic.key, topic.value]);
  return options.onDeserializationError !== 'fail' || used.some((each) => each !== undefined && each.lazy !== true);
}

type Read = (data: Buffer | null, record: ConsumerRecord<unknown, unknown>) => unknown;

/** Reads as the topic of the record is defined. */
function topicReader(topics: ConsumerTopics, field: 'key' | 'value', advice: string): Read {
  const readers = new Map<string, Read>(
    Object.entries(topics).map(([topic, serdes]) => [topic, reader(serdes[field] ?? bytes, field, advice)]),
  );
  return (data, record) => {
    const read = readers.get(record.topic);
    if (read !== undefined) return read(data, record);
    // A pattern has matched it: no code is prepared for what it holds.
    const cause = new TypeError('its topic is not among the topics of the consumer');
    throw deserializationError(record, field, cause, advice);
  };
}

function reader(deserializer: Deserializer<unknown>, field: 'key' | 'value', advice: string): Read {
  if (deserializer === bytes) return (data) => data;
  return (data, record) => {
    let result: unknown;
    try {
      result = deserializer.deserialize(data, new RecordContext(record, field));
    } catch (cause) {
      throw deserializationError(record, field, cause, advice);
    }
    if (!isPromiseLike(result)) return result;
    return Promise.resolve(result).catch((cause: unknown) => {
      throw deserializationError(record, field, cause, advice);
    });
  };
}

function deserializationError(
  record: ConsumerRecord<unknown, unknown>,
  field: string,
  cause: unknown,
  advice: string,
): KafkaError {
  const reason = reasonOf(cause);
  return new KafkaError(
    `Cannot deserialize the ${field} of ${record.topic}-${record.partition} at offset ${record.offset}: ${reason}; ${advice}`,
    { code: 'DESERIALIZATION_FAILED', cause },
  );
}

/** What became of records that were deserialized: those to hand out, and the error at which they end, if any. */
export interface PreparedRecords {
  readonly records: ConsumerRecord<unknown, unknown>[];
  readonly failure: Error | undefined;
}

/** Deserializes records before they are handed out, in order, and does with a bad one what the policy says. */
export function prepareRecords(
  records: readonly ConsumerRecord<unknown, unknown>[],
  policy: DeserializationErrorPolicy<unknown>,
): PreparedRecords | Promise<PreparedRecords> {
  const prepared: ConsumerRecord<unknown, unknown>[] = [];
  for (const [index, record] of records.entries()) {
    try {
      const pending = deserializeNow(record);
      // From the first one that is not done at once, all go the slow way.
      if (pending !== undefined) return prepareLater(records, index, prepared, policy, pending);
      prepared.push(record);
    } catch (error) {
      if (policy === 'skip') continue;
      if (policy === 'fail') return { records: prepared, failure: asError(error) };
      return prepareLater(records, index, prepared, policy, Promise.reject(asError(error)));
    }
  }
  return { records: prepared, failure: undefined };
}

async function prepareLater(
  records: readonly ConsumerRecord<unknown, unknown>[],
  from: number,
  prepared: ConsumerRecord<unknown, unknown>[],
  policy: DeserializationErrorPolicy<unknown>,
  first: Promise<void>,
): Promise<PreparedRecords> {
  // All are begun at once, so that look-ups over the network run side by side; they are taken in order.
  const rest = records.slice(from);
  const pending = rest.map((record, index) => (index === 0 ? first : begin(record)));
  for (const promise of pending) promise.catch(() => undefined);
  for (const [index, record] of rest.entries()) {
    let attempt = pending[index] ?? Promise.resolve();
    for (;;) {
      try {
        await attempt;
        prepared.push(record);
        break;
      } catch (error) {
        const decision = await decide(policy, record, error);
        if (decision === 'fail') return { records: prepared, failure: asError(error) };
        if (decision === 'skip') break;
        if (decision !== 'retry') {
          replaceValue(record, decision.value);
          prepared.push(record);
          break;
        }
        attempt = begin(record);
      }
    }
  }
  return { records: prepared, failure: undefined };
}

async function begin(record: ConsumerRecord<unknown, unknown>): Promise<void> {
  await deserializeNow(record);
}

async function decide(
  policy: DeserializationErrorPolicy<unknown>,
  record: ConsumerRecord<unknown, unknown>,
  error: unknown,
): Promise<DeserializationDecision<unknown>> {
  return typeof policy === 'function' ? policy({ error, record }) : policy;
}
