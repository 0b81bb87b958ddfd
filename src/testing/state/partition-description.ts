import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { ClusterState } from './cluster-state.ts';
import type { PartitionState } from './partition-state.ts';

/** What brokers tell of a partition to whoever asks for topics. */
export interface PartitionDescription {
  readonly errorCode: number;
  readonly partitionIndex: number;
  readonly leaderId: number;
  readonly leaderEpoch: number;
  readonly replicaNodes: number[];
  readonly isrNodes: number[];
  /** Those on brokers that do not run. */
  readonly offlineReplicas: number[];
}

export function describePartition(partition: PartitionState, { brokers }: ClusterState): PartitionDescription {
  return {
    errorCode: partition.leaderId === -1 ? brokerErrorCodes.LEADER_NOT_AVAILABLE : brokerErrorCodes.NONE,
    partitionIndex: partition.partition,
    leaderId: partition.leaderId,
    leaderEpoch: partition.leaderEpoch,
    replicaNodes: partition.replicas,
    isrNodes: partition.isr,
    offlineReplicas: partition.replicas.filter((id) => brokers.get(id)?.isRunning !== true),
  };
}
