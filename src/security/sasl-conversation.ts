/**
 * One SASL conversation, from the client's side: challenge in, response out. Made anew for each connection, and
 * each time that a connection authenticates again because the broker ends its session (KIP-368).
 *
 * This is the seam for mechanisms that Kavka does not bring: see {@link SaslAuthenticator}.
 */
export interface SaslConversation {
  /**
   * What the client says next.
   *
   * The first call comes with `undefined`: the client begins. Each further call brings what the broker answered (often empty). May
   * answer with a promise.
   *
   * @param challenge the broker's bytes; they are the connection's, so copy what must outlive the call
   * @returns the bytes to send; `undefined` once the client has nothing left to say and is content with the broker
   * @throws to end the connection, best an {@link AuthenticationError}; its message must hold no secret
   */
  respond(challenge: Uint8Array | undefined): Uint8Array | undefined | Promise<Uint8Array | undefined>;

  /**
   * Told that the broker has refused us; it may forget what it holds, such as a token.
   *
   * @returns true if the next conversation will begin with something else, so that it is worth another connection; false ends what was
   * being done with an {@link AuthenticationError}, as if there were no such method
   */
  handleRefusal?(): boolean;
}

/** Which broker a conversation is with. */
export interface SaslContext {
  /** The host that the connection is to, as the client names it. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
  /** Whether the connection is encrypted. */
  readonly encrypted: boolean;
}

/** Begins a conversation, for a new connection or to renew the session of one in use; a token that it sends should be a fresh one. */
export type SaslAuthenticator = (context: SaslContext) => SaslConversation;
