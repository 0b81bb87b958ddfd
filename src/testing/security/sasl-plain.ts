import type { Credentials } from './credentials.ts';
import { wrongCredentials, type SaslExchange, type SaslStep } from './sasl-exchange.ts';

/** PLAIN (RFC 4616): `authorization NUL name NUL password`. */
export class PlainExchange implements SaslExchange {
  readonly #credentials: Credentials;

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
  }

  respond(message: Buffer): SaslStep {
    const parts = message.toString('utf8').split('\0');
    const [authorization = '', name = '', password = ''] = parts;
    if (parts.length !== 3) return { state: 'failed', reason: 'The message does not have three parts' };
    if (name === '' || password === '') return { state: 'failed', reason: 'Name or password is empty' };
    if (authorization !== '' && authorization !== name)
      return { state: 'failed', reason: 'A client can act for nobody but itself' };
    if (!this.#credentials.hasPassword(name, password)) return wrongCredentials;
    return { state: 'done', challenge: Buffer.alloc(0), principal: `User:${name}` };
  }
}
