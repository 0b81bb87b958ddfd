import type { CompressionName } from '../protocol/records/compression-type.ts';
import { compressionNames } from '../protocol/records/compression-type.ts';
import { UsageError } from '../errors/kafka-error.ts';
import type { Serializer } from '../model/serdes.ts';
import type { ProducerTopics } from '../model/topics.ts';
import {
  anyOf,
  boolean,
  findOptionProblem,
  func,
  integer,
  listOf,
  nonEmptyString,
  object,
  oneOf,
  type OptionRule,
} from '../util/option-rules.ts';
import type { ProducerInterceptor } from './interceptors.ts';
import { BuiltInPartitioner, defaultPartitioner, roundRobinPartitioner, type Partitioner } from './partitioner.ts';

/** How a producer writes. Every option may be left out; the defaults are the safe ones. */
export interface ProducerOptions<K = string | Uint8Array | null, V = string | Uint8Array | null> {
  /**
   * Makes keys into bytes. Java: `key.serializer`.
   *
   * @defaultValue bytes: text, as UTF-8, and bytes as they are
   */
  readonly key?: Serializer<K> | undefined;
  /**
   * Makes values into bytes. Java: `value.serializer`.
   *
   * @defaultValue bytes: text, as UTF-8, and bytes as they are
   */
  readonly value?: Serializer<V> | undefined;
  /**
   * When a record counts as written: `'all'` (or -1) when every in-sync replica has it, 1 when the leader has it, 0 as soon as it
   * is handed to the network, in which case the offset stays unknown (-1) and errors of the broker go unseen. Java: `acks`
   * (KIP-679).
   *
   * @defaultValue all
   */
  readonly acks?: 'all' | -1 | 0 | 1 | undefined;
  /**
   * Whether the broker drops what it gets twice and keeps the order under retries. Needs `acks: 'all'` and at most 5 requests in
   * flight. Java: `enable.idempotence` (KIP-98, KIP-679).
   *
   * @defaultValue true; false if `acks` is 0 or 1
   */
  readonly idempotence?: boolean | undefined;
  /**
   * Makes the producer transactional: it sends only inside of `transaction()` or `beginTransaction()`, and what was sent there becomes
   * visible together or never. The name stays the same over restarts and belongs to one producer at a time: one that begins ends
   * the transaction of the one before it, and fences it. Java: `transactional.id` (KIP-98).
   *
   * @defaultValue none: the producer is not transactional
   */
  readonly transactionalId?: string | undefined;
  /**
   * How long a transaction may last before the coordinator aborts it and fences its producer, in milliseconds. Must not be above what
   * the brokers allow (`transaction.max.timeout.ms`, 15 minutes as a rule). Java: `transaction.timeout.ms`
   * (KIP-98).
   *
   * @defaultValue 60000
   */
  readonly transactionTimeoutMs?: number | undefined;
  /**
   * How batches are compressed; consumers decompress by themselves. Large batches of gzip and zstd are compressed in Node's thread
   * pool. zstd needs brokers from 2.1 on (KIP-110). Java: `compression.type`.
   *
   * @defaultValue none
   */
  readonly compression?: CompressionName | undefined;
  /**
   * The effort of the codec, on its own scale: gzip 1 to 9, lz4 1 to 17, zstd 1 to 22. Java: `compression.gzip.level` and so on
   * (KIP-390).
   *
   * @defaultValue the codec's own
   */
  readonly compressionLevel?: number | undefined;
  /**
   * The size at which a batch is full, in bytes before compression; it does not wait for that, see {@link lingerMs}. Larger than
   * Java's 16 KiB because a broker spends about twice the CPU on the same records in small batches. Where it is above what a topic
   * takes (`max.message.bytes`, 1 MiB), the first batch is taken apart and later ones are smaller. A batch begins small in memory.
   * Java: `batch.size`.
   *
   * @defaultValue 1000000
   */
  readonly batchSizeBytes?: number | undefined;
  /**
   * How long a batch waits for more records, in milliseconds. With 0 batches are adaptive: what is sent in the same turn of the
   * event loop goes together, and while a broker has not answered a request yet, batches wait for the answer, gathering what comes.
   * Only a batch of 64 KiB leaves before that, as long as its broker has one request at most. Java: `linger.ms`, there 5 (KIP-1030),
   * which is waited even when nothing else is to be done.
   *
   * @defaultValue 0
   */
  readonly lingerMs?: number | undefined;
  /**
   * Memory for records that are not acknowledged yet, in bytes; a send of a single record counts 256 bytes more for its promise.
   * When it is used up, sends wait; see {@link maxBlockMs} and `producer.ready()`. Java: `buffer.memory`.
   *
   * @defaultValue 33554432
   */
  readonly bufferMemoryBytes?: number | undefined;
  /**
   * How long a send may wait for metadata and memory, in milliseconds. Java: `max.block.ms` (KIP-19), there 60000.
   *
   * @defaultValue deliveryTimeoutMs
   */
  readonly maxBlockMs?: number | undefined;
  /**
   * How many sends may wait for memory, in order; one more rejects with `BUFFER_FULL`. A `send` of an array counts once.
   * Java has none: there a send blocks its thread.
   *
   * @defaultValue 10000
   */
  readonly maxWaitingSends?: number | undefined;
  /**
   * The largest request, in bytes, and so the largest record: a larger one rejects with `MESSAGE_TOO_LARGE`. A request takes
   * several batches up to this size; `batchSizeBytes` must not be above it. Java: `max.request.size`.
   *
   * @defaultValue 1048576
   */
  readonly maxRequestBytes?: number | undefined;
  /**
   * How many requests a broker may have unanswered. Above 5 only without idempotence, as a partition remembers a producer's last
   * five batches. Java: `max.in.flight.requests.per.connection`.
   *
   * @defaultValue 5
   */
  readonly maxInFlightRequests?: number | undefined;
  /**
   * How long a record may take from `send` until it is acknowledged, in milliseconds.
   *
   * One clock for waiting in the buffer, batching, retries and back-off; when it runs out, `send` rejects and says what is known
   * of the record. Must be at least `lingerMs` plus the client's `requestTimeoutMs`, if it is given. Java: `delivery.timeout.ms`
   * (KIP-91).
   *
   * @defaultValue 120000
   */
  readonly deliveryTimeoutMs?: number | undefined;
  /**
   * Who chooses the partition of a record that names none: `'default'` by Java's hash of the key, records without one staying
   * with a partition until 64 KiB went there, fewer with those that are slow (KIP-480, KIP-794); `'round-robin'` one after the
   * other whatever the key (KIP-369); `defaultPartitioner({ … })` for the options of the first, such as `rackAware`; or a
   * function. Java: `partitioner.class` (KIP-22) and the options `partitioner.…`.
   *
   * @defaultValue default
   */
  readonly partitioner?: 'default' | 'round-robin' | BuiltInPartitioner | Partitioner<K, V> | undefined;
  /**
   * See each record before it is sent, and may change it; learn how it ended. Each gets what the one before made of the record.
   * Java: `interceptor.classes` (KIP-42).
   *
   * @defaultValue none
   */
  readonly interceptors?: readonly ProducerInterceptor<K, V>[] | undefined;
}

