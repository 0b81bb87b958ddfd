import { ConsumerGroupDescribe } from '../../protocol/generated/consumer-group-describe.ts';
import { DescribeCluster } from '../../protocol/generated/describe-cluster.ts';
import { DescribeGroups } from '../../protocol/generated/describe-groups.ts';
import { DescribeTopicPartitions } from '../../protocol/generated/describe-topic-partitions.ts';
import { Metadata } from '../../protocol/generated/metadata.ts';
import type { ArrivedRequest, RequestGate } from '../server/dispatcher.ts';
import { Authorizer } from './authorizer.ts';
import { clusterName, resourceType } from './resources.ts';

interface Flags {
  readonly includeAuthorizedOperations?: boolean;
  readonly includeClusterAuthorizedOperations?: boolean;
  readonly includeTopicAuthorizedOperations?: boolean;
}

interface Item {
  readonly errorCode?: number;
  readonly name?: string | null;
  readonly groupId?: string;
}

interface Answer {
  readonly topics?: readonly Item[];
  readonly groups?: readonly Item[];
}

/** Tells those who ask what they may do with what they ask about (KIP-430). */
export class AuthorizedOperationsGate implements RequestGate {
  answered(request: ArrivedRequest, answer: object): object | undefined {
    const flags = request.message as Flags;
    const bits = (type: number, name: string): number =>
      request.context.cluster.service(Authorizer).authorizedOperations(request.context.connection, type, name);
    const ofCluster = (): object => ({ clusterAuthorizedOperations: bits(resourceType.cluster, clusterName) });
    const ofTopics = (): object => ({
      topics: (answer as Answer).topics?.map((topic) => ({
        ...topic,
        ...((topic.errorCode ?? 0) === 0 && { topicAuthorizedOperations: bits(resourceType.topic, topic.name ?? '') }),
      })),
    });
    const ofGroups = (): object => ({
      groups: (answer as Answer).groups?.map((group) => ({
        ...group,
        ...((group.errorCode ?? 0) === 0 && { authorizedOperations: bits(resourceType.group, group.groupId ?? '') }),
      })),
    });
    switch (request.handler.api.key) {
      case Metadata.key:
        return {
          ...answer,
          ...(flags.includeClusterAuthorizedOperations === true && ofCluster()),
          ...(flags.includeTopicAuthorizedOperations === true && ofTopics()),
        };
      case DescribeCluster.key:
        return flags.includeClusterAuthorizedOperations === true ? { ...answer, ...ofCluster() } : undefined;
      case DescribeTopicPartitions.key:
        return { ...answer, ...ofTopics() };
      case DescribeGroups.key:
      case ConsumerGroupDescribe.key:
        return flags.includeAuthorizedOperations === true ? { ...answer, ...ofGroups() } : undefined;
      default:
        return undefined;
    }
  }
}
