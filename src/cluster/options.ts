import { UsageError } from '../errors/kafka-error.ts';
import type { Logger } from '../instrumentation/log-events.ts';
import type { Endpoint } from '../network/endpoint.ts';
import { resolveSaslOptions, type SaslOptions, type SaslSettings } from '../security/sasl-options.ts';
import { resolveTlsOptions, type TlsOptions, type TlsSettings } from '../security/tls-options.ts';
import type { BackoffPolicy } from '../util/backoff.ts';
import { systemClock, type Clock } from '../util/clock.ts';
import {
  anyOf,
  boolean,
  findOptionProblem,
  func,
  integer,
  listOf,
  nonEmptyString,
  object,
  type OptionRule,
} from '../util/option-rules.ts';
import { parseBootstrapServers } from './bootstrap-servers.ts';

/** How to reach a cluster, and how patient to be: what every client made from one `Kafka` shares. */
export interface ClientOptions {
  /**
   * Brokers to ask first, `host:port` each, as an array or as one text with commas. The port is 9092 if not given; an IPv6
   * address stands in brackets. The others are learned from these. Java: `bootstrap.servers`.
   *
   * @defaultValue none: they must be given
   */
  readonly bootstrapServers: string | readonly string[];
  /**
   * The name that brokers see in their logs, metrics and quotas. Java: `client.id`.
   *
   * @defaultValue kavka
   */
  readonly clientId?: string | undefined;
  /**
   * Encrypts all connections: `true` for the authorities that Node trusts, or details. Java: `security.protocol=SSL` and `ssl.*`.
   *
   * @defaultValue false
   */
  readonly tls?: boolean | TlsOptions | undefined;
  /**
   * How to authenticate. Without `tls` the password of the mechanism `plain`, or the token of `oauthbearer`, crosses the network readable. Java: `sasl.*`.
   *
   * @defaultValue none
   */
  readonly sasl?: SaslOptions | undefined;
  /**
   * How long to wait for the answer to one request, in milliseconds, before its connection is given up. Java: `request.timeout.ms`.
   *
   * @defaultValue 30000
   */
  readonly requestTimeoutMs?: number | undefined;
  /**
   * How often a request is tried again after a passing error. Calls have a time-out of their own, which is the better bound.
   * Java: `retries`.
   *
   * @defaultValue 2147483647
   */
  readonly retries?: number | undefined;
  /**
   * The pause before the second try, in milliseconds; it doubles with each further one, ±20 % (KIP-580). Java: `retry.backoff.ms`.
   *
   * @defaultValue 100
   */
  readonly retryBackoffMs?: number | undefined;
  /**
   * The longest pause between tries, in milliseconds. Java: `retry.backoff.max.ms`.
   *
   * @defaultValue 1000
   */
  readonly retryBackoffMaxMs?: number | undefined;
  /**
   * The pause before a broker that could not be reached is tried again, in milliseconds; it doubles. Java: `reconnect.backoff.ms`.
   *
   * @defaultValue 50
   */
  readonly reconnectBackoffMs?: number | undefined;
  /**
   * The longest pause between tries to reach a broker, in milliseconds. Java: `reconnect.backoff.max.ms`.
   *
   * @defaultValue 1000
   */
  readonly reconnectBackoffMaxMs?: number | undefined;
  /**
   * How old metadata may become before it is read again although nothing seems wrong, in milliseconds: this is how new
   * partitions are found. Java: `metadata.max.age.ms`.
   *
   * @defaultValue 300000
   */
  readonly metadataMaxAgeMs?: number | undefined;
  /**
   * How long a connection may be unused before it is closed, in milliseconds. Java: `connections.max.idle.ms`.
   *
   * @defaultValue 540000
   */
  readonly connectionsMaxIdleMs?: number | undefined;
  /**
   * How long a connection may take until it is usable, TLS and SASL included, in milliseconds (KIP-601).
   * Java: `socket.connection.setup.timeout.ms`.
   *
   * @defaultValue 10000
   */
  readonly connectionSetupTimeoutMs?: number | undefined;
  /**
   * The longest answer that is accepted, in bytes; a longer one ends its connection before memory is taken for it. Java has none.
   *
   * @defaultValue 104857600
   */
  readonly maxResponseBytes?: number | undefined;
  /**
   * The rack or zone that this client is in, so that it can read from a replica nearby (KIP-392). Java: `client.rack`.
   *
   * @defaultValue none
   */
  readonly clientRack?: string | undefined;
  /**
   * Takes the client's log lines. Java has none: it logs through SLF4J.
   *
   * @defaultValue none: nothing is printed
   */
  readonly logger?: Logger | undefined;
  /**
   * Where time comes from; for tests. Java has none.
   *
   * @defaultValue the machine's clock
   */
  readonly clock?: Clock | undefined;
  /**
   * Where chance comes from, a number in [0, 1) per call; for tests. Java has none.
   *
   * @defaultValue Math.random
   */
  readonly random?: (() => number) | undefined;
}

