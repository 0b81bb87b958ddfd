import { brokerErrorByNumber, brokerErrorCodes } from '../errors/broker-error-codes.ts';
import type { MetadataRequest, MetadataResponse } from '../protocol/generated/metadata.ts';
import type { Input } from '../protocol/api.ts';
import type {
  Broker,
  MetadataSnapshot,
  MetadataUpdate,
  PartitionMetadata,
  TopicMetadata,
} from './metadata-snapshot.ts';
import { UNKNOWN_TOPIC_ID } from './metadata-snapshot.ts';

/** The request for these topics, for every one of the cluster if undefined. */
export function metadataRequest(
  topics: readonly string[] | undefined,
  allowAutoTopicCreation: boolean,
): Input<MetadataRequest> {
  return { topics: topics === undefined ? null : topics.map((name) => ({ name })), allowAutoTopicCreation };
}

/** The response in the terms of a snapshot. */
export function metadataUpdate(response: MetadataResponse, keep: (topic: string) => boolean): MetadataUpdate {
  return {
    clusterId: response.clusterId ?? undefined,
    controllerId: response.controllerId,
    brokers: responseBrokers(response),
    topics: response.topics.flatMap((topic) =>
      topic.name === null ? [] : [topicMetadata({ ...topic, name: topic.name })],
    ),
    keep,
  };
}

/** The brokers that a response names. */
export function responseBrokers(response: Pick<MetadataResponse, 'brokers'>): Broker[] {
  return response.brokers.map(({ nodeId, host, port, rack }) => ({ nodeId, host, port, rack }));
}

/** Whether what is known of the topic may be better soon, so that asking again makes sense. */
export function hasPassingError(topic: TopicMetadata): boolean {
  if (topic.errorCode !== 0) return brokerErrorByNumber(topic.errorCode)?.retriable === true;
  return topic.partitions.some((partition) => partition.errorCode === brokerErrorCodes.LEADER_NOT_AVAILABLE);
}

/** Whether both snapshots send requests to the same places. */
export function routesAlike(a: MetadataSnapshot, b: MetadataSnapshot): boolean {
  if (a.brokers.size !== b.brokers.size || a.topics.size !== b.topics.size || a.controllerId !== b.controllerId)
    return false;
  for (const [nodeId, broker] of a.brokers) {
    const other = b.brokers.get(nodeId);
    if (other === undefined || other.host !== broker.host || other.port !== broker.port) return false;
  }
  for (const topic of a.topics.values()) {
    const other = b.topics.get(topic.name);
    if (other === undefined || !leadAlike(topic, other)) return false;
  }
  return true;
}

function leadAlike(a: TopicMetadata, b: TopicMetadata): boolean {
  if (a.topicId !== b.topicId || a.errorCode !== b.errorCode || a.partitions.length !== b.partitions.length)
    return false;
  return a.partitions.every((partition, index) => {
    const other = b.partitions[index];
    return partition.leaderId === other?.leaderId && partition.leaderEpoch === other.leaderEpoch;
  });
}

type NamedTopic = MetadataResponse['topics'][number] & { readonly name: string };

function topicMetadata(topic: NamedTopic): TopicMetadata {
  return {
    name: topic.name,
    topicId: topic.topicId ?? UNKNOWN_TOPIC_ID,
    isInternal: topic.isInternal,
    errorCode: topic.errorCode,
    partitions: partitionsOf(topic),
  };
}

/** The partitions of a topic as a Metadata response names them. */
export function partitionsOf(topic: MetadataResponse['topics'][number]): PartitionMetadata[] {
  return topic.partitions.map((partition) => ({
    partition: partition.partitionIndex,
    leaderId: partition.leaderId,
    leaderEpoch: partition.leaderEpoch,
    replicas: partition.replicaNodes,
    isr: partition.isrNodes,
    offlineReplicas: partition.offlineReplicas,
    errorCode: partition.errorCode,
  }));
}
