import { partitionsOf } from '../cluster/metadata-response.ts';
import type { PartitionMetadata } from '../cluster/metadata-snapshot.ts';
import type { SettledItem } from '../errors/admin-error.ts';
import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import { CreatePartitions } from '../protocol/generated/create-partitions.ts';
import { CreateTopics, type CreateTopicsRequestCreatableTopic } from '../protocol/generated/create-topics.ts';
import { DeleteTopics } from '../protocol/generated/delete-topics.ts';
import { Metadata, type MetadataResponse, type MetadataResponseTopic } from '../protocol/generated/metadata.ts';
import type { Input } from '../protocol/api.ts';
import { integer, nonEmptyString, object, quote, type OptionRule } from '../util/option-rules.ts';
import type { AdminCall } from './admin-call.ts';
import { allOf, checkedFields, configValuesProblem, type ItemCheck } from './item-check.ts';
import {
  fulfilled,
  inRounds,
  orRejected,
  refused,
  rejected,
  unanswered,
  type AdminOptions,
  type ItemOutcome,
} from './items.ts';

/** A topic to create. */
export interface NewTopic {
  /** The name it shall have. */
  readonly topic: string;
  /** How many partitions. @defaultValue the broker's `num.partitions` */
  readonly partitions?: number | undefined;
  /** How many brokers hold each partition. @defaultValue the broker's `default.replication.factor` */
  readonly replicationFactor?: number | undefined;
  /** For each partition, in order, the brokers to hold it, the preferred leader first; instead of the two numbers. */
  readonly assignments?: readonly (readonly number[])[] | undefined;
  /** Topic configurations by Kafka's names: `{ 'retention.ms': '86400000' }`. */
  readonly configs?: Readonly<Record<string, string | number | boolean>> | undefined;
}

/** How topics are created. */
export interface CreateTopicsOptions extends AdminOptions {
  /** A topic that exists already is no error; its `created` is false, and it stays as it is. @defaultValue false */
  readonly ifNotExists?: boolean | undefined;
  /** Only checks whether the topics could be created. @defaultValue false */
  readonly validateOnly?: boolean | undefined;
}

/** A topic that was created, or that was there already with `ifNotExists`. */
export interface CreatedTopic {
  /** The name of the topic. */
  readonly topic: string;
  /** Undefined with `validateOnly`, and from brokers before 2.8. */
  readonly topicId: string | undefined;
  /** How many partitions it has. */
  readonly partitions: number;
  /** How many brokers hold each partition. */
  readonly replicationFactor: number;
  /** False if the topic existed before, and with `validateOnly`. */
  readonly created: boolean;
}

/** How topics are deleted. */
export interface DeleteTopicsOptions extends AdminOptions {
  /** A topic that does not exist is no error; its `deleted` is false. @defaultValue false */
  readonly ifExists?: boolean | undefined;
}

/** A topic that is gone. */
export interface DeletedTopic {
  /** The name of the topic. */
  readonly topic: string;
  /** False if it did not exist. */
  readonly deleted: boolean;
}

/** A topic to add partitions to. */
export interface NewPartitions {
  /** The name of the topic. */
  readonly topic: string;
  /** How many partitions the topic shall have in all. */
  readonly count: number;
  /** For each partition added, in order, the brokers to hold it. @defaultValue the cluster chooses */
  readonly assignments?: readonly (readonly number[])[] | undefined;
}

/** How partitions are added. */
export interface CreatePartitionsOptions extends AdminOptions {
  /** Only checks whether the partitions could be added. @defaultValue false */
  readonly validateOnly?: boolean | undefined;
}

/** A topic as {@link Admin.listTopics} names it. */
export interface TopicListing {
  /** The name of the topic. */
  readonly topic: string;
  /** Kafka's id of it: a topic that is created again has another. */
  readonly topicId: string;
  /** Whether Kafka keeps the topic for itself. */
  readonly isInternal: boolean;
}

/** A topic with its partitions. */
export interface TopicDescription extends TopicListing {
  /** In the order of their numbers. */
  readonly partitions: readonly PartitionMetadata[];
}

