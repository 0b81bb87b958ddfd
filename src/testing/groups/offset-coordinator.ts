import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { ClassicIdentity } from './classic-group-messages.ts';
import { CommittedOffsets, isOfOtherTopic, type CommittedOffset, type OffsetRecord } from './committed-offsets.ts';
import { GroupRegistry, type GroupEntry } from './group-registry.ts';
import { partitionKey } from './topics-view.ts';
import { isSubscribedTo, subscribedTopics } from './subscribed-topics.ts';

const errors = brokerErrorCodes;

/** One partition of a commit. */
export interface PartitionCommit {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly leaderEpoch: number;
  readonly metadata: string | null;
}

/** Who commits. */
export interface Committer extends ClassicIdentity {
  readonly groupId: string;
  /** Of a classic group; in the new protocol the member's epoch. -1 without membership. */
  readonly generationId: number;
  readonly version: number;
}

/** What a partition's committed offset is answered with. */
export interface FetchedOffset {
  readonly errorCode: number;
  readonly offset: bigint;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

const noOffset: FetchedOffset = { errorCode: 0, offset: -1n, leaderEpoch: -1, metadata: '' };

/** What the coordinators do with the offsets of their groups. */
export class OffsetCoordinator {
  readonly #cluster: ClusterState;
  readonly #registry: GroupRegistry;
  readonly #offsets = new CommittedOffsets();
  readonly #knownTopics = new Map<string, string>();

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
    this.#registry = cluster.service(GroupRegistry);
    cluster.changed.watch(() => this.#forgetDeletedTopics());
    this.#checkLater();
  }

  /** OffsetCommit: an error code for all, or one for each partition. */
  commit(committer: Committer, commits: readonly PartitionCommit[], retentionMs: bigint): number | number[] {
    const problem = this.#committerProblem(committer, commits, false);
    if (problem !== undefined) return problem;
    const entry = this.#registry.findOrCreate(committer.groupId);
    const { machine } = entry;
    if (machine.type === 'classic' && (machine.state === 'Stable' || machine.state === 'PreparingRebalance'))
      this.#registry.run(entry, (nowMs) => machine.keepAlive(committer.memberId, nowMs));
    const nowMs = this.#cluster.clock.wallMs();
    const expireMs = retentionMs === -1n ? undefined : nowMs + Number(retentionMs);
    const codes = commits.map((commit) => {
      if (this.isTooLarge(commit.metadata)) return errors.OFFSET_METADATA_TOO_LARGE;
      this.#offsets.commit(committer.groupId, commit.topic, commit.partition, this.#committed(commit, expireMs));
      return 0;
    });
    this.#registry.changed.notify();
    return codes;
  }

  /** TxnOffsetCommit: kept until the producer's transaction ends. */
  commitInTransaction(
    committer: Committer,
    producerId: bigint,
    commits: readonly PartitionCommit[],
  ): number | number[] {
    const problem = this.transactionProblem(committer, commits);
    if (problem !== undefined) return problem;
    const { groupId } = committer;
    this.#registry.findOrCreate(groupId);
    return commits.map((commit) => {
      if (this.isTooLarge(commit.metadata)) return errors.OFFSET_METADATA_TOO_LARGE;
      const { topic, partition } = commit;
      this.#offsets.commitPending(producerId, groupId, topic, partition, this.#committed(commit, undefined));
      return 0;
    });
  }

  /** Why this member may not commit; undefined if it may. */
  transactionProblem(committer: Committer, commits: readonly PartitionCommit[]): number | undefined {
    const problem = this.#committerProblem(committer, commits, true);
    // The error of the new protocol is not one of this request's.
    return problem === errors.STALE_MEMBER_EPOCH ? errors.ILLEGAL_GENERATION : problem;
  }

  /** The offset of a partition; `requireStable` refuses one that a transaction is about to change (KIP-447). */
  fetch(groupId: string, topic: string, topicId: string, partition: number, requireStable: boolean): FetchedOffset {
    if (requireStable && this.#offsets.isPending(groupId, topic, partition))
      return { ...noOffset, errorCode: errors.UNSTABLE_OFFSET_COMMIT };
    const known = this.#offsets.of(groupId)?.get(topic, partition);
    if (known === undefined || isOfOtherTopic(known, topicId)) return noOffset;
    return { errorCode: 0, offset: known.offset, leaderEpoch: known.leaderEpoch, metadata: known.metadata };
  }

  /** Whether a member may ask (KIP-848): an error code, or undefined. */
  fetchProblem(groupId: string, memberId: string | null, memberEpoch: number): number | undefined {
    const machine = this.#registry.find(groupId)?.machine;
    return machine?.type === 'consumer' ? machine.fetchProblem(memberId, memberEpoch) : undefined;
  }

  /** The partitions that a group has committed offsets of. */
  partitionsOf(groupId: string): { readonly topic: string; readonly partitions: readonly number[] }[] {
    const offsets = this.#offsets.of(groupId);
    return (offsets?.topics() ?? []).map((topic) => ({ topic, partitions: offsets?.partitions(topic) ?? [] }));
  }

  /** OffsetDelete: an error code for all, or undefined and then {@link OffsetCoordinator.deleteOffset} for each. */
  deleteProblem(groupId: string): number | undefined {
    const entry = this.#registry.find(groupId);
    if (entry === undefined || entry.machine.type === 'share') return errors.GROUP_ID_NOT_FOUND;
    const { machine } = entry;
    const isOther = machine.type === 'classic' && machine.protocolType !== 'consumer';
    return machine.state !== 'Empty' && isOther ? errors.NON_EMPTY_GROUP : undefined;
  }

  /** Forgets one committed offset; an error code. */
  deleteOffset(groupId: string, topic: string, partition: number): number {
    const entry = this.#registry.find(groupId);
    if (entry !== undefined && isSubscribedTo(entry.machine, topic)) return errors.GROUP_SUBSCRIBED_TO_TOPIC;
    this.#offsets.delete(groupId, topic, partition);
    this.#registry.changed.notify();
    return 0;
  }

  /** A group is gone, and its offsets with it. */
  forget(groupId: string): void {
    this.#offsets.deleteGroup(groupId);
  }

  completeTransaction(producerId: bigint, committed: boolean, partition: number | undefined): void {
    this.#offsets.complete(producerId, committed, (groupId) => {
      const { partition: home } = this.#cluster.coordinatorPartition('group', groupId);
      return partition === undefined || home === partition;
    });
    this.#registry.changed.notify();
  }

