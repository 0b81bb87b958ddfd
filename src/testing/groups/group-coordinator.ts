import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { BrokerState } from '../state/broker-state.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import {
  joinRefusal,
  syncRefusal,
  type ClassicIdentity,
  type ClassicJoin,
  type ClassicSync,
  type JoinAnswer,
  type SyncAnswer,
} from './classic-group-messages.ts';
import type { ClassicGroupMachine } from './classic-group-machine.ts';
import type { ConsumerGroupMachine } from './consumer-group-machine.ts';
import { heartbeatRefusal, type ConsumerHeartbeat, type ConsumerHeartbeatAnswer } from './consumer-group-messages.ts';
import { OffsetCoordinator } from './offset-coordinator.ts';
import type { OffsetRecord } from './committed-offsets.ts';
import { SharePartitions } from '../share-groups/share-partitions.ts';
import { GroupRegistry, type GroupEntry, type GroupRecord } from './group-registry.ts';

const errors = brokerErrorCodes;

/** A group in the list of all groups. */
export interface ListedGroup {
  readonly groupId: string;
  readonly protocolType: string;
  readonly groupState: string;
  readonly groupType: string;
}

/** All groups with their offsets, written down; fit for JSON. */
export interface GroupsSnapshot {
  readonly groups: readonly {
    readonly groupId: string;
    readonly record: GroupRecord;
    readonly stateSinceMs: number;
  }[];
  readonly offsets: readonly OffsetRecord[];
}

