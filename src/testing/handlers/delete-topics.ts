import { brokerErrorCodes, type BrokerErrorName } from '../../errors/broker-error-codes.ts';
import { DeleteTopics, type DeleteTopicsResponseDeletableTopicResult } from '../../protocol/generated/delete-topics.ts';
import { ZERO_UUID } from '../../protocol/wire/uuid.ts';
import type { Input } from '../../protocol/api.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import type { TopicState } from '../state/topic-state.ts';

/**
 * DeleteTopics, versions 1-6.
 *
 * Does: topics by name or id; a topic named twice is refused; `delete.topic.enable`.
 * Leaves out: mutation quotas.
 * v4 flexible · v5 error message · v6 topic ids
 */
export const deleteTopicsHandler: AnyHandler = defineHandler(DeleteTopics, (request, context) => {
  const wanted: Wanted[] =
    context.version >= 6 ? request.topics : request.topicNames.map((name) => ({ name, topicId: ZERO_UUID }));
  const found = wanted.map((each) => find(each, context));
  const times = new Map<TopicState, number>();
  for (const { topic } of found) if (topic !== undefined) times.set(topic, (times.get(topic) ?? 0) + 1);
  return {
    responses: [...new Map(found.map((each) => [each.topic ?? each, each])).values()].map((each) =>
      each.topic !== undefined && (times.get(each.topic) ?? 0) > 1
        ? answer({ ...each, error: 'INVALID_REQUEST' }, context)
        : remove(each, context),
    ),
  };
});

interface Wanted {
  readonly name: string | null;
  readonly topicId: string;
}

interface Found extends Wanted {
  readonly topic: TopicState | undefined;
  readonly error: BrokerErrorName;
}

function find(wanted: Wanted, { cluster }: RequestContext): Found {
  const { name, topicId } = wanted;
  if (name !== null && topicId !== ZERO_UUID) return { ...wanted, topic: undefined, error: 'INVALID_REQUEST' };
  const topic = name === null ? cluster.topicsById.get(topicId) : cluster.topics.get(name);
  const missing = name === null ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION';
  return { name: topic?.name ?? name, topicId: topic?.topicId ?? topicId, topic, error: topic ? 'NONE' : missing };
}

function remove(found: Found, context: RequestContext): Input<DeleteTopicsResponseDeletableTopicResult> {
  if (found.topic === undefined) return answer(found, context);
  if (context.cluster.brokerConfig('delete.topic.enable') !== 'true')
    return answer({ ...found, error: 'TOPIC_DELETION_DISABLED' }, context);
  context.cluster.deleteTopic(found.topic);
  return answer(found, context);
}

function answer(found: Found, { version }: RequestContext): Input<DeleteTopicsResponseDeletableTopicResult> {
  const { name, topicId, error } = found;
  return {
    name: version < 6 ? (name ?? '') : name,
    errorCode: brokerErrorCodes[error],
    ...(version >= 5 && error !== 'NONE' ? { errorMessage: messages[error] ?? error } : {}),
    ...(version >= 6 ? { topicId } : {}),
  };
}

const messages: Readonly<Partial<Record<BrokerErrorName, string>>> = {
  INVALID_REQUEST: 'A topic is to be named once, by its name or by its id',
  UNKNOWN_TOPIC_ID: 'There is no topic with this id',
  UNKNOWN_TOPIC_OR_PARTITION: 'There is no such topic',
  TOPIC_DELETION_DISABLED: 'delete.topic.enable is false',
};
