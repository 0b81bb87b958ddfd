import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { TimerHandle } from '../../util/clock.ts';
import type { BrokerState } from '../state/broker-state.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { Watchable } from '../watch.ts';
import { ClassicGroupMachine } from './classic-group-machine.ts';
import type { JoinAnswer, SyncAnswer } from './classic-group-messages.ts';
import { loadClassicGroup, recordClassicGroup, type ClassicGroupRecord } from './classic-group-record.ts';
import { ParkedRequests } from './parked-requests.ts';

/** A group, as its coordinator keeps it. */
export interface GroupEntry {
  readonly groupId: string;
  machine: ClassicGroupMachine;
  /** What survives the loss of the coordinator. */
  record: ClassicGroupRecord;
  /** Since when it is in its state, on the brokers' clock, in milliseconds since 1970. */
  stateSinceMs: number;
  /** Where the group is kept: another leader, or the same one elected anew, reads it from the log again. */
  home: string;
  timer: TimerHandle | undefined;
}

/** All groups of the cluster: which there are, who coordinates them, their timers, and the requests that wait for them. */
export class GroupRegistry {
  readonly joins: ParkedRequests<JoinAnswer> = new ParkedRequests();
  readonly syncs: ParkedRequests<SyncAnswer> = new ParkedRequests();
  /** Told when a group or its offsets change. */
  readonly changed: Watchable = new Watchable();
  readonly #cluster: ClusterState;
  readonly #entries = new Map<string, GroupEntry>();

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
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

  findOrCreate(groupId: string): GroupEntry {
    const known = this.#entries.get(groupId);
    if (known !== undefined) return known;
    const machine = this.newClassicGroup(groupId);
    const entry: GroupEntry = {
      groupId,
      machine,
      record: recordClassicGroup(machine),
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

  remove(groupId: string): void {
    const entry = this.#entries.get(groupId);
    if (entry?.timer !== undefined) this.#cluster.clock.clearTimer(entry.timer);
    this.#entries.delete(groupId);
    this.changed.notify();
  }

  /** Lets a group decide something, then does what it decided. */
  run<T>(entry: GroupEntry, decide: (machine: ClassicGroupMachine, nowMs: number) => T): T {
    const before = entry.machine.state;
    const result = decide(entry.machine, this.#cluster.clock.nowMs());
    const { state } = entry.machine;
    if (state !== before) entry.stateSinceMs = this.#cluster.clock.wallMs();
    if (state === 'Stable' || state === 'Empty') entry.record = recordClassicGroup(entry.machine);
    this.#act(entry);
    return result;
  }

  #act(entry: GroupEntry): void {
    for (const effect of entry.machine.takeEffects()) {
      if (effect.kind === 'join') this.joins.answer(effect.requestId, effect.answer);
      else if (effect.kind === 'sync') this.syncs.answer(effect.requestId, effect.answer);
      else this.#abandon(effect.requestId, effect.request);
    }
    this.#setTimer(entry);
    this.changed.notify();
  }

  #abandon(requestId: number, request: 'join' | 'sync'): void {
    if (request === 'join') this.joins.answer(requestId, undefined);
    else this.syncs.answer(requestId, undefined);
  }

  #setTimer(entry: GroupEntry): void {
    const { clock } = this.#cluster;
    if (entry.timer !== undefined) clock.clearTimer(entry.timer);
    entry.timer = undefined;
    const deadlineMs = entry.machine.nextDeadlineMs();
    if (deadlineMs === undefined || this.#entries.get(entry.groupId) !== entry) return;
    const tick = (): void => this.run(entry, (machine, nowMs) => machine.tick(nowMs));
    entry.timer = clock.setTimer(tick, deadlineMs - clock.nowMs());
    entry.timer.unref();
  }

  /** Groups follow the leaders of the partitions that hold them: what was not agreed on is lost on the way. */
  #followLeaders(): void {
    for (const entry of this.#entries.values()) {
      const home = this.#home(entry.groupId);
      if (home === entry.home) continue;
      entry.home = home;
      this.run(entry, (machine) => machine.end(brokerErrorCodes.NOT_COORDINATOR));
      const { record } = entry;
      entry.machine = this.newClassicGroup(entry.groupId);
      if (home !== nowhere) this.run(entry, (machine, nowMs) => loadClassicGroup(machine, record, nowMs));
    }
  }

  #home(groupId: string): string {
    const { leaderId, leaderEpoch } = this.#cluster.coordinatorPartition('group', groupId);
    return this.#cluster.brokers.get(leaderId)?.isRunning === true ? `${leaderId}/${leaderEpoch}` : nowhere;
  }
}

const nowhere = '';
