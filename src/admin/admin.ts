import type { CallOptions } from '../cluster/request.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { SettledItem } from '../errors/admin-error.ts';
import { ClosedError, UsageError } from '../errors/kafka-error.ts';
import type { TopicPartition } from '../model/topic-partition.ts';
import { findOptionProblem, quote } from '../util/option-rules.ts';
import { AdminCall } from './admin-call.ts';
import { callOptionRules, otherOptionNames } from './call-options.ts';
import { describeCluster, type ClusterDescription } from './cluster-description.ts';
import {
  describeConfigs,
  incrementalAlterConfigs,
  type AlterConfigsOptions,
  type ConfigChanges,
  type ConfigDescription,
  type ConfigResource,
  type DescribeConfigsOptions,
} from './configs.ts';
import {
  alterGroupOffsets,
  deleteGroupOffsets,
  listGroupOffsets,
  type GroupOffset,
  type ListGroupOffsetsOptions,
  type NewGroupOffset,
} from './group-offsets.ts';
import {
  deleteGroups,
  describeGroups,
  listGroups,
  type GroupDescription,
  type GroupListing,
  type ListGroupsOptions,
} from './groups.ts';
import * as checks from './item-checks.ts';
import { answerItems, type AdminOptions, type ItemsAnswer, type Settled } from './items.ts';
import {
  deleteRecords,
  listOffsets,
  type DeletedRecords,
  type ListedOffset,
  type ListOffsetsOptions,
  type OffsetQuery,
  type RecordsToDelete,
} from './partitions.ts';
import { abortTransactions, describeProducers, type HangingTransaction, type PartitionProducers } from './producers.ts';
import {
  alterShareGroupOffsets,
  deleteShareGroupOffsets,
  listShareGroupOffsets,
  type ListShareGroupOffsetsOptions,
  type NewShareGroupOffset,
  type ShareGroupOffset,
} from './share-group-offsets.ts';
import { describeShareGroups, type ShareGroupDescription } from './share-groups.ts';
import {
  describeTransactions,
  fenceProducers,
  listTransactions,
  type FencedProducer,
  type ListTransactionsOptions,
  type TransactionDescription,
  type TransactionListing,
} from './transactions.ts';
import {
  createPartitions,
  createTopics,
  deleteTopics,
  describeTopics,
  listTopics,
  type CreatedTopic,
  type CreatePartitionsOptions,
  type CreateTopicsOptions,
  type DeletedTopic,
  type DeleteTopicsOptions,
  type NewPartitions,
  type NewTopic,
  type TopicDescription,
  type TopicListing,
} from './topics.ts';

/** How topics are listed. */
export interface ListTopicsOptions extends CallOptions {
  /** Whether topics that Kafka keeps for itself are listed, too. @defaultValue false */
  readonly includeInternal?: boolean | undefined;
}

/**
 * Administers a cluster: topics, records, configurations, groups and their offsets.
 *
 * A call resolves only when all it was asked for is done. Most take one item or an array. One item resolves with its result or
 * rejects with its error; an array resolves with the results in the same order, or rejects with an {@link AdminError} whose
 * `results` has what became of each item, or with `{ settled: true }` resolves with those. What passes by itself (a leader or
 * coordinator that moves, a broker that restarts) is tried again for up to `timeoutMs`, 60 s if not given.
 *
 * Errors of the broker have its own code, such as `TOPIC_ALREADY_EXISTS`, and its own words in the message.
 */
