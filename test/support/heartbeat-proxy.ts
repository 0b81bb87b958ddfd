import { forEachFrame, startBrokerProxy, type BrokerProxy } from './broker-proxy.ts';

const consumerGroupHeartbeatKey = 68;

/** A proxy that {@link startHeartbeatProxy} has started. */
export interface HeartbeatProxy extends BrokerProxy {
  /** Whether the broker's answers to heartbeats get lost, with the connections they come on. */
  losesAnswers: boolean;
  /** How many got lost. */
  readonly lost: number;
}

/**
 * Stands between members of groups of the new protocol (KIP-848) and their coordinator, which hears all they say, and loses what it answers.
 *
 * @param server `127.0.0.1:9092`, as the broker itself advertises it
 */
export async function startHeartbeatProxy(server: string): Promise<HeartbeatProxy> {
  const state = { losesAnswers: false, lost: 0 };
  const proxy = await startBrokerProxy(server, ({ client, broker, answer }) => {
    const heartbeats = new Set<number>();
    forEachFrame(client, (frame) => {
      if (frame.readInt16BE(4) === consumerGroupHeartbeatKey) heartbeats.add(frame.readInt32BE(8));
      broker.write(frame);
    });
    forEachFrame(broker, (frame) => {
      if (!heartbeats.delete(frame.readInt32BE(4)) || !state.losesAnswers) return answer(frame);
      state.lost++;
      client.destroy();
    });
  });
  return Object.assign(state, { address: proxy.address, [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]() });
}
