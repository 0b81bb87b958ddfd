import { UsageError, type KafkaError } from '../../errors/kafka-error.ts';
import { bytes, type Deserializer } from '../../model/serdes.ts';
import type { TopicPartition } from '../../model/topic-partition.ts';
import type { ConsumerTopics } from '../../model/topics.ts';
import {
  anyOf,
  boolean,
  findOptionProblem,
  func,
  integer,
  nonEmptyString,
  oneOf,
  type OptionRule,
} from '../../util/option-rules.ts';
import { definedTopics, deserializer } from '../options.ts';
import type { ShareRecord } from './share-record.ts';

/**
 * What becomes of a record: `accept` it as processed, `release` it so that it is delivered again, here or to another member, `reject` it so
 * that it never is, or `renew` its lock and go on with it (KIP-1222). Java: `AcknowledgeType`.
 */
export type AcknowledgeType = 'accept' | 'release' | 'reject' | 'renew';

/** Acknowledgements of one partition that a broker has answered, or that could not be sent. */
export interface AcknowledgementResult extends TopicPartition {
  /** The records. */
  readonly offsets: readonly bigint[];
  /** How they were acknowledged. */
  readonly type: AcknowledgeType;
  /** Why they were not; undefined if they were. */
  readonly error?: KafkaError;
}

/** What {@link ShareConsumerOptions.onDeserializationError} may answer: end the read, or what becomes of the record. */
export type ShareDeserializationDecision<V> =
  | 'fail'
  | 'release'
  | 'reject'
  | 'retry'
  | {
      /** Stands in the place of the value that could not be read. */
      readonly value: V;
    };

/** A record of a share group that could not be deserialized: the error, and the record with its raw bytes. */
export interface ShareDeserializationFailure {
  /** What the deserializer threw. */
  readonly error: unknown;
  /** Its `keyBytes` and `valueBytes` are what was sent. */
  readonly record: ShareRecord<unknown, unknown>;
}

/** What to do with a record that a deserializer refuses. */
export type ShareDeserializationErrorPolicy<V> =
  | 'fail'
  | 'release'
  | 'reject'
  | ((
      failure: ShareDeserializationFailure,
    ) => ShareDeserializationDecision<V> | Promise<ShareDeserializationDecision<V>>);

