import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { GroupCoordinator } from '../groups/group-coordinator.ts';
import { internalTopics, type ClusterState } from '../state/cluster-state.ts';
import type { PartitionState } from '../state/partition-state.ts';
import type { TransactionPartition } from './transaction-partitions.ts';

/** What is written to each partition of a transaction that ends. */
export interface TransactionMarker {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly committed: boolean;
  readonly coordinatorEpoch: number;
  /** From 2 on the epoch must be higher than that of the records, so that a marker that is late ends no later transaction. */
  readonly transactionVersion: number;
}

/**
 * Writes the marker of a transaction at the leader of a partition; answers an error code.
 *
 * @param brokerId who is asked to write it; undefined asks whoever leads
 */
export function writeMarker(
  cluster: ClusterState,
  { topic, partition: index }: TransactionPartition,
  marker: TransactionMarker,
  brokerId?: number,
): number {
  const partition = cluster.partition(topic, index);
  if (partition === undefined) return brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION;
  const { leaderId } = partition;
  if (cluster.brokers.get(leaderId)?.isRunning !== true || (brokerId !== undefined && brokerId !== leaderId))
    return brokerErrorCodes.NOT_LEADER_OR_FOLLOWER;
  const errorCode = refusalOf(cluster, partition, marker);
  if (errorCode !== 0) return errorCode;
  const { producerId, producerEpoch, coordinatorEpoch, committed } = marker;
  if (topic === internalTopics.group)
    cluster.service(GroupCoordinator).completeTransaction(producerId, committed, index);
  partition.log.appendMarker({
    type: committed ? 'commit' : 'abort',
    producerId,
    producerEpoch,
    coordinatorEpoch,
    leaderEpoch: partition.leaderEpoch,
    nowMs: cluster.clock.wallMs(),
  });
  partition.changed.notify();
  return 0;
}

function refusalOf(cluster: ClusterState, partition: PartitionState, marker: TransactionMarker): number {
  const topic = cluster.topics.get(partition.topic);
  const minIsr = topic === undefined ? 1 : Number(cluster.topicConfig(topic, 'min.insync.replicas'));
  if (partition.isr.length < Math.min(minIsr, partition.replicas.length)) return brokerErrorCodes.NOT_ENOUGH_REPLICAS;
  const known = partition.log.producers.get(marker.producerId);
  if (known === undefined) return 0;
  const mustBeHigher = marker.transactionVersion >= 2 && known.transactionStart !== undefined;
  if (marker.producerEpoch < known.producerEpoch + (mustBeHigher ? 1 : 0))
    return brokerErrorCodes.INVALID_PRODUCER_EPOCH;
  if (marker.coordinatorEpoch < known.coordinatorEpoch) return brokerErrorCodes.TRANSACTION_COORDINATOR_FENCED;
  return 0;
}