/** Options of a producer that is typed by topic: `topics` in place of `key` and `value`. */
export interface TypedProducerOptions<Topics extends ProducerTopics> extends Omit<
  ProducerOptions<unknown, unknown>,
  'key' | 'value'
> {
  /**
   * The topics that may be written to, each with the serdes of its keys and values: `send` is then typed by topic, and any other
   * topic is refused. See `defineTopics`. Java has none.
   *
   * @defaultValue none: `kafka.producer` without it takes any topic, and `key` and `value` for all of them
   */
  readonly topics: Topics;
}

/** What may be given: the one or the other; who gives both is told so. */
export type GivenProducerOptions<K, V> = ProducerOptions<K, V> & { readonly topics?: ProducerTopics | undefined };

/** {@link ProducerOptions} after checking, with every default filled in. Frozen. */
export interface ResolvedProducerOptions<K, V> {
  readonly key: Serializer<K> | undefined;
  readonly value: Serializer<V> | undefined;
  readonly acks: -1 | 0 | 1;
  readonly idempotence: boolean;
  readonly transactionalId: string | undefined;
  readonly transactionTimeoutMs: number;
  readonly compression: CompressionName;
  readonly compressionLevel: number | undefined;
  readonly batchSizeBytes: number;
  readonly lingerMs: number;
  readonly bufferMemoryBytes: number;
  readonly maxBlockMs: number;
  readonly maxWaitingSends: number;
  readonly maxRequestBytes: number;
  readonly maxInFlightRequests: number;
  readonly deliveryTimeoutMs: number;
  readonly partitioner: BuiltInPartitioner | Partitioner<K, V>;
  readonly topics: ProducerTopics | undefined;
  readonly interceptors: readonly ProducerInterceptor<unknown, unknown>[];
}