/** Options of a share consumer; all but the group have defaults. */
export interface ShareConsumerOptions<K = Buffer | null, V = Buffer | null> {
  /**
   * The share group, whose members share the records of its topics. Java: `group.id` (KIP-932).
   *
   * @defaultValue none: it must be given
   */
  readonly groupId: string;
  /**
   * Who acknowledges records: with `implicit`, to go on is to accept what was in hand; with `explicit`, nothing is acknowledged but by
   * {@link ShareConsumer.acknowledge}. Java: `share.acknowledgement.mode` (KIP-932).
   *
   * @defaultValue 'implicit'
   */
  readonly acknowledgementMode?: 'implicit' | 'explicit' | undefined;
  /**
   * How brokers choose what to lock for this consumer: whole batches, which is fast and may be more than was asked for, or exactly as many
   * records as are wanted, from one broker at a time (Kafka 4.2 and later). Java: `share.acquire.mode` (KIP-1206).
   *
   * @defaultValue 'batch-optimized'
   */
  readonly acquireMode?: 'batch-optimized' | 'record-limit' | undefined;
  /**
   * Whether the locks of records in hand are renewed at half their time until they are acknowledged, for work that takes long
   * (KIP-1222, Kafka 4.2 and later). Java has none; there each renewal is the application's.
   *
   * @defaultValue false
   */
  readonly renewLocks?: boolean | undefined;
  /**
   * How many records `poll` gives at most, and how many are asked for at a time. Java: `max.poll.records`.
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
   * How long a broker may wait for `fetchMinBytes`, in milliseconds; while records of this broker are in hand it is 100 at most, so that
   * their acknowledgements do not wait. Java: `fetch.max.wait.ms`.
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
   * How many fetched bytes may wait, unread or not acknowledged, over all brokers; one answer per broker may come on top. Java has none.
   *
   * @defaultValue 67108864
   */
  readonly maxBufferedBytes?: number | undefined;
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
   * What to do with a record that a deserializer refuses: end the read and release the record, release it, or reject it. With anything but
   * `fail`, records are deserialized before they are handed out, also where the deserializer is lazy. Java has none: there the read ends, and
   * the record is released.
   *
   * @defaultValue 'fail'
   */
  readonly onDeserializationError?: ShareDeserializationErrorPolicy<V> | undefined;
  /**
   * Is told what became of acknowledgements. What it throws is published as `listener.failed` and ends nothing.
   * Java: `setAcknowledgementCommitCallback` (KIP-932).
   *
   * @defaultValue none
   */
  readonly onAcknowledged?: ((results: readonly AcknowledgementResult[]) => unknown) | undefined;
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

/** Options of a share consumer that is typed by topic: `topics` in place of `key` and `value`. */
export interface TypedShareConsumerOptions<Topics extends ConsumerTopics> extends Omit<
  ShareConsumerOptions<unknown, unknown>,
  'key' | 'value'
> {
  /**
   * The topics that may be read, each with the serdes of its keys and values: records are then typed by topic, and no other topic
   * can be subscribed to. See `defineTopics`. Java has none.
   *
   * @defaultValue none: `kafka.shareConsumer` without it takes any topic, and `key` and `value` for all of them
   */
  readonly topics: Topics;
}

/** What may be given: the one or the other; who gives both is told so. */
export type GivenShareConsumerOptions<K, V> = ShareConsumerOptions<K, V> & {
  readonly topics?: ConsumerTopics | undefined;
};

/** {@link ShareConsumerOptions} after checking, with every default filled in. Frozen. */
export interface ResolvedShareConsumerOptions {
  readonly groupId: string;
  readonly acknowledgementMode: 'implicit' | 'explicit';
  readonly acquireMode: 'batch-optimized' | 'record-limit';
  readonly renewLocks: boolean;
  readonly maxPollRecords: number;
  readonly fetchMinBytes: number;
  readonly fetchMaxWaitMs: number;
  readonly fetchMaxBytes: number;
  readonly maxBufferedBytes: number;
  readonly checkCrcs: boolean;
  readonly allowAutoCreateTopics: boolean;
  readonly onDeserializationError: ShareDeserializationErrorPolicy<unknown>;
  readonly onAcknowledged: ((results: readonly AcknowledgementResult[]) => unknown) | undefined;
  readonly key: Deserializer<unknown>;
  readonly value: Deserializer<unknown>;
  readonly topics: ConsumerTopics | undefined;
}

const defaults: Omit<ResolvedShareConsumerOptions, 'groupId'> = {
  acknowledgementMode: 'implicit',
  acquireMode: 'batch-optimized',
  renewLocks: false,
  maxPollRecords: 500,
  fetchMinBytes: 1,
  fetchMaxWaitMs: 500,
  fetchMaxBytes: 50 * 1024 * 1024,
  maxBufferedBytes: 64 * 1024 * 1024,
  checkCrcs: true,
  allowAutoCreateTopics: true,
  onDeserializationError: 'fail',
  onAcknowledged: undefined,
  key: bytes,
  value: bytes,
  topics: undefined,
};

const INT32_MAX = 0x7fff_ffff;

const rules: Readonly<Record<keyof GivenShareConsumerOptions<unknown, unknown>, OptionRule>> = {
  groupId: nonEmptyString,
  acknowledgementMode: oneOf(['implicit', 'explicit']),
  acquireMode: oneOf(['batch-optimized', 'record-limit']),
  renewLocks: boolean,
  maxPollRecords: integer(1, INT32_MAX),
  fetchMinBytes: integer(0, INT32_MAX),
  fetchMaxWaitMs: integer(0, INT32_MAX),
  fetchMaxBytes: integer(1, INT32_MAX),
  maxBufferedBytes: integer(1, Number.MAX_SAFE_INTEGER),
  checkCrcs: boolean,
  allowAutoCreateTopics: boolean,
  onDeserializationError: anyOf(oneOf(['fail', 'release', 'reject']), func),
  onAcknowledged: func,
  key: deserializer,
  value: deserializer,
  topics: definedTopics,
};

const groupConfig = (name: string): string =>
  `set the config ${name} of the group, as with admin.incrementalAlterConfigs({ type: 'group', … })`;
const noOffsets = 'a share group has no offsets to commit; see acknowledgementMode';
const brokersAssign = 'the brokers assign the partitions of a share group';

/** What other clients call these options, and what a share consumer does not have, with where it is set instead. */
const otherNames: Readonly<Record<string, string>> = {
  topic: 'say what to read with subscribe()',
  autoOffsetReset: groupConfig('share.auto.offset.reset'),
  'auto.offset.reset': groupConfig('share.auto.offset.reset'),
  fromBeginning: groupConfig('share.auto.offset.reset'),
  isolationLevel: groupConfig('share.isolation.level'),
  'isolation.level': groupConfig('share.isolation.level'),
  sessionTimeoutMs: groupConfig('share.session.timeout.ms'),
  'session.timeout.ms': groupConfig('share.session.timeout.ms'),
  heartbeatIntervalMs: groupConfig('share.heartbeat.interval.ms'),
  'heartbeat.interval.ms': groupConfig('share.heartbeat.interval.ms'),
  autoCommit: noOffsets,
  autoCommitIntervalMs: noOffsets,
  'enable.auto.commit': noOffsets,
  'auto.commit.interval.ms': noOffsets,
  groupInstanceId: 'a share group has no static members',
  'group.instance.id': 'a share group has no static members',
  groupProtocol: 'a share group has a protocol of its own',
  'group.protocol': 'a share group has a protocol of its own',
  groupRemoteAssignor: brokersAssign,
  'group.remote.assignor': brokersAssign,
  partitionAssignors: brokersAssign,
  'partition.assignment.strategy': brokersAssign,
  maxPollIntervalMs: 'the lock of each record bounds the work; see renewLocks',
  'max.poll.interval.ms': 'the lock of each record bounds the work; see renewLocks',
  maxPartitionFetchBytes: 'use fetchMaxBytes',
  'group.id': 'use groupId',
  'share.acknowledgement.mode': 'use acknowledgementMode',
  'share.acquire.mode': 'use acquireMode',
  'max.poll.records': 'use maxPollRecords',
  'fetch.min.bytes': 'use fetchMinBytes',
  'fetch.max.wait.ms': 'use fetchMaxWaitMs',
  'fetch.max.bytes': 'use fetchMaxBytes',
  'check.crcs': 'use checkCrcs',
  'allow.auto.create.topics': 'use allowAutoCreateTopics',
  'key.deserializer': 'use key',
  'value.deserializer': 'use value',
  keyDeserializer: 'use key',
  valueDeserializer: 'use value',
};

/**
 * Checks options and fills in the defaults.
 *
 * @throws UsageError UNKNOWN_OPTION or INVALID_OPTION that names the option
 */
export function resolveShareConsumerOptions<K, V>(
  given: GivenShareConsumerOptions<K, V>,
): ResolvedShareConsumerOptions {
  const problem = findOptionProblem(given, rules, 'the share consumer', otherNames);
  if (problem !== undefined) throw new UsageError(problem.message, { code: problem.code });
  // Callers without types may leave it out.
  const { groupId } = (given as Partial<typeof given> | undefined) ?? {};
  if (groupId === undefined) {
    throw new UsageError('Cannot make a share consumer without a groupId: what it reads is shared in its group', {
      code: 'INVALID_OPTION',
    });
  }
  const defined = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const resolved = { ...defaults, ...(defined as Partial<ResolvedShareConsumerOptions>), groupId };
  if (resolved.topics !== undefined && ('key' in defined || 'value' in defined)) {
    throw new UsageError(
      'Cannot use topics together with key or value: give each topic its own key and value in topics',
      { code: 'INVALID_OPTION' },
    );
  }
  return Object.freeze(resolved);
}
