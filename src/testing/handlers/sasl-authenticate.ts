import { brokerErrorCodes, type BrokerErrorName } from '../../errors/broker-error-codes.ts';
import { SaslAuthenticate, type SaslAuthenticateResponse } from '../../protocol/generated/sasl-authenticate.ts';
import type { Input } from '../../protocol/api.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import type { SaslStep } from '../security/sasl-exchange.ts';
import { saslSession } from '../security/sasl-session.ts';

/**
 * SaslAuthenticate, versions 0-2: the messages of an exchange.
 *
 * Does: PLAIN, SCRAM-SHA-256 and -512, OAUTHBEARER; the end of a session by `connections.max.reauth.ms` or by that of a token;
 * a connection whose login failed is ended.
 * Leaves out: GSSAPI, delegation tokens.
 * v1 session lifetime (KIP-368) · v2 flexible
 */
export const saslAuthenticateHandler: AnyHandler = defineHandler(SaslAuthenticate, ({ authBytes }, context) => {
  const { connection } = context;
  const session = saslSession(connection);
  const { exchange } = session;
  if (exchange === undefined) return refuse('ILLEGAL_SASL_STATE', 'There was no SaslHandshake', context);
  const step = exchange.respond(authBytes);
  if (step.state === 'goOn') return { errorMessage: null, authBytes: step.challenge };
  session.exchange = undefined;
  if (step.state === 'failed') return refuse('SASL_AUTHENTICATION_FAILED', step.reason, context);
  if (session.isAuthenticated && step.principal !== connection.principal)
    return refuse('SASL_AUTHENTICATION_FAILED', 'Another one cannot go on with this connection', context);
  session.isAuthenticated = true;
  connection.principal = step.principal;
  const lifetimeMs = lifetimeOf(step, context);
  session.endsAtMs = lifetimeMs === 0 ? undefined : context.cluster.clock.nowMs() + lifetimeMs;
  const told = context.version >= 1 ? { sessionLifetimeMs: BigInt(lifetimeMs) } : {};
  return { errorMessage: null, authBytes: step.challenge, ...told };
});

function refuse(
  error: BrokerErrorName,
  errorMessage: string,
  { connection }: RequestContext,
): Input<SaslAuthenticateResponse> {
  connection.isEnding = true;
  return { errorCode: brokerErrorCodes[error], errorMessage, authBytes: Buffer.alloc(0) };
}

/** In milliseconds; 0 is for ever. */
function lifetimeOf(step: SaslStep & { readonly state: 'done' }, { cluster, broker }: RequestContext): number {
  const most = Number(cluster.brokerConfig('connections.max.reauth.ms', broker));
  const left = step.expiresAtMs === undefined ? Infinity : Math.max(1, step.expiresAtMs - cluster.clock.wallMs());
  const lifetimeMs = Math.min(most > 0 ? most : Infinity, left);
  return lifetimeMs === Infinity ? 0 : Math.ceil(lifetimeMs);
}
