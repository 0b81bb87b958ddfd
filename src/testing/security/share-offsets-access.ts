import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import {
  AlterShareGroupOffsets,
  type AlterShareGroupOffsetsRequest,
} from '../../protocol/generated/alter-share-group-offsets.ts';
import {
  DeleteShareGroupOffsets,
  type DeleteShareGroupOffsetsRequest,
} from '../../protocol/generated/delete-share-group-offsets.ts';
import {
  DescribeShareGroupOffsets,
  type DescribeShareGroupOffsetsRequest,
  type DescribeShareGroupOffsetsResponse,
} from '../../protocol/generated/describe-share-group-offsets.ts';
import type { Input } from '../../protocol/api.ts';
import { ZERO_UUID } from '../../protocol/wire/uuid.ts';
import type { ArrivedRequest, Reply } from '../server/dispatcher.ts';
import type { Access, Asker } from './authorization-rules.ts';
import { operation, resourceType } from './resources.ts';

type Next = (replaced?: ArrivedRequest) => Promise<Reply>;

interface Named {
  readonly topicName: string;
}

const errorCode = brokerErrorCodes.TOPIC_AUTHORIZATION_FAILED;
const errorMessage = 'The rules of access do not allow the topic';

/** The APIs about offsets of share groups. */
export const shareOffsetsApis: ReadonlySet<number> = new Set([
  AlterShareGroupOffsets.key,
  DeleteShareGroupOffsets.key,
  DescribeShareGroupOffsets.key,
]);

/** Whoever may do this with a group need not be allowed all its topics: those that are denied are answered beside the others. */
export function allowedShareOffsets(request: ArrivedRequest, asker: Asker, next: Next): Promise<Reply> {
  return request.handler.api.key === DescribeShareGroupOffsets.key
    ? describing(request, asker, next)
    : changing(request, asker, next);
}

async function describing(request: ArrivedRequest, asker: Asker, next: Next): Promise<Reply> {
  const message = request.message as DescribeShareGroupOffsetsRequest;
  const isDenied = isDeniedFor(asker, operation.describe);
  const groups = message.groups.map(({ topics, ...rest }) => ({
    ...rest,
    topics: topics?.filter((topic) => !isDenied(topic)) ?? null,
  }));
  const reply = await next({ ...request, message: { ...message, groups } });
  if (typeof reply !== 'object') return reply;
  const { groups: answered = [] } = reply as Input<DescribeShareGroupOffsetsResponse>;
  const told = answered.map((group) => {
    const topics = message.groups.find(({ groupId }) => groupId === group.groupId)?.topics ?? [];
    const denied = topics.filter(isDenied).map(({ topicName, partitions }) => ({
      topicName,
      topicId: ZERO_UUID,
      partitions: partitions.map((partitionIndex) => ({ partitionIndex, startOffset: -1n, errorCode, errorMessage })),
    }));
    return { ...group, topics: [...(group.topics ?? []), ...denied] };
  });
  return { ...reply, groups: told };
}

async function changing(request: ArrivedRequest, asker: Asker, next: Next): Promise<Reply> {
  const message = request.message as AlterShareGroupOffsetsRequest | DeleteShareGroupOffsetsRequest;
  const isDenied = isDeniedFor(asker, operation.read);
  const topics: readonly (Named & { readonly partitions?: readonly { readonly partitionIndex: number }[] })[] =
    message.topics;
  const allowed = topics.filter((topic) => !isDenied(topic));
  const reply = await next({ ...request, message: { ...message, topics: allowed } });
  if (typeof reply !== 'object') return reply;
  const { responses = [] } = reply as { readonly responses?: readonly object[] };
  const denied = topics.filter(isDenied).map(({ topicName, partitions }) =>
    partitions === undefined
      ? { topicName, topicId: ZERO_UUID, errorCode, errorMessage }
      : {
          topicName,
          topicId: asker.context.cluster.topics.get(topicName)?.topicId ?? ZERO_UUID,
          partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode, errorMessage })),
        },
  );
  return { ...reply, responses: [...responses, ...denied] };
}

function isDeniedFor(asker: Asker, wanted: number): (topic: Named) => boolean {
  return ({ topicName }) => {
    const access: Access = {
      operation: wanted,
      type: resourceType.topic,
      name: topicName,
      error: 'TOPIC_AUTHORIZATION_FAILED',
    };
    return !asker.allows(access);
  };
}