/** {@link ClientOptions} after checking, with every default filled in. Frozen. Shows no secret when printed. */
export interface ResolvedClientOptions {
  readonly bootstrapServers: readonly Endpoint[];
  readonly clientId: string;
  /** Undefined: not encrypted. */
  readonly tls: TlsSettings | undefined;
  readonly sasl: SaslSettings | undefined;
  readonly requestTimeoutMs: number;
  readonly retries: number;
  readonly retryBackoffMs: number;
  readonly retryBackoffMaxMs: number;
  readonly reconnectBackoffMs: number;
  readonly reconnectBackoffMaxMs: number;
  readonly metadataMaxAgeMs: number;
  readonly connectionsMaxIdleMs: number;
  readonly connectionSetupTimeoutMs: number;
  readonly maxResponseBytes: number;
  readonly clientRack: string | undefined;
  readonly logger: Logger | undefined;
  readonly clock: Clock;
  readonly random: () => number;
}

const defaults = {
  clientId: 'kavka',
  requestTimeoutMs: 30_000,
  retries: 0x7fff_ffff,
  retryBackoffMs: 100,
  retryBackoffMaxMs: 1000,
  reconnectBackoffMs: 50,
  reconnectBackoffMaxMs: 1000,
  metadataMaxAgeMs: 300_000,
  connectionsMaxIdleMs: 540_000,
  connectionSetupTimeoutMs: 10_000,
  maxResponseBytes: 100 * 1024 * 1024,
  clock: systemClock,
  random: Math.random,
} as const;

const INT32_MAX = 0x7fff_ffff;

/** What a request may last at most: Node's timers end at 2^31-1 ms. */
const durationMs = integer(1, INT32_MAX);

const objectWith = (expected: string, methods: readonly string[]): OptionRule => ({
  expected,
  accepts: (value) =>
    object.accepts(value) && methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function'),
});

const rules: Readonly<Record<keyof ClientOptions, OptionRule>> = {
  bootstrapServers: anyOf(nonEmptyString, listOf(nonEmptyString)),
  clientId: nonEmptyString,
  tls: anyOf(boolean, object),
  sasl: objectWithMechanism(),
  requestTimeoutMs: durationMs,
  retries: integer(0, INT32_MAX),
  retryBackoffMs: integer(0, INT32_MAX),
  retryBackoffMaxMs: integer(0, INT32_MAX),
  reconnectBackoffMs: integer(0, INT32_MAX),
  reconnectBackoffMaxMs: integer(0, INT32_MAX),
  metadataMaxAgeMs: durationMs,
  connectionsMaxIdleMs: durationMs,
  connectionSetupTimeoutMs: durationMs,
  // Below this not even the answer to ApiVersions fits.
  maxResponseBytes: integer(16 * 1024, INT32_MAX),
  clientRack: nonEmptyString,
  logger: object,
  clock: objectWith('a clock', ['nowMs', 'wallMs', 'setTimer', 'clearTimer']),
  random: func,
};

