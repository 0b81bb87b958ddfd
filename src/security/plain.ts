import { AuthenticationError } from '../errors/kafka-error.ts';
import type { SaslConversation } from './sasl-conversation.ts';

/** SASL PLAIN (RFC 4616): name and password in one message, so only TLS keeps them secret. */
export function plainConversation(username: string, password: string): SaslConversation {
  let begun = false;
  return {
    respond(challenge) {
      if (!begun) {
        begun = true;
        return Buffer.from(`\0${username}\0${password}`, 'utf8');
      }
      if (challenge !== undefined && challenge.length > 0) {
        throw new AuthenticationError(
          'Cannot authenticate with PLAIN: the broker asked for more than PLAIN has to say',
          {
            code: 'SASL_AUTHENTICATION_FAILED',
          },
        );
      }
      return undefined;
    },
  };
}