/** Which counts are possible is the cluster's to say. */
const count = integer(-0x8000_0000, 0x7fff_ffff);
const assignments: OptionRule = {
  expected: 'a list with the ids of brokers for each partition',
  accepts: (value) => Array.isArray(value) && value.every((ids) => Array.isArray(ids) && ids.every(Number.isInteger)),
};

/** What is wrong with a topic to create. */
export const newTopic: ItemCheck = allOf(
  checkedFields<NewTopic>(
    'a topic to create',
    { topic: nonEmptyString, partitions: count, replicationFactor: count, assignments, configs: object },
    ['topic'],
    {
      topics: 'give the topics themselves, one or a list of them',
      name: 'use topic',
      numPartitions: 'use partitions',
      replicaAssignment: 'use assignments: for each partition, in order, its brokers',
      configEntries: "use configs: { 'retention.ms': '86400000' }",
      config: 'use configs',
    },
  ),
  (item) => configValuesProblem('configs', (item as NewTopic).configs),
  (item) => {
    const given = item as NewTopic;
    if (given.assignments === undefined) return undefined;
    if (given.partitions === undefined && given.replicationFactor === undefined) return undefined;
    return `assignments given for topic ${quote(given.topic)} beside partitions or replicationFactor; give one or the other`;
  },
);

/** What is wrong with a topic to add partitions to. */
export const newPartitions: ItemCheck = checkedFields<NewPartitions>(
  'a topic to add partitions to',
  { topic: nonEmptyString, count, assignments },
  ['topic', 'count'],
  {
    partitions: 'use count: how many it shall have in all',
    totalCount: 'use count',
  },
);

/** Creates topics, and waits until each partition has a leader. */
export async function createTopics(
  call: AdminCall,
  items: readonly NewTopic[],
  options: CreateTopicsOptions,
): Promise<SettledItem<CreatedTopic>[]> {
  const results = await inRounds(call, items, (left) => orRejected(left, () => createOnce(call, left, options)));
  if (options.validateOnly === true) return results;
  const made = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const described = await untilDescribed(
    call,
    made.map(({ topic }) => topic),
    hasLeaders,
  );
  return results.map((result) => {
    if (result.status === 'rejected') return result;
    const found = described.get(result.value.topic);
    return found === undefined ? result : fulfilled(withDescription(result.value, found));
  });
}

/** Deletes topics, and waits until the cluster names them no more. */
export async function deleteTopics(
  call: AdminCall,
  names: readonly string[],
  options: DeleteTopicsOptions,
): Promise<SettledItem<DeletedTopic>[]> {
  const results = await inRounds(call, names, (left) => orRejected(left, () => deleteOnce(call, left, options)));
  const gone = results.flatMap((result) =>
    result.status === 'fulfilled' && result.value.deleted ? [result.value] : [],
  );
  await untilDescribed(
    call,
    gone.map(({ topic }) => topic),
    isGone,
  );
  if (gone.some(({ topic }) => call.cluster.metadata.topic(topic) !== undefined)) call.cluster.refreshSoon();
  return results;
}

/** Adds partitions to topics. */
export function createPartitions(
  call: AdminCall,
  items: readonly NewPartitions[],
  options: CreatePartitionsOptions,
): Promise<SettledItem<void>[]> {
  let tries = 0;
  return inRounds(call, items, (left) =>
    orRejected(left, async () => {
      const { results } = await call.request({
        api: CreatePartitions,
        to: { kind: 'controller' },
        message: () => {
          tries += 1;
          return {
            topics: left.map(({ topic, count, assignments }) => ({
              name: topic,
              count,
              assignments: assignments?.map((brokerIds) => ({ brokerIds })) ?? null,
            })),
            timeoutMs: call.brokerTimeoutMs(),
            validateOnly: options.validateOnly === true,
          };
        },
        errorCode: (answer) => controllerCode(answer.results),
      });
      const isTriedAgain = tries > 1 && options.validateOnly !== true;
      const { INVALID_PARTITIONS } = brokerErrorCodes;
      return Promise.all(
        left.map(async (item): Promise<ItemOutcome<void>> => {
          const doing = `Cannot add partitions to topic ${quote(item.topic)}`;
          const result = results.find(({ name }) => name === item.topic);
          if (result === undefined) return rejected(unanswered(doing));
          if (result.errorCode === 0) return fulfilled(undefined);
          // The answer to an earlier try may have been lost after the partitions were added.
          if (isTriedAgain && result.errorCode === INVALID_PARTITIONS && (await hasPartitions(call, item))) {
            return fulfilled(undefined);
          }
          return refused(result.errorCode, doing, result.errorMessage);
        }),
      );
    }),
  );
}

