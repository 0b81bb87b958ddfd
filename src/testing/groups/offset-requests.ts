import { ZERO_UUID } from '../../protocol/wire/uuid.ts';
import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { findTopic } from '../state/partition-lookup.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { PartitionCommit } from './offset-coordinator.ts';

/** A topic with the partitions whose offsets are to be committed, as requests have it. */
export interface RequestedTopic {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: readonly {
    readonly partitionIndex: number;
    readonly committedOffset: bigint;
    readonly committedLeaderEpoch: number;
    readonly committedMetadata: string | null;
  }[];
}

/** A partition that cannot be committed because there is no such. */
export interface RefusedPartition {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly errorCode: number;
}

/** Sorts out the partitions that exist. */
export function sortOutCommits(
  topics: readonly RequestedTopic[],
  byId: boolean,
  cluster: ClusterState,
): { readonly known: PartitionCommit[]; readonly refused: RefusedPartition[] } {
  const known: PartitionCommit[] = [];
  const refused: RefusedPartition[] = [];
  for (const { name, topicId, partitions } of topics) {
    // Version 10 knows topics by their id alone: an empty one is that of no topic.
    const topic =
      byId && topicId === ZERO_UUID ? brokerErrorCodes.UNKNOWN_TOPIC_ID : findTopic(cluster, { name, topicId });
    for (const each of partitions) {
      const partition = each.partitionIndex;
      if (typeof topic === 'number') refused.push({ topic: name, topicId, partition, errorCode: topic });
      else if (topic.partitions[partition] === undefined)
        refused.push({ topic: topic.name, topicId, partition, errorCode: brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION });
      else
        known.push({
          topic: topic.name,
          topicId: topic.topicId,
          partition,
          offset: each.committedOffset,
          leaderEpoch: each.committedLeaderEpoch,
          metadata: each.committedMetadata,
        });
    }
  }
  return { known, refused };
}

interface AnsweredTopic {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: { readonly partitionIndex: number; readonly errorCode: number }[];
}

/** The answer to a commit, topic by topic: first what does not exist, as Kafka has it. */
export function answerTopics(
  known: readonly PartitionCommit[],
  codes: number | readonly number[],
  refused: readonly RefusedPartition[],
): AnsweredTopic[] {
  const topics = new Map<string, AnsweredTopic>();
  const add = (name: string, topicId: string, partitionIndex: number, errorCode: number): void => {
    const key = name === '' ? topicId : name;
    const topic = topics.get(key) ?? { name, topicId, partitions: [] };
    topics.set(key, topic);
    topic.partitions.push({ partitionIndex, errorCode });
  };
  for (const { topic, topicId, partition, errorCode } of refused) add(topic, topicId, partition, errorCode);
  known.forEach(({ topic, topicId, partition }, at) =>
    add(topic, topicId, partition, typeof codes === 'number' ? codes : (codes[at] ?? 0)),
  );
  return [...topics.values()];
}
