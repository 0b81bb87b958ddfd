import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { TimerHandle } from '../../util/clock.ts';
import type { BrokerState } from '../state/broker-state.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { Watchable } from '../watch.ts';
import { ClassicGroupMachine } from './classic-group-machine.ts';
import type { ClassicEffect, JoinAnswer, SyncAnswer } from './classic-group-messages.ts';
import { loadClassicGroup, recordClassicGroup, type ClassicGroupRecord } from './classic-group-record.ts';
import { ClusterTopics } from './cluster-topics.ts';
import { ConsumerGroupMachine } from './consumer-group-machine.ts';
import { loadConsumerGroup, recordConsumerGroup, type ConsumerGroupRecord } from './consumer-group-record.ts';
import { downgradeGroup, upgradeGroup } from './group-migration.ts';
import { ParkedRequests } from './parked-requests.ts';
import { ShareGroupMachine } from '../share-groups/share-group-machine.ts';
import { loadShareGroup, recordShareGroup, type ShareGroupRecord } from '../share-groups/share-group-record.ts';
import { SharePartitions } from '../share-groups/share-partitions.ts';
import { splitPartitionKey } from './topics-view.ts';

/** A group of any protocol. */
export type GroupMachine = ClassicGroupMachine | ConsumerGroupMachine | ShareGroupMachine;

/** What survives the loss of a coordinator; fit for JSON. */
export type GroupRecord =
  | { readonly type: 'classic'; readonly group: ClassicGroupRecord }
  | { readonly type: 'consumer'; readonly group: ConsumerGroupRecord }
  | { readonly type: 'share'; readonly group: ShareGroupRecord };

/** A group, as its coordinator keeps it. */
export interface GroupEntry {
  readonly groupId: string;
  machine: GroupMachine;
  record: GroupRecord;
  /** Since when it is in its state, on the brokers' clock, in milliseconds since 1970. */
  stateSinceMs: number;
  /** Where the group is kept: another leader, or the same one elected anew, reads it from the log again. */
  home: string;
  timer: TimerHandle | undefined;
}

/** All groups of the cluster: which there are, who coordinates them, their timers, and the requests that wait for them. */
export class GroupRegistry {
  readonly joins: ParkedRequests<JoinAnswer> = new ParkedRequests<JoinAnswer>();
  readonly syncs: ParkedRequests<SyncAnswer> = new ParkedRequests<SyncAnswer>();
  /** Told when a group or its offsets change. */
  readonly changed: Watchable = new Watchable();
  readonly #cluster: ClusterState;
  readonly #topics: ClusterTopics;
  readonly #entries = new Map<string, GroupEntry>();

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
    this.#topics = new ClusterTopics(cluster);
    cluster.changed.watch(() => this.#followLeaders());
  }

  /** Why this broker does not answer for a group; undefined if it does. */
  refusal(groupId: string, broker: BrokerState): number | undefined {
    const partition = this.#cluster.coordinatorPartition('group', groupId);
    return partition.leaderId === broker.id ? undefined : brokerErrorCodes.NOT_COORDINATOR;
  }

  find(groupId: string): GroupEntry | undefined {
    return this.#entries.get(groupId);
  }

