import type { CallOptions } from '../cluster/request.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { SettledItem } from '../errors/admin-error.ts';
import { ClosedError, UsageError } from '../errors/kafka-error.ts';
import type { TopicPartition } from '../model/topic-partition.ts';
import { findOptionProblem, quote } from '../util/option-rules.ts';
import {
  aclFilter,
  createAcls,
  deleteAcls,
  deletionFilter,
  describeAcls,
  newAcl,
  type Acl,
  type AclFilter,
  type NewAcl,
} from './acls.ts';
import { AdminCall } from './admin-call.ts';
import { unregisterBroker } from './brokers.ts';
import { callOptionRules, otherOptionNames } from './call-options.ts';
import {
  alterClientQuotas,
  describeClientQuotas,
  quotaAlteration,
  quotaFilter,
  type AlterClientQuotasOptions,
  type ClientQuotaAlteration,
  type ClientQuotaFilter,
  type ClientQuotas,
} from './client-quotas.ts';
import { describeCluster, type ClusterDescription } from './cluster-description.ts';
import {
  configChanges,
  configResource,
  configResourceType,
  describeConfigs,
  incrementalAlterConfigs,
  listConfigResources,
  type AlterConfigsOptions,
  type ConfigChanges,
  type ConfigDescription,
  type ConfigResource,
  type DescribeConfigsOptions,
  type ListConfigResourcesOptions,
} from './configs.ts';
import {
  createDelegationToken,
  describeDelegationTokens,
  expireDelegationToken,
  renewDelegationToken,
  tokenHmac,
  type CreateDelegationTokenOptions,
  type DelegationToken,
  type DelegationTokenFields,
  type DescribeDelegationTokensOptions,
  type ExpireDelegationTokenOptions,
  type RenewDelegationTokenOptions,
} from './delegation-tokens.ts';
import { electAllLeaders, electLeaders, type ElectedLeader, type ElectionType } from './elections.ts';
import {
  describeFeatures,
  updateFeatures,
  type ClusterFeatures,
  type DescribeFeaturesOptions,
  type FeatureUpdate,
  type UpdateFeaturesOptions,
} from './features.ts';
import {
  alterGroupOffsets,
  deleteGroupOffsets,
  listGroupOffsets,
  type GroupOffset,
  type ListGroupOffsetsOptions,
  type NewGroupOffset,
} from './group-offsets.ts';
import {
  memberToRemove,
  removeAllMembers,
  removeMembers,
  type MemberToRemove,
  type RemoveMembersOptions,
} from './group-members.ts';
import {
  deleteGroups,
  describeGroups,
  listGroups,
  type GroupDescription,
  type GroupListing,
  type GroupMember,
  type ListGroupsOptions,
} from './groups.ts';
import type { ItemCheck } from './item-check.ts';
import * as checks from './item-checks.ts';
import { answerItems, answerList, type AdminOptions, type ItemsAnswer, type Settled } from './items.ts';
import {
  alterReplicaLogDirs,
  describeLogDirs,
  describeReplicaLogDirs,
  type AlterReplicaLogDirsOptions,
  type BrokerLogDirs,
  type BrokerReplica,
  type NewReplicaLogDir,
  type ReplicaLogDirs,
} from './log-dirs.ts';
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
import { describeMetadataQuorum, type MetadataQuorum } from './quorum.ts';
import {
  alterPartitionReassignments,
  listPartitionReassignments,
  type AlterPartitionReassignmentsOptions,
  type NewPartitionReassignment,
  type PartitionReassignment,
} from './reassignments.ts';
import {
  alterUserScramCredentials,
  describeAllUserScramCredentials,
  describeUserScramCredentials,
  scramAlteration,
  userName,
  type UserScramCredentialAlteration,
  type UserScramCredentialsDescription,
} from './scram-credentials.ts';
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
  newPartitions,
  newTopic,
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
 * Administers a cluster: topics, records, configurations, groups and their offsets, where replicas and leaders are, rules of access, users and quotas.
 *
 * A call resolves only when all it was asked for is done; moves of replicas, which may take hours, are waited for if asked. Most take one item or an array. One item resolves with its result or
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
    return this.#items(given, options, 'Cannot create topics', newTopic, (call, items) =>
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
    return this.#items(given, options, 'Cannot add partitions', newPartitions, (call, items) =>
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
    return this.#items(given, options, 'Cannot describe configurations', configResource, (call, items) =>
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
    return this.#items(given, options, 'Cannot alter configurations', configChanges, (call, items) =>
      incrementalAlterConfigs(call, items, options),
    );
  }

  /**
   * What has configurations, by type and name: topics, brokers, and the groups and client metrics that some were set for (KIP-1142, brokers from 4.1;
   * before, from 3.7, only `{ types: ['clientMetrics'] }`). Java: `listConfigResources`, `listClientMetricsResources`.
   *
   * @throws {@link BrokerError} `UNSUPPORTED_VERSION` the broker is too old
   */
  async listConfigResources(options: ListConfigResourcesOptions = {}): Promise<ConfigResource[]> {
    const doing = 'Cannot list resources that have configurations';
    const call = this.#begin(doing, options);
    const { types = [] } = options;
    for (const type of types) refuse(doing, configResourceType(type));
    return listConfigResources(call, types);
  }

  /**
   * Moves partitions to other brokers, or cancels moves that are under way (KIP-455). Java: `alterPartitionReassignments`.
   *
   * As in Java the call resolves once the controller has agreed: the brokers copy for as long as that takes, and
   * {@link Admin.listPartitionReassignments} tells of it. With `{ wait: true }` it resolves when the partitions are where they shall be. A partition
   * that is on its way already goes to the new brokers instead.
   *
   * @example
   * ```ts
   * await admin.alterPartitionReassignments({ topic: 'orders', partition: 0, replicas: [2, 3, 4] }, { wait: true, timeoutMs: 3_600_000 });
   * ```
   *
   * @throws {@link BrokerError} `INVALID_REPLICA_ASSIGNMENT` a broker is not there, `NO_REASSIGNMENT_IN_PROGRESS` there is nothing to cancel, or
   * with `wait` the move was cancelled, `REASSIGNMENT_IN_PROGRESS` with `wait`: another one has taken its place, `UNKNOWN_TOPIC_OR_PARTITION`
   * @throws {@link TimeoutError} `OPERATION_TIMEOUT` with `wait`: it is not done yet, and goes on
   */
  alterPartitionReassignments(
    partitions: readonly NewPartitionReassignment[],
    options: Settled<AlterPartitionReassignmentsOptions>,
  ): Promise<SettledItem<void>[]>;
  alterPartitionReassignments(
    partitions: readonly NewPartitionReassignment[],
    options?: AlterPartitionReassignmentsOptions,
  ): Promise<void[]>;
  alterPartitionReassignments(
    partition: NewPartitionReassignment,
    options: Settled<AlterPartitionReassignmentsOptions>,
  ): Promise<SettledItem<void>>;
  alterPartitionReassignments(
    partition: NewPartitionReassignment,
    options?: AlterPartitionReassignmentsOptions,
  ): Promise<void>;
  alterPartitionReassignments(
    given: NewPartitionReassignment | readonly NewPartitionReassignment[],
    options: AlterPartitionReassignmentsOptions = {},
  ): Promise<ItemsAnswer<void>> {
    return this.#items(given, options, 'Cannot alter partition reassignments', checks.reassignment, (call, items) =>
      alterPartitionReassignments(call, items, options),
    );
  }

  /**
   * The partitions that are on their way to other brokers, by topic and number (KIP-455). Those that are not, and those that do not exist, are left
   * out. Java: `listPartitionReassignments`.
   *
   * @param partitions only these; all of the cluster if not given
   */
  async listPartitionReassignments(
    partitions?: TopicPartition | readonly TopicPartition[],
    options: CallOptions = {},
  ): Promise<PartitionReassignment[]> {
    const doing = 'Cannot list partition reassignments';
    const call = this.#begin(doing, options);
    const wanted = partitions === undefined ? undefined : [partitions].flat();
    for (const each of wanted ?? []) refuse(doing, checks.topicPartition(each));
    return listPartitionReassignments(call, wanted);
  }

  /**
   * Elects leaders: the preferred ones, so that each broker leads its share again, or unclean ones, where no replica in sync is left (KIP-183,
   * KIP-460). Java: `electLeaders`.
   *
   * Where the election is not needed, what was asked for is so, and `elected` is false; Java has that as the error `ELECTION_NOT_NEEDED` of the
   * partition. Without `partitions` leaders are elected wherever that changes something, and the answer is of those partitions only. Clients learn of
   * new leaders a moment later.
   *
   * @throws {@link BrokerError} `PREFERRED_LEADER_NOT_AVAILABLE` it is down or not in sync, `ELIGIBLE_LEADERS_NOT_AVAILABLE` no replica is up,
   * `UNKNOWN_TOPIC_OR_PARTITION`
   */
  electLeaders(
    type: ElectionType,
    partitions: readonly TopicPartition[] | undefined,
    options: Settled,
  ): Promise<SettledItem<ElectedLeader>[]>;
  electLeaders(
    type: ElectionType,
    partitions?: readonly TopicPartition[],
    options?: AdminOptions,
  ): Promise<ElectedLeader[]>;
  electLeaders(type: ElectionType, partition: TopicPartition, options: Settled): Promise<SettledItem<ElectedLeader>>;
  electLeaders(type: ElectionType, partition: TopicPartition, options?: AdminOptions): Promise<ElectedLeader>;
  async electLeaders(
    type: ElectionType,
    given?: TopicPartition | readonly TopicPartition[],
    options: AdminOptions = {},
  ): Promise<ItemsAnswer<ElectedLeader>> {
    const doing = 'Cannot elect leaders';
    refuse(doing, checks.electionType(type));
    if (given === undefined) {
      return answerList(await electAllLeaders(this.#begin(doing, options), type), options, doing);
    }
    return this.#items(given, options, doing, checks.topicPartition, (call, items) => electLeaders(call, type, items));
  }

  /**
   * Describes the directories that brokers keep replicas in: their volumes, and the size of each replica (KIP-113, KIP-827). A directory that its broker
   * cannot use has an `error`, which is none of the call. Java: `describeLogDirs`.
   *
   * @param brokerIds the brokers, all of the cluster if not given
   * @throws {@link NetworkError} `BROKER_UNKNOWN` there is no broker of that id
   * @throws {@link AuthorizationError} `CLUSTER_AUTHORIZATION_FAILED`
   */
  describeLogDirs(brokerIds: readonly number[] | undefined, options: Settled): Promise<SettledItem<BrokerLogDirs>[]>;
  describeLogDirs(brokerIds?: readonly number[], options?: AdminOptions): Promise<BrokerLogDirs[]>;
  describeLogDirs(brokerId: number, options: Settled): Promise<SettledItem<BrokerLogDirs>>;
  describeLogDirs(brokerId: number, options?: AdminOptions): Promise<BrokerLogDirs>;
  async describeLogDirs(
    given?: number | readonly number[],
    options: AdminOptions = {},
  ): Promise<ItemsAnswer<BrokerLogDirs>> {
    const doing = 'Cannot describe log directories';
    if (given !== undefined) return this.#items(given, options, doing, checks.brokerId, describeLogDirs);
    const call = this.#begin(doing, options);
    const { brokers } = await describeCluster(call);
    const brokerIds = brokers.map(({ nodeId }) => nodeId);
    return answerList(await describeLogDirs(call, brokerIds), options, doing);
  }

  /**
   * Puts replicas in other directories of their brokers (KIP-113). Java: `alterReplicaLogDirs`.
   *
   * As in Java the call resolves once the broker has agreed, and copying goes on; with `{ wait: true }` it resolves when the replicas are where they
   * shall be. A replica that is being copied to another directory is copied to the new one instead.
   *
   * @throws {@link BrokerError} `LOG_DIR_NOT_FOUND` the broker has no such directory, `REPLICA_NOT_AVAILABLE` it does not hold the partition (it will
   * put it there if it comes to), `KAFKA_STORAGE_ERROR` it cannot use the directory, `UNKNOWN_TOPIC_OR_PARTITION`
   * @throws {@link NetworkError} `BROKER_UNKNOWN` there is no broker of that id
   * @throws {@link TimeoutError} `OPERATION_TIMEOUT` with `wait`: it is not done yet, and goes on
   */
  alterReplicaLogDirs(
    replicas: readonly NewReplicaLogDir[],
    options: Settled<AlterReplicaLogDirsOptions>,
  ): Promise<SettledItem<void>[]>;
  alterReplicaLogDirs(replicas: readonly NewReplicaLogDir[], options?: AlterReplicaLogDirsOptions): Promise<void[]>;
  alterReplicaLogDirs(
    replica: NewReplicaLogDir,
    options: Settled<AlterReplicaLogDirsOptions>,
  ): Promise<SettledItem<void>>;
  alterReplicaLogDirs(replica: NewReplicaLogDir, options?: AlterReplicaLogDirsOptions): Promise<void>;
  alterReplicaLogDirs(
    given: NewReplicaLogDir | readonly NewReplicaLogDir[],
    options: AlterReplicaLogDirsOptions = {},
  ): Promise<ItemsAnswer<void>> {
    return this.#items(given, options, 'Cannot alter log directories', checks.newReplicaLogDir, (call, items) =>
      alterReplicaLogDirs(call, items, options),
    );
  }

  /**
   * Tells in which directory replicas are, and where they are being copied to. Java: `describeReplicaLogDirs`.
   *
   * @throws {@link NetworkError} `BROKER_UNKNOWN` there is no broker of that id
   */
  describeReplicaLogDirs(replicas: readonly BrokerReplica[], options: Settled): Promise<SettledItem<ReplicaLogDirs>[]>;
  describeReplicaLogDirs(replicas: readonly BrokerReplica[], options?: AdminOptions): Promise<ReplicaLogDirs[]>;
  describeReplicaLogDirs(replica: BrokerReplica, options: Settled): Promise<SettledItem<ReplicaLogDirs>>;
  describeReplicaLogDirs(replica: BrokerReplica, options?: AdminOptions): Promise<ReplicaLogDirs>;
  describeReplicaLogDirs(
    given: BrokerReplica | readonly BrokerReplica[],
    options: AdminOptions = {},
  ): Promise<ItemsAnswer<ReplicaLogDirs>> {
    return this.#items(given, options, 'Cannot describe log directories', checks.replica, describeReplicaLogDirs);
  }

  /**
   * The features that a broker supports, and the levels that the cluster has agreed on (KIP-584). Java: `describeFeatures`.
   *
   * @throws {@link BrokerError} `UNSUPPORTED_VERSION` from brokers before 2.4
   */
  async describeFeatures(options: DescribeFeaturesOptions = {}): Promise<ClusterFeatures> {
    return describeFeatures(this.#begin('Cannot describe features', options), options);
  }

  /**
   * Raises or lowers features of the cluster, such as `share.version` (KIP-584, KIP-778). Brokers from 4.0 on change all of those given, or none.
   * Brokers act on it a moment later. Java: `updateFeatures`.
   *
   * @throws {@link BrokerError} `INVALID_UPDATE_VERSION` a broker or controller does not support the level, or it is lower and `upgradeType` does not
   * allow that, `FEATURE_UPDATE_FAILED`, `UNSUPPORTED_VERSION` from brokers before 2.7
   */
  updateFeatures(
    features: readonly FeatureUpdate[],
    options: Settled<UpdateFeaturesOptions>,
  ): Promise<SettledItem<void>[]>;
  updateFeatures(features: readonly FeatureUpdate[], options?: UpdateFeaturesOptions): Promise<void[]>;
  updateFeatures(feature: FeatureUpdate, options: Settled<UpdateFeaturesOptions>): Promise<SettledItem<void>>;
  updateFeatures(feature: FeatureUpdate, options?: UpdateFeaturesOptions): Promise<void>;
  updateFeatures(
    given: FeatureUpdate | readonly FeatureUpdate[],
    options: UpdateFeaturesOptions = {},
  ): Promise<ItemsAnswer<void>> {
    return this.#items(given, options, 'Cannot update features', checks.featureUpdate, (call, items) =>
      updateFeatures(call, items, options),
    );
  }

  /**
   * The controllers that keep the cluster's metadata, and how far each of them and each broker has read it (KIP-595, KIP-836). Java:
   * `describeMetadataQuorum`.
   *
   * @throws {@link BrokerError} `UNSUPPORTED_VERSION` the cluster has no quorum: it uses ZooKeeper, or is older than 3.3
   */
  async describeMetadataQuorum(options: CallOptions = {}): Promise<MetadataQuorum> {
    return describeMetadataQuorum(this.#begin('Cannot describe the metadata quorum', options));
  }

  /**
   * Has the cluster forget a broker that is down and will not come back: until then it counts when features are raised. One that runs, or is started
   * again, registers anew. Java: `unregisterBroker`.
   *
   * @throws {@link BrokerError} `BROKER_ID_NOT_REGISTERED` there is none of that id, `UNSUPPORTED_VERSION` the cluster uses ZooKeeper
   */
  async unregisterBroker(brokerId: number, options: CallOptions = {}): Promise<void> {
    refuse('Cannot unregister a broker', checks.brokerId(brokerId));
    return unregisterBroker(this.#begin(`Cannot unregister broker ${brokerId}`, options), brokerId);
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
   * Removes members from a group of consumers: those that are given, or all who are in it at the moment. Their partitions go to the others at once,
   * instead of when their session is over; so a static member that is not coming back need not be waited for. A consumer that runs joins again by
   * itself, and `all` resolves with who was in the group, which may have them again by then. Java: `removeMembersFromConsumerGroup` (KIP-345, KIP-571,
   * brokers from 2.4).
   *
   * @example
   * ```ts
   * await admin.removeMembersFromGroup('billing', { groupInstanceId: 'till-7' }, { reason: 'the shop is closed' });
   * ```
   *
   * @throws {@link BrokerError} `UNKNOWN_MEMBER_ID` the group has no such member, `FENCED_INSTANCE_ID` another one has its group instance id,
   * `GROUP_ID_NOT_FOUND` (with `all`)
   */
  removeMembersFromGroup(
    groupId: string,
    members: 'all',
    options: Settled<RemoveMembersOptions>,
  ): Promise<SettledItem<GroupMember>[]>;
  removeMembersFromGroup(groupId: string, members: 'all', options?: RemoveMembersOptions): Promise<GroupMember[]>;
  removeMembersFromGroup(
    groupId: string,
    members: readonly MemberToRemove[],
    options: Settled<RemoveMembersOptions>,
  ): Promise<SettledItem<void>[]>;
  removeMembersFromGroup(
    groupId: string,
    members: readonly MemberToRemove[],
    options?: RemoveMembersOptions,
  ): Promise<void[]>;
  removeMembersFromGroup(
    groupId: string,
    member: MemberToRemove,
    options: Settled<RemoveMembersOptions>,
  ): Promise<SettledItem<void>>;
  removeMembersFromGroup(groupId: string, member: MemberToRemove, options?: RemoveMembersOptions): Promise<void>;
  async removeMembersFromGroup(
    groupId: string,
    given: 'all' | MemberToRemove | readonly MemberToRemove[],
    options: RemoveMembersOptions = {},
  ): Promise<ItemsAnswer<GroupMember | void>> {
    const doing = `Cannot remove members from group ${quote(groupId)}`;
    if (given !== 'all') {
      return this.#items(given, options, doing, checks.ofGroup(groupId, memberToRemove), (call, items) =>
        removeMembers(call, groupId, items, options),
      );
    }
    refuse(doing, checks.groupId(groupId));
    return answerList(await removeAllMembers(this.#begin(doing, options), groupId, options), options, doing);
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

  /**
   * The rules of access (ACLs) that a filter finds; all of them if none is given. Java: `describeAcls`.
   *
   * @example
   * ```ts
   * // All that applies to the topic orders, for whomever.
   * await admin.describeAcls({ resourceType: 'topic', resourceName: 'orders', patternType: 'match' });
   * ```
   *
   * @throws {@link BrokerError} `SECURITY_DISABLED` the cluster has no authorizer
   * @throws {@link AuthorizationError} `CLUSTER_AUTHORIZATION_FAILED` we may not describe the cluster
   */
  async describeAcls(filter: AclFilter = {}, options: CallOptions = {}): Promise<Acl[]> {
    const doing = 'Cannot describe ACLs';
    refuse(doing, aclFilter(filter));
    return describeAcls(this.#begin(doing, options), filter);
  }

  /**
   * Creates rules of access (ACLs); one that is there already is no error. Brokers hold to them a moment after the call has resolved. Java:
   * `createAcls`.
   *
   * @example
   * ```ts
   * const reader = { principal: 'User:alice', operation: 'read', permissionType: 'allow' } as const;
   * await admin.createAcls([
   *   { resourceType: 'topic', resourceName: 'orders', ...reader },
   *   { resourceType: 'group', resourceName: 'billing-', patternType: 'prefixed', ...reader },
   * ]);
   * ```
   *
   * @throws {@link BrokerError} `SECURITY_DISABLED` the cluster has no authorizer; `UNSUPPORTED_VERSION` for the resource `user` and the
   * operations on delegation tokens, from brokers before 3.3
   * @throws {@link AuthorizationError} `CLUSTER_AUTHORIZATION_FAILED` we may not alter the cluster
   */
  createAcls(acls: readonly NewAcl[], options: Settled): Promise<SettledItem<void>[]>;
  createAcls(acls: readonly NewAcl[], options?: AdminOptions): Promise<void[]>;
  createAcls(acl: NewAcl, options: Settled): Promise<SettledItem<void>>;
  createAcls(acl: NewAcl, options?: AdminOptions): Promise<void>;
  createAcls(given: NewAcl | readonly NewAcl[], options: AdminOptions = {}): Promise<ItemsAnswer<void>> {
    return this.#items(given, options, 'Cannot create ACLs', newAcl, (call, items) => createAcls(call, items));
  }

  /**
   * Deletes the rules of access (ACLs) that filters find, and answers for each filter with those that were deleted; none is no error. Java:
   * `deleteAcls`.
   *
   * So that a variable that is undefined by mistake deletes no more than was meant, an empty filter and fields that are `undefined` are
   * refused; `{ resourceType: 'any' }` deletes all. If the answer to a try is lost, the rules that it deleted are missing from the result.
   *
   * @throws {@link BrokerError} `SECURITY_DISABLED` the cluster has no authorizer
   * @throws {@link AuthorizationError} `CLUSTER_AUTHORIZATION_FAILED` we may not alter the cluster
   */
  deleteAcls(filters: readonly AclFilter[], options: Settled): Promise<SettledItem<Acl[]>[]>;
  deleteAcls(filters: readonly AclFilter[], options?: AdminOptions): Promise<Acl[][]>;
  deleteAcls(filter: AclFilter, options: Settled): Promise<SettledItem<Acl[]>>;
  deleteAcls(filter: AclFilter, options?: AdminOptions): Promise<Acl[]>;
  deleteAcls(given: AclFilter | readonly AclFilter[], options: AdminOptions = {}): Promise<ItemsAnswer<Acl[]>> {
    return this.#items(given, options, 'Cannot delete ACLs', deletionFilter, (call, items) => deleteAcls(call, items));
  }

  /**
   * Which users can log in with SCRAM, by which mechanisms (KIP-554, brokers from 2.7): all users by name, or those that are given. Brokers
   * show no passwords, and no salt. Java: `describeUserScramCredentials`.
   *
   * @throws {@link BrokerError} `RESOURCE_NOT_FOUND` a user that was given has no credentials for SCRAM
   * @throws {@link AuthorizationError} `CLUSTER_AUTHORIZATION_FAILED` we may not describe the cluster (Kafka 4.3 does not answer then, and the
   * call ends by its time-out)
   */
  describeUserScramCredentials(users?: undefined, options?: CallOptions): Promise<UserScramCredentialsDescription[]>;
  describeUserScramCredentials(
    users: readonly string[],
    options: Settled,
  ): Promise<SettledItem<UserScramCredentialsDescription>[]>;
  describeUserScramCredentials(
    users: readonly string[],
    options?: AdminOptions,
  ): Promise<UserScramCredentialsDescription[]>;
  describeUserScramCredentials(user: string, options: Settled): Promise<SettledItem<UserScramCredentialsDescription>>;
  describeUserScramCredentials(user: string, options?: AdminOptions): Promise<UserScramCredentialsDescription>;
  async describeUserScramCredentials(
    given?: string | readonly string[],
    options: AdminOptions = {},
  ): Promise<ItemsAnswer<UserScramCredentialsDescription>> {
    const doing = 'Cannot describe SCRAM credentials';
    if (given === undefined) return describeAllUserScramCredentials(this.#begin(doing, options));
    return this.#items(given, options, doing, userName, (call, items) => describeUserScramCredentials(call, items));
  }

  /**
   * Sets and deletes credentials with which users log in by SCRAM (KIP-554, brokers from 2.7), each by itself: of the two that a user may have,
   * one may be changed and the other not. Brokers let a new user in a moment after the call has resolved. Java: `alterUserScramCredentials`,
   * where a call takes one change of each user.
   *
   * A password is salted and hashed here, and the outcome is sent: who sees that can log in with it, so call this over TLS. Hashing takes some
   * milliseconds for each, one after the other: thousands at a time want a longer `timeoutMs`.
   *
   * @example
   * ```ts
   * await admin.alterUserScramCredentials([
   *   { user: 'alice', mechanism: 'scram-sha-512', password },
   *   { user: 'alice', mechanism: 'scram-sha-256', delete: true },
   * ]);
   * ```
   *
   * @throws {@link BrokerError} `RESOURCE_NOT_FOUND` there is no such credential to delete, `UNACCEPTABLE_CREDENTIAL`
   * @throws {@link AuthorizationError} `CLUSTER_AUTHORIZATION_FAILED` we may not alter the cluster
   */
  alterUserScramCredentials(
    alterations: readonly UserScramCredentialAlteration[],
    options: Settled,
  ): Promise<SettledItem<void>[]>;
  alterUserScramCredentials(
    alterations: readonly UserScramCredentialAlteration[],
    options?: AdminOptions,
  ): Promise<void[]>;
  alterUserScramCredentials(alteration: UserScramCredentialAlteration, options: Settled): Promise<SettledItem<void>>;
  alterUserScramCredentials(alteration: UserScramCredentialAlteration, options?: AdminOptions): Promise<void>;
  alterUserScramCredentials(
    given: UserScramCredentialAlteration | readonly UserScramCredentialAlteration[],
    options: AdminOptions = {},
  ): Promise<ItemsAnswer<void>> {
    return this.#items(given, options, 'Cannot alter SCRAM credentials', scramAlteration, (call, items) =>
      alterUserScramCredentials(call, items),
    );
  }

  /**
   * The quotas that were set for users, client ids and addresses (KIP-546, brokers from 2.6): those that a filter finds, all if none is given.
   * Which of them holds for a client is the broker's decision. Java: `describeClientQuotas`.
   *
   * @throws {@link AuthorizationError} `CLUSTER_AUTHORIZATION_FAILED` we may not describe the configurations of the cluster
   */
  async describeClientQuotas(filter: ClientQuotaFilter = {}, options: CallOptions = {}): Promise<ClientQuotas[]> {
    const doing = 'Cannot describe client quotas';
    refuse(doing, quotaFilter(filter));
    return describeClientQuotas(this.#begin(doing, options), filter);
  }

  /**
   * Sets and removes quotas of users, client ids and addresses (KIP-546, brokers from 2.6); those that are not named stay as they are. Brokers
   * hold to them a moment after the call has resolved. Java: `alterClientQuotas`.
   *
   * @example
   * ```ts
   * await admin.alterClientQuotas([
   *   { entity: { user: 'alice' }, quotas: { producer_byte_rate: 1_048_576, consumer_byte_rate: null } },
   *   { entity: { clientId: null }, quotas: { request_percentage: 50 } }, // client ids without quotas of their own
   * ]);
   * ```
   *
   * @throws {@link BrokerError} `INVALID_REQUEST` the broker does not have the quota, or not with this value
   * @throws {@link AuthorizationError} `CLUSTER_AUTHORIZATION_FAILED` we may not alter the configurations of the cluster
   */
  alterClientQuotas(
    alterations: readonly ClientQuotaAlteration[],
    options: Settled<AlterClientQuotasOptions>,
  ): Promise<SettledItem<void>[]>;
  alterClientQuotas(alterations: readonly ClientQuotaAlteration[], options?: AlterClientQuotasOptions): Promise<void[]>;
  alterClientQuotas(
    alteration: ClientQuotaAlteration,
    options: Settled<AlterClientQuotasOptions>,
  ): Promise<SettledItem<void>>;
  alterClientQuotas(alteration: ClientQuotaAlteration, options?: AlterClientQuotasOptions): Promise<void>;
  alterClientQuotas(
    given: ClientQuotaAlteration | readonly ClientQuotaAlteration[],
    options: AlterClientQuotasOptions = {},
  ): Promise<ItemsAnswer<void>> {
    return this.#items(given, options, 'Cannot alter client quotas', quotaAlteration, (call, items) =>
      alterClientQuotas(call, items, options),
    );
  }

  /**
   * Makes a token with which others can log in as its owner, without knowing the owner's password (KIP-48). Java: `createDelegationToken`.
   *
   * @example
   * ```ts
   * const { tokenId, hmac } = await admin.createDelegationToken({ renewers: ['User:scheduler'], maxLifetimeMs: 86_400_000 });
   * // In the worker that was given both:
   * const sasl = { mechanism: 'scram-sha-256', delegationToken: { tokenId, hmac } } as const;
   * ```
   *
   * @throws {@link BrokerError} `DELEGATION_TOKEN_AUTH_DISABLED` the cluster has no secret for tokens, `DELEGATION_TOKEN_REQUEST_NOT_ALLOWED` this
   * client has not logged in, or with a token, `DELEGATION_TOKEN_AUTHORIZATION_FAILED` it may not make one for the owner, `INVALID_PRINCIPAL_TYPE`
   */
  async createDelegationToken(options: CreateDelegationTokenOptions = {}): Promise<DelegationToken> {
    return createDelegationToken(this.#begin('Cannot create a delegation token', options), options);
  }

  /**
   * Prolongs a token (the token, or its `hmac`). Resolves with when it ends now, in milliseconds since 1970. Java: `renewDelegationToken`.
   *
   * @throws {@link BrokerError} `DELEGATION_TOKEN_NOT_FOUND`, `DELEGATION_TOKEN_EXPIRED` it has ended, `DELEGATION_TOKEN_OWNER_MISMATCH` it is not
   * ours, and we are none of its renewers
   */
  async renewDelegationToken(
    token: DelegationTokenFields | string,
    options: RenewDelegationTokenOptions = {},
  ): Promise<number> {
    const doing = 'Cannot renew a delegation token';
    refuse(doing, tokenHmac(token));
    return renewDelegationToken(this.#begin(doing, options), token, options);
  }

  /**
   * Ends a token (the token, or its `hmac`) at once, or sets when it ends. Resolves with that, in milliseconds since 1970. Connections that logged
   * in with it live on until they log in again. Java: `expireDelegationToken`.
   *
   * @throws {@link BrokerError} `DELEGATION_TOKEN_NOT_FOUND`, `DELEGATION_TOKEN_EXPIRED`, `DELEGATION_TOKEN_OWNER_MISMATCH`
   */
  async expireDelegationToken(
    token: DelegationTokenFields | string,
    options: ExpireDelegationTokenOptions = {},
  ): Promise<number> {
    const doing = 'Cannot expire a delegation token';
    refuse(doing, tokenHmac(token));
    return expireDelegationToken(this.#begin(doing, options), token, options);
  }

  /**
   * The tokens that we own, or may prolong, and others that we have the right to describe. Java: `describeDelegationToken`.
   *
   * @throws {@link BrokerError} `DELEGATION_TOKEN_AUTH_DISABLED`, `DELEGATION_TOKEN_REQUEST_NOT_ALLOWED`
   */
  async describeDelegationTokens(options: DescribeDelegationTokensOptions = {}): Promise<DelegationToken[]> {
    return describeDelegationTokens(this.#begin('Cannot describe delegation tokens', options), options);
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
    check: ItemCheck,
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
