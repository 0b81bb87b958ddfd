import { hostname } from 'node:os';
import { UsageError } from '../errors/kafka-error.ts';
import { DEFAULT_RETENTION_BYTES } from './log/log-storage.ts';
import {
  resolveSecurity,
  securityPartRules,
  securityRules,
  type ResolvedSecurity,
  type TestClusterSecurity,
} from './security/security-options.ts';
import { systemClock, type Clock } from '../util/clock.ts';
import {
  anyOf,
  findOptionProblem,
  integer,
  listOf,
  nonEmptyString,
  object,
  oneOf,
  type OptionRule,
} from '../util/option-rules.ts';
import { kafkaRelease, kafkaVersions, type KafkaVersion } from './releases/kafka-release.ts';

/** A topic that a {@link TestCluster} has from the start. */
export interface TestTopic {
  /** @defaultValue 1 */
  readonly partitions?: number;
  /** @defaultValue as many as there are brokers, at most 3 */
  readonly replicationFactor?: number;
  /** Topic settings by Kafka's names, such as `retention.ms`. */
  readonly configs?: Readonly<Record<string, string>>;
}

/** What a {@link TestCluster} is made of. Every option may be left out. */
export interface TestClusterOptions extends TestClusterSecurity {
  /**
   * How many brokers there are, with ids from 1 on.
   *
   * @defaultValue 1
   */
  readonly brokers?: number;
  /** Topics that are there from the start: a number of partitions, or more about each. */
  readonly topics?: Readonly<Record<string, number | TestTopic>>;
  /**
   * The address that the brokers listen on; anything but loopback lets the network in.
   *
   * @defaultValue 127.0.0.1
   */
  readonly host?: string;
  /**
   * The host that clients are told to connect to (Kafka: `advertised.listeners`).
   *
   * @defaultValue `host`; the name of this machine where that means all its addresses, such as 0.0.0.0
   */
  readonly advertisedHost?: string;
  /**
   * The port of each broker, in order; 0 takes a free one.
   *
   * @defaultValue free ports
   */
  readonly ports?: readonly number[];
  /** The rack of each broker, in order. Kafka: `broker.rack`. */
  readonly racks?: readonly string[];
  /**
   * Settings of all brokers by Kafka's names, such as `num.partitions`.
   *
   * @defaultValue Kafka's; but `group.initial.rebalance.delay.ms` is 0, so that the first member of a group waits for nobody
   */
  readonly configs?: Readonly<Record<string, string>>;
  /**
   * Which Kafka the brokers pretend to be: its APIs in its versions, its finalized features. For tests of what a client does with
   * an older one.
   *
   * @defaultValue '4.3'
   */
  readonly kafkaVersion?: KafkaVersion;
  /**
   * Makes a run repeatable: topic ids, placements and whatever else is left to chance come from it.
   *
   * @defaultValue by chance; `cluster.seed` tells it
   */
  readonly seed?: number;
  /**
   * Where the brokers take their time from: sessions, transactions, retention. A virtual clock stands still until it is moved.
   *
   * @defaultValue the machine's
   */
  readonly clock?: Clock;
  /**
   * How much memory `cluster.requests()` may take: of what is more than this, the oldest is forgotten. 0 keeps nothing.
   *
   * @defaultValue 16777216
   */
  readonly requestLogBytes?: number;
  /**
   * How much memory the records of all topics may take together: beyond it the oldest go, whatever `retention.ms` and
   * `retention.bytes` of their topics say; those of compacted topics last.
   *
   * @defaultValue 268435456
   */
  readonly retentionBytes?: number;
  /**
   * A folder that records, topics and settings are kept in: a cluster that is started with it later goes on where this one
   * ended. It is made if it is not there, and only one cluster at a time may use it. It survives the end of the process, not of the machine.
   *
   * @defaultValue nothing is kept
   */
  readonly dataDir?: string;
}

/** {@link TestClusterOptions} with everything decided. */
export interface ResolvedTestClusterOptions
  extends Required<Omit<TestClusterOptions, 'racks' | 'dataDir' | keyof TestClusterSecurity>>, ResolvedSecurity {
  readonly racks: readonly string[] | undefined;
  readonly dataDir: string | undefined;
}

const port = integer(0, 65_535);
const rules: Readonly<Record<keyof TestClusterOptions, OptionRule>> = {
  ...securityRules,
  brokers: integer(1, 100),
  topics: object,
  host: nonEmptyString,
  advertisedHost: nonEmptyString,
  ports: listOf(port),
  racks: listOf(nonEmptyString),
  configs: object,
  kafkaVersion: oneOf(kafkaVersions),
  seed: integer(0, 0xffff_ffff),
  clock: object,
  requestLogBytes: integer(0, Number.MAX_SAFE_INTEGER),
  retentionBytes: integer(0, Number.MAX_SAFE_INTEGER),
  dataDir: nonEmptyString,
};
const topicRules: Readonly<Record<keyof TestTopic, OptionRule>> = {
  partitions: integer(1, 100_000),
  replicationFactor: integer(1, 100),
  configs: object,
};

/**
 * Checks the options and fills in the defaults.
 *
 * @throws UsageError for an option that does not exist or a value it cannot have
 */
export function resolveTestClusterOptions(given: TestClusterOptions = {}): ResolvedTestClusterOptions {
  check(given, rules, 'the test cluster');
  for (const part of ['tls', 'sasl', 'authorizer'] as const) {
    const value = given[part];
    if (typeof value === 'object') check(value, securityPartRules[part], `"${part}" of the test cluster`);
  }
  for (const [name, topic] of Object.entries(given.topics ?? {})) checkTestTopic(name, topic);
  const { brokers = 1, topics = {}, host = '127.0.0.1', ports = [], racks, kafkaVersion = '4.3' } = given;
  const advertisedHost = given.advertisedHost ?? (isWildcard(host) ? hostname() : host);
  const configs = { ...kafkaRelease(kafkaVersion).configs, ...developmentConfigs, ...given.configs };
  const { seed = Math.floor(Math.random() * 2 ** 32), clock = systemClock, requestLogBytes = 16 * 1024 * 1024 } = given;
  const { retentionBytes = DEFAULT_RETENTION_BYTES, dataDir } = given;
  return Object.freeze({
    ...resolveSecurity(given),
    brokers,
    topics,
    host,
    advertisedHost,
    ports,
    racks,
    configs,
    kafkaVersion,
    seed,
    clock,
    requestLogBytes,
    retentionBytes,
    dataDir,
  });
}

/** As in the settings file that Kafka comes with, which is for development too. */
const developmentConfigs = { 'group.initial.rebalance.delay.ms': '0' };

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** @throws UsageError for a number of partitions, or something else about the topic, that cannot be */
export function checkTestTopic(name: string, topic: number | TestTopic): void {
  check({ partitions: topic }, { partitions: anyOf(integer(1, 100_000), object) }, `topic "${name}"`);
  if (typeof topic === 'object') check(topic, topicRules, `topic "${name}"`);
}

function check(given: object, table: Readonly<Record<string, OptionRule>>, owner: string): void {
  const problem = findOptionProblem(given, table, owner);
  if (problem !== undefined) throw new UsageError(problem.message, { code: problem.code });
}
