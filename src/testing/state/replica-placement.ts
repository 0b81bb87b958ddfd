import type { BrokerState } from './broker-state.ts';

/**
 * The replicas of each partition, preferred leader first: leaders go round the brokers, and the followers' distance grows
 * with each round, so that the load of a broker that is lost spreads over the others.
 */
export function spreadReplicas(
  brokers: readonly BrokerState[],
  partitions: number,
  replicationFactor: number,
  random: () => number,
): number[][] {
  const ids = brokers.map((broker) => broker.id);
  const start = Math.floor(random() * ids.length);
  return Array.from({ length: partitions }, (_, partition) => {
    const round = Math.floor(partition / ids.length);
    return Array.from({ length: replicationFactor }, (_, replica) => {
      const distance = replica === 0 ? 0 : 1 + ((round + replica - 1) % Math.max(ids.length - 1, 1));
      return ids[(start + partition + distance) % ids.length] ?? -1;
    });
  });
}