  snapshot(): OffsetRecord[] {
    return this.#offsets.snapshot();
  }

  restore(records: readonly OffsetRecord[]): void {
    this.#offsets.restore(records);
    for (const { topic, topicId } of records) this.#knownTopics.set(topic, topicId);
    this.#forgetDeletedTopics();
  }

  #checkLater(): void {
    const { clock } = this.#cluster;
    const everyMs = Number(this.#cluster.brokerConfig('offsets.retention.check.interval.ms'));
    const check = (): void => {
      this.#dropExpired();
      this.#checkLater();
    };
    clock.setTimer(check, everyMs).unref();
  }

  /** Forgets what is too old, and groups that have neither members nor offsets (KIP-211). */
  #dropExpired(): void {
    const retentionMs = Number(this.#cluster.brokerConfig('offsets.retention.minutes')) * 60_000;
    const nowMs = this.#cluster.clock.wallMs();
    for (const entry of this.#registry.all()) {
      const { groupId, machine } = entry;
      for (const { topic, partition, committed } of this.#offsets.of(groupId)?.all() ?? []) {
        const sinceMs = ageCountsFrom(entry, committed);
        const isKept = sinceMs === undefined || isSubscribedTo(machine, topic);
        if (isKept || this.#offsets.isPending(groupId, topic, partition)) continue;
        if (nowMs >= (committed.expireMs ?? sinceMs + retentionMs)) this.#offsets.delete(groupId, topic, partition);
      }
      const isUsed = this.#offsets.of(groupId) !== undefined || this.#offsets.hasPending(groupId);
      if (machine.type !== 'share' && machine.state === 'Empty' && !isUsed) this.#registry.remove(groupId);
    }
  }

  #committerProblem(
    committer: Committer,
    commits: readonly PartitionCommit[],
    isTransactional: boolean,
  ): number | undefined {
    const { groupId, memberId, generationId, version } = committer;
    const machine = this.#registry.find(groupId)?.machine;
    if (machine?.type === 'classic') return machine.commitProblem(committer, generationId, isTransactional);
    if (machine?.type === 'share') return errors.GROUP_ID_NOT_FOUND;
    if (machine !== undefined) {
      const keys = commits.map(({ topicId, partition }) => partitionKey(topicId, partition));
      return machine.commitProblem(memberId, generationId, keys, isTransactional ? Infinity : version);
    }
    if (generationId < 0) return undefined;
    return !isTransactional && version >= 9 ? errors.GROUP_ID_NOT_FOUND : errors.ILLEGAL_GENERATION;
  }

  /** Whether the metadata of a commit is longer than the broker takes. */
  isTooLarge(metadata: string | null): boolean {
    return (metadata ?? '').length > Number(this.#cluster.brokerConfig('offset.metadata.max.bytes'));
  }

  #committed(commit: PartitionCommit, expireMs: number | undefined): CommittedOffset {
    const { offset, leaderEpoch, metadata, topicId } = commit;
    this.#knownTopics.set(commit.topic, topicId);
    const commitMs = this.#cluster.clock.wallMs();
    const sequence = this.#offsets.nextSequence();
    return { offset, leaderEpoch, metadata: metadata ?? '', topicId, commitMs, expireMs, sequence };
  }

  #forgetDeletedTopics(): void {
    for (const [topic, topicId] of this.#knownTopics) {
      if (this.#cluster.topics.get(topic)?.topicId === topicId) continue;
      this.#offsets.deleteTopic(topic, topicId);
      this.#knownTopics.delete(topic);
    }
  }
}

/** From when on an offset grows old; undefined while it does not: members of a classic group may still want it. */
function ageCountsFrom({ machine, stateSinceMs }: GroupEntry, { commitMs }: CommittedOffset): number | undefined {
  if (machine.type !== 'classic' || machine.protocolType === undefined) return commitMs;
  if (machine.state === 'Empty') return stateSinceMs;
  return machine.state === 'Stable' && subscribedTopics(machine) !== undefined ? commitMs : undefined;
}
