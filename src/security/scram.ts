import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { saltPassword, type PasswordHash } from '../util/salted-password.ts';
import type { SaslConversation } from './sasl-conversation.ts';
import { escapeName, parseServerFinal, parseServerFirst, scramError, type ServerFirst } from './scram-messages.ts';

/** The two hashes that Kafka knows. */
export type ScramHash = PasswordHash;

/** What follows from a password, a salt and an iteration count; it stays the same from one connection to the next. */
interface ScramKeys {
  readonly clientKey: Buffer;
  readonly serverKey: Buffer;
}

type ScramState =
  | { readonly name: 'starting' }
  | { readonly name: 'waitingForServerFirst' }
  | { readonly name: 'waitingForServerFinal'; readonly serverSignature: Buffer }
  | { readonly name: 'finished' };

const MAX_CACHED = 8;

/** How a password is proven. */
export interface ScramOptions {
  /** Whether name and password are those of a delegation token (KIP-48). @defaultValue false */
  readonly isToken?: boolean;
  /** For tests. @defaultValue random ones */
  readonly newNonce?: () => string;
}

/**
 * SCRAM (RFC 5802, RFC 7677) for one user: the password never leaves, and the broker proves that it knows it, too.
 *
 * The derived keys are kept per salt and iteration count, so that a reconnect costs no second derivation. Java:
 * `ScramSaslClient`; like it, the password is taken as UTF-8 without SASLprep.
 */
export class ScramCredentials {
  readonly #hash: ScramHash;
  readonly #username: string;
  readonly #password: string;
  readonly #newNonce: () => string;
  readonly #extensions: string;
  readonly #keys = new Map<string, Promise<ScramKeys>>();

  constructor(
    hash: ScramHash,
    username: string,
    password: string,
    { isToken = false, newNonce = randomNonce }: ScramOptions = {},
  ) {
    this.#hash = hash;
    this.#username = username;
    this.#password = password;
    this.#newNonce = newNonce;
    this.#extensions = isToken ? ',tokenauth=true' : '';
  }

  /** Begins an exchange on a new connection. */
  conversation(): SaslConversation {
    const clientNonce = this.#newNonce();
    const clientFirstBare = `n=${escapeName(this.#username)},r=${clientNonce}${this.#extensions}`;
    let state: ScramState = { name: 'starting' };
    const respond = async (challenge: Uint8Array | undefined): Promise<Uint8Array | undefined> => {
      const message = challenge === undefined ? '' : Buffer.from(challenge).toString('utf8');
      switch (state.name) {
        case 'starting':
          state = { name: 'waitingForServerFirst' };
          return Buffer.from(`n,,${clientFirstBare}`, 'utf8');
        case 'waitingForServerFirst': {
          const serverFirst = parseServerFirst(message, clientNonce);
          const keys = await this.#keysFor(serverFirst);
          const withoutProof = `c=biws,r=${serverFirst.nonce}`;
          const authMessage = `${clientFirstBare},${message},${withoutProof}`;
          state = { name: 'waitingForServerFinal', serverSignature: hmac(this.#hash, keys.serverKey, authMessage) };
          return Buffer.from(`${withoutProof},p=${this.#proof(keys, authMessage).toString('base64')}`, 'utf8');
        }
        case 'waitingForServerFinal':
          checkSignature(parseServerFinal(message), state.serverSignature);
          state = { name: 'finished' };
          return undefined;
        case 'finished':
          throw scramError('the broker went on after the end of the exchange');
      }
    };
    return { respond };
  }

  #proof(keys: ScramKeys, authMessage: string): Buffer {
    const storedKey = createHash(this.#hash).update(keys.clientKey).digest();
    const signature = hmac(this.#hash, storedKey, authMessage);
    return Buffer.from(keys.clientKey.map((byte, index) => byte ^ (signature[index] ?? 0)));
  }

  #keysFor({ salt, iterations }: ServerFirst): Promise<ScramKeys> {
    const id = `${iterations}:${salt.toString('base64')}`;
    const known = this.#keys.get(id);
    if (known !== undefined) return known;
    const keys = deriveKeys(this.#hash, this.#password, salt, iterations);
    const oldest = this.#keys.keys().next();
    if (this.#keys.size >= MAX_CACHED && oldest.done !== true) this.#keys.delete(oldest.value);
    this.#keys.set(id, keys);
    keys.catch(() => this.#keys.delete(id));
    return keys;
  }
}

async function deriveKeys(hash: ScramHash, password: string, salt: Buffer, iterations: number): Promise<ScramKeys> {
  const salted = await saltPassword(hash, password, salt, iterations);
  return { clientKey: hmac(hash, salted, 'Client Key'), serverKey: hmac(hash, salted, 'Server Key') };
}

function checkSignature(given: Buffer, expected: Buffer): void {
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw scramError("the broker's signature is wrong: it does not know the password and may be an impostor");
  }
}

function hmac(hash: ScramHash, key: Buffer, text: string): Buffer {
  return createHmac(hash, key).update(text, 'utf8').digest();
}

function randomNonce(): string {
  return randomBytes(24).toString('base64').replaceAll(/[+/=]/g, '');
}
