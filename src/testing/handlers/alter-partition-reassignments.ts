import {
  AlterPartitionReassignments,
  type AlterPartitionReassignmentsRequestReassignablePartition,
} from '../../protocol/generated/alter-partition-reassignments.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import { Reassignments } from '../state/reassignments.ts';
import { checkAssignment, refusal, type Refusal } from '../state/topic-plans.ts';

/**
 * AlterPartitionReassignments, versions 0-1 (KIP-455).
 *
 * Does: begin, replace and cancel a reassignment, which takes a moment of the cluster's clock.
 * Leaves out: throttles of the copying.
 * v1 may forbid another number of replicas
 */
export const alterPartitionReassignmentsHandler: AnyHandler = defineHandler(
  AlterPartitionReassignments,
  (request, context) => ({
    errorMessage: null,
    ...(context.version >= 1 ? { allowReplicationFactorChange: request.allowReplicationFactorChange } : {}),
    responses: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map((wanted) => ({
        partitionIndex: wanted.partitionIndex,
        ...(reassign(name, wanted, request.allowReplicationFactorChange, context) ?? done),
      })),
    })),
  }),
);

const done = { errorCode: 0, errorMessage: null };

function reassign(
  topic: string,
  { partitionIndex, replicas }: AlterPartitionReassignmentsRequestReassignablePartition,
  mayChangeFactor: boolean,
  { cluster, version }: RequestContext,
): Refusal | undefined {
  const partition = cluster.partition(topic, partitionIndex);
  if (partition === undefined) return refusal('UNKNOWN_TOPIC_OR_PARTITION', 'There is no such partition');
  const reassignments = cluster.service(Reassignments);
  if (replicas === null) {
    if (!reassignments.isOngoing(partition)) return refusal('NO_REASSIGNMENT_IN_PROGRESS', null);
    reassignments.cancel(partition);
    return undefined;
  }
  const wrong = checkAssignment(cluster, [replicas]);
  if (wrong !== undefined) return wrong;
  if (version >= 1 && !mayChangeFactor && replicas.length !== partition.replicas.length)
    return refusal('INVALID_REPLICATION_FACTOR', 'The number of replicas must stay');
  reassignments.begin(partition, replicas);
  return undefined;
}
