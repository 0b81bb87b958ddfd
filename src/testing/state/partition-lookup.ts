import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { ZERO_UUID } from '../../protocol/wire/uuid.ts';
import type { BrokerState } from './broker-state.ts';
import type { ClusterState } from './cluster-state.ts';
import type { PartitionState } from './partition-state.ts';
import type { TopicState } from './topic-state.ts';

/** A partition that was asked for, or why this broker does not serve it. */
export type FoundPartition =
  | { readonly errorCode: 0; readonly topic: TopicState; readonly partition: PartitionState }
  | { readonly errorCode: number; readonly partition?: PartitionState };

/** A topic as requests name it: by id where there is one, else by name. */
export interface TopicReference {
  readonly name: string;
  readonly topicId?: string;
}

/** The topic that a request means; or the error code that it is answered with. */
export function findTopic(cluster: ClusterState, { name, topicId = ZERO_UUID }: TopicReference): TopicState | number {
  if (topicId !== ZERO_UUID) return cluster.topicsById.get(topicId) ?? brokerErrorCodes.UNKNOWN_TOPIC_ID;
  return cluster.topics.get(name) ?? brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION;
}

/** What a request says of the leader that it means to talk to. */
export interface LeaderExpectation {
  /** -1 where the client does not say. */
  readonly currentLeaderEpoch?: number;
  /** Whether any replica will do (KIP-392). */
  readonly anyReplica?: boolean;
}

/** The partition, if this broker may serve it in the epoch that the client knows (KIP-320). */
export function findPartition(
  cluster: ClusterState,
  broker: BrokerState,
  reference: TopicReference,
  index: number,
  { currentLeaderEpoch = -1, anyReplica = false }: LeaderExpectation = {},
): FoundPartition {
  const topic = findTopic(cluster, reference);
  if (typeof topic === 'number') return { errorCode: topic };
  const partition = topic.partitions[index];
  if (partition === undefined) return { errorCode: brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION };
  if (!partition.replicas.includes(broker.id)) return { errorCode: brokerErrorCodes.NOT_LEADER_OR_FOLLOWER, partition };
  if (currentLeaderEpoch !== -1 && currentLeaderEpoch < partition.leaderEpoch)
    return { errorCode: brokerErrorCodes.FENCED_LEADER_EPOCH, partition };
  if (currentLeaderEpoch > partition.leaderEpoch)
    return { errorCode: brokerErrorCodes.UNKNOWN_LEADER_EPOCH, partition };
  if (partition.leaderId !== broker.id && (!anyReplica || partition.leaderId === -1))
    return { errorCode: brokerErrorCodes.NOT_LEADER_OR_FOLLOWER, partition };
  return { errorCode: 0, topic, partition };
}

/** Where clients find these brokers, for the hints of KIP-951. */
export function nodeEndpoints(
  cluster: ClusterState,
  listener: string,
  ids: Iterable<number>,
): { readonly nodeId: number; readonly host: string; readonly port: number; readonly rack: string | null }[] {
  return [...new Set(ids)].flatMap((nodeId) => {
    const broker = cluster.brokers.get(nodeId);
    const endpoint = broker?.isRunning === true ? broker.endpoints.get(listener) : undefined;
    return broker === undefined || endpoint === undefined ? [] : [{ nodeId, ...endpoint, rack: broker.rack }];
  });
}
