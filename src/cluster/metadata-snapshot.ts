/** A broker as the cluster advertises it to clients. */
export interface Broker {
  /** The broker's id. */
  readonly nodeId: number;
  /** The host it advertises. */
  readonly host: string;
  /** The port it advertises. */
  readonly port: number;
  /** The rack or zone that the broker is in, where its configuration says so. */
  readonly rack?: string | null | undefined;
}

/** One partition of a topic, as of some leader epoch. */
export interface PartitionMetadata {
  /** The number of the partition. */
  readonly partition: number;
  /** The broker that leads the partition; -1 while there is none. */
  readonly leaderId: number;
  /** Rises with each new leader; -1 where the broker is too old to tell. */
  readonly leaderEpoch: number;
  /** The brokers that hold it, the preferred leader first. */
  readonly replicas: readonly number[];
  /** Those of them that are in sync with the leader. */
  readonly isr: readonly number[];
  /** Those of them that are not running. */
  readonly offlineReplicas: readonly number[];
  /** 0, or why the partition cannot be used just now. */
  readonly errorCode: number;
}

/** One topic, as a broker described it. */
export interface TopicMetadata {
  readonly name: string;
  /** Kafka's id of the topic, {@link UNKNOWN_TOPIC_ID} from brokers that have no ids. A topic that is created again has another. */
  readonly topicId: string;
  /** Whether Kafka keeps the topic for itself. */
  readonly isInternal: boolean;
  /** 0, or why the topic cannot be used. */
  readonly errorCode: number;
  /** In order: the entry of partition n stands at index n. */
  readonly partitions: readonly PartitionMetadata[];
}

/** A leader that another response than Metadata told of (KIP-951). */
export interface LeaderHint {
  readonly topic: string;
  readonly partition: number;
  readonly leaderId: number;
  readonly leaderEpoch: number;
}

/** What one answer of a broker says about the cluster. */
export interface MetadataUpdate {
  readonly clusterId: string | undefined;
  readonly controllerId: number;
  readonly brokers: readonly Broker[];
  readonly topics: readonly TopicMetadata[];
  /** Topics that stay as they are if the answer does not name them; all others go. */
  readonly keep: (topic: string) => boolean;
}

/** The id of a topic whose broker gave none. */
export const UNKNOWN_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAA';

interface SnapshotParts {
  readonly clusterId: string | undefined;
  readonly controllerId: number;
  readonly brokers: ReadonlyMap<number, Broker>;
  readonly topics: ReadonlyMap<string, TopicMetadata>;
}

/**
 * What is known of the cluster at one moment. It never changes: an update makes a new snapshot, so that whoever decides on
 * one decides on facts that fit together.
 */
export class MetadataSnapshot {
  /** The snapshot of a client that has heard of no cluster yet. */
  static readonly empty: MetadataSnapshot = new MetadataSnapshot({
    clusterId: undefined,
    controllerId: -1,
    brokers: new Map(),
    topics: new Map(),
  });

  readonly clusterId: string | undefined;
  /** The broker to send controller requests to, -1 if unknown. */
  readonly controllerId: number;
  readonly brokers: ReadonlyMap<number, Broker>;
  readonly topics: ReadonlyMap<string, TopicMetadata>;
  #names: Map<string, string> | undefined;

  private constructor(parts: SnapshotParts) {
    this.clusterId = parts.clusterId;
    this.controllerId = parts.controllerId;
    this.brokers = parts.brokers;
    this.topics = parts.topics;
  }

  topic(name: string): TopicMetadata | undefined {
    return this.topics.get(name);
  }

  /** The name of the topic with this id. */
  topicName(topicId: string): string | undefined {
    if (this.#names === undefined) {
      this.#names = new Map();
      for (const topic of this.topics.values()) {
        if (topic.topicId !== UNKNOWN_TOPIC_ID) this.#names.set(topic.topicId, topic.name);
      }
    }
    return this.#names.get(topicId);
  }

  partition(topic: string, partition: number): PartitionMetadata | undefined {
    return this.topics.get(topic)?.partitions[partition];
  }

  /** The broker that leads the partition, if there is one and its address is known. */
  leader(topic: string, partition: number): Broker | undefined {
    const leaderId = this.partition(topic, partition)?.leaderId;
    return leaderId === undefined ? undefined : this.brokers.get(leaderId);
  }

