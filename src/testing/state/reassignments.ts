import type { ClusterState } from './cluster-state.ts';
import { electLeader, expandIsr, shrinkIsr } from './leadership.ts';
import type { PartitionState } from './partition-state.ts';

/** How long new replicas take to copy a partition, on the cluster's clock. */
const COPY_MS = 100;

interface Reassignment {
  readonly target: readonly number[];
  readonly before: readonly number[];
}

/**
 * Partitions on their way to other brokers (KIP-455): the new replicas are added, copy for a moment, get in sync, and then
 * those that are not wanted any more go. It waits while a new replica is down.
 */
export class Reassignments {
  readonly #cluster: ClusterState;
  readonly #ongoing = new Map<PartitionState, Reassignment>();

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
    cluster.changed.watch(() => this.#finishReady());
  }

  /** Those under way. */
  ongoing(): readonly PartitionState[] {
    return [...this.#ongoing.keys()];
  }

  isOngoing(partition: PartitionState): boolean {
    return this.#ongoing.has(partition);
  }

  /** Begins one, in place of one that was under way. */
  begin(partition: PartitionState, target: readonly number[]): void {
    const before = this.#ongoing.get(partition)?.before ?? partition.replicas;
    this.#ongoing.set(partition, { target, before });
    partition.addingReplicas = target.filter((id) => !before.includes(id));
    partition.removingReplicas = before.filter((id) => !target.includes(id));
    partition.replicas = [...target, ...partition.removingReplicas];
    const timer = this.#cluster.clock.setTimer(() => {
      expandIsr(
        this.#cluster,
        partition,
        partition.addingReplicas.filter((id) => this.#isUp(id)),
      );
      this.#finishReady();
    }, COPY_MS);
    timer.unref();
  }

  /** Goes back to the replicas from before; those that would have stayed come first, as Kafka leaves them. */
  cancel(partition: PartitionState): void {
    const { addingReplicas, replicas } = partition;
    this.#settle(
      partition,
      replicas.filter((id) => !addingReplicas.includes(id)),
    );
  }

  #finishReady(): void {
    for (const [partition, { target }] of this.#ongoing) {
      if (target.every((id) => partition.isr.includes(id))) this.#settle(partition, target);
    }
  }

  #settle(partition: PartitionState, replicas: readonly number[]): void {
    this.#ongoing.delete(partition);
    const gone = partition.replicas.filter((id) => !replicas.includes(id));
    partition.replicas = [...replicas];
    partition.addingReplicas = [];
    partition.removingReplicas = [];
    shrinkIsr(this.#cluster, partition, gone);
    if (!replicas.includes(partition.leaderId)) electLeader(this.#cluster, partition);
  }

  #isUp(brokerId: number): boolean {
    return this.#cluster.brokers.get(brokerId)?.isRunning === true;
  }
}
