import { AuthenticationError } from '../errors/kafka-error.ts';
import type { SaslConversation } from './sasl-conversation.ts';
import type { TokenForUse, TokenSource, TokenTrouble } from './token-source.ts';

/** Between the parts of a message, and, by itself, what a client says to a refusal (RFC 7628). */
const SEPARATOR = '\x01';

/** What else a client tells a broker beside its token (KIP-342): names of letters, values of printable ASCII. */
export type SaslExtensions = Readonly<Record<string, string>>;

/**
 * OAUTHBEARER (RFC 7628, KIP-255): the token in one message. A broker that does not want it says why in JSON, hears that we
 * have understood, and only then refuses.
 */
export function oauthBearerConversation(
  source: TokenSource,
  extensions: SaslExtensions,
  trouble: TokenTrouble,
): SaslConversation {
  let token: TokenForUse | undefined;
  let isRefused = false;
  return {
    async respond(challenge) {
      if (token === undefined) {
        token = await source.get(trouble);
        return Buffer.from(firstMessage(token.value, extensions), 'latin1');
      }
      if (challenge === undefined || challenge.length === 0) return undefined;
      if (isRefused) {
        throw new AuthenticationError(
          'Cannot authenticate with OAUTHBEARER: the broker asked for more than OAUTHBEARER has to say',
          { code: 'SASL_AUTHENTICATION_FAILED' },
        );
      }
      isRefused = true;
      return Buffer.from(SEPARATOR, 'latin1');
    },
    handleRefusal() {
      if (token !== undefined) source.forget(token.value);
      return token?.wasHeld === true;
    },
  };
}

function firstMessage(token: string, extensions: SaslExtensions): string {
  const pairs = [['auth', `Bearer ${token}`], ...Object.entries(extensions)];
  const text = pairs.map(([name, value]) => `${name}=${value}${SEPARATOR}`).join('');
  return `n,,${SEPARATOR}${text}${SEPARATOR}`;
}
