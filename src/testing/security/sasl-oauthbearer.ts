import type { SaslExchange, SaslStep } from './sasl-exchange.ts';

/** Who a token speaks for, and until when. */
export interface TokenOwner {
  /** The name behind `User:`. */
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
}

/** Reads a token; undefined for one that is not good. */
export type TokenCheck = (token: string, nowMs: number) => TokenOwner | undefined;

const SEPARATOR = '\x01';

/** OAUTHBEARER (RFC 7628): one message with a token; a bad one is explained, and the client's answer to that ends the exchange. */
export class OauthBearerExchange implements SaslExchange {
  readonly #check: TokenCheck;
  readonly #nowMs: () => number;
  #hasFailed = false;

  constructor(check: TokenCheck, nowMs: () => number) {
    this.#check = check;
    this.#nowMs = nowMs;
  }

  respond(message: Buffer): SaslStep {
    if (this.#hasFailed) return { state: 'failed', reason: 'The token is not good' };
    const text = message.toString('utf8');
    const token = /(?:^|\x01)auth=Bearer +([A-Za-z0-9._~+/=-]+)\x01/i.exec(text)?.[1];
    if (!text.startsWith('n,') || !text.endsWith(`${SEPARATOR}${SEPARATOR}`) || token === undefined)
      return { state: 'failed', reason: 'The message is not one of OAUTHBEARER' };
    const owner = this.#check(token, this.#nowMs());
    if (owner === undefined) {
      this.#hasFailed = true;
      return { state: 'goOn', challenge: Buffer.from('{"status":"invalid_token"}', 'utf8') };
    }
    const { name, expiresAtMs } = owner;
    return { state: 'done', challenge: Buffer.alloc(0), principal: `User:${name}`, expiresAtMs };
  }
}

/** Takes what Kafka calls unsecured tokens: JSON Web Tokens without a signature, with `sub` and `exp`. */
export function checkUnsecuredToken(token: string, nowMs: number): TokenOwner | undefined {
  const [header, payload, signature] = token.split('.');
  if (readJson(header)?.['alg'] !== 'none' || (signature ?? '') !== '') return undefined;
  const { sub, exp, iat } = readJson(payload) ?? {};
  if (typeof sub !== 'string' || sub === '' || typeof exp !== 'number') return undefined;
  const expiresAtMs = exp * 1000;
  if (expiresAtMs <= nowMs || (typeof iat === 'number' && iat * 1000 > nowMs)) return undefined;
  return { name: sub, expiresAtMs };
}

function readJson(part: string | undefined): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part ?? '', 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