const defaults = {
  acks: -1,
  transactionTimeoutMs: 60_000,
  compression: 'none',
  batchSizeBytes: 1_000_000,
  lingerMs: 0,
  bufferMemoryBytes: 32 * 1024 * 1024,
  maxWaitingSends: 10_000,
  maxRequestBytes: 1024 * 1024,
  maxInFlightRequests: 5,
  deliveryTimeoutMs: 120_000,
} as const;

const int32Max = 0x7fff_ffff;

const serializer: OptionRule = {
  expected: 'an object with a method serialize',
  accepts: (value) =>
    typeof value === 'object' && value !== null && typeof (value as { serialize?: unknown }).serialize === 'function',
};

const definedTopics: OptionRule = {
  expected:
    'an object of topic names, each with { key, value }, and these with a method serialize; where to send is said by each record',
  accepts: (topics) =>
    object.accepts(topics) &&
    Object.keys(topics as object).length > 0 &&
    Object.values(topics as object).every(isTopic),
};

function isTopic(definition: unknown): boolean {
  if (!object.accepts(definition)) return false;
  return Object.entries(definition as object).every(
    ([field, serde]) => (field === 'key' || field === 'value') && (serde === undefined || serializer.accepts(serde)),
  );
}

const interceptor: OptionRule = {
  expected: 'an object with onSend, onAcknowledgement or close',
  accepts: (value) => object.accepts(value) && interceptorMethods.some((name) => name in (value as object)),
};
const interceptorMethods = ['onSend', 'onAcknowledgement', 'close'];

const builtInPartitioner: OptionRule = {
  expected: 'a partitioner such as defaultPartitioner() makes',
  accepts: (value) => value instanceof BuiltInPartitioner,
};

const rules: Readonly<Record<keyof GivenProducerOptions<unknown, unknown>, OptionRule>> = {
  key: serializer,
  value: serializer,
  acks: oneOf(['all', -1, 0, 1]),
  idempotence: boolean,
  transactionalId: nonEmptyString,
  transactionTimeoutMs: integer(1, int32Max),
  compression: oneOf(compressionNames),
  compressionLevel: integer(-131_072, 22),
  batchSizeBytes: integer(1, int32Max),
  lingerMs: integer(0, 900_000),
  bufferMemoryBytes: integer(1, Number.MAX_SAFE_INTEGER),
  maxBlockMs: integer(0, int32Max),
  maxWaitingSends: integer(0, int32Max),
  maxRequestBytes: integer(1, int32Max),
  maxInFlightRequests: integer(1, int32Max),
  deliveryTimeoutMs: integer(1, int32Max),
  partitioner: anyOf(oneOf(['default', 'round-robin']), builtInPartitioner, func),
  topics: definedTopics,
  interceptors: listOf(interceptor),
};

const levels: Readonly<Partial<Record<CompressionName, readonly [min: number, max: number]>>> = {
  // Node's zlib counts 0 as "store" and Java's -1 as the default; both are better said by another option.
  gzip: [1, 9],
  lz4: [1, 17],
  zstd: [-131_072, 22],
};

