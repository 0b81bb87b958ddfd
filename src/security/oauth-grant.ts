import { AuthenticationError } from '../errors/kafka-error.ts';
import { isToken } from './bearer-token.ts';

/** A JSON Web Token that somebody signed for us, or a function that gives a fresh one each time. */
export type OAuthAssertion = string | (() => string | Promise<string>);

/** By what a token endpoint is to know who asks, and for whom. */
export interface OAuthGrant {
  readonly clientId?: string | undefined;
  readonly clientSecret?: string | undefined;
  readonly clientAuthentication?: 'basic' | 'post' | undefined;
  readonly clientAssertion?: OAuthAssertion | undefined;
  readonly assertion?: OAuthAssertion | undefined;
}

/** What is sent to the endpoint for that. */
export interface GrantFields {
  readonly form: Readonly<Record<string, string>>;
  readonly authorization: string | undefined;
}

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const CLIENT_ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** Puts a request together: for the client itself (RFC 6749, section 4.4) or by an assertion (RFC 7523, section 2.1; KIP-1139). */
export async function grantFields(grant: OAuthGrant): Promise<GrantFields> {
  const { assertion } = grant;
  const subject =
    assertion === undefined
      ? { grant_type: 'client_credentials' }
      : { grant_type: JWT_BEARER, assertion: await read(assertion, 'assertion') };
  const { form, authorization } = await clientFields(grant);
  return { form: { ...subject, ...form }, authorization };
}

/** Who asks: by a secret (RFC 6749, section 2.3.1), or by an assertion (RFC 7523, section 2.2; KIP-1258). */
async function clientFields(grant: OAuthGrant): Promise<GrantFields> {
  const { clientId, clientSecret, clientAuthentication = 'basic', clientAssertion } = grant;
  const named = clientId === undefined ? {} : { client_id: clientId };
  if (clientAssertion !== undefined) {
    const signed = await read(clientAssertion, 'clientAssertion');
    const form = { ...named, client_assertion_type: CLIENT_ASSERTION, client_assertion: signed };
    return { form, authorization: undefined };
  }
  if (clientId === undefined || clientSecret === undefined) return { form: named, authorization: undefined };
  if (clientAuthentication === 'post') {
    return { form: { ...named, client_secret: clientSecret }, authorization: undefined };
  }
  const pair = Buffer.from(`${formText(clientId)}:${formText(clientSecret)}`, 'utf8');
  return { form: {}, authorization: `Basic ${pair.toString('base64')}` };
}

async function read(assertion: OAuthAssertion, name: string): Promise<string> {
  const answer: unknown = typeof assertion === 'string' ? assertion : await assertion();
  if (isToken(answer)) return answer;
  const why = 'it must be a string of printable ASCII without spaces';
  throw new AuthenticationError(`Cannot use the ${name} that was given for OAUTHBEARER: ${why}`, {
    code: 'TOKEN_UNAVAILABLE',
  });
}

/** As RFC 6749 has it: name and secret are written as form values before they are joined. */
function formText(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1);
}
