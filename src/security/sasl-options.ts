import { UsageError } from '../errors/kafka-error.ts';
import { findOptionProblem, func, nonEmptyString, object, oneOf, type OptionRule } from '../util/option-rules.ts';
import { systemClock, type Clock } from '../util/clock.ts';
import { inspectAs } from '../util/custom-inspect.ts';
import { oauthBearerConversation } from './oauth-bearer.ts';
import { lacks, resolveOAuth, type SaslTokenEndpointOptions, type SaslTokenOptions } from './oauth-options.ts';
import { plainConversation } from './plain.ts';
import { redact } from '../util/redaction.ts';
import type { SaslAuthenticator, SaslContext, SaslConversation } from './sasl-conversation.ts';
import { ScramCredentials, type ScramHash } from './scram.ts';
import type { TokenTrouble } from './token-source.ts';

/** Name and password. Java: `sasl.mechanism` and `sasl.jaas.config`. */
export interface SaslPasswordOptions {
  /** How the password is proven; `plain` sends it, so use it over TLS only. Must be one that the broker's listener allows. */
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  /** The name that the broker knows us by. */
  readonly username: string;
  /** The secret; the client shows it nowhere. */
  readonly password: string;
}

/** A delegation token in place of name and password (KIP-48): who has it connects as the token's owner. Java: `tokenauth` of `ScramLoginModule`. */
export interface SaslDelegationTokenOptions {
  /** Brokers take tokens by SCRAM. */
  readonly mechanism: 'scram-sha-256' | 'scram-sha-512';
  /** What `admin.createDelegationToken()` made; of that it takes no more than these two, which can be handed over as text. */
  readonly delegationToken: {
    /** The token's name. */
    readonly tokenId: string;
    /** What proves it, as base64; the client shows it nowhere. */
    readonly hmac: string;
  };
}

/** A mechanism that Kavka does not bring, such as GSSAPI: the conversation is yours. */
export interface SaslCustomOptions {
  /** The mechanism's registered name, as the broker knows it: `GSSAPI`. */
  readonly mechanism: string;
  /** Begins the conversation on each new connection, and each time that one authenticates again (KIP-368). */
  readonly authenticator: SaslAuthenticator;
}

/** Who we are, to the broker. Passwords, secrets and tokens appear in no error, event, log or `util.inspect` of the client. */
export type SaslOptions =
  SaslPasswordOptions | SaslDelegationTokenOptions | SaslTokenOptions | SaslTokenEndpointOptions | SaslCustomOptions;

/** All that Kavka brings; the last has options of its own. */
const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'] as const;
const scramHashes: Readonly<Record<string, ScramHash>> = { 'scram-sha-256': 'sha256', 'scram-sha-512': 'sha512' };

const withoutNul: OptionRule = {
  expected: 'a string without the character NUL that is not empty',
  accepts: (value) => nonEmptyString.accepts(value) && !String(value).includes('\0'),
};
const passwordRules = { mechanism: oneOf(mechanisms), username: withoutNul, password: withoutNul };
const delegationToken: OptionRule = {
  expected: 'a delegation token, or { tokenId, hmac } of one, both texts',
  accepts: (value) => {
    const { tokenId, hmac } = (object.accepts(value) ? value : {}) as Readonly<Record<string, unknown>>;
    return withoutNul.accepts(tokenId) && withoutNul.accepts(hmac);
  },
};
const delegationRules = { mechanism: oneOf(Object.keys(scramHashes)), delegationToken };
const customRules = { mechanism: nonEmptyString, authenticator: func };
const otherNames = {
  tokenauth: 'use delegationToken: { tokenId, hmac }',
  user: 'here it is username',
  saslMechanism: 'here it is mechanism',
  authenticationProvider: 'here it is authenticator',
};

const otherNamesBesideToken = {
  username: 'the delegationToken stands in its place',
  password: 'the delegationToken stands in its place',
};

type Begin = (context: SaslContext, trouble: TokenTrouble) => SaslConversation;

/** SASL as the network uses it: a mechanism and conversations, the secrets out of reach. */
export class SaslSettings {
  /** The name on the wire: `SCRAM-SHA-512`. */
  readonly mechanism: string;
  readonly username: string | undefined;
  readonly #begin: Begin;
  readonly #secrets: () => readonly string[];

