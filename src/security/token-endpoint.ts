import { AuthenticationError, KafkaError, NetworkError } from '../errors/kafka-error.ts';
import { expiryOf, isToken, type BearerToken } from './bearer-token.ts';
import { grantFields, type GrantFields, type OAuthGrant } from './oauth-grant.ts';
import { excerpt, redact } from '../util/redaction.ts';
import type { FetchToken } from './token-source.ts';

/** What an identity provider is asked with. */
export interface TokenEndpoint {
  readonly url: URL;
  readonly grant: OAuthGrant;
  /** The form's other fields. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly wallMs: () => number;
}

/** Tokens have a few KiB; whoever sends more than this is no token endpoint. */
const MAX_ANSWER_BYTES = 256 * 1024;
/** Answers that say "not now"; all others will be the same the next time. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Asks a token endpoint. Java: `ClientCredentialsJwtRetriever` (KIP-768), `JwtBearerJwtRetriever` (KIP-1139). */
export function askTokenEndpoint(endpoint: TokenEndpoint): FetchToken {
  return async (signal) => {
    const fields = await grantFields(endpoint.grant);
    const askedAtMs = endpoint.wallMs();
    const asked = { endpoint, fields };
    const { status, text } = await ask(asked, signal);
    const answer = readObject(text);
    if (status < 200 || status >= 300) throw refusal(asked, status, answer);
    return readToken(endpoint, answer, askedAtMs);
  };
}

/** A request: whom, and with what. */
interface Asked {
  readonly endpoint: TokenEndpoint;
  readonly fields: GrantFields;
}

async function ask({ endpoint, fields }: Asked, signal: AbortSignal): Promise<{ status: number; text: string }> {
  const { form, authorization } = fields;
  const body = new URLSearchParams({ ...form, ...endpoint.parameters });
  const headers = { accept: 'application/json', ...(authorization !== undefined && { authorization }) };
  try {
    // Not followed elsewhere: the request holds the secret.
    const response = await fetch(endpoint.url, { method: 'POST', body, headers, redirect: 'manual', signal });
    return { status: response.status, text: await readText(endpoint, response) };
  } catch (error) {
    if (error instanceof KafkaError) throw error;
    throw problem(endpoint, `it cannot be reached (${reasonOf(error)})`, { isPassing: true, cause: error });
  }
}

async function readText(endpoint: TokenEndpoint, response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  // The types of Node's fetch leave out that its bodies can be iterated over.
  for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += piece.length;
    if (bytes > MAX_ANSWER_BYTES) {
      throw problem(
        endpoint,
        `it answered with more than ${MAX_ANSWER_BYTES} bytes; check that it is a token endpoint`,
      );
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function readToken(
  endpoint: TokenEndpoint,
  answer: Readonly<Record<string, unknown>> | undefined,
  askedAtMs: number,
): BearerToken {
  const value = answer?.['access_token'];
  if (!isToken(value)) {
    throw problem(endpoint, 'its answer has no access_token; check that it is a token endpoint');
  }
  // How long a token lives is safer to know than until when: this machine's clock and the provider's may differ.
  const seconds = Number(answer?.['expires_in'] ?? NaN);
  return { value, expiresAtMs: seconds > 0 ? askedAtMs + seconds * 1000 : expiryOf(value) };
}

function refusal(asked: Asked, status: number, answer: Readonly<Record<string, unknown>> | undefined): KafkaError {
  const words = ['error', 'error_description']
    .map((name) => answer?.[name])
    .filter((word) => typeof word === 'string' && word !== '')
    .map((word) => shown(asked, String(word)));
  const said = words.length === 0 ? '' : `: ${words.join(', ')}`;
  const advice = status >= 300 && status < 400 ? '; give the address that it redirects to' : '';
  const isPassing = PASSING.has(status);
  return problem(asked.endpoint, `it answered with status ${status}${said}${advice}`, { isPassing });
}

/** What went wrong passes by itself, as with a broker that is away, or somebody has to correct the options. */
function problem(
  { url }: TokenEndpoint,
  why: string,
  { isPassing = false, cause }: { isPassing?: boolean; cause?: unknown } = {},
): KafkaError {
  const message = `Cannot get a token from ${url.origin}${url.pathname}: ${why}`;
  return isPassing
    ? new NetworkError(message, { code: 'TOKEN_UNAVAILABLE', retriable: true, cause })
    : new AuthenticationError(message, { code: 'TOKEN_UNAVAILABLE', cause });
}

/** A provider may repeat what it was asked with. */
function shown({ endpoint, fields }: Asked, text: string): string {
  const { assertion = '', client_assertion: clientAssertion = '' } = fields.form;
  return excerpt(redact(text, [endpoint.grant.clientSecret ?? '', assertion, clientAssertion]));
}

function readObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** `fetch` says no more than "fetch failed"; what happened is its cause. */
function reasonOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(inner instanceof Error)) return String(inner);
  const code = 'code' in inner ? String(inner.code) : '';
  return [code, inner.message].filter((word) => word !== '').join(' ') || inner.name;
}
