import {
  CreatePartitions,
  type CreatePartitionsRequestCreatePartitionsTopic,
} from '../../protocol/generated/create-partitions.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { spreadReplicas } from '../state/replica-placement.ts';
import { checkAssignment, isRefusal, refusal, type Refusal } from '../state/topic-plans.ts';
import type { TopicState } from '../state/topic-state.ts';

/**
 * CreatePartitions, versions 0-3.
 *
 * Does: raise the number of partitions, with or without an assignment of replicas; dry runs.
 * Leaves out: mutation quotas.
 * v2 flexible
 */
export const createPartitionsHandler: AnyHandler = defineHandler(CreatePartitions, (request, { cluster }) => {
  const names = request.topics.map(({ name }) => name);
  return {
    results: request.topics.map((wanted) => {
      const { name } = wanted;
      if (names.indexOf(name) !== names.lastIndexOf(name))
        return { name, ...refusal('INVALID_REQUEST', 'It is named more than once') };
      const plan = planOf(wanted, cluster);
      if (isRefusal(plan)) return { name, ...plan };
      if (!request.validateOnly) cluster.addPartitions(plan.topic, plan.assignment);
      return { name, errorCode: 0, errorMessage: null };
    }),
  };
});

interface Plan {
  readonly topic: TopicState;
  readonly assignment: readonly (readonly number[])[];
}

function planOf(wanted: CreatePartitionsRequestCreatePartitionsTopic, cluster: ClusterState): Plan | Refusal {
  const topic = cluster.topics.get(wanted.name);
  // Kafka says nothing more to this one.
  if (topic === undefined) return refusal('UNKNOWN_TOPIC_OR_PARTITION', null);
  const more = wanted.count - topic.partitions.length;
  if (more < 0) return refusal('INVALID_PARTITIONS', `The topic has ${topic.partitions.length} partitions already`);
  if (more === 0) return refusal('INVALID_PARTITIONS', `The topic has ${wanted.count} partitions already`);
  const replicationFactor = topic.partitions[0]?.replicas.length ?? 1;
  if (wanted.assignments === null) {
    const running = cluster.runningBrokers();
    if (replicationFactor > running.length)
      return refusal(
        'INVALID_REPLICATION_FACTOR',
        `${replicationFactor} replicas need more than ${running.length} brokers`,
      );
    return { topic, assignment: spreadReplicas(running, more, replicationFactor, cluster.random) };
  }
  const assignment = wanted.assignments.map(({ brokerIds }) => brokerIds);
  if (assignment.length !== more)
    return refusal('INVALID_REPLICA_ASSIGNMENT', `${more} partitions are new, ${assignment.length} are assigned`);
  return checkAssignment(cluster, assignment, replicationFactor) ?? { topic, assignment };
}