/** What other clients call these options: KafkaJS, the Java client and librdkafka. */
const otherNames: Readonly<Record<string, string>> = {
  idempotent: 'use idempotence',
  'enable.idempotence': 'use idempotence',
  enableIdempotence: 'use idempotence',
  'batch.size': 'use batchSizeBytes',
  'linger.ms': 'use lingerMs',
  'queue.buffering.max.ms': 'use lingerMs',
  'buffer.memory': 'use bufferMemoryBytes',
  'queue.buffering.max.kbytes': 'use bufferMemoryBytes',
  'max.block.ms': 'use maxBlockMs',
  'max.request.size': 'use maxRequestBytes',
  'message.max.bytes': 'use maxRequestBytes',
  'max.in.flight.requests.per.connection': 'use maxInFlightRequests',
  'delivery.timeout.ms': 'use deliveryTimeoutMs',
  'message.timeout.ms': 'use deliveryTimeoutMs',
  'compression.type': 'use compression',
  compressionType: 'use compression',
  'compression.codec': 'use compression',
  'partitioner.class': 'use partitioner',
  createPartitioner: 'use partitioner',
  'partitioner.adaptive.partitioning.enable': 'use partitioner: defaultPartitioner({ adaptive })',
  'partitioner.availability.timeout.ms': 'use partitioner: defaultPartitioner({ availabilityTimeoutMs })',
  'partitioner.ignore.keys': 'use partitioner: defaultPartitioner({ ignoreKeys })',
  'partitioner.rack.aware': 'use partitioner: defaultPartitioner({ rackAware })',
  'client.rack': 'use clientRack of the Kafka client',
  'interceptor.classes': 'use interceptors',
  'compression.gzip.level': 'use compressionLevel',
  'compression.lz4.level': 'use compressionLevel',
  'compression.zstd.level': 'use compressionLevel',
  'key.serializer': 'use key',
  keySerializer: 'use key',
  'value.serializer': 'use value',
  valueSerializer: 'use value',
  serializers: 'use key and value',
  timeout: 'use deliveryTimeoutMs',
  retry: 'the client has retries, retryBackoffMs and retryBackoffMaxMs; deliveryTimeoutMs is the better bound',
  retries: 'it is an option of the client; deliveryTimeoutMs is the better bound',
  metadataMaxAge: 'use metadataMaxAgeMs of the Kafka client',
  topic: 'each record says its topic',
  allowAutoTopicCreation: 'the broker decides, by auto.create.topics.enable',
  'transactional.id': 'use transactionalId',
  'transaction.timeout.ms': 'use transactionTimeoutMs',
  transactionTimeout: 'use transactionTimeoutMs',
};

/**
 * Checks options and fills in the defaults.
 *
 * @param requestTimeoutMs the client's
 * @param clientRack the client's
 * @throws UsageError UNKNOWN_OPTION or INVALID_OPTION that names the option
 */
export function resolveProducerOptions<K, V>(
  given: GivenProducerOptions<K, V> | undefined,
  requestTimeoutMs: number,
  clientRack?: string,
): ResolvedProducerOptions<K, V> {
  const problem = findOptionProblem(given, rules, 'the producer', otherNames);
  if (problem !== undefined) throw new UsageError(problem.message, { code: problem.code });
  const options = definedOnly(given ?? {});
  const acks = options.acks === undefined || options.acks === 'all' ? -1 : options.acks;
  const maxRequestBytes = options.maxRequestBytes ?? defaults.maxRequestBytes;
  const deliveryTimeoutMs = options.deliveryTimeoutMs ?? defaults.deliveryTimeoutMs;
  const resolved: ResolvedProducerOptions<K, V> = {
    ...defaults,
    key: undefined,
    value: undefined,
    compressionLevel: undefined,
    topics: undefined,
    transactionalId: undefined,
    // A limit that is lowered takes the default of what must stay below it along; what is given is never changed.
    batchSizeBytes: Math.min(defaults.batchSizeBytes, maxRequestBytes),
    maxBlockMs: deliveryTimeoutMs,
    ...options,
    acks,
    idempotence: options.idempotence ?? acks === -1,
    partitioner: partitionerOf(options.partitioner),
    // What an interceptor is given is what the caller of `send` gave, whose types the caller checks.
    interceptors: options.interceptors ?? [],
  };
  refuseContradictions(resolved, options, requestTimeoutMs);
  refuseSerdesBesideTopics(resolved);
  refuseRacksUnknown(resolved.partitioner, clientRack);
  return Object.freeze(resolved);
}

