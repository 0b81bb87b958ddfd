import { createHash, timingSafeEqual } from 'node:crypto';
import { hashOf, hmac, type Credentials, type ScramCredential, type ScramMechanism } from './credentials.ts';
import { wrongCredentials, type SaslExchange, type SaslStep } from './sasl-exchange.ts';

interface Begun {
  readonly name: string;
  readonly credential: ScramCredential;
  readonly clientFirstBare: string;
  readonly serverFirst: string;
  readonly nonce: string;
}

/** SCRAM (RFC 5802, RFC 7677), the broker's side; tokens in place of passwords are left out. */
export class ScramExchange implements SaslExchange {
  readonly #credentials: Credentials;
  readonly #mechanism: ScramMechanism;
  readonly #serverNonce: string;
  #begun: Begun | undefined;

  constructor(credentials: Credentials, mechanism: ScramMechanism, serverNonce: string) {
    this.#credentials = credentials;
    this.#mechanism = mechanism;
    this.#serverNonce = serverNonce;
  }

  respond(message: Buffer): SaslStep {
    const text = message.toString('utf8');
    return this.#begun === undefined ? this.#first(text) : this.#final(text, this.#begun);
  }

  #first(text: string): SaslStep {
    const match = /^[ny],(?:a=([^,]*))?,((?:m=[^,]*,)?n=([^,]*),r=([^,]+)(?:,.*)?)$/.exec(text);
    const [, , clientFirstBare = '', escaped = '', clientNonce = ''] = match ?? [];
    if (match === null) return { state: 'failed', reason: 'The first message is not one of SCRAM' };
    const name = escaped.replaceAll('=2C', ',').replaceAll('=3D', '=');
    const credential = this.#credentials.scram(name, this.#mechanism);
    if (credential === undefined) return wrongCredentials;
    const nonce = `${clientNonce}${this.#serverNonce}`;
    const serverFirst = `r=${nonce},s=${credential.salt.toString('base64')},i=${credential.iterations}`;
    this.#begun = { name, credential, clientFirstBare, serverFirst, nonce };
    return { state: 'goOn', challenge: Buffer.from(serverFirst, 'utf8') };
  }

  #final(text: string, { name, credential, clientFirstBare, serverFirst, nonce }: Begun): SaslStep {
    const match = /^(c=[^,]+,r=([^,]+)(?:,.*)?),p=([^,]+)$/.exec(text);
    const [, withoutProof = '', givenNonce = '', proofText = ''] = match ?? [];
    if (match === null || givenNonce !== nonce)
      return { state: 'failed', reason: 'The nonce is not that of the exchange' };
    const hash = hashOf(this.#mechanism);
    const authMessage = `${clientFirstBare},${serverFirst},${withoutProof}`;
    const signature = hmac(hash, credential.storedKey, authMessage);
    const proof = Buffer.from(proofText, 'base64');
    if (proof.length !== signature.length) return wrongCredentials;
    const clientKey = Buffer.from(proof.map((byte, at) => byte ^ (signature[at] ?? 0)));
    const storedKey = createHash(hash).update(clientKey).digest();
    if (!timingSafeEqual(storedKey, credential.storedKey)) return wrongCredentials;
    const proofOfServer = hmac(hash, credential.serverKey, authMessage).toString('base64');
    return { state: 'done', challenge: Buffer.from(`v=${proofOfServer}`, 'utf8'), principal: `User:${name}` };
  }
}
