import type { Api, Input } from '../../protocol/api.ts';
import { AddPartitionsToTxn } from '../../protocol/generated/add-partitions-to-txn.ts';
import { AlterClientQuotas } from '../../protocol/generated/alter-client-quotas.ts';
import { AlterConfigs } from '../../protocol/generated/alter-configs.ts';
import { AlterPartitionReassignments } from '../../protocol/generated/alter-partition-reassignments.ts';
import { AlterUserScramCredentials } from '../../protocol/generated/alter-user-scram-credentials.ts';
import { ConsumerGroupDescribe } from '../../protocol/generated/consumer-group-describe.ts';
import { CreateAcls } from '../../protocol/generated/create-acls.ts';
import { CreatePartitions } from '../../protocol/generated/create-partitions.ts';
import { CreateTopics } from '../../protocol/generated/create-topics.ts';
import { DeleteAcls } from '../../protocol/generated/delete-acls.ts';
import { DeleteGroups } from '../../protocol/generated/delete-groups.ts';
import { DeleteRecords } from '../../protocol/generated/delete-records.ts';
import { DeleteTopics } from '../../protocol/generated/delete-topics.ts';
import { DescribeConfigs } from '../../protocol/generated/describe-configs.ts';
import { DescribeGroups } from '../../protocol/generated/describe-groups.ts';
import { DescribeLogDirs } from '../../protocol/generated/describe-log-dirs.ts';
import { DescribeProducers } from '../../protocol/generated/describe-producers.ts';
import { DescribeShareGroupOffsets } from '../../protocol/generated/describe-share-group-offsets.ts';
import { DescribeTopicPartitions } from '../../protocol/generated/describe-topic-partitions.ts';
import { DescribeTransactions } from '../../protocol/generated/describe-transactions.ts';
import { ElectLeaders } from '../../protocol/generated/elect-leaders.ts';
import { Fetch } from '../../protocol/generated/fetch.ts';
import { FindCoordinator } from '../../protocol/generated/find-coordinator.ts';
import { IncrementalAlterConfigs } from '../../protocol/generated/incremental-alter-configs.ts';
import { JoinGroup } from '../../protocol/generated/join-group.ts';
import { ListOffsets } from '../../protocol/generated/list-offsets.ts';
import { Metadata, type MetadataResponse } from '../../protocol/generated/metadata.ts';
import { OffsetCommit } from '../../protocol/generated/offset-commit.ts';
import { OffsetFetch } from '../../protocol/generated/offset-fetch.ts';
import { OffsetForLeaderEpoch } from '../../protocol/generated/offset-for-leader-epoch.ts';
import { Produce } from '../../protocol/generated/produce.ts';
import { ShareGroupDescribe } from '../../protocol/generated/share-group-describe.ts';
import { TxnOffsetCommit } from '../../protocol/generated/txn-offset-commit.ts';
import { WriteTxnMarkers } from '../../protocol/generated/write-txn-markers.ts';

/** What an answer with an error is made of. */
interface Failure<Req, Res> {
  readonly request: Req;
  readonly version: number;
  readonly errorCode: number;
  /** What the broker would have answered, for the few APIs whose errors stand in an answer that is otherwise right. */
  readonly handled: () => Promise<Res>;
}

type Answering<Req, Res> = (failure: Failure<Req, Res>) => Input<Res> | Promise<Input<Res>>;

/** The APIs whose errors stand at the single items of the answer, by their number. All others have one error for the whole. */
const perItem = new Map<number, Answering<unknown, unknown>>();

function answer<Req, Res>(api: Api<Req, Res>, answering: Answering<Req, Res>): void {
  perItem.set(api.key, answering as Answering<unknown, unknown>);
}

/** The answer that carries this error for everything that was asked; undefined if answers of the API carry no error at all. */
export function errorAnswer(
  api: Api<unknown, unknown>,
  failure: Failure<unknown, unknown>,
): object | Promise<object> | undefined {
  const answering = perItem.get(api.key);
  if (answering !== undefined) return answering(failure) as object | Promise<object>;
  const { version, errorCode } = failure;
  const whole = { errorCode };
  const read = api.decodeResponse(api.encodeResponse(whole, version), version) as Partial<typeof whole>;
  return read.errorCode === errorCode ? whole : undefined;
}