function refuseContradictions<K, V>(
  options: ResolvedProducerOptions<K, V>,
  given: Partial<ProducerOptions<K, V>>,
  requestTimeoutMs: number,
): void {
  const { acks, idempotence, batchSizeBytes, maxRequestBytes, lingerMs, deliveryTimeoutMs } = options;
  // The broker keeps the order of sequence numbers only for what all in-sync replicas have.
  if (idempotence && acks !== -1) throw invalid(`acks ${acks} with idempotence: it needs acks "all"`);
  if (options.transactionalId !== undefined && !idempotence) {
    const why = acks === -1 ? 'idempotence false' : `acks ${acks}`;
    throw invalid(`transactionalId with ${why}: a transaction needs acks "all" and idempotence`);
  }
  if (given.transactionTimeoutMs !== undefined && options.transactionalId === undefined) {
    throw invalid('transactionTimeoutMs without transactionalId: it is for transactions only');
  }
  if (idempotence && options.maxInFlightRequests > 5) {
    throw invalid(
      `maxInFlightRequests ${options.maxInFlightRequests}: with idempotence it must be an integer from 1 to 5; a partition ` +
        `remembers a producer's last five batches`,
    );
  }
  if (batchSizeBytes > maxRequestBytes) {
    throw invalid(
      `batchSizeBytes ${batchSizeBytes}: it must not be above maxRequestBytes, which is ${maxRequestBytes}`,
    );
  }
  // Otherwise the largest record could never get memory.
  if (options.bufferMemoryBytes < maxRequestBytes) {
    const least = `maxRequestBytes, which is ${maxRequestBytes}`;
    throw invalid(`bufferMemoryBytes ${options.bufferMemoryBytes}: it must not be below ${least}`);
  }
  // With less, a record could be given up while its first request may still be answered.
  if (given.deliveryTimeoutMs !== undefined && deliveryTimeoutMs < lingerMs + requestTimeoutMs) {
    throw invalid(
      `deliveryTimeoutMs ${deliveryTimeoutMs}: it must be at least lingerMs plus requestTimeoutMs, which is ` +
        `${lingerMs + requestTimeoutMs}; lower requestTimeoutMs of the client as well`,
    );
  }
  refuseLevel(options);
}

function partitionerOf<K, V>(given: ProducerOptions<K, V>['partitioner']): BuiltInPartitioner | Partitioner<K, V> {
  if (given === 'round-robin') return roundRobinPartitioner();
  return given === undefined || given === 'default' ? defaultPartitioner() : given;
}

/** Whichever of the two served a topic, somebody would have expected the other one. */
function refuseSerdesBesideTopics({
  topics,
  key,
  value,
}: {
  readonly topics: unknown;
  readonly key: unknown;
  readonly value: unknown;
}): void {
  if (topics === undefined || (key === undefined && value === undefined)) return;
  throw invalid('topics together with key or value: give each topic its own key and value in topics');
}

function refuseRacksUnknown(partitioner: unknown, clientRack: string | undefined): void {
  if (!(partitioner instanceof BuiltInPartitioner) || !partitioner.rackAware || clientRack !== undefined) return;
  throw invalid('a partitioner with rackAware without clientRack; give the Kafka client its clientRack');
}

function refuseLevel({
  compression,
  compressionLevel,
}: Pick<ProducerOptions, 'compression' | 'compressionLevel'>): void {
  if (compressionLevel === undefined || compression === undefined) return;
  const range = levels[compression];
  if (range === undefined)
    throw invalid(`compressionLevel ${compressionLevel}: compression "${compression}" has no levels`);
  if (compressionLevel < range[0] || compressionLevel > range[1]) {
    throw invalid(
      `compressionLevel ${compressionLevel}: for "${compression}" it must be from ${range[0]} to ${range[1]}`,
    );
  }
}

function definedOnly<K, V>(given: GivenProducerOptions<K, V>): Partial<DefinedOptions<K, V>> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

type DefinedOptions<K, V> = {
  readonly [Name in keyof GivenProducerOptions<K, V>]-?: Exclude<GivenProducerOptions<K, V>[Name], undefined>;
};

function invalid(what: string): UsageError {
  return new UsageError(`Cannot use ${what}`, { code: 'INVALID_OPTION' });
}
