import type { BrokerState } from './broker-state.ts';
import type { ClusterState } from './cluster-state.ts';
import type { PartitionState } from './partition-state.ts';

/**
 * Who leads and who is in sync, changed as Kafka's controller does: each change raises the partition epoch, a new leader (or
 * the loss of one) the leader epoch too. Whoever waits on the partition is told.
 */

/** Gives a partition the leader that the controller would choose: the first replica in order that is in sync and up. */
export function electLeader(cluster: ClusterState, partition: PartitionState): void {
  const candidate = partition.replicas.find((id) => partition.isr.includes(id) && isUp(cluster, id));
  if (candidate !== undefined || !allowsUnclean(cluster, partition)) {
    lead(cluster, partition, candidate ?? -1);
    return;
  }
  const unclean = partition.replicas.find((id) => isUp(cluster, id));
  if (unclean === undefined) lead(cluster, partition, -1);
  else electUncleanly(cluster, partition, unclean);
}

/** Makes this broker the leader, which must be in the in-sync set; -1 takes the leader away. */
export function lead(cluster: ClusterState, partition: PartitionState, brokerId: number): void {
  if (partition.leaderId === brokerId) return;
  partition.leaderId = brokerId;
  partition.leaderEpoch++;
  tellChange(cluster, partition);
}

/**
 * Makes a replica the leader that is not in sync: what it has not copied is lost, for it and for all who follow it.
 *
 * @param keepUpTo the end of its copy, if not where it left the in-sync set
 */
export function electUncleanly(
  cluster: ClusterState,
  partition: PartitionState,
  brokerId: number,
  keepUpTo?: bigint,
): void {
  const end = keepUpTo ?? copyEnd(partition, brokerId);
  if (end < partition.log.endOffset) partition.log.truncateTo(end);
  partition.isr = [brokerId];
  partition.copiedUpTo.delete(brokerId);
  for (const [id, copied] of partition.copiedUpTo) if (copied > end) partition.copiedUpTo.set(id, end);
  partition.leaderId = brokerId;
  partition.leaderEpoch++;
  tellChange(cluster, partition);
}

/** Takes brokers out of the in-sync set; the last one stays in it, as nobody else has all records. */
export function shrinkIsr(cluster: ClusterState, partition: PartitionState, brokerIds: readonly number[]): void {
  const stay = partition.isr.filter((id) => !brokerIds.includes(id));
  const kept = stay.length > 0 ? stay : partition.isr.slice(0, 1);
  if (kept.length === partition.isr.length) return;
  for (const id of partition.isr) if (!kept.includes(id)) partition.copiedUpTo.set(id, partition.log.endOffset);
  partition.isr = kept;
  tellChange(cluster, partition);
}

/** Lets brokers that hold a replica catch up and be in sync again. */
export function expandIsr(cluster: ClusterState, partition: PartitionState, brokerIds: readonly number[]): void {
  const coming = brokerIds.filter((id) => partition.replicas.includes(id) && !partition.isr.includes(id));
  if (coming.length === 0) return;
  for (const id of coming) partition.copiedUpTo.delete(id);
  partition.isr = [...partition.isr, ...coming];
  tellChange(cluster, partition);
}

/** A broker is not counted any more: it leads nothing, is in sync nowhere, and is not the controller. */
export function withdrawBroker(cluster: ClusterState, broker: BrokerState): void {
  broker.isRunning = false;
  if (cluster.controllerId === broker.id) moveController(cluster);
  for (const partition of partitionsOn(cluster, broker.id)) {
    shrinkIsr(cluster, partition, [broker.id]);
    if (partition.leaderId === broker.id) electLeader(cluster, partition);
  }
  broker.changed.notify();
  cluster.changed.notify();
}

/** A broker is counted (again): it catches up, and leads what nobody could lead without it. */
export function admitBroker(cluster: ClusterState, broker: BrokerState): void {
  broker.isRunning = true;
  broker.epoch++;
  if (!isUp(cluster, cluster.controllerId)) moveController(cluster);
  for (const partition of partitionsOn(cluster, broker.id)) {
    const hadLeader = partition.leaderId !== -1;
    if (!hadLeader) electLeader(cluster, partition);
    // Who waited for a leader to copy from goes along with the one who came.
    const coming = hadLeader ? [broker.id] : partition.replicas.filter((id) => isUp(cluster, id));
    if (partition.leaderId !== -1) expandIsr(cluster, partition, coming);
  }
  broker.changed.notify();
  cluster.changed.notify();
}

function copyEnd({ isr, copiedUpTo, log }: PartitionState, brokerId: number): bigint {
  return isr.includes(brokerId) ? log.endOffset : (copiedUpTo.get(brokerId) ?? log.startOffset);
}

function moveController(cluster: ClusterState): void {
  const ids = cluster.runningBrokers().map((broker) => broker.id);
  const next = ids.find((id) => id > cluster.controllerId) ?? ids[0];
  if (next !== undefined) cluster.controllerId = next;
}

function partitionsOn(cluster: ClusterState, brokerId: number): PartitionState[] {
  const all = [...cluster.topics.values()].flatMap((topic) => topic.partitions);
  return all.filter((partition) => partition.replicas.includes(brokerId));
}

function isUp(cluster: ClusterState, brokerId: number): boolean {
  return cluster.brokers.get(brokerId)?.isRunning === true;
}

function allowsUnclean(cluster: ClusterState, partition: PartitionState): boolean {
  const topic = cluster.topics.get(partition.topic);
  return topic !== undefined && cluster.topicConfig(topic, 'unclean.leader.election.enable') === 'true';
}

function tellChange(cluster: ClusterState, partition: PartitionState): void {
  partition.partitionEpoch++;
  partition.changed.notify();
  cluster.changed.notify();
}
