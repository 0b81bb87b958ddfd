import type { Socket } from 'node:net';
import { forEachFrame, startBrokerProxy, type BrokerProxy } from './broker-proxy.ts';

/** A proxy that {@link startOutageProxy} has started. */
export interface OutageProxy extends BrokerProxy {
  /** From now on connections end as soon as they come, and those that are open end now. */
  cut(): void;
  /** The broker is there again. */
  mend(): void;
  /** How many connections came in vain. */
  readonly refused: number;
}

/**
 * Stands between clients and a broker that is away for a while.
 *
 * @param server `127.0.0.1:9092`, as the broker itself advertises it
 */
export async function startOutageProxy(server: string): Promise<OutageProxy> {
  const state = { isCut: false, refused: 0 };
  const clients = new Set<Socket>();
  const proxy = await startBrokerProxy(server, ({ client, broker, answer }) => {
    if (state.isCut) {
      state.refused++;
      client.destroy();
      return;
    }
    clients.add(client);
    client.once('close', () => clients.delete(client));
    client.on('data', (chunk) => broker.write(chunk));
    forEachFrame(broker, answer);
  });
  return {
    address: proxy.address,
    cut(): void {
      state.isCut = true;
      for (const client of clients) client.destroy();
    },
    mend(): void {
      state.isCut = false;
    },
    get refused() {
      return state.refused;
    },
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}
