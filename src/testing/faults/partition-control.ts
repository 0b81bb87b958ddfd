import { UsageError } from '../../errors/kafka-error.ts';
import { quote } from '../../util/option-rules.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { electUncleanly, expandIsr, lead, shrinkIsr } from '../state/leadership.ts';
import type { PartitionState } from '../state/partition-state.ts';

/** Makes a replica lead that is in sync and up. */
export function moveLeader(cluster: ClusterState, partition: PartitionState, brokerId: number): void {
  const doing = `Cannot move the leader of ${nameOf(partition)} to broker ${brokerId}`;
  requireReplica(cluster, partition, brokerId, doing);
  if (!partition.isr.includes(brokerId))
    throw refused(`${doing}: it is not in sync; in sync are ${partition.isr.join(', ')}; see electUncleanLeader`);
  lead(cluster, partition, brokerId);
}

/** Makes a replica lead that is up, in sync or not; what it has not copied is lost. */
export function electUncleanLeader(
  cluster: ClusterState,
  partition: PartitionState,
  brokerId: number,
  loseRecords: number | undefined,
): void {
  const doing = `Cannot elect broker ${brokerId} as leader of ${nameOf(partition)}`;
  requireReplica(cluster, partition, brokerId, doing);
  if (loseRecords === undefined) {
    electUncleanly(cluster, partition, brokerId);
    return;
  }
  if (!Number.isInteger(loseRecords) || loseRecords < 0)
    throw refused(`${doing}: loseRecords is ${quote(loseRecords)}, where an integer from 0 on was expected`);
  const end = partition.log.endOffset - BigInt(loseRecords);
  electUncleanly(cluster, partition, brokerId, end < partition.log.startOffset ? partition.log.startOffset : end);
}

/** Keeps only these brokers in sync, one of which must lead. */
export function keepInSync(cluster: ClusterState, partition: PartitionState, brokerIds: readonly number[]): void {
  const doing = `Cannot shrink the in-sync set of ${nameOf(partition)} to ${brokerIds.join(', ') || 'nobody'}`;
  for (const id of brokerIds)
    if (!partition.isr.includes(id)) throw refused(`${doing}: in sync are ${partition.isr.join(', ')}`);
  if (partition.leaderId !== -1 && !brokerIds.includes(partition.leaderId))
    throw refused(`${doing}: its leader, broker ${partition.leaderId}, is always in sync; move the leader first`);
  if (brokerIds.length === 0) throw refused(`${doing}: somebody has to be in sync`);
  shrinkIsr(
    cluster,
    partition,
    partition.isr.filter((id) => !brokerIds.includes(id)),
  );
}

/** Brings all replicas that are up back into the in-sync set. */
export function bringInSync(cluster: ClusterState, partition: PartitionState): void {
  expandIsr(
    cluster,
    partition,
    partition.replicas.filter((id) => cluster.brokers.get(id)?.isRunning === true),
  );
}

function requireReplica(cluster: ClusterState, partition: PartitionState, brokerId: number, doing: string): void {
  if (!partition.replicas.includes(brokerId))
    throw refused(`${doing}: it has no replica; replicas are on ${partition.replicas.join(', ')}`);
  if (cluster.brokers.get(brokerId)?.isRunning !== true) throw refused(`${doing}: it does not run`);
}

function nameOf({ topic, partition }: PartitionState): string {
  return `partition ${partition} of topic "${topic}"`;
}

function refused(message: string): UsageError {
  return new UsageError(message, { code: 'INVALID_ARGUMENT' });
}