export class Admin implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #lane: string;
  readonly #onClosed: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  /** @internal Use `kafka.admin()`. `onClosed` is called at the end of `close()`. */
  constructor(cluster: Cluster, onClosed?: () => void) {
    this.#cluster = cluster;
    this.#onClosed = onClosed;
    this.#lane = `admin-${cluster.nextClientNumber()}`;
  }

  /**
   * Creates topics, and waits until each of their partitions has a leader.
   *
   * @example
   * ```ts
   * await admin.createTopics({ topic: 'orders', partitions: 6, replicationFactor: 3 }, { ifNotExists: true });
   * ```
   *
   * @throws {@link BrokerError} `TOPIC_ALREADY_EXISTS` (not with `ifNotExists`), `INVALID_PARTITIONS`, `INVALID_REPLICATION_FACTOR`,
   * `INVALID_CONFIG`, `POLICY_VIOLATION` …
   */
  createTopics(
    topics: readonly NewTopic[],
    options: Settled<CreateTopicsOptions>,
  ): Promise<SettledItem<CreatedTopic>[]>;
  createTopics(topics: readonly NewTopic[], options?: CreateTopicsOptions): Promise<CreatedTopic[]>;
  createTopics(topic: NewTopic, options: Settled<CreateTopicsOptions>): Promise<SettledItem<CreatedTopic>>;
  createTopics(topic: NewTopic, options?: CreateTopicsOptions): Promise<CreatedTopic>;
  createTopics(
    given: NewTopic | readonly NewTopic[],
    options: CreateTopicsOptions = {},
  ): Promise<ItemsAnswer<CreatedTopic>> {
    return this.#items(given, options, 'Cannot create topics', checks.newTopic, (call, items) =>
      createTopics(call, items, options),
    );
  }

  /**
   * Deletes topics with all their records, and waits until the cluster names them no more.
   *
   * @throws {@link BrokerError} `UNKNOWN_TOPIC_OR_PARTITION` (not with `ifExists`), `TOPIC_DELETION_DISABLED`
   */
  deleteTopics(topics: readonly string[], options: Settled<DeleteTopicsOptions>): Promise<SettledItem<DeletedTopic>[]>;
  deleteTopics(topics: readonly string[], options?: DeleteTopicsOptions): Promise<DeletedTopic[]>;
  deleteTopics(topic: string, options: Settled<DeleteTopicsOptions>): Promise<SettledItem<DeletedTopic>>;
  deleteTopics(topic: string, options?: DeleteTopicsOptions): Promise<DeletedTopic>;
  deleteTopics(
    given: string | readonly string[],
    options: DeleteTopicsOptions = {},
  ): Promise<ItemsAnswer<DeletedTopic>> {
    return this.#items(given, options, 'Cannot delete topics', checks.topicName, (call, items) =>
      deleteTopics(call, items, options),
    );
  }

  /**
   * Adds partitions to topics. Records with a key that are sent afterwards may go to another partition than those before.
   *
   * @throws {@link BrokerError} `INVALID_PARTITIONS` the topic has as many already, or more
   */
  createPartitions(
    topics: readonly NewPartitions[],
    options: Settled<CreatePartitionsOptions>,
  ): Promise<SettledItem<void>[]>;
  createPartitions(topics: readonly NewPartitions[], options?: CreatePartitionsOptions): Promise<void[]>;
  createPartitions(topic: NewPartitions, options: Settled<CreatePartitionsOptions>): Promise<SettledItem<void>>;
  createPartitions(topic: NewPartitions, options?: CreatePartitionsOptions): Promise<void>;
  createPartitions(
    given: NewPartitions | readonly NewPartitions[],
    options: CreatePartitionsOptions = {},
  ): Promise<ItemsAnswer<void>> {
    return this.#items(given, options, 'Cannot add partitions', checks.newPartitions, (call, items) =>
      createPartitions(call, items, options),
    );
  }

  /** All topics that we are allowed to see, by name. */
  async listTopics(options: ListTopicsOptions = {}): Promise<TopicListing[]> {
    return listTopics(this.#begin('Cannot list topics', options), options.includeInternal === true);
  }

  /**
   * Describes topics: their ids, and the leader, replicas and in-sync replicas of each partition.
   *
   * @throws {@link BrokerError} `UNKNOWN_TOPIC_OR_PARTITION`
   */
  describeTopics(topics: readonly string[], options: Settled): Promise<SettledItem<TopicDescription>[]>;
  describeTopics(topics: readonly string[], options?: AdminOptions): Promise<TopicDescription[]>;
  describeTopics(topic: string, options: Settled): Promise<SettledItem<TopicDescription>>;
  describeTopics(topic: string, options?: AdminOptions): Promise<TopicDescription>;
  describeTopics(
    given: string | readonly string[],
    options: AdminOptions = {},
  ): Promise<ItemsAnswer<TopicDescription>> {
    return this.#items(given, options, 'Cannot describe topics', checks.topicName, (call, items) =>
      describeTopics(call, items),
    );
  }

  /**
   * Deletes the records of partitions before an offset (KIP-107).
   *
   * @throws {@link BrokerError} `OFFSET_OUT_OF_RANGE` the offset is beyond the end, `POLICY_VIOLATION` the topic is compacted only
   */
  deleteRecords(partitions: readonly RecordsToDelete[], options: Settled): Promise<SettledItem<DeletedRecords>[]>;
  deleteRecords(partitions: readonly RecordsToDelete[], options?: AdminOptions): Promise<DeletedRecords[]>;
  deleteRecords(partition: RecordsToDelete, options: Settled): Promise<SettledItem<DeletedRecords>>;
  deleteRecords(partition: RecordsToDelete, options?: AdminOptions): Promise<DeletedRecords>;
  deleteRecords(
    given: RecordsToDelete | readonly RecordsToDelete[],
    options: AdminOptions = {},
  ): Promise<ItemsAnswer<DeletedRecords>> {
    return this.#items(given, options, 'Cannot delete records', checks.topicPartition, (call, items) =>
      deleteRecords(call, items),
    );
  }

  /**
   * Looks up offsets: the first, the next to be written, the one at a time or with the highest timestamp.
   */
  listOffsets(
    partitions: readonly OffsetQuery[],
    options: Settled<ListOffsetsOptions>,
  ): Promise<SettledItem<ListedOffset>[]>;
  listOffsets(partitions: readonly OffsetQuery[], options?: ListOffsetsOptions): Promise<ListedOffset[]>;
  listOffsets(partition: OffsetQuery, options: Settled<ListOffsetsOptions>): Promise<SettledItem<ListedOffset>>;
  listOffsets(partition: OffsetQuery, options?: ListOffsetsOptions): Promise<ListedOffset>;
  listOffsets(
    given: OffsetQuery | readonly OffsetQuery[],
    options: ListOffsetsOptions = {},
  ): Promise<ItemsAnswer<ListedOffset>> {
    return this.#items(given, options, 'Cannot list offsets', checks.topicPartition, (call, items) =>
      listOffsets(call, items, options),
    );
  }

  /**
   * Reads the configurations of topics, brokers and groups.
   *
   * @throws {@link NetworkError} `BROKER_UNKNOWN` there is no broker of that id
   * @throws {@link BrokerError} `UNKNOWN_TOPIC_OR_PARTITION`
   */
  describeConfigs(
    resources: readonly ConfigResource[],
    options: Settled<DescribeConfigsOptions>,
  ): Promise<SettledItem<ConfigDescription>[]>;
  describeConfigs(resources: readonly ConfigResource[], options?: DescribeConfigsOptions): Promise<ConfigDescription[]>;
  describeConfigs(
    resource: ConfigResource,
    options: Settled<DescribeConfigsOptions>,
  ): Promise<SettledItem<ConfigDescription>>;
  describeConfigs(resource: ConfigResource, options?: DescribeConfigsOptions): Promise<ConfigDescription>;
  describeConfigs(
    given: ConfigResource | readonly ConfigResource[],
    options: DescribeConfigsOptions = {},
  ): Promise<ItemsAnswer<ConfigDescription>> {
    return this.#items(given, options, 'Cannot describe configurations', checks.anyItem, (call, items) =>
      describeConfigs(call, items, options),
    );
  }

  /**
   * Changes configurations of topics, brokers and groups; those that are not named stay as they are (KIP-339).
   *
   * @throws {@link BrokerError} `INVALID_CONFIG`, `POLICY_VIOLATION`, `UNKNOWN_TOPIC_OR_PARTITION`
   */
  incrementalAlterConfigs(
    resources: readonly ConfigChanges[],
    options: Settled<AlterConfigsOptions>,
  ): Promise<SettledItem<void>[]>;
  incrementalAlterConfigs(resources: readonly ConfigChanges[], options?: AlterConfigsOptions): Promise<void[]>;
  incrementalAlterConfigs(resource: ConfigChanges, options: Settled<AlterConfigsOptions>): Promise<SettledItem<void>>;
  incrementalAlterConfigs(resource: ConfigChanges, options?: AlterConfigsOptions): Promise<void>;
  incrementalAlterConfigs(
    given: ConfigChanges | readonly ConfigChanges[],
    options: AlterConfigsOptions = {},
  ): Promise<ItemsAnswer<void>> {
    return this.#items(given, options, 'Cannot alter configurations', checks.configChanges, (call, items) =>
      incrementalAlterConfigs(call, items, options),
    );
  }

  /** The groups of all brokers, by id: `{ types: ['share'] }` for share groups. Java: `listGroups`, `listShareGroups`. */
  async listGroups(options: ListGroupsOptions = {}): Promise<GroupListing[]> {
    return listGroups(this.#begin('Cannot list groups', options), options);
  }

  /**
   * Describes groups of consumers, of the classic and the new protocol, with their members and assignments. Share groups are described
   * by {@link Admin.describeShareGroups}.
   *
   * @throws {@link BrokerError} `GROUP_ID_NOT_FOUND`
   */
  describeGroups(groupIds: readonly string[], options: Settled): Promise<SettledItem<GroupDescription>[]>;
  describeGroups(groupIds: readonly string[], options?: AdminOptions): Promise<GroupDescription[]>;
  describeGroups(groupId: string, options: Settled): Promise<SettledItem<GroupDescription>>;
  describeGroups(groupId: string, options?: AdminOptions): Promise<GroupDescription>;
  describeGroups(
    given: string | readonly string[],
    options: AdminOptions = {},
  ): Promise<ItemsAnswer<GroupDescription>> {
    return this.#items(given, options, 'Cannot describe groups', checks.groupId, (call, items) =>
      describeGroups(call, items),
    );
  }

  /**
   * Deletes groups of any type and their offsets. Java: `deleteConsumerGroups`, `deleteShareGroups`.
   *
   * @throws {@link BrokerError} `NON_EMPTY_GROUP` the group has members, `GROUP_ID_NOT_FOUND`
   */
  deleteGroups(groupIds: readonly string[], options: Settled): Promise<SettledItem<void>[]>;
  deleteGroups(groupIds: readonly string[], options?: AdminOptions): Promise<void[]>;
  deleteGroups(groupId: string, options: Settled): Promise<SettledItem<void>>;
  deleteGroups(groupId: string, options?: AdminOptions): Promise<void>;
  deleteGroups(given: string | readonly string[], options: AdminOptions = {}): Promise<ItemsAnswer<void>> {
    return this.#items(given, options, 'Cannot delete groups', checks.groupId, (call, items) =>
      deleteGroups(call, items),
    );
  }

  /**
   * The offsets that a group has committed. Java: `listConsumerGroupOffsets`.
   *
   * A group that does not exist has none.
   */
  async listGroupOffsets(groupId: string, options: ListGroupOffsetsOptions = {}): Promise<GroupOffset[]> {
    const doing = 'Cannot list the offsets of a group';
    refuse(doing, checks.groupId(groupId));
    return listGroupOffsets(this.#begin(doing, options), groupId, options);
  }

  /**
   * Sets the offsets from which a group goes on. Its consumers must be stopped. Java: `alterConsumerGroupOffsets`.
   *
   * @throws {@link BrokerError} `UNKNOWN_MEMBER_ID` the group has members
   */
  alterGroupOffsets(
    groupId: string,
    offsets: readonly NewGroupOffset[],
    options: Settled,
  ): Promise<SettledItem<void>[]>;
  alterGroupOffsets(groupId: string, offsets: readonly NewGroupOffset[], options?: AdminOptions): Promise<void[]>;
  alterGroupOffsets(groupId: string, offset: NewGroupOffset, options: Settled): Promise<SettledItem<void>>;
  alterGroupOffsets(groupId: string, offset: NewGroupOffset, options?: AdminOptions): Promise<void>;
  alterGroupOffsets(
    groupId: string,
    given: NewGroupOffset | readonly NewGroupOffset[],
    options: AdminOptions = {},
  ): Promise<ItemsAnswer<void>> {
    return this.#items(
      given,
      options,
      `Cannot set offsets of group ${quote(groupId)}`,
      checks.ofGroup(groupId, checks.topicPartition),
      (call, items) => alterGroupOffsets(call, groupId, items),
    );
  }

  /**
   * Deletes offsets of a group (KIP-496). Java: `deleteConsumerGroupOffsets`.
   *
   * @throws {@link BrokerError} `GROUP_SUBSCRIBED_TO_TOPIC` the group has members that read the topic, `GROUP_ID_NOT_FOUND`
   */
  deleteGroupOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
    options: Settled,
  ): Promise<SettledItem<void>[]>;
  deleteGroupOffsets(groupId: string, partitions: readonly TopicPartition[], options?: AdminOptions): Promise<void[]>;
  deleteGroupOffsets(groupId: string, partition: TopicPartition, options: Settled): Promise<SettledItem<void>>;
  deleteGroupOffsets(groupId: string, partition: TopicPartition, options?: AdminOptions): Promise<void>;
  deleteGroupOffsets(
    groupId: string,
    given: TopicPartition | readonly TopicPartition[],
    options: AdminOptions = {},
  ): Promise<ItemsAnswer<void>> {
    return this.#items(
      given,
      options,
      `Cannot delete offsets of group ${quote(groupId)}`,
      checks.ofGroup(groupId, checks.topicPartition),
      (call, items) => deleteGroupOffsets(call, groupId, items),
    );
  }

  /**
   * Describes share groups: their state, members, and what each of these reads (KIP-932, brokers from 4.1). Java: `describeShareGroups`.
   *
   * @throws {@link BrokerError} `GROUP_ID_NOT_FOUND` there is no share group of this name, `UNSUPPORTED_VERSION` the cluster has none
   */
  describeShareGroups(groupIds: readonly string[], options: Settled): Promise<SettledItem<ShareGroupDescription>[]>;
  describeShareGroups(groupIds: readonly string[], options?: AdminOptions): Promise<ShareGroupDescription[]>;
  describeShareGroups(groupId: string, options: Settled): Promise<SettledItem<ShareGroupDescription>>;
  describeShareGroups(groupId: string, options?: AdminOptions): Promise<ShareGroupDescription>;
  describeShareGroups(
    given: string | readonly string[],
    options: AdminOptions = {},
  ): Promise<ItemsAnswer<ShareGroupDescription>> {
    return this.#items(given, options, 'Cannot describe share groups', checks.groupId, (call, items) =>
      describeShareGroups(call, items),
    );
  }

  /**
   * Where a share group stands: per partition the first offset that it is not done with, and its lag, which leaves out what is done
   * behind that offset (KIP-1226). Java: `listShareGroupOffsets`.
   *
   * A group that does not exist has begun nowhere, and so has one that has not yet read.
   */
  async listShareGroupOffsets(
    groupId: string,
    options: ListShareGroupOffsetsOptions = {},
  ): Promise<ShareGroupOffset[]> {
    const doing = 'Cannot list the offsets of a share group';
    refuse(doing, checks.groupId(groupId));
    return listShareGroupOffsets(this.#begin(doing, options), groupId, options);
  }

  /**
   * Sets from where a share group goes on, and forgets what became of the records from there. Its consumers must be stopped; a group that does not
   * exist is made. An offset before the first record or behind the last is taken as it is. Java: `alterShareGroupOffsets`.
   *
   * @throws {@link BrokerError} `NON_EMPTY_GROUP` the group has members, `UNKNOWN_TOPIC_OR_PARTITION`, `GROUP_ID_NOT_FOUND` the group is of another
   * type
   */
  alterShareGroupOffsets(
    groupId: string,
    offsets: readonly NewShareGroupOffset[],
    options: Settled,
  ): Promise<SettledItem<void>[]>;
  alterShareGroupOffsets(
    groupId: string,
    offsets: readonly NewShareGroupOffset[],
    options?: AdminOptions,
  ): Promise<void[]>;
  alterShareGroupOffsets(groupId: string, offset: NewShareGroupOffset, options: Settled): Promise<SettledItem<void>>;
  alterShareGroupOffsets(groupId: string, offset: NewShareGroupOffset, options?: AdminOptions): Promise<void>;
  alterShareGroupOffsets(
    groupId: string,
    given: NewShareGroupOffset | readonly NewShareGroupOffset[],
    options: AdminOptions = {},
  ): Promise<ItemsAnswer<void>> {
    return this.#items(
      given,
      options,
      `Cannot set offsets of share group ${quote(groupId)}`,
      checks.ofGroup(groupId, checks.topicPartition),
      (call, items) => alterShareGroupOffsets(call, groupId, items),
    );
  }

  /**
   * Lets a share group forget where it stands in topics: it begins there anew, by its `share.auto.offset.reset`. Its consumers must be
   * stopped. Java: `deleteShareGroupOffsets`.
   *
   * @throws {@link BrokerError} `NON_EMPTY_GROUP` the group has members, `GROUP_ID_NOT_FOUND`, `UNKNOWN_TOPIC_OR_PARTITION` the group has no
   * offsets of the topic
   */
  deleteShareGroupOffsets(groupId: string, topics: readonly string[], options: Settled): Promise<SettledItem<void>[]>;
  deleteShareGroupOffsets(groupId: string, topics: readonly string[], options?: AdminOptions): Promise<void[]>;
  deleteShareGroupOffsets(groupId: string, topic: string, options: Settled): Promise<SettledItem<void>>;
  deleteShareGroupOffsets(groupId: string, topic: string, options?: AdminOptions): Promise<void>;
  deleteShareGroupOffsets(
    groupId: string,
    given: string | readonly string[],
    options: AdminOptions = {},
  ): Promise<ItemsAnswer<void>> {
    return this.#items(
      given,
      options,
      `Cannot delete offsets of share group ${quote(groupId)}`,
      checks.ofGroup(groupId, checks.topicName),
      (call, items) => deleteShareGroupOffsets(call, groupId, items),
    );
  }

  /**
   * Describes the idempotent and transactional producers that partitions remember, and where the open transactions of each begin
   * (KIP-664).
   */
  describeProducers(
    partitions: readonly TopicPartition[],
    options: Settled,
  ): Promise<SettledItem<PartitionProducers>[]>;
  describeProducers(partitions: readonly TopicPartition[], options?: AdminOptions): Promise<PartitionProducers[]>;
  describeProducers(partition: TopicPartition, options: Settled): Promise<SettledItem<PartitionProducers>>;
  describeProducers(partition: TopicPartition, options?: AdminOptions): Promise<PartitionProducers>;
  describeProducers(
    given: TopicPartition | readonly TopicPartition[],
    options: AdminOptions = {},
  ): Promise<ItemsAnswer<PartitionProducers>> {
    return this.#items(given, options, 'Cannot describe producers', checks.topicPartition, (call, items) =>
      describeProducers(call, items),
    );
  }

  /** The transactional ids of all brokers, by name, with the state of their transactions (KIP-664). */
  async listTransactions(options: ListTransactionsOptions = {}): Promise<TransactionListing[]> {
    return listTransactions(this.#begin('Cannot list transactions', options), options);
  }

  /**
   * Describes transactional ids: the producer, and the transaction that is open, with its partitions (KIP-664).
   *
   * @throws {@link BrokerError} `TRANSACTIONAL_ID_NOT_FOUND`
   */
  describeTransactions(
    transactionalIds: readonly string[],
    options: Settled,
  ): Promise<SettledItem<TransactionDescription>[]>;
  describeTransactions(transactionalIds: readonly string[], options?: AdminOptions): Promise<TransactionDescription[]>;
  describeTransactions(transactionalId: string, options: Settled): Promise<SettledItem<TransactionDescription>>;
  describeTransactions(transactionalId: string, options?: AdminOptions): Promise<TransactionDescription>;
  describeTransactions(
    given: string | readonly string[],
    options: AdminOptions = {},
  ): Promise<ItemsAnswer<TransactionDescription>> {
    return this.#items(given, options, 'Cannot describe transactions', checks.transactionalId, (call, items) =>
      describeTransactions(call, items),
    );
  }

  /**
   * Aborts a transaction in one partition that waits for its end in vain, because the coordinator knows nothing of it (KIP-664). To abort
   * one that a producer has left open, use {@link Admin.fenceProducers}: this one would leave its other partitions as they are.
   *
   * @throws {@link BrokerError} `INVALID_TXN_STATE` the producer has no transaction open there
   */
  abortTransaction(transactions: readonly HangingTransaction[], options: Settled): Promise<SettledItem<void>[]>;
  abortTransaction(transactions: readonly HangingTransaction[], options?: AdminOptions): Promise<void[]>;
  abortTransaction(transaction: HangingTransaction, options: Settled): Promise<SettledItem<void>>;
  abortTransaction(transaction: HangingTransaction, options?: AdminOptions): Promise<void>;
  abortTransaction(
    given: HangingTransaction | readonly HangingTransaction[],
    options: AdminOptions = {},
  ): Promise<ItemsAnswer<void>> {
    return this.#items(given, options, 'Cannot abort transactions', checks.topicPartition, (call, items) =>
      abortTransactions(call, items),
    );
  }

  /**
   * Takes transactional ids from the producers that have them, which can do nothing more; a transaction that one has open is aborted.
   */
  fenceProducers(transactionalIds: readonly string[], options: Settled): Promise<SettledItem<FencedProducer>[]>;
  fenceProducers(transactionalIds: readonly string[], options?: AdminOptions): Promise<FencedProducer[]>;
  fenceProducers(transactionalId: string, options: Settled): Promise<SettledItem<FencedProducer>>;
  fenceProducers(transactionalId: string, options?: AdminOptions): Promise<FencedProducer>;
  fenceProducers(given: string | readonly string[], options: AdminOptions = {}): Promise<ItemsAnswer<FencedProducer>> {
    return this.#items(given, options, 'Cannot fence producers', checks.transactionalId, (call, items) =>
      fenceProducers(call, items),
    );
  }

  /** The cluster's id, its controller and its brokers. */
  async describeCluster(options: CallOptions = {}): Promise<ClusterDescription> {
    return describeCluster(this.#begin('Cannot describe the cluster', options));
  }

  /** Closes the connections of this client; calls under way end with an error, later ones reject `CLOSED`. */
  close(): Promise<void> {
    this.#closing ??= this.#cluster.closeLane(this.#lane).finally(this.#onClosed);
    return this.#closing;
  }

  /** The same as {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #items<Item, Result>(
    given: Item | readonly Item[],
    options: AdminOptions,
    doing: string,
    check: checks.ItemCheck,
    settle: (call: AdminCall, items: readonly Item[]) => Promise<SettledItem<Result>[]>,
  ): Promise<ItemsAnswer<Result>> {
    const call = this.#begin(doing, options);
    for (const item of Array.isArray(given) ? (given as readonly Item[]) : [given]) refuse(doing, check(item));
    return answerItems(given, options, doing, (items) => settle(call, items));
  }

  #begin(doing: string, options: CallOptions): AdminCall {
    if (this.#closing !== undefined) throw new ClosedError('the admin client');
    const problem = findOptionProblem(options, callOptionRules, 'an administrative call', otherOptionNames);
    if (problem !== undefined) throw new UsageError(problem.message, { code: problem.code });
    return new AdminCall(this.#cluster, this.#lane, doing, options, () => this.#closing !== undefined);
  }
}

/** @throws UsageError if there is a problem */
function refuse(doing: string, problem: string | undefined): void {
  if (problem !== undefined) throw new UsageError(`${doing}: ${problem}`, { code: 'INVALID_ARGUMENT' });
}
