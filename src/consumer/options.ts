import { UsageError } from '../errors/kafka-error.ts';
import { bytes, type Deserializer } from '../model/serdes.ts';
import type { ConsumerTopics } from '../model/topics.ts';
import {
  boolean,
  findOptionProblem,
  func,
  anyOf,
  integer,
  nonEmptyString,
  object,
  oneOf,
  quote,
  type OptionRule,
} from '../util/option-rules.ts';
import { parseOffsetReset, type AutoOffsetReset, type ResolvedOffsetReset } from './auto-offset-reset.ts';
import type { ConsumerRecord } from './consumer-record.ts';
import type { PartitionAssignor } from './group/assignors/assignor.ts';
import {
  makeAssignors,
  partitionAssignorNames,
  rebalanceProtocolOf,
  type PartitionAssignorName,
} from './group/assignors/resolve-assignors.ts';

/** Who assigns the partitions of a group: its members, the brokers, or these where they can. */
export type GroupProtocol = 'classic' | 'consumer' | 'auto';

/** Whether records of open and aborted transactions are handed out. */
export type IsolationLevel = 'read_uncommitted' | 'read_committed';

/** What {@link DeserializationErrorPolicy} may answer: end the read, leave the record out, try again, or use this value. */
export type DeserializationDecision<V> =
  | 'fail'
  | 'skip'
  | 'retry'
  | {
      /** Stands in the place of the value that could not be read. */
      readonly value: V;
    };

/** A record that could not be deserialized: the error, and the record with its raw bytes. */
export interface DeserializationFailure {
  /** What the deserializer threw. */
  readonly error: unknown;
  /** Its `keyBytes` and `valueBytes` are what was sent. */
  readonly record: ConsumerRecord<unknown, unknown>;
}

/** What to do with a record that a deserializer refuses. */
export type DeserializationErrorPolicy<V> =
  | 'fail'
  | 'skip'
  | ((failure: DeserializationFailure) => DeserializationDecision<V> | Promise<DeserializationDecision<V>>);

