import {
  CreateTopics,
  type CreateTopicsRequestCreatableTopic,
  type CreateTopicsResponseCreatableTopicResult,
} from '../../protocol/generated/create-topics.ts';
import type { Input } from '../../protocol/api.ts';
import { configEntries } from '../configs/config-entries.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import type { ClusterState, TopicPlan } from '../state/cluster-state.ts';
import { topicNameProblem } from '../state/topic-names.ts';
import { checkAssignment, checkTopicConfigs, isRefusal, refusal, type Refusal } from '../state/topic-plans.ts';
import type { TopicState } from '../state/topic-state.ts';

/**
 * CreateTopics, versions 2-7.
 *
 * Does: numbers or an assignment of replicas, settings, defaults of the broker, dry runs, Kafka's rules for names.
 * Leaves out: policies of one's own, mutation quotas.
 * v4 defaults for partitions and replicas (KIP-464) · v5 settings in the answer (KIP-525), flexible · v7 topic ids
 */
export const createTopicsHandler: AnyHandler = defineHandler(CreateTopics, (request, context) => {
  const names = request.topics.map(({ name }) => name);
  const repeated = new Set(names.filter((name, at) => names.indexOf(name) !== at));
  const once = request.topics.filter(({ name }) => !repeated.has(name));
  return {
    topics: [
      ...[...repeated].map((name) => refused(name, refusal('INVALID_REQUEST', 'It is named more than once'), context)),
      ...once.map((topic) => create(topic, request.validateOnly, context)),
    ],
  };
});

type Result = Input<CreateTopicsResponseCreatableTopicResult>;

function create(topic: CreateTopicsRequestCreatableTopic, validateOnly: boolean, context: RequestContext): Result {
  const { cluster, version } = context;
  const plan = planOf(topic, cluster);
  if (isRefusal(plan)) return refused(topic.name, plan, context);
  const topicId = validateOnly ? cluster.uuid() : cluster.createTopic(plan).topicId;
  const answer: Result = { name: topic.name, errorCode: 0, errorMessage: null };
  if (version < 5) return answer;
  return {
    ...answer,
    ...(version < 7 ? {} : { topicId }),
    numPartitions: plan.assignment?.length ?? plan.partitions,
    replicationFactor: plan.assignment?.[0]?.length ?? plan.replicationFactor,
    configs: configEntries(cluster, { kind: 'topic', configs: plan.configs ?? new Map<string, string>() }),
  };
}

function refused(name: string, { errorCode, errorMessage }: Refusal, { version }: RequestContext): Result {
  return version < 5
    ? { name, errorCode, errorMessage }
    : { name, errorCode, errorMessage, numPartitions: -1, replicationFactor: -1, configs: [] };
}

function planOf(topic: CreateTopicsRequestCreatableTopic, cluster: ClusterState): TopicPlan | Refusal {
  const { name } = topic;
  const problem = topicNameProblem(name);
  if (problem !== undefined) return refusal('INVALID_TOPIC_EXCEPTION', `"${name}" is no name for a topic: ${problem}`);
  if (cluster.topics.has(name)) return refusal('TOPIC_ALREADY_EXISTS', `Topic "${name}" exists`);
  const twin = lookalike(name, cluster.topics);
  if (twin !== undefined)
    return refusal('INVALID_TOPIC_EXCEPTION', `"${name}" differs from "${twin}" in "." and "_" only`);
  const placement = placementOf(topic, cluster);
  if (isRefusal(placement)) return placement;
  const pairs = topic.configs.map((config) => [config.name, config.value] as const);
  const wrong = checkTopicConfigs(pairs);
  if (wrong !== undefined) return wrong;
  return { name, ...placement, configs: new Map(pairs.map(([key, value]) => [key, value ?? ''])) };
}

type Placement = Pick<TopicPlan, 'partitions' | 'replicationFactor' | 'assignment'>;

function placementOf(topic: CreateTopicsRequestCreatableTopic, cluster: ClusterState): Placement | Refusal {
  if (topic.assignments.length > 0) return assignedPlacement(topic, cluster);
  const partitions = topic.numPartitions === -1 ? Number(cluster.brokerConfig('num.partitions')) : topic.numPartitions;
  const replicationFactor =
    topic.replicationFactor === -1
      ? Number(cluster.brokerConfig('default.replication.factor'))
      : topic.replicationFactor;
  if (replicationFactor < 1)
    return refusal('INVALID_REPLICATION_FACTOR', `A replication factor of ${replicationFactor} cannot be`);
  if (partitions < 1) return refusal('INVALID_PARTITIONS', `${partitions} partitions cannot be`);
  const running = cluster.runningBrokers().length;
  if (replicationFactor > running)
    return refusal('INVALID_REPLICATION_FACTOR', `${replicationFactor} replicas need more than ${running} brokers`);
  return { partitions, replicationFactor };
}

function assignedPlacement(topic: CreateTopicsRequestCreatableTopic, cluster: ClusterState): Placement | Refusal {
  const { assignments, numPartitions, replicationFactor } = topic;
  if (replicationFactor !== -1)
    return refusal('INVALID_REQUEST', 'Replicas are assigned: the replication factor must be -1');
  if (numPartitions !== -1) return refusal('INVALID_REQUEST', 'Replicas are assigned: the partitions must be -1');
  const sorted = [...assignments].sort((a, b) => a.partitionIndex - b.partitionIndex);
  if (sorted.some(({ partitionIndex }, at) => partitionIndex !== at))
    return refusal('INVALID_REPLICA_ASSIGNMENT', 'The partitions are not numbered from 0 on');
  const assignment = sorted.map(({ brokerIds }) => brokerIds);
  const wrong = checkAssignment(cluster, assignment);
  return wrong ?? { partitions: assignment.length, replicationFactor: assignment[0]?.length ?? 0, assignment };
}

/** Kafka makes metric names of topics, in which both characters are the same. */
function lookalike(name: string, topics: ReadonlyMap<string, TopicState>): string | undefined {
  if (!/[._]/.test(name)) return undefined;
  const plain = name.replaceAll('.', '_');
  return [...topics.keys()].find((other) => other.replaceAll('.', '_') === plain);
}
