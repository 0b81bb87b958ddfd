import { AuthenticationError, UsageError } from '../errors/kafka-error.ts';
import type { Clock } from '../util/clock.ts';
import { anyOf, findOptionProblem, func, nonEmptyString, oneOf, type OptionRule } from '../util/option-rules.ts';
import { expiryOf, isToken, type BearerToken, type OAuthToken } from './bearer-token.ts';
import type { SaslExtensions } from './oauth-bearer.ts';
import type { OAuthAssertion } from './oauth-grant.ts';
import { askTokenEndpoint } from './token-endpoint.ts';
import { TokenSource, type FetchToken } from './token-source.ts';

/**
 * Gives a token each time that one is needed: when the first connection is made, and when the last token has lived for four fifths of its
 * time. What it throws is tried again like a broker that is away, unless it is an {@link AuthenticationError}.
 */
export type OAuthTokenProvider = (context: {
  /** Aborts when nobody waits any more: after 30 seconds. */
  readonly signal: AbortSignal;
}) => OAuthToken | string | Promise<OAuthToken | string>;

/** OAUTHBEARER (KIP-255) with tokens of your own: those of a cloud's library, of a file, of an identity provider with rules of its own. */
export interface SaslTokenOptions {
  /** RFC 7628. */
  readonly mechanism: 'oauthbearer';
  /**
   * Gives tokens (KIP-255); or one token that holds for as long as the client lives. Java: `sasl.login.callback.handler.class`.
   *
   * @defaultValue none: it must be given, or `tokenEndpoint`
   */
  readonly token: OAuthTokenProvider | string;
  /**
   * What the broker is told beside the token (KIP-342), such as `{ logicalCluster: 'lkc-1', identityPoolId: 'pool-1' }`: names of letters,
   * values of printable ASCII. Java: `extension_…`.
   *
   * @defaultValue none
   */
  readonly extensions?: SaslExtensions | undefined;
}

/**
 * OAUTHBEARER with tokens that an identity provider gives: for the client's own credentials, a secret or an assertion (KIP-768), or for an
 * assertion of somebody else (KIP-1139).
 *
 * The endpoint is asked by Node's `fetch`; authorities of its certificate beyond those that Node trusts are named in NODE_EXTRA_CA_CERTS.
 */
export interface SaslTokenEndpointOptions {
  /** RFC 7628. */
  readonly mechanism: 'oauthbearer';
  /**
   * Where tokens are given, `https://…` (KIP-768). Java: `sasl.oauthbearer.token.endpoint.url`.
   *
   * @defaultValue none: it must be given, or `token`
   */
  readonly tokenEndpoint: string | URL;
  /**
   * The name that the identity provider knows us by (KIP-1139). Java: `sasl.oauthbearer.client.credentials.client.id`.
   *
   * @defaultValue none: it must be given with `tokenEndpoint`, unless there is an `assertion`
   */
  readonly clientId?: string | undefined;
  /**
   * The secret that goes with it (KIP-1139); the client shows it nowhere. Java: `sasl.oauthbearer.client.credentials.client.secret`.
   *
   * @defaultValue none: it or `clientAssertion` must be given with `clientId`
   */
  readonly clientSecret?: string | undefined;
  /**
   * In place of a secret: a JSON Web Token that says who we are (RFC 7523, `private_key_jwt`; KIP-1258), or a function that gives a fresh one for
   * each request, such as the token of a service account in Kubernetes. Java: `sasl.oauthbearer.assertion.file`.
   *
   * @defaultValue none
   */
  readonly clientAssertion?: OAuthAssertion | undefined;
  /**
   * Asks by this JSON Web Token and not for the client itself (RFC 7523, grant type `jwt-bearer`; KIP-1139), or a function that gives a fresh one for each
   * request; a library such as `jose` signs them. Java: `sasl.oauthbearer.jwt.retriever.class`.
   *
   * @defaultValue none
   */
  readonly assertion?: OAuthAssertion | undefined;
  /**
   * What the token shall be good for (KIP-1139); several are separated by spaces. Java: `sasl.oauthbearer.scope`.
   *
   * @defaultValue none: what the provider thinks fit
   */
  readonly scope?: string | undefined;
  /**
   * Further fields of the request, such as `{ audience: 'kafka' }` or `{ resource: '…' }`. Java has none.
   *
   * @defaultValue none
   */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
  /**
   * Where name and secret stand: `basic` in the header Authorization, written as form values there (RFC 6749), `post` among the fields
   * (KIP-1025). Java: `sasl.oauthbearer.header.urlencode`.
   *
   * @defaultValue basic
   */
  readonly clientAuthentication?: 'basic' | 'post' | undefined;
  /**
   * What the broker is told beside the token (KIP-342): see {@link SaslTokenOptions}. Java: `extension_…`.
   *
   * @defaultValue none
   */
  readonly extensions?: SaslExtensions | undefined;
}

/** Options of OAUTHBEARER as they are used: where tokens come from, and what must not be shown. */
export interface ResolvedOAuth {
  readonly source: TokenSource;
  readonly extensions: SaslExtensions;
  readonly secrets: () => readonly string[];
}