/** Options of a consumer; all of them have defaults. */
export interface ConsumerOptions<K = Buffer | null, V = Buffer | null> {
  /**
   * The group whose offsets are used, and whose members share the partitions. Java: `group.id`.
   *
   * @defaultValue none: `assign` works, `subscribe` and `commit` do not
   */
  readonly groupId?: string | undefined;
  /**
   * An identity that lasts: a member that comes back with it within the session timeout gets its partitions back without a
   * rebalance (KIP-345). Java: `group.instance.id`.
   *
   * @defaultValue none
   */
  readonly groupInstanceId?: string | undefined;
  /**
   * How the group is spoken of: `classic` (the members assign, KIP-62), `consumer` (the brokers do, KIP-848; from Kafka 4.0 on), or
   * `auto`, which takes the new protocol where the cluster has it. Members of both kinds can be in one group, so that it moves from the
   * one to the other member by member. With `consumer`, session and heartbeat interval are the broker's. Java: `group.protocol`.
   *
   * @defaultValue 'classic'
   */
  readonly groupProtocol?: GroupProtocol | undefined;
  /**
   * The assignor of the brokers' that the group should use in the new protocol: `uniform` or `range` (KIP-848). Java:
   * `group.remote.assignor`.
   *
   * @defaultValue the broker chooses
   */
  readonly groupRemoteAssignor?: string | undefined;
  /**
   * How a classic group assigns its partitions: Kafka's assignors by name, or one of one's own; the coordinator takes one that all
   * members have. With `cooperative-sticky` alone only what moves is given up in a rebalance (KIP-429); beside an eager one it is eager
   * too, which is the step in between for a group that changes over. Refused with `groupProtocol: 'consumer'`. Java:
   * `partition.assignment.strategy`.
   *
   * @defaultValue ['range', 'cooperative-sticky']
   */
  readonly partitionAssignors?: readonly (PartitionAssignorName | PartitionAssignor)[] | undefined;
  /**
   * Where to begin where the group has no offset, or the offset lies outside of the log: at the beginning, at the end, so far back
   * from now (`{ byDurationMs }`, or Kafka's `'by_duration:PT1H'`; KIP-1106), or nowhere: with `'none'` the read ends with
   * `NO_OFFSET`, `OFFSET_OUT_OF_RANGE` or `LOG_TRUNCATED`. Java: `auto.offset.reset`.
   *
   * @defaultValue 'latest'
   */
  readonly autoOffsetReset?: AutoOffsetReset | undefined;
  /**
   * Whether processed offsets are committed by themselves: at intervals, before partitions are given up, and at close. What is
   * in hand is never committed by it. `'marked'` counts only what {@link Consumer.markProcessed} was called for, in any order: for
   * streams and for whoever asks for the next record before the last is done. Java: `enable.auto.commit`.
   *
   * @defaultValue true
   */
  readonly autoCommit?: boolean | 'marked' | undefined;
  /**
   * How often, in milliseconds. Java: `auto.commit.interval.ms`.
   *
   * @defaultValue 5000
   */
  readonly autoCommitIntervalMs?: number | undefined;
  /**
   * How long the coordinator waits for a heartbeat before it gives the partitions to others, in milliseconds. Refused with
   * `groupProtocol: 'consumer'`, where the group's config has it. Java: `session.timeout.ms`.
   *
   * @defaultValue 45000
   */
  readonly sessionTimeoutMs?: number | undefined;
  /**
   * How often to send heartbeats, in milliseconds; at most a third of the session timeout is wise. Refused with
   * `groupProtocol: 'consumer'`, where the group's config has it. Java: `heartbeat.interval.ms`.
   *
   * @defaultValue 3000
   */
  readonly heartbeatIntervalMs?: number | undefined;
  /**
   * How long the application may take between two reads before the member leaves its group, in milliseconds.
   * Java: `max.poll.interval.ms`.
   *
   * @defaultValue 300000
   */
  readonly maxPollIntervalMs?: number | undefined;
  /**
   * How many records `poll` gives at most, and a batch of `batches()` has at most. Java: `max.poll.records`.
   *
   * @defaultValue 500
   */
  readonly maxPollRecords?: number | undefined;
  /**
   * A broker answers once it has this many bytes, or after `fetchMaxWaitMs`. Java: `fetch.min.bytes`.
   *
   * @defaultValue 1
   */
  readonly fetchMinBytes?: number | undefined;
  /**
   * How long a broker may wait for `fetchMinBytes`, in milliseconds. Java: `fetch.max.wait.ms`.
   *
   * @defaultValue 500
   */
  readonly fetchMaxWaitMs?: number | undefined;
  /**
   * How many bytes one answer of a broker may have; a first batch that is larger comes whole. Java: `fetch.max.bytes`.
   *
   * @defaultValue 52428800
   */
  readonly fetchMaxBytes?: number | undefined;
  /**
   * How many bytes of one partition an answer may have; a first batch that is larger comes whole.
   * Java: `max.partition.fetch.bytes`.
   *
   * @defaultValue 1048576
   */
  readonly maxPartitionFetchBytes?: number | undefined;
  /**
   * How many fetched bytes may wait to be processed, over all brokers; one answer per broker may come on top, which has an eighth of it at
   * most (or `maxPartitionFetchBytes`). Java has none.
   *
   * @defaultValue 67108864
   */
  readonly maxBufferedBytes?: number | undefined;
  /**
   * `read_committed` hands out nothing of open or aborted transactions. Java: `isolation.level`.
   *
   * @defaultValue 'read_uncommitted'
   */
  readonly isolationLevel?: IsolationLevel | undefined;
  /**
   * Whether the checksum of every batch is compared. Java: `check.crcs`.
   *
   * @defaultValue true
   */
  readonly checkCrcs?: boolean | undefined;
  /**
   * Whether a topic that does not exist may be created by the brokers, if they are set to. Java: `allow.auto.create.topics`.
   *
   * @defaultValue true
   */
  readonly allowAutoCreateTopics?: boolean | undefined;
  /**
   * What to do with a record that a deserializer refuses. With anything but `fail`, records are deserialized before they are
   * handed out, also where the deserializer is lazy. Java has none.
   *
   * @defaultValue 'fail'
   */
  readonly onDeserializationError?: DeserializationErrorPolicy<V> | undefined;
  /**
   * How keys are read. Java: `key.deserializer`.
   *
   * @defaultValue bytes
   */
  readonly key?: Deserializer<K> | undefined;
  /**
   * How values are read. Java: `value.deserializer`.
   *
   * @defaultValue bytes
   */
  readonly value?: Deserializer<V> | undefined;
}

