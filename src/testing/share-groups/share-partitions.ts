import type { ClusterState } from '../state/cluster-state.ts';
import { Watchable } from '../watch.ts';
import type { SavedBatch, SavedShareState } from './share-partition-state.ts';

/** One partition of one share group. */
export interface SharePartitionKey {
  readonly groupId: string;
  readonly topicId: string;
  readonly partition: number;
}

/** A partition of a share group with what is written down of it. */
export interface SavedSharePartition extends SharePartitionKey {
  readonly state: SavedShareState;
}

/**
 * What the share coordinator keeps: where each share group stands in each of its partitions. The group coordinator begins,
 * alters and deletes it, as Kafka's does through its persister; the leaders of the partitions read and write it.
 */
export class SharePartitions {
  readonly #byGroup = new Map<string, Map<string, SavedSharePartition>>();
  /** Told when anything was written. */
  readonly changed: Watchable = new Watchable();

  constructor(cluster: ClusterState) {
    cluster.changed.watch(() => this.#forgetDeletedTopics(cluster));
  }

  /** What is written down; undefined for a partition that nobody has initialised. */
  find({ groupId, topicId, partition }: SharePartitionKey): SavedShareState | undefined {
    return this.#byGroup.get(groupId)?.get(textOf(topicId, partition))?.state;
  }

  /** All initialised partitions of a group. */
  of(groupId: string): SavedSharePartition[] {
    return [...(this.#byGroup.get(groupId)?.values() ?? [])];
  }

  /** Begins a partition at an offset, -1 for what `share.auto.offset.reset` says; does nothing to one that has begun. */
  initialize(key: SharePartitionKey, startOffset = -1n): void {
    if (this.find(key) !== undefined) return;
    this.write(key, { stateEpoch: 0, leaderEpoch: 0, startOffset, batches: [] });
  }

  /** Lets a partition begin anew at an offset: deliveries so far, and their counts, are forgotten. */
  setStartOffset(key: SharePartitionKey, startOffset: bigint): void {
    const stateEpoch = (this.find(key)?.stateEpoch ?? -1) + 1;
    this.write(key, { stateEpoch, leaderEpoch: 0, startOffset, batches: [] });
  }

  /** Forgets where a group stands in a topic. */
  delete(groupId: string, topicId: string): void {
    for (const { partition } of this.of(groupId).filter((each) => each.topicId === topicId))
      this.#byGroup.get(groupId)?.delete(textOf(topicId, partition));
    if (this.#byGroup.get(groupId)?.size === 0) this.#byGroup.delete(groupId);
    this.changed.notify();
  }

  /** Forgets a group. */
  deleteGroup(groupId: string): void {
    this.#byGroup.delete(groupId);
    this.changed.notify();
  }

  /** Writes down where a group stands, as the leader of the partition does. */
  write(key: SharePartitionKey, state: SavedShareState): void {
    const { groupId, topicId, partition } = key;
    const partitions = this.#byGroup.get(groupId) ?? new Map<string, SavedSharePartition>();
    partitions.set(textOf(topicId, partition), { groupId, topicId, partition, state });
    this.#byGroup.set(groupId, partitions);
    this.changed.notify();
  }

  /** Everything that is written down; fit for JSON. */
  snapshot(): readonly SharePartitionRecord[] {
    return [...this.#byGroup.keys()].flatMap((groupId) => this.of(groupId).map(recordOf));
  }

  /** Goes on from a snapshot. */
  restore(records: readonly SharePartitionRecord[]): void {
    for (const { groupId, topicId, partition, state } of records) {
      const batches = state.batches.map(({ firstOffset, lastOffset, ...rest }) => ({
        ...rest,
        firstOffset: BigInt(firstOffset),
        lastOffset: BigInt(lastOffset),
      }));
      this.write({ groupId, topicId, partition }, { ...state, startOffset: BigInt(state.startOffset), batches });
    }
  }

  #forgetDeletedTopics(cluster: ClusterState): void {
    for (const groupId of [...this.#byGroup.keys()]) {
      const topicIds = new Set(this.of(groupId).map(({ topicId }) => topicId));
      for (const topicId of topicIds) if (!cluster.topicsById.has(topicId)) this.delete(groupId, topicId);
    }
  }
}

/** What is written down of a partition, with offsets as text. */
export interface SharePartitionRecord extends SharePartitionKey {
  readonly state: Omit<SavedShareState, 'startOffset' | 'batches'> & {
    readonly startOffset: string;
    readonly batches: readonly (Omit<SavedBatch, 'firstOffset' | 'lastOffset'> & {
      readonly firstOffset: string;
      readonly lastOffset: string;
    })[];
  };
}

function recordOf({ groupId, topicId, partition, state }: SavedSharePartition): SharePartitionRecord {
  const batches = state.batches.map(({ firstOffset, lastOffset, ...rest }) => ({
    ...rest,
    firstOffset: String(firstOffset),
    lastOffset: String(lastOffset),
  }));
  return { groupId, topicId, partition, state: { ...state, startOffset: String(state.startOffset), batches } };
}

function textOf(topicId: string, partition: number): string {
  return `${topicId}/${partition}`;
}
