import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { Metadata, type MetadataRequest } from '../../protocol/generated/metadata.ts';
import { ZERO_UUID } from '../../protocol/wire/uuid.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import { describePartition } from '../state/partition-description.ts';
import { topicNameProblem } from '../state/topic-names.ts';
import type { TopicState } from '../state/topic-state.ts';

/**
 * Metadata, versions 0-13.
 *
 * Does: brokers of the listener that was asked, topics by name or id, all topics, creation of topics at first sight.
 * Leaves out: -
 * v1 controller, racks, null = all topics · v4 allow creation · v5 offline replicas · v7 leader epoch · v9 flexible · v10 topic ids
 */
export const metadataHandler: AnyHandler = defineHandler(Metadata, (request, context) => {
  const { cluster, connection } = context;
  const brokers = cluster.runningBrokers().map((broker) => {
    const { host = '', port = 0 } = broker.endpoints.get(connection.listener.name) ?? {};
    return { nodeId: broker.id, host, port, rack: broker.rack };
  });
  const topics = wantedTopics(request, context).map((topic) => answerOf(topic, context));
  return { brokers, clusterId: cluster.clusterId, controllerId: cluster.controllerId, topics };
});

interface MissingTopic {
  readonly name: string | null;
  readonly topicId: string;
  readonly errorCode: number;
}

function wantedTopics(request: MetadataRequest, context: RequestContext): (TopicState | MissingTopic)[] {
  const { cluster, version } = context;
  const wantsAll = request.topics === null || (version === 0 && request.topics.length === 0);
  if (wantsAll || request.topics === null) return [...cluster.topics.values()];
  return request.topics.map(({ name, topicId }) => {
    if (topicId !== ZERO_UUID) {
      const byId = cluster.topicsById.get(topicId);
      return byId ?? { name: null, topicId, errorCode: brokerErrorCodes.UNKNOWN_TOPIC_ID };
    }
    return byName(name ?? '', version < 4 || request.allowAutoTopicCreation, context);
  });
}

function byName(name: string, mayCreate: boolean, { cluster, broker }: RequestContext): TopicState | MissingTopic {
  const known = cluster.topics.get(name);
  if (known !== undefined) return known;
  const missing = (errorCode: number): MissingTopic => ({ name, topicId: ZERO_UUID, errorCode });
  if (topicNameProblem(name) !== undefined) return missing(brokerErrorCodes.INVALID_TOPIC_EXCEPTION);
  if (!mayCreate || cluster.brokerConfig('auto.create.topics.enable', broker) !== 'true')
    return missing(brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION);
  const partitions = Number(cluster.brokerConfig('num.partitions', broker));
  const replicationFactor = Number(cluster.brokerConfig('default.replication.factor', broker));
  if (replicationFactor > cluster.runningBrokers().length) return missing(brokerErrorCodes.INVALID_REPLICATION_FACTOR);
  cluster.createTopic({ name, partitions, replicationFactor });
  // Kafka answers the request that made the topic with what it knew before.
  return missing(brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION);
}

function answerOf(topic: TopicState | MissingTopic, { cluster, version }: RequestContext): object {
  if ('errorCode' in topic) return { ...topic, name: topic.name ?? (version < 12 ? '' : null) };
  return {
    errorCode: 0,
    name: topic.name,
    topicId: topic.topicId,
    isInternal: topic.isInternal,
    partitions: topic.partitions.map((partition) => describePartition(partition, cluster)),
  };
}
