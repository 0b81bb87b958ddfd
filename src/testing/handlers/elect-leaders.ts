import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { ElectLeaders, type ElectLeadersRequest } from '../../protocol/generated/elect-leaders.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { electUncleanly, lead } from '../state/leadership.ts';
import type { PartitionState } from '../state/partition-state.ts';
import { refusal, type Refusal } from '../state/topic-plans.ts';

/**
 * ElectLeaders, versions 0-2.
 *
 * Does: the preferred leader, or an unclean one where nobody leads; all partitions, of which only those that changed are told.
 * Leaves out: -
 * v1 unclean elections (KIP-460) · v2 flexible
 */
export const electLeadersHandler: AnyHandler = defineHandler(ElectLeaders, (request, { cluster, version }) => {
  const unclean = version >= 1 && request.electionType === 1;
  const results = new Map<string, object[]>();
  for (const { topic, partition } of wantedPartitions(request, cluster)) {
    const outcome = elect(cluster.partition(topic, partition), unclean, cluster);
    if (request.topicPartitions === null && outcome?.errorCode === brokerErrorCodes.ELECTION_NOT_NEEDED) continue;
    const told = results.get(topic) ?? [];
    told.push({ partitionId: partition, ...(outcome ?? { errorCode: 0, errorMessage: null }) });
    results.set(topic, told);
  }
  return {
    replicaElectionResults: [...results].map(([topic, partitionResult]) => ({ topic, partitionResult })),
  };
});

function wantedPartitions(
  { topicPartitions }: ElectLeadersRequest,
  cluster: ClusterState,
): { readonly topic: string; readonly partition: number }[] {
  if (topicPartitions === null) return [...cluster.topics.values()].flatMap((topic) => topic.partitions);
  return topicPartitions.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })));
}

function elect(partition: PartitionState | undefined, unclean: boolean, cluster: ClusterState): Refusal | undefined {
  if (partition === undefined) return refusal('UNKNOWN_TOPIC_OR_PARTITION', 'There is no such partition');
  const isUp = (id: number): boolean => cluster.brokers.get(id)?.isRunning === true;
  if (unclean) {
    if (partition.leaderId !== -1) return refusal('ELECTION_NOT_NEEDED', `Broker ${partition.leaderId} leads`);
    const candidate = partition.replicas.find(isUp);
    if (candidate === undefined) return refusal('ELIGIBLE_LEADERS_NOT_AVAILABLE', 'No replica is up');
    if (partition.isr.includes(candidate)) lead(cluster, partition, candidate);
    else electUncleanly(cluster, partition, candidate);
    return undefined;
  }
  const preferred = partition.replicas[0] ?? -1;
  if (partition.leaderId === preferred) return refusal('ELECTION_NOT_NEEDED', 'The preferred replica leads');
  if (!isUp(preferred) || !partition.isr.includes(preferred))
    return refusal('PREFERRED_LEADER_NOT_AVAILABLE', `Broker ${preferred} is not in sync`);
  lead(cluster, partition, preferred);
  return undefined;
}