/** Options of a consumer that is typed by topic: `topics` in place of `key` and `value`. */
export interface TypedConsumerOptions<Topics extends ConsumerTopics> extends Omit<
  ConsumerOptions<unknown, unknown>,
  'key' | 'value'
> {
  /**
   * The topics that may be read, each with the serdes of its keys and values: records are then typed by topic, and no other topic
   * can be subscribed to or assigned. See `defineTopics`. Java has none.
   *
   * @defaultValue none: `kafka.consumer` without it takes any topic, and `key` and `value` for all of them
   */
  readonly topics: Topics;
}

/** What may be given: the one or the other; who gives both is told so. */
export type GivenConsumerOptions<K, V> = ConsumerOptions<K, V> & { readonly topics?: ConsumerTopics | undefined };

/** {@link ConsumerOptions} after checking, with every default filled in. Frozen. */
export interface ResolvedConsumerOptions {
  readonly groupId: string | undefined;
  readonly groupInstanceId: string | undefined;
  readonly groupProtocol: GroupProtocol;
  readonly groupRemoteAssignor: string | undefined;
  readonly partitionAssignors: readonly (PartitionAssignorName | PartitionAssignor)[];
  readonly autoOffsetReset: ResolvedOffsetReset;
  readonly autoCommit: boolean | 'marked';
  readonly autoCommitIntervalMs: number;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly maxPollIntervalMs: number;
  readonly maxPollRecords: number;
  readonly fetchMinBytes: number;
  readonly fetchMaxWaitMs: number;
  readonly fetchMaxBytes: number;
  readonly maxPartitionFetchBytes: number;
  readonly maxBufferedBytes: number;
  readonly isolationLevel: IsolationLevel;
  readonly checkCrcs: boolean;
  readonly allowAutoCreateTopics: boolean;
  readonly onDeserializationError: DeserializationErrorPolicy<unknown>;
  readonly key: Deserializer<unknown>;
  readonly value: Deserializer<unknown>;
  readonly topics: ConsumerTopics | undefined;
}

const defaults: ResolvedConsumerOptions = {
  groupId: undefined,
  groupInstanceId: undefined,
  groupProtocol: 'classic',
  groupRemoteAssignor: undefined,
  partitionAssignors: ['range', 'cooperative-sticky'],
  autoOffsetReset: 'latest',
  autoCommit: true,
  autoCommitIntervalMs: 5000,
  sessionTimeoutMs: 45_000,
  heartbeatIntervalMs: 3000,
  maxPollIntervalMs: 300_000,
  maxPollRecords: 500,
  fetchMinBytes: 1,
  fetchMaxWaitMs: 500,
  fetchMaxBytes: 50 * 1024 * 1024,
  maxPartitionFetchBytes: 1024 * 1024,
  maxBufferedBytes: 64 * 1024 * 1024,
  isolationLevel: 'read_uncommitted',
  checkCrcs: true,
  allowAutoCreateTopics: true,
  onDeserializationError: 'fail',
  key: bytes,
  value: bytes,
  topics: undefined,
};

const INT32_MAX = 0x7fff_ffff;
export const deserializer: OptionRule = {
  expected: 'an object with a function deserialize',
  accepts: (value) => object.accepts(value) && func.accepts((value as { deserialize?: unknown }).deserialize),
};

const assignors: OptionRule = {
  expected: `a list of names (${partitionAssignorNames.join(', ')}) and of objects with a name and a function assign`,
  accepts: (given) => Array.isArray(given) && given.length > 0 && given.every(isAssignor),
};

function isAssignor(given: unknown): boolean {
  if (typeof given === 'string') return (partitionAssignorNames as readonly string[]).includes(given);
  if (!object.accepts(given)) return false;
  const { name, assign } = given as { readonly name?: unknown; readonly assign?: unknown };
  return nonEmptyString.accepts(name) && func.accepts(assign);
}

export const definedTopics: OptionRule = {
  expected:
    'an object of topic names, each with { key, value }, and these with a function deserialize; what to read is said with subscribe()',
  accepts: (topics) =>
    object.accepts(topics) &&
    Object.keys(topics as object).length > 0 &&
    Object.values(topics as object).every(isTopic),
};