async function hasPartitions(call: AdminCall, { topic, count: wanted }: NewPartitions): Promise<boolean> {
  const { topics } = await describe(call, [topic]);
  return topics.some(({ name, partitions }) => name === topic && partitions.length === wanted);
}

/** All topics of the cluster that we may see. */
export async function listTopics(call: AdminCall, includeInternal: boolean): Promise<TopicListing[]> {
  const response = await describe(call, undefined);
  const listed = response.topics.filter((topic) => topic.errorCode === 0 && (includeInternal || !topic.isInternal));
  return listed.map(topicListing).sort((a, b) => (a.topic < b.topic ? -1 : 1));
}

/** Topics with their partitions. */
export function describeTopics(call: AdminCall, names: readonly string[]): Promise<SettledItem<TopicDescription>[]> {
  return inRounds(call, names, (left) =>
    orRejected(left, async () => {
      const { topics } = await describe(call, left);
      return left.map((name): ItemOutcome<TopicDescription> => {
        const doing = `Cannot describe topic ${quote(name)}`;
        const topic = topics.find((candidate) => candidate.name === name);
        if (topic === undefined) return rejected(unanswered(doing));
        return topic.errorCode === 0 ? fulfilled(topicDescription(topic)) : refused(topic.errorCode, doing);
      });
    }),
  );
}

/** Metadata for these topics, straight from a broker; for all of them if undefined. */
export function describe(call: AdminCall, names: readonly string[] | undefined): Promise<MetadataResponse> {
  const topics = names === undefined ? null : [...new Set(names)].map((name) => ({ name }));
  return call.request({
    api: Metadata,
    to: { kind: 'any' },
    message: { topics, allowAutoTopicCreation: false },
    versions: { min: 4 },
  });
}

async function createOnce(
  call: AdminCall,
  items: readonly NewTopic[],
  options: CreateTopicsOptions,
): Promise<ItemOutcome<CreatedTopic>[]> {
  let tries = 0;
  const response = await call.request({
    api: CreateTopics,
    to: { kind: 'controller' },
    message: () => {
      tries += 1;
      return {
        topics: items.map(newTopicMessage),
        timeoutMs: call.brokerTimeoutMs(),
        validateOnly: options.validateOnly === true,
      };
    },
    errorCode: (answer) => controllerCode(answer.topics),
  });
  return items.map((item) => {
    const doing = `Cannot create topic ${quote(item.topic)}`;
    const result = response.topics.find(({ name }) => name === item.topic);
    if (result === undefined) return rejected(unanswered(doing));
    const exists = result.errorCode === brokerErrorCodes.TOPIC_ALREADY_EXISTS;
    if (result.errorCode !== 0 && !(exists && options.ifNotExists === true)) {
      // The answer to an earlier try may have been lost after the topic was made: nobody can tell.
      const hint = exists && tries > 1 ? '; an earlier try of this call may have created it' : '';
      return refused(result.errorCode, doing, `${result.errorMessage ?? 'the broker refused'}${hint}`);
    }
    return fulfilled({
      topic: item.topic,
      topicId: knownId(result.topicId),
      partitions: result.numPartitions,
      replicationFactor: result.replicationFactor,
      created: !exists && options.validateOnly !== true,
    });
  });
}