const url: OptionRule = {
  expected: 'an address, https://… or http://…, without name and password in it',
  accepts: (value) => {
    if (typeof value !== 'string' && !(value instanceof URL)) return false;
    if (!URL.canParse(String(value))) return false;
    const { protocol, username, password } = new URL(value);
    return /^https?:$/.test(protocol) && username === '' && password === '';
  },
};
const texts: OptionRule = {
  expected: 'an object whose values are strings',
  accepts: (value) => isTexts(value, () => true),
};
const extensions: OptionRule = {
  expected: 'an object; its names are of the letters a to z and A to Z and not "auth", its values of printable ASCII',
  accepts: (value) =>
    isTexts(value, (name, text) => /^[A-Za-z]+$/.test(name) && name !== 'auth' && /^[\x20-\x7e\t\r\n]+$/.test(text)),
};
const tokenText: OptionRule = {
  expected: 'a string of printable ASCII without spaces',
  accepts: isToken,
};

const tokenRules = { mechanism: nonEmptyString, token: anyOf(func, tokenText), extensions };
const endpointRules = {
  mechanism: nonEmptyString,
  tokenEndpoint: url,
  clientId: nonEmptyString,
  clientSecret: nonEmptyString,
  clientAssertion: anyOf(func, tokenText),
  assertion: anyOf(func, tokenText),
  scope: nonEmptyString,
  parameters: texts,
  clientAuthentication: oneOf(['basic', 'post']),
  extensions,
};
const otherNames = {
  oauthBearerProvider: 'here it is token',
  tokenProvider: 'here it is token',
  tokenEndpointUrl: 'here it is tokenEndpoint',
  audience: 'use parameters: { audience }',
  username: 'OAUTHBEARER has none: use token, or tokenEndpoint with clientId and clientSecret',
  password: 'OAUTHBEARER has none: use token, or tokenEndpoint with clientId and clientSecret',
};
const otherNamesBesideToken = { ...otherNames, tokenEndpoint: 'give either token or tokenEndpoint' };

/**
 * Checks the options of OAUTHBEARER.
 *
 * @throws UsageError that names what is wrong and shows no value
 */
export function resolveOAuth(
  given: SaslTokenOptions | SaslTokenEndpointOptions,
  clock: Clock,
  random: () => number,
): ResolvedOAuth {
  const isProvided = 'token' in given && given.token !== undefined;
  const problem = isProvided
    ? findOptionProblem(given, tokenRules, 'sasl', otherNamesBesideToken)
    : findOptionProblem(given, endpointRules, 'sasl', otherNames);
  if (problem !== undefined) throw new UsageError(problem.message, { code: problem.code });
  const fetch = isProvided ? askingProvider(given.token) : askingEndpoint(given as SaslTokenEndpointOptions, clock);
  const source = new TokenSource(fetch, clock, random);
  const { clientSecret } = given as Partial<SaslTokenEndpointOptions>;
  const lasting = clientSecret === undefined ? [] : [clientSecret];
  return { source, extensions: given.extensions ?? {}, secrets: () => [...lasting, ...source.secrets] };
}

function askingEndpoint(given: SaslTokenEndpointOptions, clock: Clock): FetchToken {
  const { tokenEndpoint, scope, parameters } = given;
  refuseIncomplete(given);
  return askTokenEndpoint({
    url: new URL(tokenEndpoint),
    grant: given,
    parameters: { ...(scope !== undefined && { scope }), ...parameters },
    wallMs: () => clock.wallMs(),
  });
}

function refuseIncomplete(given: SaslTokenEndpointOptions): void {
  const { tokenEndpoint, clientId, clientSecret, clientAssertion, assertion } = given;
  if ([tokenEndpoint, clientId, clientSecret, clientAssertion, assertion].every((each) => each === undefined)) {
    throw lacks('token, or tokenEndpoint with clientId and clientSecret');
  }
  if (tokenEndpoint === undefined) throw lacks('tokenEndpoint');
  if (clientSecret !== undefined && clientAssertion !== undefined) {
    throw new UsageError(
      'Cannot use sasl: clientSecret and clientAssertion are one in place of the other; give one of them',
      {
        code: 'INVALID_OPTION',
      },
    );
  }
  const isProven = clientSecret !== undefined || clientAssertion !== undefined;
  if (clientId === undefined && (assertion === undefined || clientSecret !== undefined)) throw lacks('clientId');
  if (assertion === undefined && !isProven) throw lacks('clientSecret, or clientAssertion');
}

function askingProvider(token: OAuthTokenProvider | string): FetchToken {
  return async (signal) => readGiven(typeof token === 'string' ? token : await token({ signal }));
}

/** What a function of the caller's answered; anything may come of it. */
function readGiven(answer: unknown): BearerToken {
  const { value, expiresAt }: Partial<Record<keyof OAuthToken, unknown>> =
    typeof answer === 'object' && answer !== null ? answer : { value: answer };
  if (!isToken(value)) {
    throw unusable('it must be a string of printable ASCII without spaces, or an object with such a value');
  }
  const at: unknown = expiresAt instanceof Date ? expiresAt.getTime() : expiresAt;
  if (at === undefined) return { value, expiresAtMs: expiryOf(value) };
  if (typeof at !== 'number' || Number.isNaN(at)) {
    throw unusable('expiresAt must be a number of milliseconds since 1970, or a Date');
  }
  return { value, expiresAtMs: at };
}

function unusable(why: string): AuthenticationError {
  return new AuthenticationError(`Cannot use the token that was given for OAUTHBEARER: ${why}`, {
    code: 'TOKEN_UNAVAILABLE',
  });
}

/** Something that must be given was not. */
export function lacks(what: string): UsageError {
  return new UsageError(`Cannot use sasl: it lacks ${what}`, { code: 'INVALID_OPTION' });
}

function isTexts(value: unknown, accepts: (name: string, text: string) => boolean): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.entries(value).every(([name, text]) => typeof text === 'string' && accepts(name, text));
}
