import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { AlterConfigs } from '../../protocol/generated/alter-configs.ts';
import { AlterShareGroupOffsets } from '../../protocol/generated/alter-share-group-offsets.ts';
import { DeleteShareGroupOffsets } from '../../protocol/generated/delete-share-group-offsets.ts';
import { DeleteTopics } from '../../protocol/generated/delete-topics.ts';
import { DescribeAcls } from '../../protocol/generated/describe-acls.ts';
import { IncrementalAlterConfigs } from '../../protocol/generated/incremental-alter-configs.ts';
import { OffsetFetch } from '../../protocol/generated/offset-fetch.ts';
import { Fetch, type FetchRequest, type FetchResponse } from '../../protocol/generated/fetch.ts';
import { ListGroups, type ListGroupsResponse } from '../../protocol/generated/list-groups.ts';
import { Metadata, type MetadataRequest, type MetadataResponse } from '../../protocol/generated/metadata.ts';
import type { Input } from '../../protocol/api.ts';
import { errorAnswer } from '../faults/error-answers.ts';
import type { ArrivedRequest, Reply, RequestGate } from '../server/dispatcher.ts';
import { Asker, authorizationRule, type Access, type Verdict } from './authorization-rules.ts';
import { Authorizer } from './authorizer.ts';
import { clusterName, operation, resourceType } from './resources.ts';
import { allowedShareOffsets, shareOffsetsApis } from './share-offsets-access.ts';

type Next = (replaced?: ArrivedRequest) => Promise<Reply>;

/** Lets a caller have what the rules of access allow, and answers the rest as Kafka does, item by item where the API has items. */
export class AuthorizationGate implements RequestGate {
  async around(request: ArrivedRequest, next: Next): Promise<Reply> {
    const { cluster } = request.context;
    if (!cluster.service(Authorizer).isEnabled) return next();
    const asker = new Asker(request.context);
    switch (request.handler.api.key) {
      case Fetch.key:
        return fetched(request, asker, next);
      case Metadata.key:
        return described(request, asker, next);
      case ListGroups.key:
        return listed(asker, await next());
      default:
        return ruled(request, authorizationRule(request.handler.api.key)?.(request.message as never, asker), (given) =>
          shareOffsetsApis.has(request.handler.api.key)
            ? allowedShareOffsets(given ?? request, asker, next)
            : next(given),
        );
    }
  }
}

async function ruled(request: ArrivedRequest, verdict: Verdict, next: Next): Promise<Reply> {
  if (verdict === undefined) return next();
  const refused = async (message: unknown): Promise<object> => {
    const { version } = request.context;
    const failure = { request: message, version, errorCode: brokerErrorCodes[verdict.error], handled: () => next() };
    const answer = (await errorAnswer(request.handler.api, failure)) ?? {};
    return toldWhy.has(request.handler.api.key) ? withReason(answer, version) : answer;
  };
  if (!('denied' in verdict)) {
    const { version } = request.context;
    // The group's error stands for all its topics, as soon as there is a place for it.
    const isWhole = request.handler.api.key === OffsetFetch.key && version >= 2;
    return refused(isWhole ? { ...(request.message as object), topics: [] } : request.message);
  }
  const denied = (await refused(verdict.denied)) as Record<string, unknown[]>;
  const reply = await next({ ...request, message: verdict.allowed });
  if (typeof reply !== 'object') return reply;
  const told = (reply as Record<string, unknown[] | undefined>)[verdict.answeredIn] ?? [];
  return { ...reply, [verdict.answeredIn]: [...told, ...(denied[verdict.answeredIn] ?? [])] };
}

/** The APIs that say in words, too, that something is denied. */
const toldWhy: ReadonlySet<number> = new Set([
  AlterConfigs.key,
  AlterShareGroupOffsets.key,
  DeleteShareGroupOffsets.key,
  DeleteTopics.key,
  DescribeAcls.key,
  IncrementalAlterConfigs.key,
]);

function withReason(answer: object, version: number): object {
  const errorMessage = 'The rules of access do not allow it';
  const { responses } = answer as { readonly responses?: readonly object[] };
  if (responses === undefined || 'errorCode' in answer) return { ...answer, errorMessage };
  // Topics could not be told why they stay before version 5.
  const hasReason = responses.some((each) => 'name' in each) ? version >= 5 : true;
  return hasReason ? { ...answer, responses: responses.map((each) => ({ ...each, errorMessage })) } : answer;
}

