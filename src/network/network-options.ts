import type { EventPublisher } from '../instrumentation/event-publisher.ts';
import type { SaslOptions, SaslSettings } from '../security/sasl-options.ts';
import type { TlsOptions, TlsSettings } from '../security/tls-options.ts';
import type { Clock } from '../util/clock.ts';
import type { LookUp } from './resolve-host.ts';

/** What the network is told by the client above it. */
export interface NetworkOptions {
  readonly clientId: string;
  /** Undefined: plaintext. */
  readonly tls?: TlsOptions | TlsSettings | undefined;
  readonly sasl?: SaslOptions | SaslSettings | undefined;
  readonly requestTimeoutMs: number;
  readonly connectionSetupTimeoutMs: number;
  readonly reconnectBackoffMs: number;
  readonly reconnectBackoffMaxMs: number;
  readonly connectionsMaxIdleMs: number;
  readonly maxResponseBytes: number;
  /** Requests in flight per connection. @defaultValue 64 */
  readonly maxInFlightRequests?: number | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly events: EventPublisher;
  /** How host names become addresses. @defaultValue the system's resolver */
  readonly lookUp?: LookUp | undefined;
}

/** The options as the network uses them: secrets wrapped, nothing optional. */
export interface NetworkSettings extends Required<NetworkOptions> {
  readonly tls: TlsSettings | undefined;
  readonly sasl: SaslSettings | undefined;
  readonly maxInFlightRequests: number;
  readonly lookUp: LookUp;
}
