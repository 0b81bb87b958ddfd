import type { PartitionAssignor, RebalanceProtocol } from './assignor.ts';
import { rangeAssignor } from './range-assignor.ts';
import { roundRobinAssignor } from './round-robin-assignor.ts';
import { CooperativeStickyAssignor, StickyAssignor } from './sticky-assignor.ts';

const builtIn: Readonly<Record<PartitionAssignorName, () => PartitionAssignor>> = {
  range: (): PartitionAssignor => rangeAssignor,
  roundrobin: (): PartitionAssignor => roundRobinAssignor,
  sticky: (): PartitionAssignor => new StickyAssignor(),
  'cooperative-sticky': (): PartitionAssignor => new CooperativeStickyAssignor(),
};

/** Kafka's own assignors, by the names that members agree by. */
export type PartitionAssignorName = 'range' | 'roundrobin' | 'sticky' | 'cooperative-sticky';

/** The names of Kafka's own assignors. */
export const partitionAssignorNames: readonly PartitionAssignorName[] = Object.keys(builtIn) as PartitionAssignorName[];

/** Assignors of one consumer's own: some remember what it was assigned. */
export function makeAssignors(given: readonly (PartitionAssignorName | PartitionAssignor)[]): PartitionAssignor[] {
  return given.map((assignor) => (typeof assignor === 'string' ? builtIn[assignor]() : assignor));
}

/**
 * How the member's partitions change hands: by the best way that all its assignors know, since the coordinator may choose any of them.
 * Undefined if there is none. So a group goes from eager to cooperative in two rolling restarts: first with both assignors, then without
 * the eager one (KIP-429).
 */
export function rebalanceProtocolOf(assignors: readonly PartitionAssignor[]): RebalanceProtocol | undefined {
  const all = (protocol: RebalanceProtocol): boolean =>
    assignors.every(({ rebalanceProtocols = ['eager'] }) => rebalanceProtocols.includes(protocol));
  if (all('cooperative')) return 'cooperative';
  return all('eager') ? 'eager' : undefined;
}
