/** How an exchange stands after a message of the client. */
export type SaslStep =
  | { readonly state: 'goOn'; readonly challenge: Buffer }
  | {
      readonly state: 'done';
      readonly challenge: Buffer;
      readonly principal: string;
      /** When what was shown ends to be good, on the clock of the wall; undefined if it does not. */
      readonly expiresAtMs?: number;
    }
  | { readonly state: 'failed'; readonly reason: string };

/** The broker's side of one exchange: answers each message of the client. */
export interface SaslExchange {
  respond(message: Buffer): SaslStep;
}

/** The same to a client that got the name wrong as to one that got the password wrong. */
export const wrongCredentials: SaslStep = { state: 'failed', reason: 'The credentials are wrong' };
