import type { ProducerRecord } from './producer-record.ts';
import type { Deserializer, Serializer } from './serdes.ts';

/** The serdes of one topic, as `defineTopics` takes them. Without one, keys and values are bytes. */
export interface TopicDefinition {
  /** Of the keys. @defaultValue bytes */
  readonly key?: Serializer<never> | Deserializer<unknown> | undefined;
  /** Of the values. @defaultValue bytes */
  readonly value?: Serializer<never> | Deserializer<unknown> | undefined;
}

/** The topics of a producer, by name: those that it may write to, each with what makes its keys and values into bytes. */
export type ProducerTopics = Readonly<
  Record<
    string,
    {
      /** Of the keys. @defaultValue bytes */
      readonly key?: Serializer<never> | undefined;
      /** Of the values. @defaultValue bytes */
      readonly value?: Serializer<never> | undefined;
    }
  >
>;

/** The topics of a consumer, by name: those that it may read, each with what makes its bytes into keys and values. */
export type ConsumerTopics = Readonly<
  Record<
    string,
    {
      /** Of the keys. @defaultValue bytes */
      readonly key?: Deserializer<unknown> | undefined;
      /** Of the values. @defaultValue bytes */
      readonly value?: Deserializer<unknown> | undefined;
    }
  >
>;

/**
 * Says once which topics a program uses and what is in them: give it to producers and consumers as `topics`, and their records
 * are typed by topic.
 *
 * @example
 * ```ts
 * const topics = defineTopics({
 *   orders: { key: string, value: required(json<Order>()) },
 *   payments: { value: json<Payment>() },
 * });
 * const producer = kafka.producer({ topics });
 * const consumer = kafka.consumer({ groupId: 'billing', topics });
 * ```
 */
export function defineTopics<const Topics extends Readonly<Record<string, TopicDefinition>>>(topics: Topics): Topics {
  for (const definition of Object.values(topics)) Object.freeze(definition);
  return Object.freeze(topics);
}

/** What `send` takes as the key of a record of a topic that is defined so. */
export type SentKey<Definition> = 'key' extends keyof Definition
  ? Definition['key'] extends Serializer<infer Value>
    ? Value
    : string | Uint8Array | null
  : string | Uint8Array | null;

/** What `send` takes as the value of a record of a topic that is defined so. */
export type SentValue<Definition> = 'value' extends keyof Definition
  ? Definition['value'] extends Serializer<infer Value>
    ? Value
    : string | Uint8Array | null
  : string | Uint8Array | null;

/** The type of `record.key` of a topic that is defined so. */
export type ReadKey<Definition> = 'key' extends keyof Definition
  ? Definition['key'] extends Deserializer<infer Value>
    ? Value
    : Buffer | null
  : Buffer | null;

/** The type of `record.value` of a topic that is defined so. */
export type ReadValue<Definition> = 'value' extends keyof Definition
  ? Definition['value'] extends Deserializer<infer Value>
    ? Value
    : Buffer | null
  : Buffer | null;

/**
 * A record to send to one of the topics that were defined: which one says what key and value must be. They may be left out only
 * where null is allowed.
 */
export type TopicRecord<Topics> = {
  [Name in keyof Topics & string]: Pick<ProducerRecord, 'headers' | 'partition' | 'timestamp'> & {
    /** Where to. */
    readonly topic: Name;
  } & (null extends SentKey<Topics[Name]>
      ? Pick<ProducerRecord<SentKey<Topics[Name]>>, 'key'>
      : Readonly<Record<'key', SentKey<Topics[Name]>>>) &
    (null extends SentValue<Topics[Name]>
      ? Pick<ProducerRecord<unknown, SentValue<Topics[Name]>>, 'value'>
      : Readonly<Record<'value', SentValue<Topics[Name]>>>);
}[keyof Topics & string];