async function deleteOnce(
  call: AdminCall,
  names: readonly string[],
  options: DeleteTopicsOptions,
): Promise<ItemOutcome<DeletedTopic>[]> {
  let tries = 0;
  const { responses } = await call.request({
    api: DeleteTopics,
    to: { kind: 'controller' },
    message: (version) => {
      tries += 1;
      const timeoutMs = call.brokerTimeoutMs();
      return version >= 6
        ? { topics: names.map((name) => ({ name })), timeoutMs }
        : { topicNames: [...names], timeoutMs };
    },
    errorCode: (answer) => controllerCode(answer.responses),
  });
  return names.map((topic) => {
    const doing = `Cannot delete topic ${quote(topic)}`;
    const result = responses.find(({ name }) => name === topic);
    if (result === undefined) return rejected(unanswered(doing));
    if (result.errorCode === 0) return fulfilled({ topic, deleted: true });
    if (result.errorCode === brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION) {
      if (tries > 1) return fulfilled({ topic, deleted: true });
      if (options.ifExists === true) return fulfilled({ topic, deleted: false });
    }
    return refused(result.errorCode, doing, result.errorMessage);
  });
}

/** Asks until every topic is as it should be, or the call's time is nearly up: then what was asked for is done all the same. */
async function untilDescribed(
  call: AdminCall,
  names: readonly string[],
  isDone: (topic: MetadataResponseTopic) => boolean,
): Promise<Map<string, MetadataResponseTopic>> {
  const found = new Map<string, MetadataResponseTopic>();
  let left = names;
  for (let failures = 1; left.length > 0; failures++) {
    const { topics } = await describe(call, left);
    for (const topic of topics) if (topic.name !== null && isDone(topic)) found.set(topic.name, topic);
    left = left.filter((name) => !found.has(name));
    if (left.length === 0 || !call.hasTimeFor(failures)) break;
    await call.backOff(failures);
  }
  return found;
}

function hasLeaders(topic: MetadataResponseTopic): boolean {
  if (topic.errorCode !== 0 || topic.partitions.length === 0) {
    // A topic that we may create but not describe will never show its leaders.
    return topic.errorCode === brokerErrorCodes.TOPIC_AUTHORIZATION_FAILED;
  }
  return topic.partitions.every(({ leaderId }) => leaderId >= 0);
}

function isGone(topic: MetadataResponseTopic): boolean {
  return topic.errorCode !== 0;
}

function withDescription(created: CreatedTopic, topic: MetadataResponseTopic): CreatedTopic {
  if (topic.errorCode !== 0) return created;
  return {
    ...created,
    topicId: created.topicId ?? knownId(topic.topicId),
    partitions: topic.partitions.length,
    replicationFactor: topic.partitions[0]?.replicaNodes.length ?? created.replicationFactor,
  };
}

type NewTopicMessage = Input<CreateTopicsRequestCreatableTopic>;

function newTopicMessage({ topic, partitions, replicationFactor, assignments, configs }: NewTopic): NewTopicMessage {
  return {
    name: topic,
    numPartitions: assignments === undefined ? (partitions ?? -1) : -1,
    replicationFactor: assignments === undefined ? (replicationFactor ?? -1) : -1,
    assignments: assignments?.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })) ?? [],
    configs: Object.entries(configs ?? {}).map(([name, value]) => ({ name, value: String(value) })),
  };
}

/** A controller that is none (any more) says so for every item: then the whole request goes to the new one. */
export function controllerCode(results: readonly { readonly errorCode: number }[]): number {
  const moved = results.some(({ errorCode }) => errorCode === brokerErrorCodes.NOT_CONTROLLER);
  return moved ? brokerErrorCodes.NOT_CONTROLLER : 0;
}

function topicListing(topic: MetadataResponseTopic): TopicListing {
  return { topic: topic.name ?? '', topicId: topic.topicId, isInternal: topic.isInternal };
}

function topicDescription(topic: MetadataResponseTopic): TopicDescription {
  return { ...topicListing(topic), partitions: partitionsOf(topic).sort((a, b) => a.partition - b.partition) };
}

/** Brokers that have no id for something answer with one of zeros. */
export function knownId(id: string): string | undefined {
  return /^A+$/.test(id) ? undefined : id;
}
