/** A token that lets us in until it expires, as the caller's function gives it. */
export interface OAuthToken {
  /** The token itself, as the broker is to get it: a JSON Web Token, or whatever the broker understands. */
  readonly value: string;
  /**
   * When it expires, in milliseconds since 1970; a `Date` will do as well.
   *
   * @defaultValue what the token says, where it is a JSON Web Token (its claim `exp`); otherwise it is used for one connection only
   */
  readonly expiresAt?: number | Date | undefined;
}

/** A token as the client keeps it. */
export interface BearerToken {
  readonly value: string;
  /** Milliseconds since 1970; undefined where nobody knows. */
  readonly expiresAtMs: number | undefined;
}

/** What may stand in a header: what goes beyond would end the message that the token is a part of. */
const TOKEN = /^[\x21-\x7e]+$/;

/** Whether this can be sent as a token. */
export function isToken(value: unknown): value is string {
  return typeof value === 'string' && TOKEN.test(value);
}

/**
 * When a JSON Web Token (RFC 7519) expires, by its claim `exp`; its signature is the broker's business.
 *
 * @returns milliseconds since 1970; undefined for any other token, and for one that does not say
 */
export function expiryOf(token: string): number | undefined {
  const [header, payload, signature, ...more] = token.split('.');
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0) return undefined;
  try {
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { exp?: unknown } | null;
    return typeof claims?.exp === 'number' && Number.isFinite(claims.exp) ? claims.exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
