import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { SaslHandshake } from '../../protocol/generated/sasl-handshake.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import { beginExchange, saslSession, SaslSettings } from '../security/sasl-session.ts';

/**
 * SaslHandshake, version 1: the client says by which mechanism it will log in.
 *
 * Does: begin an exchange, the first one or one more on the same connection (KIP-368), which may not change the mechanism.
 * Leaves out: v0, whose exchange goes on without requests.
 */
export const saslHandshakeHandler: AnyHandler = defineHandler(
  SaslHandshake,
  ({ mechanism }, context) => {
    const { connection, cluster } = context;
    const mechanisms = [...cluster.service(SaslSettings).mechanisms];
    if (!connection.listener.sasl) return { errorCode: brokerErrorCodes.ILLEGAL_SASL_STATE, mechanisms: [] };
    const session = saslSession(connection);
    const isKnown = mechanisms.includes(mechanism);
    if (!isKnown || (session.isAuthenticated && session.mechanism !== mechanism)) {
      connection.isEnding = true;
      const { UNSUPPORTED_SASL_MECHANISM, SASL_AUTHENTICATION_FAILED } = brokerErrorCodes;
      return { errorCode: isKnown ? SASL_AUTHENTICATION_FAILED : UNSUPPORTED_SASL_MECHANISM, mechanisms };
    }
    session.mechanism = mechanism;
    session.exchange = beginExchange(mechanism, context);
    return { errorCode: 0, mechanisms };
  },
  { min: 1 },
);