/** What the coordinators of the cluster's groups do with the requests of members. */
export class GroupCoordinator {
  readonly #cluster: ClusterState;
  readonly #registry: GroupRegistry;

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
    this.#registry = cluster.service(GroupRegistry);
  }

  /** Why this broker cannot do this for this group: it has no name, or is coordinated elsewhere. */
  refusal(groupId: string, broker: BrokerState): number | undefined {
    return groupId === '' ? errors.INVALID_GROUP_ID : this.#registry.refusal(groupId, broker);
  }

  /** JoinGroup; undefined where Kafka never answers. */
  join(
    groupId: string,
    join: Omit<ClassicJoin, 'requestId' | 'newMemberId'>,
    broker: BrokerState,
  ): Promise<JoinAnswer | undefined> {
    const refusal = this.refusal(groupId, broker) ?? this.#sessionProblem(join.sessionTimeoutMs, broker);
    if (refusal !== undefined) return Promise.resolve(joinRefusal(refusal, join.memberId));
    const known = this.#registry.find(groupId);
    if (join.memberId !== '' && known === undefined)
      return Promise.resolve(joinRefusal(errors.UNKNOWN_MEMBER_ID, join.memberId));
    const consumer = known?.machine;
    if (consumer?.type === 'share')
      return Promise.resolve(joinRefusal(errors.INCONSISTENT_GROUP_PROTOCOL, join.memberId));
    if (known !== undefined && consumer?.type === 'consumer' && consumer.state !== 'Empty') {
      const newMemberId = this.#cluster.uuid();
      const decide = (nowMs: number): JoinAnswer => consumer.joinClassic({ ...join, requestId: 0, newMemberId }, nowMs);
      return Promise.resolve(this.#registry.run(known, decide));
    }
    // A group without members belongs to whoever joins first.
    if (known?.machine.type === 'consumer') this.#registry.remove(groupId);
    const entry = this.#registry.findOrCreate(groupId);
    const newMemberId = `${join.groupInstanceId ?? join.clientId}-${this.#uuid()}`;
    return this.#registry.joins.park((requestId) =>
      this.#decide(entry, (machine, nowMs) => machine.join({ ...join, requestId, newMemberId }, nowMs)),
    );
  }

  /** SyncGroup; undefined where Kafka never answers. */
  sync(groupId: string, sync: Omit<ClassicSync, 'requestId'>, broker: BrokerState): Promise<SyncAnswer | undefined> {
    const refusal = this.refusal(groupId, broker);
    if (refusal !== undefined) return Promise.resolve(syncRefusal(refusal));
    const entry = this.#registry.find(groupId);
    if (entry === undefined) return Promise.resolve(syncRefusal(errors.UNKNOWN_MEMBER_ID));
    const { machine: group } = entry;
    if (group.type === 'share') return Promise.resolve(syncRefusal(errors.UNKNOWN_MEMBER_ID));
    if (group.type === 'consumer')
      return Promise.resolve(this.#registry.run(entry, (nowMs) => group.syncClassic({ ...sync, requestId: 0 }, nowMs)));
    return this.#registry.syncs.park((requestId) =>
      this.#decide(entry, (machine, nowMs) => machine.sync({ ...sync, requestId }, nowMs)),
    );
  }

  /** Heartbeat: an error code. */
  heartbeat(groupId: string, who: ClassicIdentity, generationId: number, broker: BrokerState): number {
    const refusal = this.refusal(groupId, broker);
    if (refusal !== undefined) return refusal;
    const entry = this.#registry.find(groupId);
    if (entry === undefined) return errors.UNKNOWN_MEMBER_ID;
    const { machine: group } = entry;
    if (group.type === 'share') return errors.UNKNOWN_MEMBER_ID;
    if (group.type === 'consumer')
      return this.#registry.run(entry, (nowMs) => group.heartbeatClassic(who, generationId, nowMs));
    return this.#decide(entry, (machine, nowMs) => machine.heartbeat(who, generationId, nowMs));
  }

  /** LeaveGroup: an error code for the request, or one for each who leaves. */
  leave(groupId: string, leavers: readonly ClassicIdentity[], broker: BrokerState): number | number[] {
    const refusal = this.refusal(groupId, broker);
    if (refusal !== undefined) return refusal;
    const entry = this.#registry.find(groupId);
    if (entry === undefined || entry.machine.type === 'share') return leavers.map(() => errors.UNKNOWN_MEMBER_ID);
    const { machine: group } = entry;
    if (group.type === 'consumer') return this.#registry.run(entry, () => group.leaveClassic(leavers));
    return this.#decide(entry, (machine, nowMs) => machine.leave(leavers, nowMs));
  }

  /** The groups that this broker coordinates. */
  list(broker: BrokerState): ListedGroup[] {
    return this.#registry
      .all()
      .filter(({ groupId }) => this.#registry.refusal(groupId, broker) === undefined)
      .map(({ groupId, machine }) => ({
        groupId,
        protocolType: machine.type === 'classic' ? (machine.protocolType ?? '') : machine.type,
        groupState: machine.state,
        groupType: machine.type,
      }));
  }

  /** ConsumerGroupHeartbeat. */
  consumerHeartbeat(groupId: string, beat: ConsumerHeartbeat, broker: BrokerState): ConsumerHeartbeatAnswer {
    const refusal = this.#registry.refusal(groupId, broker);
    if (refusal !== undefined) return heartbeatRefusal(refusal);
    const known = this.#registry.find(groupId);
    const former = known?.machine;
    if (former?.type === 'share') return heartbeatRefusal(errors.GROUP_ID_NOT_FOUND);
    if (former?.type !== 'consumer') {
      if (beat.memberEpoch !== 0) return heartbeatRefusal(errors.GROUP_ID_NOT_FOUND);
      if (known !== undefined && former?.state === 'Empty') this.#registry.remove(groupId);
      else if (known !== undefined && !this.#registry.upgrade(known))
        return heartbeatRefusal(errors.GROUP_ID_NOT_FOUND);
    }
    const entry = this.#registry.findOrCreate(groupId, () => this.#registry.newConsumerGroup(groupId));
    const group = entry.machine;
    if (group.type !== 'consumer') return heartbeatRefusal(errors.GROUP_ID_NOT_FOUND);
    const answer = this.#registry.run(entry, (nowMs) => group.heartbeat(beat, nowMs));
    // What was refused made no group.
    if (known === undefined && group.members.length === 0) this.#registry.remove(groupId);
    return answer;
  }

  /** The group of the classic protocol. */
  classicGroup(groupId: string): (GroupEntry & { readonly machine: ClassicGroupMachine }) | undefined {
    const entry = this.#registry.find(groupId);
    return entry !== undefined && isClassic(entry) ? entry : undefined;
  }

  /** The group of the consumer protocol (KIP-848). */
  consumerGroup(groupId: string): ConsumerGroupMachine | undefined {
    const machine = this.#registry.find(groupId)?.machine;
    return machine?.type === 'consumer' ? machine : undefined;
  }

  /** DeleteGroups: an error code. */
  delete(groupId: string, broker: BrokerState): number {
    const refusal = this.#registry.refusal(groupId, broker);
    if (refusal !== undefined) return refusal;
    const entry = this.#registry.find(groupId);
    if (entry === undefined) return errors.GROUP_ID_NOT_FOUND;
    if (entry.machine.state !== 'Empty') return errors.NON_EMPTY_GROUP;
    this.#cluster.service(OffsetCoordinator).forget(groupId);
    this.#cluster.service(SharePartitions).deleteGroup(groupId);
    this.#registry.remove(groupId);
    return 0;
  }

  /** What is to be kept of all groups and offsets; fit for JSON. */
  snapshot(): GroupsSnapshot {
    const groups = this.#registry.all().map(({ groupId, record, stateSinceMs }) => ({ groupId, record, stateSinceMs }));
    return { groups, offsets: this.#cluster.service(OffsetCoordinator).snapshot() };
  }

  /** Goes on from a snapshot; members get a whole session to come back. The topics must be there already. */
  restore({ groups, offsets }: GroupsSnapshot): void {
    for (const { groupId, record, stateSinceMs } of groups) this.#registry.restore(groupId, record, stateSinceMs);
    this.#cluster.service(OffsetCoordinator).restore(offsets);
  }

  /** A transaction has ended: its offsets count now, or are forgotten; of the groups in this partition of `__consumer_offsets`, or all. */
  completeTransaction(producerId: bigint, committed: boolean, partition?: number): void {
    this.#cluster.service(OffsetCoordinator).completeTransaction(producerId, committed, partition);
  }

  #decide<T>(entry: GroupEntry, decide: (machine: ClassicGroupMachine, nowMs: number) => T): T {
    const { machine } = entry;
    if (machine.type !== 'classic') throw new Error(`group "${entry.groupId}" is not a classic group`);
    return this.#registry.run(entry, (nowMs) => decide(machine, nowMs));
  }

  /** As Java writes one. */
  #uuid(): string {
    const hex = Buffer.from(this.#cluster.uuid(), 'base64url').toString('hex');
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  }

  #sessionProblem(sessionTimeoutMs: number, broker: BrokerState): number | undefined {
    const min = Number(this.#cluster.brokerConfig('group.min.session.timeout.ms', broker));
    const max = Number(this.#cluster.brokerConfig('group.max.session.timeout.ms', broker));
    return sessionTimeoutMs < min || sessionTimeoutMs > max ? errors.INVALID_SESSION_TIMEOUT : undefined;
  }
}

function isClassic(entry: GroupEntry): entry is GroupEntry & { readonly machine: ClassicGroupMachine } {
  return entry.machine.type === 'classic';
}