/** What other clients call these options: KafkaJS, the Java client and librdkafka. */
const otherNames: Readonly<Record<string, string>> = {
  brokers: 'use bootstrapServers',
  broker: 'use bootstrapServers',
  servers: 'use bootstrapServers',
  bootstrapBrokers: 'use bootstrapServers',
  bootstrapServer: 'use bootstrapServers',
  'bootstrap.servers': 'use bootstrapServers',
  'metadata.broker.list': 'use bootstrapServers',
  'client.id': 'use clientId',
  'client.rack': 'use clientRack',
  rackId: 'use clientRack',
  ssl: 'use tls',
  'security.protocol': 'use tls for encryption and sasl for authentication',
  securityProtocol: 'use tls for encryption and sasl for authentication',
  'sasl.mechanism': 'use sasl: { mechanism, username, password }',
  'sasl.mechanisms': 'use sasl: { mechanism, username, password }',
  'sasl.username': 'use sasl: { mechanism, username, password }',
  'sasl.password': 'use sasl: { mechanism, username, password }',
  'sasl.jaas.config': 'use sasl: { mechanism, username, password }',
  'sasl.oauthbearer.token.endpoint.url':
    'use sasl: { mechanism: "oauthbearer", tokenEndpoint, clientId, clientSecret }',
  connectionTimeout: 'use connectionSetupTimeoutMs',
  authenticationTimeout: 'use connectionSetupTimeoutMs, which covers authentication',
  'socket.connection.setup.timeout.ms': 'use connectionSetupTimeoutMs',
  'socket.connection.setup.timeout.max.ms': 'use connectionSetupTimeoutMs',
  requestTimeout: 'use requestTimeoutMs',
  'request.timeout.ms': 'use requestTimeoutMs',
  'default.api.timeout.ms': 'calls take timeoutMs each',
  retry: 'use retries, retryBackoffMs and retryBackoffMaxMs',
  initialRetryTime: 'use retryBackoffMs',
  maxRetryTime: 'use retryBackoffMaxMs',
  'retry.backoff.ms': 'use retryBackoffMs',
  'retry.backoff.max.ms': 'use retryBackoffMaxMs',
  'reconnect.backoff.ms': 'use reconnectBackoffMs',
  'reconnect.backoff.max.ms': 'use reconnectBackoffMaxMs',
  'metadata.max.age.ms': 'use metadataMaxAgeMs',
  metadataMaxAge: 'use metadataMaxAgeMs',
  'connections.max.idle.ms': 'use connectionsMaxIdleMs',
  logLevel: 'use logger, and leave out there what you do not want',
  logCreator: 'use logger',
  enforceRequestTimeout: 'requestTimeoutMs always holds',
  reauthenticationThreshold: 'connections authenticate again by themselves, in time',
  socketFactory: 'sockets are made by the client',
  kafkaJS: 'give the options directly',
};

/**
 * Checks options and fills in the defaults.
 *
 * @throws UsageError UNKNOWN_OPTION or INVALID_OPTION that names the option; it never shows a secret
 */
export function resolveClientOptions(given: ClientOptions): ResolvedClientOptions {
  const problem = findOptionProblem(given, rules, 'Kafka', otherNames);
  if (problem !== undefined) throw new UsageError(problem.message, { code: problem.code });
  const options = definedOnly(given);
  if (options.bootstrapServers === undefined) {
    throw invalid('Cannot make a client without bootstrapServers; give at least one, such as "localhost:9092"');
  }
  const resolved: ResolvedClientOptions = {
    ...defaults,
    clientRack: undefined,
    logger: undefined,
    ...options,
    bootstrapServers: parseBootstrapServers(options.bootstrapServers),
    tls: resolveTlsOptions(options.tls),
    sasl: resolveSaslOptions(options.sasl, options.clock, options.random),
  };
  refuseContradictions(resolved);
  return Object.freeze(hideSecrets(resolved));
}

/** The pauses between tries of requests and of metadata refreshes. */
export function retryBackoff(options: ResolvedClientOptions): BackoffPolicy {
  return { initialMs: options.retryBackoffMs, maxMs: options.retryBackoffMaxMs };
}

function refuseContradictions(options: ResolvedClientOptions): void {
  for (const name of ['retryBackoff', 'reconnectBackoff'] as const) {
    const least = options[`${name}Ms`];
    const most = options[`${name}MaxMs`];
    // The pause doubles from the first to the second: the other way round there is no sequence to follow.
    if (least > most)
      throw invalid(`Cannot use ${name}Ms ${least}: it must not be above ${name}MaxMs, which is ${most}`);
  }
}

function definedOnly(given: ClientOptions | undefined): Partial<DefinedOptions> {
  return Object.fromEntries(Object.entries(given ?? {}).filter(([, value]) => value !== undefined));
}

type DefinedOptions = { readonly [Name in keyof ClientOptions]-?: Exclude<ClientOptions[Name], undefined> };

function objectWithMechanism(): OptionRule {
  return {
    expected: 'an object with a mechanism, such as { mechanism: "scram-sha-512", username, password }',
    accepts: (value) => object.accepts(value) && typeof (value as { mechanism?: unknown }).mechanism === 'string',
  };
}

const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/** What prints an object (a log line, an assertion, a REPL) must not print a password with it. */
function hideSecrets(options: ResolvedClientOptions): ResolvedClientOptions {
  const shown = (): Record<string, unknown> => ({
    ...options,
    tls: options.tls === undefined ? undefined : '[redacted]',
    sasl: options.sasl === undefined ? undefined : { mechanism: options.sasl.mechanism },
  });
  return Object.defineProperties(options, {
    [INSPECT]: { value: shown },
    toJSON: { value: shown },
  });
}

function invalid(message: string): UsageError {
  return new UsageError(message, { code: 'INVALID_OPTION' });
}