  constructor(mechanism: string, begin: Begin, username?: string, secrets: () => readonly string[] = () => []) {
    this.mechanism = mechanism;
    this.username = username;
    this.#begin = begin;
    this.#secrets = secrets;
  }

  /** Begins a conversation; `trouble` is told where one goes on with a token that could not be renewed. */
  conversation(context: SaslContext, trouble: TokenTrouble = () => undefined): SaslConversation {
    return this.#begin(context, trouble);
  }

  /** See {@link redact}. */
  redact(text: string): string {
    return redact(text, this.#secrets());
  }

  toJSON(): object {
    return { mechanism: this.mechanism, username: this.username };
  }

  static {
    inspectAs(this, (instance) => instance.toJSON(), 'SaslSettings');
  }
}

/**
 * Checks `sasl` and takes the secrets out of the caller's object.
 *
 * @throws UsageError that names what is wrong and shows no value
 */
export function resolveSaslOptions(
  options: SaslOptions | SaslSettings | undefined,
  clock: Clock = systemClock,
  random: () => number = Math.random,
): SaslSettings | undefined {
  if (options === undefined || options instanceof SaslSettings) return options;
  const custom = typeof options === 'object' && options !== null && 'authenticator' in options;
  const given = withLowerCaseMechanism(options, custom);
  if (!custom && isOAuth(given)) return resolveTokens(given, clock, random);
  const delegated = isDelegated(given);
  const rules = custom ? customRules : delegated ? delegationRules : passwordRules;
  const problem = findOptionProblem(given, rules, 'sasl', delegated ? otherNamesBesideToken : otherNames);
  if (problem !== undefined) throw new UsageError(problem.message, { code: problem.code });
  if (custom) return resolveCustom(given as SaslCustomOptions);
  return delegated ? resolveDelegated(given) : resolvePassword(given as SaslPasswordOptions);
}

function isDelegated(given: unknown): given is SaslDelegationTokenOptions {
  return (given as { delegationToken?: unknown } | null | undefined)?.delegationToken !== undefined;
}

function resolveDelegated({ mechanism, delegationToken: token }: SaslDelegationTokenOptions): SaslSettings {
  requireGiven(mechanism, 'mechanism');
  const { tokenId, hmac } = token;
  const scram = new ScramCredentials(scramHashes[mechanism] ?? 'sha256', tokenId, hmac, { isToken: true });
  return new SaslSettings(
    mechanism.toUpperCase(),
    () => scram.conversation(),
    tokenId,
    () => [hmac],
  );
}

function isOAuth(given: unknown): given is SaslTokenOptions | SaslTokenEndpointOptions {
  return (given as { mechanism?: unknown } | null)?.mechanism === 'oauthbearer';
}

function resolveTokens(
  given: SaslTokenOptions | SaslTokenEndpointOptions,
  clock: Clock,
  random: () => number,
): SaslSettings {
  const { source, extensions, secrets } = resolveOAuth(given, clock, random);
  const begin: Begin = (_, trouble) => oauthBearerConversation(source, extensions, trouble);
  return new SaslSettings('OAUTHBEARER', begin, undefined, secrets);
}

function resolveCustom(given: SaslCustomOptions): SaslSettings {
  requireGiven(given.mechanism, 'mechanism');
  requireGiven(given.authenticator, 'authenticator');
  return new SaslSettings(given.mechanism, given.authenticator);
}

function resolvePassword({ mechanism, username, password }: SaslPasswordOptions): SaslSettings {
  requireGiven(mechanism, 'mechanism');
  requireGiven(username, 'username');
  requireGiven(password, 'password');
  const hash = scramHashes[mechanism];
  const scram = hash === undefined ? undefined : new ScramCredentials(hash, username, password);
  const begin: SaslAuthenticator = () => scram?.conversation() ?? plainConversation(username, password);
  return new SaslSettings(mechanism.toUpperCase(), begin, username, () => [password]);
}

/** Kafka's own upper-case names are as good as ours. */
function withLowerCaseMechanism(options: SaslOptions, custom: boolean): unknown {
  if (custom || typeof options?.mechanism !== 'string') return options;
  return { ...options, mechanism: options.mechanism.toLowerCase() };
}

function requireGiven(value: unknown, name: string): void {
  if (value === undefined) throw lacks(name);
}