answer(Produce, ({ request, errorCode }) => ({
  responses: request.topicData.map(({ name, topicId, partitionData }) => ({
    name,
    topicId,
    partitionResponses: partitionData.map(({ index }) => ({ index, errorCode, baseOffset: -1n, logStartOffset: -1n })),
  })),
}));

answer(Fetch, ({ request, version, errorCode }) => {
  const responses = request.topics.map(({ topic, topicId, partitions }) => ({
    topic,
    topicId,
    partitions: partitions.map(({ partition }) => ({ partitionIndex: partition, errorCode, highWatermark: -1n })),
  }));
  // A request within a session may name no partition: then the error is that of the whole.
  return version >= 7 && responses.length === 0 ? { errorCode, responses } : { responses };
});

answer(ListOffsets, ({ request, errorCode }) => ({
  topics: request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode, timestamp: -1n, offset: -1n })),
  })),
}));

// Without its brokers a client would have nobody to ask again.
answer(Metadata, async ({ errorCode, handled }): Promise<Input<MetadataResponse>> => {
  const { topics, ...rest } = await handled();
  return { ...rest, topics: topics.map((topic) => ({ ...topic, errorCode, partitions: [] })) };
});

answer(OffsetCommit, ({ request, errorCode }) => ({ topics: partitionErrors(request.topics, errorCode) }));
answer(TxnOffsetCommit, ({ request, errorCode }) => ({ topics: partitionErrors(request.topics, errorCode) }));

answer(OffsetFetch, ({ request, version, errorCode }) => {
  if (version >= 8) return { groups: request.groups.map(({ groupId }) => ({ groupId, errorCode, topics: [] })) };
  const failed = { committedOffset: -1n, metadata: '', errorCode };
  const topics = (request.topics ?? []).map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => ({ partitionIndex, ...failed })),
  }));
  return version >= 2 ? { errorCode, topics } : { topics };
});

answer(FindCoordinator, ({ request, version, errorCode }) => {
  const nowhere = { nodeId: -1, host: '', port: -1, errorCode };
  if (version < 4) return nowhere;
  return { coordinators: request.coordinatorKeys.map((key) => ({ key, ...nowhere, errorMessage: null })) };
});

answer(JoinGroup, ({ version, errorCode }) => ({
  errorCode,
  generationId: -1,
  protocolName: version >= 7 ? null : '',
}));

answer(OffsetForLeaderEpoch, ({ request, errorCode }) => ({
  topics: request.topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition }) => ({ partition, errorCode, endOffset: -1n })),
  })),
}));

answer(AddPartitionsToTxn, ({ request, version, errorCode }) => {
  if (version >= 4) return { errorCode };
  return {
    resultsByTopicV3AndBelow: request.v3AndBelowTopics.map(({ name, partitions }) => ({
      name,
      resultsByPartition: partitions.map((partitionIndex) => ({ partitionIndex, partitionErrorCode: errorCode })),
    })),
  };
});

answer(WriteTxnMarkers, ({ request, errorCode }) => ({
  markers: request.markers.map(({ producerId, topics }) => ({
    producerId,
    topics: topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => ({ partitionIndex, errorCode })),
    })),
  })),
}));

answer(CreateTopics, ({ request, version, errorCode }) => ({
  topics: request.topics.map(({ name }) => ({ name, errorCode, ...(version >= 5 ? { configs: null } : {}) })),
}));

answer(DeleteTopics, ({ request, version, errorCode }) => ({
  responses:
    version >= 6
      ? request.topics.map(({ name, topicId }) => ({ name, topicId, errorCode }))
      : request.topicNames.map((name) => ({ name, errorCode })),
}));

