import type { TlsOptions } from 'node:tls';
import { UsageError } from '../../errors/kafka-error.ts';
import { anyOf, boolean, listOf, nonEmptyString, object, oneOf, type OptionRule } from '../../util/option-rules.ts';

/** A side of a broker that clients come in through, by Kafka's names: with TLS or without, with a login or without. */
export type ListenerName = 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL';
/** The ways to log in that a `TestCluster` knows. */
export type TestSaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512' | 'OAUTHBEARER';

/** Certificates of the brokers. */
export interface TestClusterTls {
  /** The brokers' private key, PEM. */
  readonly key: string;
  /** The brokers' certificate, PEM, with those that vouch for it behind. */
  readonly cert: string;
  /** Who vouches for clients' certificates, PEM. */
  readonly ca?: string;
  /**
   * Whether clients need a certificate, which then says who they are (`User:CN=…`). Kafka: `ssl.client.auth`.
   *
   * @defaultValue none
   */
  readonly clientAuth?: 'none' | 'requested' | 'required';
}

/** Who may log in, and how. */
export interface TestClusterSasl {
  /** Passwords by name, for PLAIN and SCRAM. OAUTHBEARER takes any unsecured token (`alg` none, with `sub` and `exp`). */
  readonly users?: Readonly<Record<string, string>>;
  /**
   * Kafka: `sasl.enabled.mechanisms`.
   *
   * @defaultValue all
   */
  readonly mechanisms?: readonly TestSaslMechanism[];
}

/** How the rules of access (ACLs) are held. */
export interface TestClusterAuthorizer {
  /** Who may do everything, such as `User:admin`. Kafka: `super.users`. */
  readonly superUsers?: readonly string[];
  /**
   * Whether everybody may do what no rule speaks of. Kafka: `allow.everyone.if.no.acl.found`.
   *
   * @defaultValue false
   */
  readonly allowEveryoneIfNoAclFound?: boolean;
}

/** The options about security. */
export interface TestClusterSecurity {
  /**
   * The listeners of each broker; `bootstrapServers` tells of the first, `addresses(listener)` of each.
   *
   * @defaultValue PLAINTEXT
   */
  readonly listeners?: readonly ListenerName[];
  /** Needed for `SSL` and `SASL_SSL`. */
  readonly tls?: TestClusterTls;
  /** For `SASL_PLAINTEXT` and `SASL_SSL`. */
  readonly sasl?: TestClusterSasl;
  /**
   * Turns on rules of access (ACLs): then a resource that no rule speaks of is closed to all but super users.
   *
   * @defaultValue off
   */
  readonly authorizer?: boolean | TestClusterAuthorizer;
}

/** {@link TestClusterSecurity} with everything decided. */
export interface ResolvedSecurity {
  readonly listeners: readonly ListenerName[];
  readonly tls: TestClusterTls | undefined;
  readonly sasl: Required<TestClusterSasl>;
  readonly authorizer: TestClusterAuthorizer | undefined;
}

const listenerNames: readonly ListenerName[] = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'];
const mechanisms: readonly TestSaslMechanism[] = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'];

/** The checks of {@link TestClusterSecurity}. */
export const securityRules: Readonly<Record<keyof TestClusterSecurity, OptionRule>> = {
  listeners: listOf(oneOf(listenerNames)),
  tls: object,
  sasl: object,
  authorizer: anyOf(boolean, object),
};

/** The checks of what is inside those options. */
export const securityPartRules: Readonly<Record<'tls' | 'sasl' | 'authorizer', Readonly<Record<string, OptionRule>>>> =
  {
    tls: {
      key: nonEmptyString,
      cert: nonEmptyString,
      ca: nonEmptyString,
      clientAuth: oneOf(['none', 'requested', 'required']),
    },
    sasl: { users: object, mechanisms: listOf(oneOf(mechanisms)) },
    authorizer: { superUsers: listOf(nonEmptyString), allowEveryoneIfNoAclFound: boolean },
  };

/**
 * Fills in the defaults of options that were checked one by one.
 *
 * @throws UsageError for options that do not fit together
 */
export function resolveSecurity(given: TestClusterSecurity): ResolvedSecurity {
  const { listeners = ['PLAINTEXT'], tls, sasl = {}, authorizer = false } = given;
  if (listeners.length === 0 || new Set(listeners).size < listeners.length)
    throw unusable('listeners', 'there must be at least one, and each only once');
  const encrypted = listeners.find((name) => name.endsWith('SSL'));
  const { key = '', cert = '' } = tls ?? {};
  if (encrypted !== undefined && (key === '' || cert === ''))
    throw unusable(`listener ${encrypted}`, 'it needs the option "tls" with key and cert');
  return {
    listeners,
    tls,
    sasl: { users: sasl.users ?? {}, mechanisms: sasl.mechanisms ?? mechanisms },
    authorizer: authorizer === true ? {} : authorizer === false ? undefined : authorizer,
  };
}

/** What a TLS server of Node's is to be given. */
export function tlsServerOptions({ key, cert, ca, clientAuth = 'none' }: TestClusterTls): TlsOptions {
  return {
    key,
    cert,
    ...(ca === undefined ? {} : { ca }),
    requestCert: clientAuth !== 'none',
    rejectUnauthorized: clientAuth === 'required',
  };
}

/** The settings of Kafka that turn the authorizer on. */
export function authorizerConfigs(authorizer: TestClusterAuthorizer | undefined): Record<string, string> {
  if (authorizer === undefined) return {};
  return {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': (authorizer.superUsers ?? []).join(';'),
    'allow.everyone.if.no.acl.found': String(authorizer.allowEveryoneIfNoAclFound ?? false),
  };
}

function unusable(what: string, why: string): UsageError {
  return new UsageError(`Cannot use ${what} of the test cluster: ${why}`, { code: 'INVALID_OPTION' });
}
