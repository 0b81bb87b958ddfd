import { forEachFrame, startBrokerProxy, type BrokerProxy } from './broker-proxy.ts';

const produceKey = 0;

/** What becomes of a Produce request: `cut-before` ends the connection instead of passing it on, `cut-after` instead of its answer. */
export type ProduceFate = 'pass' | 'cut-before' | 'cut-after';

/** A proxy that {@link startProduceProxy} has started. */
export interface ProduceProxy extends BrokerProxy {
  /** How many Produce requests have come. */
  readonly produced: number;
  /** How many connections were cut. */
  readonly cuts: number;
  /** Asked for each Produce request; they are numbered from 1. */
  fateOf: (number: number) => ProduceFate;
  /** How fast Produce requests go on to the broker; 0 for not at all. */
  bytesPerSecond: number;
}

/**
 * Stands between a client and a broker, slows Produce requests down or cuts their connections.
 *
 * @param server `127.0.0.1:9092`, as the broker itself advertises it
 */
export async function startProduceProxy(server: string): Promise<ProduceProxy> {
  const timers = new Set<NodeJS.Timeout>();
  const state = { produced: 0, cuts: 0, fateOf: (): ProduceFate => 'pass', bytesPerSecond: Infinity };
  const proxy = await startBrokerProxy(server, ({ client, broker, answer }) => {
    const cut = (): void => {
      state.cuts++;
      client.destroy();
    };
    let cutAtAnswer: number | undefined;
    const hold = (bytes: number): void => {
      client.pause();
      const look = (): void => {
        const delayMs = state.bytesPerSecond === 0 ? 50 : (bytes / state.bytesPerSecond) * 1000;
        const timer = setTimeout(() => {
          timers.delete(timer);
          if (state.bytesPerSecond === 0) look();
          else client.resume();
        }, delayMs);
        timers.add(timer);
      };
      look();
    };
    forEachFrame(client, (frame) => {
      if (frame.readInt16BE(4) === produceKey) {
        const fate = (state.fateOf as (number: number) => ProduceFate)(++state.produced);
        if (fate === 'cut-before') return cut();
        if (fate === 'cut-after') cutAtAnswer = frame.readInt32BE(8);
        if (state.bytesPerSecond !== Infinity) hold(frame.length);
      }
      broker.write(frame);
    });
    forEachFrame(broker, (frame) => {
      if (frame.readInt32BE(4) === cutAtAnswer) return cut();
      answer(frame);
    });
  });
  return Object.assign(state, {
    address: proxy.address,
    async [Symbol.asyncDispose]() {
      for (const timer of timers) clearTimeout(timer);
      await proxy[Symbol.asyncDispose]();
    },
  });
}
