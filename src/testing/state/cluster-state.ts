import { LogStorage } from '../log/log-storage.ts';
import { PartitionLog } from '../log/partition-log.ts';
import type { Clock } from '../../util/clock.ts';
import { javaHash } from '../../util/java-hash.ts';
import { Watchable } from '../watch.ts';
import type { BrokerState } from './broker-state.ts';
import { configDefaults } from './config-defaults.ts';
import type { ConfigRow } from './config-row.ts';
import { PartitionState } from './partition-state.ts';
import { spreadReplicas } from './replica-placement.ts';
import { TopicState } from './topic-state.ts';

/** What a cluster is made of from the start. */
export interface ClusterSettings {
  readonly clusterId: string;
  readonly clock: Clock;
  /** Chance, from the seed: equal seeds make equal runs. */
  readonly random: () => number;
  readonly brokers: readonly BrokerState[];
  /** Finalized features and their levels, such as `transaction.version`; none for a Kafka before them. */
  readonly features: ReadonlyMap<string, number>;
  /** Broker settings by Kafka's names, for all brokers. */
  readonly configs: ReadonlyMap<string, string>;
  /** How much memory the records of all topics may take; 256 MiB if left out. */
  readonly retentionBytes?: number;
}

/** How a topic is to be made. */
export interface TopicPlan {
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly configs?: ReadonlyMap<string, string>;
  /** The replicas of each partition, where the caller places them. */
  readonly assignment?: readonly (readonly number[])[];
}

/** A topic as a data folder keeps it. */
export interface StoredTopic {
  readonly name: string;
  readonly topicId: string;
  readonly configs: readonly (readonly [string, string])[];
  readonly partitions: readonly {
    readonly replicas: readonly number[];
    readonly leaderEpoch: number;
    readonly partitionEpoch: number;
  }[];
}

/** What a coordinator is for. */
export type CoordinatorType = 'group' | 'transaction' | 'share';

/** The topics that coordinators keep their state in; the leader of a partition coordinates what hashes to it. */
export const internalTopics: Readonly<Record<CoordinatorType, string>> = {
  group: '__consumer_offsets',
  transaction: '__transaction_state',
  share: '__share_group_state',
};

/**
 * The whole cluster as its controller sees it: brokers, topics, settings. It knows no socket.
 *
 * What has state of its own beside that (groups, transactions, quotas …) is a service: a class made at first use, {@link service}.
 */
export class ClusterState {
  readonly clusterId: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly brokers: ReadonlyMap<number, BrokerState>;
  readonly topics: Map<string, TopicState> = new Map();
  readonly topicsById: Map<string, TopicState> = new Map();
  readonly features: Map<string, number>;
  /** Broker settings from the start; those set while the brokers run win. */
  readonly configs: ReadonlyMap<string, string>;
  /** Broker settings for all brokers, set while they run; those of one broker win. */
  readonly dynamicConfigs: Map<string, string> = new Map();
  /** What was set for groups, by group id. */
  readonly groupConfigs: Map<string, Map<string, string>> = new Map();
  /** Told when brokers, topics, leaders or settings change. */
  readonly changed: Watchable = new Watchable();
  controllerId: number;
  /** The memory of all logs. */
  readonly storage: LogStorage;
  readonly #services = new Map<unknown, unknown>();

  constructor(settings: ClusterSettings) {
    this.clusterId = settings.clusterId;
    this.clock = settings.clock;
    this.random = settings.random;
    this.brokers = new Map(settings.brokers.map((broker) => [broker.id, broker]));
    this.features = new Map(settings.features);
    this.configs = new Map(settings.configs);
    this.controllerId = settings.brokers[0]?.id ?? -1;
    this.storage = new LogStorage(settings.retentionBytes);
  }

  /** The one instance of a part of the cluster, such as its group coordinator. */
  service<T>(type: new (cluster: ClusterState) => T): T {
    const known = this.#services.get(type);
    if (known !== undefined) return known as T;
    const made = new type(this);
    this.#services.set(type, made);
    return made;
  }

  runningBrokers(): BrokerState[] {
    return [...this.brokers.values()].filter((broker) => broker.isRunning);
  }

  /** The value of a broker setting: of the broker, else set for all while they ran, else from the start, else Kafka's default. */
  brokerConfig(name: string, broker?: BrokerState): string {
    const set = broker?.configs.get(name) ?? this.dynamicConfigs.get(name) ?? this.configs.get(name);
    return set ?? configDefaults.broker.get(name)?.[2] ?? '';
  }

  /** The value of a topic setting: of the topic, else of the broker setting that it inherits from, else Kafka's default. */
  topicConfig(topic: TopicState, name: string): string {
    return topic.configs.get(name) ?? this.#inherited(configDefaults.topic.get(name));
  }

