import type { CompressionName } from '../protocol/records/compression-type.ts';
import { compressionNames } from '../protocol/records/compression-type.ts';
import { UsageError } from '../errors/kafka-error.ts';
import type { Serializer } from '../model/serdes.ts';
import { anyOf, boolean, findOptionProblem, func, integer, oneOf, type OptionRule } from '../util/option-rules.ts';
import type { Partitioner } from './partitioner.ts';

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
   * is handed to the network, in which case the offset stays unknown (-1) and errors of the broker go unseen. Java: `acks`.
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
   * How batches are compressed; consumers decompress by themselves. Java: `compression.type`.
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
   * Java's 16 KiB because a broker spends several times the CPU on the same records in small batches; must not be above what topics
   * take (`max.message.bytes`, 1 MiB). A batch begins small in memory. Java: `batch.size`.
   *
   * @defaultValue 1000000
   */
  readonly batchSizeBytes?: number | undefined;
  /**
   * How long a batch waits for more records, in milliseconds. With 0 batches are adaptive: what is sent in the same turn of the
   * event loop goes together, and while a broker has not answered a request yet, batches that are not full wait for the answer,
   * gathering what comes. Java: `linger.ms`, there 5, which is waited even when nothing else is to be done.
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
   * How long a send may wait for metadata and memory, in milliseconds. Java: `max.block.ms`, there 60000.
   *
   * @defaultValue deliveryTimeoutMs
   */
  readonly maxBlockMs?: number | undefined;
  /**
   * How many sends may wait for memory, in order; one more rejects with `BUFFER_FULL`. A `send` of an array counts once.
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
   * with a partition until 64 KiB went there (KIP-480, KIP-794); `'round-robin'` one after the other whatever the key (KIP-369);
   * or a function. Java: `partitioner.class`.
   *
   * @defaultValue default
   */
  readonly partitioner?: 'default' | 'round-robin' | Partitioner<K, V> | undefined;
}

/** {@link ProducerOptions} after checking, with every default filled in. Frozen. */
export interface ResolvedProducerOptions<K, V> {
  readonly key: Serializer<K> | undefined;
  readonly value: Serializer<V> | undefined;
  readonly acks: -1 | 0 | 1;
  readonly idempotence: boolean;
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
  readonly partitioner: 'default' | 'round-robin' | Partitioner<K, V>;
}

const defaults = {
  acks: -1,
  compression: 'none',
  batchSizeBytes: 1_000_000,
  lingerMs: 0,
  bufferMemoryBytes: 32 * 1024 * 1024,
  maxWaitingSends: 10_000,
  maxRequestBytes: 1024 * 1024,
  maxInFlightRequests: 5,
  deliveryTimeoutMs: 120_000,
  partitioner: 'default',
} as const;

const int32Max = 0x7fff_ffff;

const serializer: OptionRule = {
  expected: 'an object with a method serialize',
  accepts: (value) =>
    typeof value === 'object' && value !== null && typeof (value as { serialize?: unknown }).serialize === 'function',
};

const rules: Readonly<Record<keyof ProducerOptions, OptionRule>> = {
  key: serializer,
  value: serializer,
  acks: oneOf(['all', -1, 0, 1]),
  idempotence: boolean,
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
  partitioner: anyOf(oneOf(['default', 'round-robin']), func),
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
  'key.serializer': 'use key',
  keySerializer: 'use key',
  'value.serializer': 'use value',
  valueSerializer: 'use value',
  serializers: 'use key and value',
  timeout: 'use deliveryTimeoutMs',
  retry: 'the client has retries, retryBackoffMs and retryBackoffMaxMs; deliveryTimeoutMs is the better bound',
  retries: 'it is an option of the client; deliveryTimeoutMs is the better bound',
  allowAutoTopicCreation: 'the broker decides, by auto.create.topics.enable',
  transactionalId: 'transactions are not there yet',
  'transactional.id': 'transactions are not there yet',
  transactionTimeoutMs: 'transactions are not there yet',
  interceptors: 'interceptors are not there yet',
  topics: 'records typed by topic are not there yet; use key and value',
};

/**
 * Checks options and fills in the defaults.
 *
 * @param requestTimeoutMs the client's
 * @throws UsageError UNKNOWN_OPTION or INVALID_OPTION that names the option
 */
export function resolveProducerOptions<K, V>(
  given: ProducerOptions<K, V> | undefined,
  requestTimeoutMs: number,
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
    // A limit that is lowered takes the default of what must stay below it along; what is given is never changed.
    batchSizeBytes: Math.min(defaults.batchSizeBytes, maxRequestBytes),
    maxBlockMs: deliveryTimeoutMs,
    ...options,
    acks,
    idempotence: options.idempotence ?? acks === -1,
  };
  refuseContradictions(resolved, options, requestTimeoutMs);
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

function definedOnly<K, V>(given: ProducerOptions<K, V>): Partial<DefinedOptions<K, V>> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

type DefinedOptions<K, V> = {
  readonly [Name in keyof ProducerOptions<K, V>]-?: Exclude<ProducerOptions<K, V>[Name], undefined>;
};

function invalid(what: string): UsageError {
  return new UsageError(`Cannot use ${what}`, { code: 'INVALID_OPTION' });
}