function isTopic(definition: unknown): boolean {
  if (!object.accepts(definition)) return false;
  return Object.entries(definition as object).every(
    ([field, serde]) => (field === 'key' || field === 'value') && (serde === undefined || deserializer.accepts(serde)),
  );
}

const rules: Readonly<Record<keyof GivenConsumerOptions<unknown, unknown>, OptionRule>> = {
  groupId: nonEmptyString,
  groupInstanceId: nonEmptyString,
  groupProtocol: oneOf(['classic', 'consumer', 'auto']),
  groupRemoteAssignor: nonEmptyString,
  partitionAssignors: assignors,
  autoOffsetReset: {
    expected: 'one of "earliest", "latest", "none", a text like "by_duration:PT1H", or { byDurationMs }',
    accepts: (value) => parseOffsetReset(value) !== undefined,
  },
  autoCommit: oneOf([true, false, 'marked']),
  autoCommitIntervalMs: integer(1, INT32_MAX),
  sessionTimeoutMs: integer(1, INT32_MAX),
  heartbeatIntervalMs: integer(1, INT32_MAX),
  maxPollIntervalMs: integer(1, INT32_MAX),
  maxPollRecords: integer(1, INT32_MAX),
  fetchMinBytes: integer(0, INT32_MAX),
  fetchMaxWaitMs: integer(0, INT32_MAX),
  fetchMaxBytes: integer(1, INT32_MAX),
  maxPartitionFetchBytes: integer(1, INT32_MAX),
  maxBufferedBytes: integer(1, Number.MAX_SAFE_INTEGER),
  isolationLevel: oneOf(['read_uncommitted', 'read_committed']),
  checkCrcs: boolean,
  allowAutoCreateTopics: boolean,
  onDeserializationError: anyOf(oneOf(['fail', 'skip']), func),
  key: deserializer,
  value: deserializer,
  topics: definedTopics,
};

/** What other clients call these options (Java, KafkaJS, librdkafka), and what this release does not have yet. */
const otherNames: Readonly<Record<string, string>> = {
  topic: 'say what to read with subscribe() or assign()',
  fromBeginning: "use autoOffsetReset: 'earliest'",
  'group.id': 'use groupId',
  'group.instance.id': 'use groupInstanceId',
  'auto.offset.reset': 'use autoOffsetReset',
  'enable.auto.commit': 'use autoCommit',
  enableAutoCommit: 'use autoCommit',
  'auto.commit.interval.ms': 'use autoCommitIntervalMs',
  autoCommitInterval: 'use autoCommitIntervalMs',
  sessionTimeout: 'use sessionTimeoutMs',
  'session.timeout.ms': 'use sessionTimeoutMs',
  heartbeatInterval: 'use heartbeatIntervalMs',
  'heartbeat.interval.ms': 'use heartbeatIntervalMs',
  rebalanceTimeout: 'use maxPollIntervalMs',
  'max.poll.interval.ms': 'use maxPollIntervalMs',
  'max.poll.records': 'use maxPollRecords',
  minBytes: 'use fetchMinBytes',
  'fetch.min.bytes': 'use fetchMinBytes',
  maxWaitTimeInMs: 'use fetchMaxWaitMs',
  'fetch.max.wait.ms': 'use fetchMaxWaitMs',
  'fetch.wait.max.ms': 'use fetchMaxWaitMs',
  maxBytes: 'use fetchMaxBytes',
  'fetch.max.bytes': 'use fetchMaxBytes',
  maxBytesPerPartition: 'use maxPartitionFetchBytes',
  'max.partition.fetch.bytes': 'use maxPartitionFetchBytes',
  readUncommitted: 'use isolationLevel',
  'isolation.level': 'use isolationLevel',
  'check.crcs': 'use checkCrcs',
  allowAutoTopicCreation: 'use allowAutoCreateTopics',
  'allow.auto.create.topics': 'use allowAutoCreateTopics',
  'key.deserializer': 'use key',
  'value.deserializer': 'use value',
  keyDeserializer: 'use key',
  valueDeserializer: 'use value',
  deserializers: 'use key and value',
  'client.rack': 'use clientRack of the Kafka client',
  rackId: 'use clientRack of the Kafka client',
  metadataMaxAge: 'use metadataMaxAgeMs of the Kafka client',
  retry: 'use retryBackoffMs and retryBackoffMaxMs of the Kafka client: reading goes on for as long as it takes',
  maxInFlightRequests: 'one answer is read while the next is fetched',
  'group.protocol': 'use groupProtocol',
  'group.remote.assignor': 'use groupRemoteAssignor',
  partitionAssigners: 'use partitionAssignors',
  'partition.assignment.strategy': 'use partitionAssignors',
};

