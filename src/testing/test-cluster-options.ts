import { UsageError } from '../errors/kafka-error.ts';
import { systemClock, type Clock } from '../util/clock.ts';
import {
  anyOf,
  findOptionProblem,
  integer,
  listOf,
  nonEmptyString,
  object,
  type OptionRule,
} from '../util/option-rules.ts';

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
export interface TestClusterOptions {
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
   * The port of each broker, in order; 0 takes a free one.
   *
   * @defaultValue free ports
   */
  readonly ports?: readonly number[];
  /** The rack of each broker, in order. Kafka: `broker.rack`. */
  readonly racks?: readonly string[];
  /** Settings of all brokers by Kafka's names, such as `num.partitions`. */
  readonly configs?: Readonly<Record<string, string>>;
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
}

/** {@link TestClusterOptions} with everything decided. */
export interface ResolvedTestClusterOptions extends Required<Omit<TestClusterOptions, 'racks'>> {
  readonly racks: readonly string[] | undefined;
}

const port = integer(0, 65_535);
const rules: Readonly<Record<keyof TestClusterOptions, OptionRule>> = {
  brokers: integer(1, 100),
  topics: object,
  host: nonEmptyString,
  ports: listOf(port),
  racks: listOf(nonEmptyString),
  configs: object,
  seed: integer(0, 0xffff_ffff),
  clock: object,
  requestLogBytes: integer(0, Number.MAX_SAFE_INTEGER),
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
  for (const [name, topic] of Object.entries(given.topics ?? {})) checkTestTopic(name, topic);
  const { brokers = 1, topics = {}, host = '127.0.0.1', ports = [], racks, configs = {} } = given;
  const { seed = Math.floor(Math.random() * 2 ** 32), clock = systemClock, requestLogBytes = 16 * 1024 * 1024 } = given;
  return Object.freeze({ brokers, topics, host, ports, racks, configs, seed, clock, requestLogBytes });
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