  /** The value of a group setting: of the group, else of the broker setting that it inherits from, else Kafka's default. */
  groupConfig(groupId: string, name: string): string {
    return this.groupConfigs.get(groupId)?.get(name) ?? this.#inherited(configDefaults.group.get(name));
  }

  #inherited(row: ConfigRow | undefined): string {
    const [, , defaultValue = null, parent = null] = row ?? [];
    const set = parent === null ? undefined : (this.dynamicConfigs.get(parent) ?? this.configs.get(parent));
    return set ?? defaultValue ?? '';
  }

  partition(topic: string, partition: number): PartitionState | undefined {
    return this.topics.get(topic)?.partitions[partition];
  }

  /** Adds a topic whose name and settings were checked. */
  createTopic(plan: TopicPlan): TopicState {
    const topic = new TopicState(plan.name, this.uuid(), plan.name.startsWith('__'));
    for (const [name, value] of plan.configs ?? []) topic.configs.set(name, value);
    const assignment =
      plan.assignment ?? spreadReplicas(this.runningBrokers(), plan.partitions, plan.replicationFactor, this.random);
    assignment.forEach((replicas) => this.#addPartition(topic, replicas));
    this.topics.set(topic.name, topic);
    this.topicsById.set(topic.topicId, topic);
    this.changed.notify();
    return topic;
  }

  /** Adds a topic as it was before a restart, which every partition gets a new leader epoch by. */
  restoreTopic({ name, topicId, configs, partitions }: StoredTopic): TopicState {
    const topic = new TopicState(name, topicId, name.startsWith('__'));
    for (const [key, value] of configs) topic.configs.set(key, value);
    partitions.forEach(({ replicas, leaderEpoch, partitionEpoch }, index) => {
      this.#addPartition(topic, replicas);
      const partition = topic.partitions[index];
      if (partition === undefined) return;
      partition.leaderEpoch = leaderEpoch + 1;
      partition.partitionEpoch = partitionEpoch + 1;
    });
    this.topics.set(name, topic);
    this.topicsById.set(topicId, topic);
    this.changed.notify();
    return topic;
  }

  addPartitions(topic: TopicState, assignments: readonly (readonly number[])[]): void {
    for (const replicas of assignments) this.#addPartition(topic, replicas);
    this.changed.notify();
  }

  deleteTopic(topic: TopicState): void {
    this.topics.delete(topic.name);
    this.topicsById.delete(topic.topicId);
    for (const partition of topic.partitions) {
      partition.leaderId = -1;
      partition.log.close();
      partition.changed.notify();
    }
    this.changed.notify();
  }

  /** The partition of the internal topic that holds what is kept under this key; the topic is made when it is first needed. */
  coordinatorPartition(type: CoordinatorType, key: string): PartitionState {
    const name = internalTopics[type];
    const topic = this.topics.get(name) ?? this.#createInternalTopic(name, type);
    const partition = topic.partitions[(javaHash(key) & 0x7fff_ffff) % topic.partitions.length];
    if (partition === undefined) throw new Error(`"${name}" has no partitions`);
    return partition;
  }

  /** The broker that coordinates this key; undefined while none can. */
  coordinator(type: CoordinatorType, key: string): BrokerState | undefined {
    const broker = this.brokers.get(this.coordinatorPartition(type, key).leaderId);
    return broker?.isRunning === true ? broker : undefined;
  }

  /** A random uuid in Kafka's text form. */
  uuid(): string {
    return Buffer.from(Array.from({ length: 16 }, () => Math.floor(this.random() * 256))).toString('base64url');
  }

  #createInternalTopic(name: string, type: CoordinatorType): TopicState {
    const prefix = {
      group: 'offsets.topic',
      transaction: 'transaction.state.log',
      share: 'share.coordinator.state.topic',
    }[type];
    const replicationFactor = Math.min(Number(this.brokerConfig(`${prefix}.replication.factor`)), this.brokers.size);
    const partitions = Number(this.brokerConfig(`${prefix}.num.partitions`));
    return this.createTopic({ name, partitions, replicationFactor, configs: new Map([['cleanup.policy', 'compact']]) });
  }

  #addPartition(topic: TopicState, replicas: readonly number[]): void {
    const log = new PartitionLog({
      storage: this.storage,
      mayDelete: () => this.topicConfig(topic, 'cleanup.policy').includes('delete'),
      dropped: () => partition.changed.notify(),
    });
    const partition: PartitionState = new PartitionState(topic.name, topic.partitions.length, replicas, log);
    const running = replicas.filter((id) => this.brokers.get(id)?.isRunning === true);
    partition.isr = running;
    partition.leaderId = running[0] ?? -1;
    topic.partitions.push(partition);
  }
}