/**
 * Checks options and fills in the defaults.
 *
 * @throws UsageError UNKNOWN_OPTION or INVALID_OPTION that names the option
 */
export function resolveConsumerOptions<K, V>(given: GivenConsumerOptions<K, V> = {}): ResolvedConsumerOptions {
  const problem = findOptionProblem(given, rules, 'the consumer', otherNames);
  if (problem !== undefined) throw new UsageError(problem.message, { code: problem.code });
  const defined = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const resolved: ResolvedConsumerOptions = { ...defaults, ...(defined as Partial<ResolvedConsumerOptions>) };
  // Whichever of the two served a topic, somebody would have expected the other one.
  if (resolved.topics !== undefined && ('key' in defined || 'value' in defined)) {
    throw new UsageError(
      'Cannot use topics together with key or value: give each topic its own key and value in topics',
      {
        code: 'INVALID_OPTION',
      },
    );
  }
  refuseContradictions(resolved);
  refuseWhatBrokersDecide(defined, resolved);
  const autoOffsetReset = parseOffsetReset(resolved.autoOffsetReset) ?? defaults.autoOffsetReset;
  return Object.freeze({ ...resolved, autoOffsetReset });
}

/** In the new protocol the brokers have these settings for the group. With `auto` they count where the group is a classic one. */
const brokersDecide: Readonly<Record<string, string>> = {
  sessionTimeoutMs: "set the group's config consumer.session.timeout.ms",
  heartbeatIntervalMs: "set the group's config consumer.heartbeat.interval.ms",
  partitionAssignors: 'use groupRemoteAssignor',
};

function refuseWhatBrokersDecide(
  given: Readonly<Record<string, unknown>>,
  { groupProtocol }: ResolvedConsumerOptions,
): void {
  if (groupProtocol !== 'consumer') return;
  for (const [name, advice] of Object.entries(brokersDecide)) {
    if (!(name in given)) continue;
    throw new UsageError(`Cannot use ${name} with groupProtocol 'consumer': there the brokers decide it; ${advice}`, {
      code: 'INVALID_OPTION',
    });
  }
}

function refuseContradictions(options: ResolvedConsumerOptions): void {
  // The session would end between two heartbeats, for every member, all the time.
  if (options.heartbeatIntervalMs >= options.sessionTimeoutMs) {
    throw new UsageError(
      `Cannot use heartbeatIntervalMs ${options.heartbeatIntervalMs}: it must be below sessionTimeoutMs, which is ${options.sessionTimeoutMs}`,
      { code: 'INVALID_OPTION' },
    );
  }
  const names = options.partitionAssignors.map((one) => (typeof one === 'string' ? one : one.name));
  if (new Set(names).size < names.length) {
    throw new UsageError(`Cannot use partitionAssignors ${quote(names)}: each must have a name of its own`, {
      code: 'INVALID_OPTION',
    });
  }
  if (rebalanceProtocolOf(makeAssignors(options.partitionAssignors)) === undefined) {
    throw new UsageError(
      `Cannot use partitionAssignors ${quote(names)}: they have no kind of rebalance, eager or cooperative, in common`,
      { code: 'INVALID_OPTION' },
    );
  }
  if (options.groupRemoteAssignor !== undefined && options.groupProtocol === 'classic') {
    throw new UsageError(
      "Cannot use groupRemoteAssignor with groupProtocol 'classic': there the members assign; use partitionAssignors",
      { code: 'INVALID_OPTION' },
    );
  }
  if (options.groupInstanceId !== undefined && options.groupId === undefined) {
    throw new UsageError('Cannot use groupInstanceId without groupId: it names a member of a group', {
      code: 'INVALID_OPTION',
    });
  }
}
