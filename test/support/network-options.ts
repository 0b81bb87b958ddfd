import { EventPublisher } from '../../src/instrumentation/event-publisher.ts';
import type { NetworkOptions } from '../../src/network/network-options.ts';
import { systemClock } from '../../src/util/clock.ts';

/** Options of the network with Kafka's defaults, and some of them replaced. */
export function networkOptions(replaced: Partial<NetworkOptions> = {}): NetworkOptions {
  return {
    clientId: 'kavka-test',
    requestTimeoutMs: 30_000,
    connectionSetupTimeoutMs: 10_000,
    reconnectBackoffMs: 50,
    reconnectBackoffMaxMs: 1000,
    connectionsMaxIdleMs: 540_000,
    maxResponseBytes: 100 * 1024 * 1024,
    clock: systemClock,
    random: () => 0.5,
    events: new EventPublisher(),
    ...replaced,
  };
}
