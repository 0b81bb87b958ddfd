import { ApiVersions } from '../../protocol/generated/api-versions.ts';
import { SaslAuthenticate } from '../../protocol/generated/sasl-authenticate.ts';
import { SaslHandshake } from '../../protocol/generated/sasl-handshake.ts';
import type { Admission, ArrivedRequest, RequestGate } from '../server/dispatcher.ts';
import { saslSession } from './sasl-session.ts';

const toLogIn: ReadonlySet<number> = new Set([ApiVersions.key, SaslHandshake.key]);

/** On a listener with SASL, nothing but the login is served before it is through, and after the session has ended. */
export class AuthenticationGate implements RequestGate {
  admit({ handler, context }: ArrivedRequest): Admission {
    const { connection, cluster } = context;
    if (!connection.listener.sasl) return { do: 'handle' };
    const { isAuthenticated, endsAtMs = Infinity, exchange } = saslSession(connection);
    if (handler.api.key === SaslAuthenticate.key)
      return exchange === undefined ? { do: 'disconnect' } : { do: 'handle' };
    if (toLogIn.has(handler.api.key)) return { do: 'handle' };
    return isAuthenticated && cluster.clock.nowMs() < endsAtMs ? { do: 'handle' } : { do: 'disconnect' };
  }
}
