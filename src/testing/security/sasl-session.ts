import type { ConnectionState, RequestContext } from '../handler.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { Credentials, scramMechanisms, type ScramMechanism } from './credentials.ts';
import type { SaslExchange } from './sasl-exchange.ts';
import { checkUnsecuredToken, OauthBearerExchange, type TokenCheck } from './sasl-oauthbearer.ts';
import { PlainExchange } from './sasl-plain.ts';
import { ScramExchange } from './sasl-scram.ts';

/** How far the login on one connection has come. */
export interface SaslSession {
  mechanism: string | undefined;
  exchange: SaslExchange | undefined;
  isAuthenticated: boolean;
  /** From when on nothing but a new login is served, on the cluster's clock; undefined if never (KIP-368). */
  endsAtMs: number | undefined;
}

const key = Symbol('sasl');

/** The session of a connection; begun when it is first asked for. */
export function saslSession({ attachments }: ConnectionState): SaslSession {
  let session = attachments.get(key) as SaslSession | undefined;
  if (session === undefined) {
    session = { mechanism: undefined, exchange: undefined, isAuthenticated: false, endsAtMs: undefined };
    attachments.set(key, session);
  }
  return session;
}

/** Which mechanisms the listeners take, and how tokens are read; a service of the cluster's state. */
export class SaslSettings {
  mechanisms: readonly string[] = ['PLAIN', ...scramMechanisms, 'OAUTHBEARER'];
  checkToken: TokenCheck = checkUnsecuredToken;
}

/** The broker's side of a new exchange. */
export function beginExchange(mechanism: string, { cluster }: RequestContext): SaslExchange {
  const credentials = cluster.service(Credentials);
  if (mechanism === 'PLAIN') return new PlainExchange(credentials);
  if (mechanism === 'OAUTHBEARER') {
    return new OauthBearerExchange(cluster.service(SaslSettings).checkToken, () => cluster.clock.wallMs());
  }
  return new ScramExchange(credentials, mechanism as ScramMechanism, nonce(cluster));
}

function nonce({ random }: ClusterState): string {
  return Buffer.from(Array.from({ length: 18 }, () => Math.floor(random() * 256))).toString('base64url');
}