answer(CreatePartitions, ({ request, errorCode }) => ({
  results: request.topics.map(({ name }) => ({ name, errorCode, errorMessage: null })),
}));

answer(DeleteRecords, ({ request, errorCode }) => ({
  topics: request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode, lowWatermark: -1n })),
  })),
}));

answer(DescribeConfigs, ({ request, errorCode }) => ({ results: resourceErrors(request.resources, errorCode) }));
answer(AlterConfigs, ({ request, errorCode }) => ({ responses: resourceErrors(request.resources, errorCode) }));
answer(IncrementalAlterConfigs, ({ request, errorCode }) => ({
  responses: resourceErrors(request.resources, errorCode),
}));

answer(AlterPartitionReassignments, ({ request, errorCode }) => ({
  errorCode,
  errorMessage: null,
  responses: partitionErrors(request.topics, errorCode),
}));

answer(DescribeGroups, ({ request, errorCode }) => ({
  groups: request.groups.map((groupId) => ({ groupId, errorCode })),
}));
answer(ConsumerGroupDescribe, ({ request, errorCode }) => ({
  groups: request.groupIds.map((groupId) => ({ groupId, errorCode })),
}));
answer(ShareGroupDescribe, ({ request, errorCode }) => ({
  groups: request.groupIds.map((groupId) => ({ groupId, errorCode })),
}));
answer(DescribeShareGroupOffsets, ({ request, errorCode }) => ({
  groups: request.groups.map(({ groupId }) => ({ groupId, errorCode })),
}));
answer(DeleteGroups, ({ request, errorCode }) => ({
  results: request.groupsNames.map((groupId) => ({ groupId, errorCode })),
}));

answer(DescribeProducers, ({ request, errorCode }) => ({
  topics: request.topics.map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => ({ partitionIndex, errorCode })),
  })),
}));
answer(DescribeTransactions, ({ request, errorCode }) => ({
  transactionStates: request.transactionalIds.map((transactionalId) => ({ transactionalId, errorCode })),
}));
answer(DescribeTopicPartitions, ({ request, errorCode }) => ({
  topics: request.topics.map(({ name }) => ({ name, errorCode })),
}));

answer(CreateAcls, ({ request, errorCode }) => ({ results: request.creations.map(() => ({ errorCode })) }));
answer(DeleteAcls, ({ request, errorCode }) => ({ filterResults: request.filters.map(() => ({ errorCode })) }));

answer(AlterClientQuotas, ({ request, errorCode }) => ({
  entries: request.entries.map(({ entity }) => ({ errorCode, entity })),
}));
answer(AlterUserScramCredentials, ({ request, errorCode }) => ({
  results: [...request.deletions, ...request.upsertions].map(({ name }) => ({ user: name, errorCode })),
}));
answer(DescribeLogDirs, ({ version, errorCode }) => (version >= 3 ? { errorCode } : { results: [{ errorCode }] }));
answer(ElectLeaders, ({ request, version, errorCode }) => ({
  ...(version >= 1 ? { errorCode } : {}),
  replicaElectionResults: (request.topicPartitions ?? []).map(({ topic, partitions }) => ({
    topic,
    partitionResult: partitions.map((partitionId) => ({ partitionId, errorCode })),
  })),
}));

interface TopicOfPartitions {
  readonly name: string;
  readonly topicId?: string;
  readonly partitions: readonly { readonly partitionIndex: number }[];
}

function partitionErrors(
  topics: readonly TopicOfPartitions[],
  errorCode: number,
): { name: string; topicId?: string; partitions: { partitionIndex: number; errorCode: number }[] }[] {
  return topics.map(({ name, topicId, partitions }) => ({
    name,
    ...(topicId === undefined ? {} : { topicId }),
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
  }));
}

function resourceErrors(
  resources: readonly { readonly resourceType: number; readonly resourceName: string }[],
  errorCode: number,
): { resourceType: number; resourceName: string; errorCode: number }[] {
  return resources.map(({ resourceType, resourceName }) => ({ resourceType, resourceName, errorCode }));
}