  all(): readonly GroupEntry[] {
    return [...this.#entries.values()];
  }

  /** The group, or a new one of this machine. */
  findOrCreate(groupId: string, make: () => GroupMachine = () => this.newClassicGroup(groupId)): GroupEntry {
    const known = this.#entries.get(groupId);
    if (known !== undefined) return known;
    const machine = make();
    const entry: GroupEntry = {
      groupId,
      machine,
      record: recordOf(machine),
      stateSinceMs: this.#cluster.clock.wallMs(),
      home: this.#home(groupId),
      timer: undefined,
    };
    this.#entries.set(groupId, entry);
    return entry;
  }

  newClassicGroup(groupId: string): ClassicGroupMachine {
    return new ClassicGroupMachine(groupId, {
      initialRebalanceDelayMs: Number(this.#cluster.brokerConfig('group.initial.rebalance.delay.ms')),
      maxSize: Number(this.#cluster.brokerConfig('group.max.size')),
    });
  }

  newConsumerGroup(groupId: string): ConsumerGroupMachine {
    const numeric = (name: string): number => Number(this.#cluster.groupConfig(groupId, name));
    return new ConsumerGroupMachine(groupId, this.#topics, () => ({
      heartbeatIntervalMs: numeric('consumer.heartbeat.interval.ms'),
      sessionTimeoutMs: numeric('consumer.session.timeout.ms'),
      assignmentIntervalMs: numeric('consumer.assignment.interval.ms'),
      maxSize: Number(this.#cluster.brokerConfig('group.consumer.max.size')),
      assignors: this.#cluster.brokerConfig('group.consumer.assignors').split(','),
    }));
  }

  newShareGroup(groupId: string): ShareGroupMachine {
    const numeric = (name: string): number => Number(this.#cluster.groupConfig(groupId, name));
    const partitions = this.#cluster.service(SharePartitions);
    const topics = this.#topics;
    const world = {
      byName: (name: string) => topics.byName(name),
      byId: (topicId: string) => topics.byId(topicId),
      names: () => topics.names(),
      isInitialized: (key: string) => partitions.find({ groupId, ...splitPartitionKey(key) }) !== undefined,
    };
    return new ShareGroupMachine(groupId, world, () => ({
      heartbeatIntervalMs: numeric('share.heartbeat.interval.ms'),
      sessionTimeoutMs: numeric('share.session.timeout.ms'),
      assignmentIntervalMs: numeric('share.assignment.interval.ms'),
      maxSize: Number(this.#cluster.brokerConfig('group.share.max.size')),
    }));
  }

  remove(groupId: string): void {
    const entry = this.#entries.get(groupId);
    if (entry?.timer !== undefined) this.#cluster.clock.clearTimer(entry.timer);
    this.#entries.delete(groupId);
    this.changed.notify();
  }

  /** Lets a group decide something, then does what it decided. */
  run<T>(entry: GroupEntry, decide: (nowMs: number) => T): T {
    const before = entry.machine.state;
    const nowMs = this.#cluster.clock.nowMs();
    const countBefore = entry.machine.members.length;
    const epochBefore = entry.machine.type === 'consumer' ? entry.machine.groupEpoch : 0;
    const result = decide(nowMs);
    const hasShrunk = entry.machine.members.length < countBefore;
    if (hasShrunk && this.#mayMigrate('downgrade') && entry.machine.type === 'consumer' && entry.machine.isAllClassic) {
      const classic = this.newClassicGroup(entry.groupId);
      downgradeGroup(entry.machine, epochBefore, classic, this.#topics, nowMs);
      entry.machine = classic;
    }
    const { machine } = entry;
    if (machine.state !== before) entry.stateSinceMs = this.#cluster.clock.wallMs();
    // Kafka writes a classic group down when a generation is agreed on, the others at each change.
    const isAgreed = machine.state === 'Stable' || machine.state === 'Empty';
    if (machine.type !== 'classic' || isAgreed) entry.record = recordOf(machine);
    if (machine.type === 'classic') this.#act(machine.takeEffects());
    this.#setTimer(entry);
    this.changed.notify();
    return result;
  }

  /** Gives a group another machine: another protocol, or what was written down of it. */
  exchange(entry: GroupEntry, machine: GroupMachine): void {
    if (entry.machine.type === 'classic') this.#act(entry.machine.takeEffects());
    entry.machine = machine;
  }

  /** Makes a classic group one of the new protocol, if that may be; false otherwise. */
  upgrade(entry: GroupEntry): boolean {
    const { machine } = entry;
    if (!this.#mayMigrate('upgrade') || machine.type !== 'classic' || machine.protocolType !== 'consumer') return false;
    if (machine.members.length > Number(this.#cluster.brokerConfig('group.consumer.max.size'))) return false;
    const consumer = this.newConsumerGroup(entry.groupId);
    if (!upgradeGroup(machine, consumer, this.#topics, this.#cluster.clock.nowMs())) return false;
    this.exchange(entry, consumer);
    return true;
  }

  #mayMigrate(way: 'upgrade' | 'downgrade'): boolean {
    const policy = this.#cluster.brokerConfig('group.consumer.migration.policy').toLowerCase();
    return policy === way || policy === 'bidirectional';
  }

  /** Takes up a group as it was written down, before a restart. */
  restore(groupId: string, record: GroupRecord, stateSinceMs: number): void {
    this.remove(groupId);
    const entry = this.findOrCreate(groupId);
    entry.record = record;
    this.#load(entry);
    entry.stateSinceMs = stateSinceMs;
  }

  #act(effects: readonly ClassicEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'join') this.joins.answer(effect.requestId, effect.answer);
      else if (effect.kind === 'sync') this.syncs.answer(effect.requestId, effect.answer);
      else if (effect.request === 'join') this.joins.answer(effect.requestId, undefined);
      else this.syncs.answer(effect.requestId, undefined);
    }
  }

  #setTimer(entry: GroupEntry): void {
    const { clock } = this.#cluster;
    if (entry.timer !== undefined) clock.clearTimer(entry.timer);
    entry.timer = undefined;
    const deadlineMs = entry.machine.nextDeadlineMs();
    if (deadlineMs === undefined || this.#entries.get(entry.groupId) !== entry) return;
    const tick = (): void => this.run(entry, (nowMs) => entry.machine.tick(nowMs));
    entry.timer = clock.setTimer(tick, deadlineMs - clock.nowMs());
    entry.timer.unref();
  }

  /** Groups follow the leaders of the partitions that hold them: what was not agreed on is lost on the way. */
  #followLeaders(): void {
    for (const entry of this.#entries.values()) {
      const home = this.#home(entry.groupId);
      if (home === entry.home) continue;
      entry.home = home;
      const { machine, record } = entry;
      if (machine.type === 'classic') machine.end(brokerErrorCodes.NOT_COORDINATOR);
      this.exchange(entry, this.newClassicGroup(entry.groupId));
      entry.record = record;
      if (home === nowhere) this.#setTimer(entry);
      else this.#load(entry);
    }
  }

  #load(entry: GroupEntry): void {
    const { record, groupId } = entry;
    this.run(entry, (nowMs) => {
      entry.machine = this.#loaded(groupId, record, nowMs);
    });
  }

  #loaded(groupId: string, record: GroupRecord, nowMs: number): GroupMachine {
    if (record.type === 'classic') {
      const machine = this.newClassicGroup(groupId);
      loadClassicGroup(machine, record.group, nowMs);
      return machine;
    }
    if (record.type === 'consumer') {
      const machine = this.newConsumerGroup(groupId);
      loadConsumerGroup(machine, record.group, nowMs);
      return machine;
    }
    const machine = this.newShareGroup(groupId);
    loadShareGroup(machine, record.group, nowMs);
    return machine;
  }

  #home(groupId: string): string {
    const { leaderId, leaderEpoch } = this.#cluster.coordinatorPartition('group', groupId);
    return this.#cluster.brokers.get(leaderId)?.isRunning === true ? `${leaderId}/${leaderEpoch}` : nowhere;
  }
}

const nowhere = '';

function recordOf(machine: GroupMachine): GroupRecord {
  switch (machine.type) {
    case 'classic':
      return { type: 'classic', group: recordClassicGroup(machine) };
    case 'consumer':
      return { type: 'consumer', group: recordConsumerGroup(machine) };
    case 'share':
      return { type: 'share', group: recordShareGroup(machine) };
  }
}