  /** The snapshot after a Metadata response. */
  withUpdate(update: MetadataUpdate): MetadataSnapshot {
    const topics = new Map([...this.topics].filter(([name]) => update.keep(name)));
    for (const topic of update.topics) topics.set(topic.name, mergeTopic(this.topics.get(topic.name), topic));
    const brokers = usableBrokers(update.brokers);
    return new MetadataSnapshot({
      clusterId: update.clusterId ?? this.clusterId,
      controllerId: update.controllerId,
      // A broker that has only just started may know of none, itself included: that is no news about the others.
      brokers: brokers.size === 0 ? this.brokers : brokers,
      topics,
    });
  }

  /** The snapshot after another response named new leaders; this one itself if it knew all that already. */
  withLeaders(leaders: readonly LeaderHint[], brokers: readonly Broker[]): MetadataSnapshot {
    const topics = new Map(this.topics);
    let changed = false;
    for (const hint of leaders) {
      const topic = topics.get(hint.topic);
      const known = topic?.partitions[hint.partition];
      if (topic === undefined || known === undefined || hint.leaderId < 0) continue;
      if (hint.leaderEpoch <= known.leaderEpoch) continue;
      const partitions = topic.partitions.slice();
      partitions[hint.partition] = { ...known, leaderId: hint.leaderId, leaderEpoch: hint.leaderEpoch, errorCode: 0 };
      topics.set(hint.topic, { ...topic, partitions });
      changed = true;
    }
    const learned = [...usableBrokers(brokers).values()].filter(
      (broker) => !isSameEndpoint(this.brokers.get(broker.nodeId), broker),
    );
    if (!changed && learned.length === 0) return this;
    const merged = new Map(this.brokers);
    for (const broker of learned) merged.set(broker.nodeId, broker);
    return new MetadataSnapshot({
      clusterId: this.clusterId,
      controllerId: this.controllerId,
      brokers: merged,
      topics,
    });
  }
}

/** Whether both are at the same address. */
function isSameEndpoint(a: Broker | undefined, b: Broker | undefined): boolean {
  return a?.host === b?.host && a?.port === b?.port;
}

function usableBrokers(brokers: readonly Broker[]): Map<number, Broker> {
  const usable = brokers.filter((broker) => broker.host.length > 0 && broker.port > 0 && broker.port <= 65_535);
  return new Map(usable.map((broker) => [broker.nodeId, broker]));
}

function mergeTopic(previous: TopicMetadata | undefined, update: TopicMetadata): TopicMetadata {
  const known = previous !== undefined && isSameTopic(previous, update) ? previous.partitions : [];
  const told = inOrder(update.partitions);
  // Partitions of a topic are never removed: an answer with fewer comes from a broker that lags behind. An answer with an
  // error has none at all, and then what was known is no guide any more.
  const count = update.errorCode === 0 ? Math.max(told.length, known.length) : told.length;
  const partitions: PartitionMetadata[] = [];
  for (let partition = 0; partition < count; partition++) {
    partitions.push(newerOf(known[partition], told[partition]) ?? leaderless(partition));
  }
  return { ...update, partitions };
}

function isSameTopic(previous: TopicMetadata, update: TopicMetadata): boolean {
  if (previous.topicId === UNKNOWN_TOPIC_ID || update.topicId === UNKNOWN_TOPIC_ID) return true;
  return previous.topicId === update.topicId;
}

/** Brokers learn of a new leader one after another: without this an answer of a slow one would send us back to the old leader. */
function newerOf(
  known: PartitionMetadata | undefined,
  told: PartitionMetadata | undefined,
): PartitionMetadata | undefined {
  if (known === undefined || told === undefined) return told ?? known;
  return told.leaderEpoch >= 0 && told.leaderEpoch < known.leaderEpoch ? known : told;
}

/** By partition number; a number that cannot be right (the array is as long as the topic) is left out, not allocated for. */
function inOrder(partitions: readonly PartitionMetadata[]): (PartitionMetadata | undefined)[] {
  const ordered = new Array<PartitionMetadata | undefined>(partitions.length).fill(undefined);
  for (const partition of partitions) {
    if (partition.partition >= 0 && partition.partition < ordered.length) ordered[partition.partition] = partition;
  }
  return ordered;
}

function leaderless(partition: number): PartitionMetadata {
  const none = { replicas: [], isr: [], offlineReplicas: [] };
  return { partition, leaderId: -1, leaderEpoch: -1, ...none, errorCode: LEADER_NOT_AVAILABLE };
}

const LEADER_NOT_AVAILABLE = 5;