const toTopic = (wanted: number, name: string): Access => ({
  operation: wanted,
  type: resourceType.topic,
  name,
  error: 'TOPIC_AUTHORIZATION_FAILED',
});

/** Sessions know all partitions of a reader, so nothing is taken out of its request; the records are taken out of the answer. */
async function fetched(request: ArrivedRequest, asker: Asker, next: Next): Promise<Reply> {
  const message = request.message as FetchRequest;
  const mayRead = (item: { readonly topic?: string; readonly topicId?: string }): boolean =>
    asker.allows(toTopic(operation.read, asker.topicName({ ...item, name: item.topic ?? null })));
  const hasDenied = message.topics.some((topic) => !mayRead(topic));
  // Whoever is denied something hears of it at once.
  const reply = await next(hasDenied ? { ...request, message: { ...message, maxWaitMs: 0 } } : request);
  if (typeof reply !== 'object') return reply;
  const { responses = [] } = reply as Input<FetchResponse>;
  const errorCode = brokerErrorCodes.TOPIC_AUTHORIZATION_FAILED;
  const shown = responses.map((topic) =>
    mayRead(topic as { topic?: string; topicId?: string })
      ? topic
      : {
          ...topic,
          partitions: (topic.partitions ?? []).map(({ partitionIndex = 0 }) => ({
            partitionIndex,
            errorCode,
            highWatermark: -1n,
            records: Buffer.alloc(0),
          })),
        },
  );
  return { ...reply, responses: shown };
}

/** Topics that may not be seen are left out of a list of all, and denied where they were named. */
async function described(request: ArrivedRequest, asker: Asker, next: Next): Promise<Reply> {
  const message = request.message as MetadataRequest;
  const maySee = (name: string): boolean => asker.allows(toTopic(operation.describe, name));
  const mayCreate = (name: string): boolean => {
    const inCluster = { operation: operation.create, type: resourceType.cluster, name: clusterName } as const;
    return (
      asker.allows({ ...inCluster, error: 'CLUSTER_AUTHORIZATION_FAILED' }) ||
      asker.allows(toTopic(operation.create, name))
    );
  };
  const { topics } = message;
  const named = (topics ?? []).map((topic) => ({ topic, name: asker.topicName(topic) }));
  const isDenied = ({ name }: { readonly name: string }): boolean =>
    !maySee(name) || (message.allowAutoTopicCreation && !asker.context.cluster.topics.has(name) && !mayCreate(name));
  const denied = named.filter(isDenied);
  const allowed = topics === null ? null : named.filter((each) => !denied.includes(each)).map(({ topic }) => topic);
  // In version 0 an empty list means all.
  const nothingLeft = allowed?.length === 0 && denied.length > 0 && request.context.version === 0;
  const reply = await next({ ...request, message: { ...message, topics: allowed } });
  if (typeof reply !== 'object') return reply;
  const answered = (reply as Input<MetadataResponse>).topics ?? [];
  const seen = nothingLeft ? [] : answered.filter(({ name }) => name === null || name === undefined || maySee(name));
  const errorCode = brokerErrorCodes.TOPIC_AUTHORIZATION_FAILED;
  const refused = denied.map(({ topic, name }) => ({
    errorCode,
    name: topic.name ?? (request.context.version >= 12 ? null : name),
    ...(request.context.version >= 10 ? { topicId: topic.topicId } : {}),
    partitions: [],
  }));
  return { ...reply, topics: [...seen, ...refused] };
}

function listed(asker: Asker, reply: Reply): Reply {
  if (typeof reply !== 'object') return reply;
  const inCluster = { operation: operation.describe, type: resourceType.cluster, name: clusterName } as const;
  if (asker.allows({ ...inCluster, error: 'CLUSTER_AUTHORIZATION_FAILED' })) return reply;
  const groups = ((reply as Input<ListGroupsResponse>).groups ?? []).filter(({ groupId = '' }) =>
    asker.allows({ ...inCluster, type: resourceType.group, name: groupId, error: 'GROUP_AUTHORIZATION_FAILED' }),
  );
  return { ...reply, groups };
}
