import { ListPartitionReassignments } from '../../protocol/generated/list-partition-reassignments.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import type { PartitionState } from '../state/partition-state.ts';
import { Reassignments } from '../state/reassignments.ts';

/**
 * ListPartitionReassignments, version 0 (KIP-455).
 *
 * Does: reassignments under way, of all topics or of those named.
 * Leaves out: -
 */
export const listPartitionReassignmentsHandler: AnyHandler = defineHandler(
  ListPartitionReassignments,
  (request, { cluster }) => {
    const wanted = ({ topic, partition }: PartitionState): boolean =>
      request.topics === null ||
      request.topics.some(({ name, partitionIndexes }) => name === topic && partitionIndexes.includes(partition));
    const byTopic = new Map<string, object[]>();
    for (const partition of cluster.service(Reassignments).ongoing().filter(wanted)) {
      const { replicas, addingReplicas, removingReplicas } = partition;
      const told = byTopic.get(partition.topic) ?? [];
      told.push({ partitionIndex: partition.partition, replicas, addingReplicas, removingReplicas });
      byTopic.set(partition.topic, told);
    }
    return { errorMessage: null, topics: [...byTopic].map(([name, partitions]) => ({ name, partitions })) };
  },
);
