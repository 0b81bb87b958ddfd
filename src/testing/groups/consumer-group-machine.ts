import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { serverAssignors } from './consumer-assignors.ts';
import { heartbeatRefusal, type ConsumerHeartbeat, type ConsumerHeartbeatAnswer } from './consumer-group-messages.ts';
import { AWAY_EPOCH, inEpoch, newConsumerMember, type ConsumerMember } from './consumer-member.ts';
import { reconcile } from './consumer-reconciliation.ts';
import {
  joinRefusal,
  syncRefusal,
  type ClassicIdentity,
  type ClassicJoin,
  type ClassicSync,
  type JoinAnswer,
  type SyncAnswer,
} from './classic-group-messages.ts';
import { readSubscription, writeAssignment } from './embedded-protocol.ts';
import { topicRegex } from './topic-regex.ts';
import type { TopicsView } from './topics-view.ts';

/** The states of a consumer group, by Kafka's names. */
export type ConsumerGroupState = 'Empty' | 'Assigning' | 'Reconciling' | 'Stable';

/** Settings that a consumer group goes by; read anew at each decision, as they can be changed. */
export interface ConsumerGroupSettings {
  /** `consumer.heartbeat.interval.ms` */
  readonly heartbeatIntervalMs: number;
  /** `consumer.session.timeout.ms` */
  readonly sessionTimeoutMs: number;
  /** `consumer.assignment.interval.ms`: a new assignment waits at least this long after the one before. */
  readonly assignmentIntervalMs: number;
  /** `group.consumer.max.size` */
  readonly maxSize: number;
  /** `group.consumer.assignors`, the default first. */
  readonly assignors: readonly string[];
}

const errors = brokerErrorCodes;
const none: ReadonlySet<string> = new Set();
// Kafka gives the first generation of a new group this number.
const FIRST_EPOCH = 2;

/** One group of the new protocol (KIP-848), as its coordinator sees it: it assigns, the members follow. */
export class ConsumerGroupMachine {
  readonly type = 'consumer';
  readonly groupId: string;
  groupEpoch = 0;
  assignmentEpoch = 0;
  readonly #settings: () => ConsumerGroupSettings;
  readonly #topics: TopicsView;
  readonly #members = new Map<string, ConsumerMember>();
  readonly #targets = new Map<string, ReadonlySet<string>>();
  readonly #sessions = new Map<string, number>();
  /** Until when a member must have given up partitions, and in which epoch it was asked. */
  readonly #revocations = new Map<string, { readonly epoch: number; readonly atMs: number }>();
  /** Until when a member of the classic protocol must have joined again, or sent its SyncGroup. */
  readonly #joins = new Map<string, number>();
  readonly #syncs = new Map<string, number>();
  #assignedMs: number | undefined;
  #topicsSeen = '';

  constructor(groupId: string, topics: TopicsView, settings: () => ConsumerGroupSettings) {
    this.groupId = groupId;
    this.#topics = topics;
    this.#settings = settings;
  }

  get state(): ConsumerGroupState {
    if (this.#members.size === 0) return 'Empty';
    if (this.groupEpoch > this.assignmentEpoch) return 'Assigning';
    const isThere = (member: ConsumerMember): boolean =>
      member.state === 'stable' && member.epoch === this.assignmentEpoch;
    return this.members.every(isThere) ? 'Stable' : 'Reconciling';
  }

  get members(): readonly ConsumerMember[] {
    return [...this.#members.values()];
  }

  get assignorName(): string {
    const votes = new Map<string, number>();
    for (const { serverAssignor } of this.members)
      if (serverAssignor !== null) votes.set(serverAssignor, (votes.get(serverAssignor) ?? 0) + 1);
    const [most] = [...votes].sort(([, a], [, b]) => b - a);
    return most?.[0] ?? this.#settings().assignors[0] ?? 'uniform';
  }

  target(memberId: string): ReadonlySet<string> {
    return this.#targets.get(memberId) ?? none;
  }

  member(memberId: string): ConsumerMember | undefined {
    return this.#members.get(memberId);
  }

  isSubscribedTo(topic: string): boolean {
    return this.members.some((member) => this.#topicsOf(member).includes(topic));
  }

  /** ConsumerGroupHeartbeat: a member joins, follows, tells what it has, or leaves. */
  heartbeat(beat: ConsumerHeartbeat, nowMs: number): ConsumerHeartbeatAnswer {
    if (beat.memberEpoch < 0) return this.#leave(beat, nowMs);
    const isNewcomer = !this.#members.has(beat.memberId);
    if (isNewcomer && this.#members.size >= this.#settings().maxSize)
      return heartbeatRefusal(errors.GROUP_MAX_SIZE_REACHED);
    if (beat.topicRegex !== null && beat.topicRegex !== '' && topicRegex(beat.topicRegex) === undefined)
      return heartbeatRefusal(errors.INVALID_REGULAR_EXPRESSION);
    const before = beat.instanceId === null ? this.#dynamicMember(beat) : this.#staticMember(beat, beat.instanceId);
    if (typeof before === 'number') return heartbeatRefusal(before);
    const after = this.#advance(before, this.#updated(before, beat), beat.owned, nowMs);
    const isFull =
      beat.rebalanceTimeoutMs !== -1 && (beat.topicNames ?? beat.topicRegex) !== null && beat.owned !== null;
    const tells = beat.memberEpoch === 0 || isFull || !sameKeys(before.assigned, after.assigned);
    return {
      errorCode: 0,
      memberId: after.memberId,
      memberEpoch: after.epoch,
      heartbeatIntervalMs: this.#settings().heartbeatIntervalMs,
      assignment: tells ? [...after.assigned.keys()] : null,
    };
  }

  /**
   * Whether a member may commit offsets for partitions: an error code, or undefined. An epoch that is over is still good for what
   * the member has had since then (KIP-1251).
   */
  commitProblem(memberId: string, epoch: number, keys: readonly string[], version: number): number | undefined {
    if (epoch < 0 && this.#members.size === 0) return undefined;
    const member = this.#members.get(memberId);
    if (member === undefined) return errors.UNKNOWN_MEMBER_ID;
    if (member.classic === undefined && version < 9) return errors.UNSUPPORTED_VERSION;
    if (epoch === member.epoch) return undefined;
    const isCovered = (key: string): boolean =>
      (member.assigned.get(key) ?? member.revoking.get(key) ?? Infinity) <= epoch;
    return epoch < member.epoch && keys.every(isCovered)
      ? undefined
      : member.classic === undefined
        ? errors.STALE_MEMBER_EPOCH
        : errors.ILLEGAL_GENERATION;
  }

  /** Whether a member may read committed offsets. */
  fetchProblem(memberId: string | null, epoch: number): number | undefined {
    if (memberId === null && epoch < 0) return undefined;
    const member = this.#members.get(memberId ?? '');
    if (member === undefined) return errors.UNKNOWN_MEMBER_ID;
    return epoch === member.epoch ? undefined : errors.STALE_MEMBER_EPOCH;
  }

  /** Time has passed: sessions and revocations may be over. What is to be assigned anew waits for a heartbeat. */
  tick(nowMs: number): void {
    for (const deadlines of [this.#sessions, this.#joins, this.#syncs])
      for (const [memberId, atMs] of [...deadlines]) if (atMs <= nowMs) this.#remove([memberId]);
    for (const [memberId, { epoch, atMs }] of [...this.#revocations]) {
      if (atMs > nowMs) continue;
      this.#revocations.delete(memberId);
      const member = this.#members.get(memberId);
      if (member?.state === 'unrevoked' && member.epoch === epoch) this.#remove([memberId]);
    }
  }

  /** When {@link tick} has something to do. */
  nextDeadlineMs(): number | undefined {
    const deadlines = [...this.#sessions.values(), ...this.#joins.values(), ...this.#syncs.values()];
    deadlines.push(...[...this.#revocations.values()].map(({ atMs }) => atMs));
    return deadlines.length === 0 ? undefined : Math.min(...deadlines);
  }

  /** Whether nobody speaks the new protocol any more. */
  get isAllClassic(): boolean {
    return this.#members.size > 0 && this.members.every((member) => member.classic !== undefined);
  }

  /** JoinGroup of a member that still speaks the classic protocol: it is answered at once, as the broker assigns. */
  joinClassic(join: ClassicJoin, nowMs: number): JoinAnswer {
    const memberId = join.memberId === '' ? join.newMemberId : join.memberId;
    if (!this.#members.has(memberId) && this.#members.size >= this.#settings().maxSize)
      return joinRefusal(errors.GROUP_MAX_SIZE_REACHED, join.memberId);
    if (!this.#supports(join)) return joinRefusal(errors.INCONSISTENT_GROUP_PROTOCOL, join.memberId);
    if (join.memberId === '' && join.groupInstanceId === null && join.requiresMemberId)
      return joinRefusal(errors.MEMBER_ID_REQUIRED, memberId);
    const [first] = join.protocols;
    const subscription = readSubscription(first?.metadata ?? Buffer.alloc(0), this.#topics);
    if (first === undefined || subscription === undefined)
      return joinRefusal(errors.UNKNOWN_SERVER_ERROR, join.memberId);
    const before = this.#classicMember(join, memberId);
    if (typeof before === 'number') return joinRefusal(before, join.memberId);
    const updated: ConsumerMember = {
      ...before,
      instanceId: join.groupInstanceId,
      rackId: subscription.rackId,
      clientId: join.clientId,
      clientHost: join.clientHost,
      rebalanceTimeoutMs: join.rebalanceTimeoutMs,
      topicNames: subscription.topics,
      topicRegex: '',
      classic: { sessionTimeoutMs: join.sessionTimeoutMs, protocols: join.protocols },
    };
    const after = this.#advance(before, updated, subscription.owned, nowMs);
    this.#joins.delete(memberId);
    this.#syncs.set(memberId, nowMs + join.rebalanceTimeoutMs);
    return {
      ...joinRefusal(0, memberId),
      generationId: after.epoch,
      protocolType: 'consumer',
      protocolName: first.name,
    };
  }

  /** SyncGroup of such a member: what it has by now. */
  syncClassic(sync: ClassicSync, nowMs: number): SyncAnswer {
    const member = this.#knownClassic(sync, sync.generationId);
    if (typeof member === 'number') return syncRefusal(member);
    const [first] = member.classic?.protocols ?? [];
    const isOther =
      (sync.protocolType !== null && sync.protocolType !== 'consumer') ||
      (sync.protocolName !== null && sync.protocolName !== first?.name);
    if (isOther) return syncRefusal(errors.INCONSISTENT_GROUP_PROTOCOL);
    if (this.groupEpoch > member.epoch && member.state !== 'unrevoked') {
      this.#expectJoin(member, nowMs);
      return syncRefusal(errors.REBALANCE_IN_PROGRESS);
    }
    this.#syncs.delete(member.memberId);
    this.#keepAlive(member, nowMs);
    const assignment = writeAssignment(member.assigned.keys(), this.#topics, first?.metadata ?? Buffer.alloc(0));
    const { protocolType, protocolName } = sync;
    return { errorCode: 0, protocolType, protocolName, assignment };
  }

  /** Heartbeat of such a member: an error code. It is sent back to join for each step of its way. */
  heartbeatClassic(who: ClassicIdentity, generationId: number, nowMs: number): number {
    const member = this.#knownClassic(who, generationId);
    if (typeof member === 'number') return member;
    this.#keepAlive(member, nowMs);
    const canGoOn = member.state === 'unreleased' && !this.#waitsForOthers(member);
    if (member.epoch >= this.groupEpoch && member.state !== 'unrevoked' && !canGoOn) return 0;
    this.#expectJoin(member, nowMs);
    return errors.REBALANCE_IN_PROGRESS;
  }

  /** LeaveGroup: the error code of each who leaves, of whichever protocol. */
  leaveClassic(leavers: readonly ClassicIdentity[]): number[] {
    const leaving = new Set<string>();
    const codes = leavers.map(({ memberId, groupInstanceId }) => {
      const member =
        groupInstanceId === null
          ? this.#members.get(memberId)
          : this.members.find(({ instanceId }) => instanceId === groupInstanceId);
      if (member === undefined) return errors.UNKNOWN_MEMBER_ID;
      if (memberId !== '' && member.memberId !== memberId) return errors.FENCED_INSTANCE_ID;
      leaving.add(member.memberId);
      return 0;
    });
    if (leaving.size > 0) this.#remove([...leaving]);
    return codes;
  }

  /** Takes up what another coordinator knew, or the one before a restart: members get a whole session to come. */
  load(
    epoch: number,
    members: readonly ConsumerMember[],
    targets: ReadonlyMap<string, ReadonlySet<string>>,
    nowMs: number,
  ): void {
    this.groupEpoch = epoch;
    this.assignmentEpoch = epoch;
    for (const member of members) {
      this.#members.set(member.memberId, member);
      this.#targets.set(member.memberId, targets.get(member.memberId) ?? none);
      this.#keepAlive(member, nowMs);
      this.#watchRevocation(member, nowMs);
    }
    this.#topicsSeen = this.#fingerprint();
  }

  /** A member is there, perhaps with another subscription: assigns anew if need be, and leads it one step on. */
  #advance(
    before: ConsumerMember,
    updated: ConsumerMember,
    owned: ReadonlySet<string> | null,
    nowMs: number,
  ): ConsumerMember {
    const hasNewSubscription = !sameSubscription(before, updated);
    this.#members.set(updated.memberId, updated);
    this.#raiseEpochIfNeeded(hasNewSubscription);
    this.#assignIfDue(nowMs);
    const after = this.#reconcile(updated, owned, hasNewSubscription, nowMs);
    this.#keepAlive(after, nowMs);
    return after;
  }

  #keepAlive({ memberId, classic }: ConsumerMember, nowMs: number): void {
    this.#sessions.set(memberId, nowMs + (classic?.sessionTimeoutMs ?? this.#settings().sessionTimeoutMs));
  }

  /** Whether a protocol of the newcomer is known to all members of the classic protocol. */
  #supports({ protocolType, protocols }: ClassicJoin): boolean {
    const others = this.members.flatMap(({ classic }) => classic ?? []);
    const isCommon = (name: string): boolean =>
      others.every((other) => other.protocols.some((protocol) => protocol.name === name));
    return protocolType === 'consumer' && protocols.some(({ name }) => isCommon(name));
  }

  #classicMember(join: ClassicJoin, memberId: string): ConsumerMember | number {
    if (join.groupInstanceId === null) return this.#members.get(memberId) ?? newConsumerMember(memberId);
    const known = this.members.find(({ instanceId }) => instanceId === join.groupInstanceId);
    if (join.memberId === '') {
      if (known === undefined) return newConsumerMember(memberId);
      return { ...this.#replace(known, memberId), epoch: known.epoch, previousEpoch: known.previousEpoch };
    }
    if (known === undefined) return errors.UNKNOWN_MEMBER_ID;
    return known.memberId === memberId ? known : errors.FENCED_INSTANCE_ID;
  }

  #knownClassic({ memberId, groupInstanceId }: ClassicIdentity, generationId: number): ConsumerMember | number {
    const isInstance = (member: ConsumerMember): boolean => member.instanceId === groupInstanceId;
    const member = groupInstanceId === null ? this.#members.get(memberId) : this.members.find(isInstance);
    if (member === undefined) return errors.UNKNOWN_MEMBER_ID;
    if (member.memberId !== memberId) return errors.FENCED_INSTANCE_ID;
    if (member.classic === undefined) return errors.UNKNOWN_MEMBER_ID;
    return generationId === member.epoch ? member : errors.ILLEGAL_GENERATION;
  }

  #expectJoin({ memberId, rebalanceTimeoutMs }: ConsumerMember, nowMs: number): void {
    if (!this.#joins.has(memberId)) this.#joins.set(memberId, nowMs + rebalanceTimeoutMs);
  }

  #waitsForOthers(member: ConsumerMember): boolean {
    const others = this.members.filter(({ memberId }) => memberId !== member.memberId);
    return [...this.target(member.memberId)].some(
      (key) => !member.assigned.has(key) && others.some((other) => other.assigned.has(key) || other.revoking.has(key)),
    );
  }

  #dynamicMember(beat: ConsumerHeartbeat): ConsumerMember | number {
    const known = this.#members.get(beat.memberId);
    if (known === undefined)
      return beat.memberEpoch === 0 ? newConsumerMember(beat.memberId) : errors.UNKNOWN_MEMBER_ID;
    return this.#epochProblem(known, beat) ?? known;
  }

  #staticMember(beat: ConsumerHeartbeat, instanceId: string): ConsumerMember | number {
    const known = this.members.find((member) => member.instanceId === instanceId);
    if (beat.memberEpoch === 0) {
      if (known === undefined) return newConsumerMember(beat.memberId);
      if (known.memberId === beat.memberId) return known;
      if (known.classic === undefined && known.epoch !== AWAY_EPOCH) return errors.UNRELEASED_INSTANCE_ID;
      return this.#replace(known, beat.memberId);
    }
    if (known === undefined) return errors.UNKNOWN_MEMBER_ID;
    if (known.memberId !== beat.memberId) return errors.FENCED_INSTANCE_ID;
    return this.#epochProblem(known, beat) ?? known;
  }

  /** A static member comes back under another member id and takes over what its former self had. */
  #replace(former: ConsumerMember, memberId: string): ConsumerMember {
    const target = this.target(former.memberId);
    this.#forget(former.memberId);
    this.#targets.set(memberId, target);
    const assigned = new Map([...former.assigned].filter(([key]) => target.has(key)));
    return { ...former, memberId, epoch: 0, previousEpoch: 0, state: 'stable', assigned, revoking: new Map() };
  }

  #epochProblem(known: ConsumerMember, beat: ConsumerHeartbeat): number | undefined {
    if (beat.memberEpoch === 0 || beat.memberEpoch === known.epoch) return undefined;
    // The answer with the new epoch may have been lost.
    const isBehind = beat.memberEpoch === known.previousEpoch && beat.memberEpoch < known.epoch;
    const ownsNoMore = beat.owned !== null && [...beat.owned].every((key) => known.assigned.has(key));
    return isBehind && ownsNoMore ? undefined : errors.FENCED_MEMBER_EPOCH;
  }

  #updated(member: ConsumerMember, beat: ConsumerHeartbeat): ConsumerMember {
    return {
      ...member,
      instanceId: beat.instanceId ?? member.instanceId,
      rackId: beat.rackId ?? member.rackId,
      rebalanceTimeoutMs: beat.rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : beat.rebalanceTimeoutMs,
      serverAssignor: beat.serverAssignor ?? member.serverAssignor,
      topicNames: beat.topicNames ?? member.topicNames,
      topicRegex: beat.topicRegex ?? member.topicRegex,
      classic: undefined,
      clientId: beat.clientId,
      clientHost: beat.clientHost,
    };
  }

  #raiseEpochIfNeeded(hasNewSubscription: boolean): void {
    const fingerprint = this.#fingerprint();
    const hasNewTopics = fingerprint !== this.#topicsSeen;
    this.#topicsSeen = fingerprint;
    if (this.groupEpoch === 0) this.groupEpoch = FIRST_EPOCH;
    else if (hasNewSubscription || hasNewTopics) this.groupEpoch++;
  }

  /** The topics that the members want, as far as they exist: a change of any must be assigned anew. */
  #fingerprint(): string {
    const names = new Set(this.members.flatMap((member) => this.#topicsOf(member)));
    return [...names]
      .sort()
      .map((name) => `${name} ${this.#topics.byName(name)?.topicId} ${this.#topics.byName(name)?.partitionCount}`)
      .join();
  }

  #assignIfDue(nowMs: number): void {
    if (this.#members.size === 0 || this.groupEpoch <= this.assignmentEpoch) return;
    const { assignmentIntervalMs } = this.#settings();
    if (this.#assignedMs !== undefined && nowMs < this.#assignedMs + assignmentIntervalMs) return;
    const assign = serverAssignors[this.assignorName];
    const assignable = this.members.map((member) => ({
      memberId: member.memberId,
      instanceId: member.instanceId,
      topics: this.#topicsOf(member),
      target: this.target(member.memberId),
    }));
    this.#targets.clear();
    for (const [memberId, target] of assign?.(assignable, this.#topics) ?? []) this.#targets.set(memberId, target);
    this.assignmentEpoch = this.groupEpoch;
    this.#assignedMs = nowMs;
  }

  #reconcile(
    member: ConsumerMember,
    owned: ReadonlySet<string> | null,
    hasNewSubscription: boolean,
    nowMs: number,
  ): ConsumerMember {
    const others = this.members.filter(({ memberId }) => memberId !== member.memberId);
    const after = reconcile(member, {
      epoch: this.assignmentEpoch,
      target: this.target(member.memberId),
      topicIds: new Set(this.#topicsOf(member).flatMap((name) => this.#topics.byName(name)?.topicId ?? [])),
      isHeld: (key) => others.some((other) => other.assigned.has(key) || other.revoking.has(key)),
      owned,
      hasNewSubscription,
    });
    this.#members.set(after.memberId, after);
    this.#watchRevocation(after, nowMs);
    return after;
  }

  #watchRevocation(member: ConsumerMember, nowMs: number): void {
    const known = this.#revocations.get(member.memberId);
    if (member.state !== 'unrevoked') this.#revocations.delete(member.memberId);
    else if (known?.epoch !== member.epoch)
      this.#revocations.set(member.memberId, { epoch: member.epoch, atMs: nowMs + member.rebalanceTimeoutMs });
  }

  #topicsOf({ topicNames, topicRegex: pattern }: ConsumerMember): string[] {
    const regex = pattern === '' ? undefined : topicRegex(pattern);
    const matched = regex === undefined ? [] : this.#topics.names().filter((name) => regex.test(name));
    return [...new Set([...topicNames, ...matched])].filter((name) => this.#topics.byName(name) !== undefined);
  }

  #leave({ memberId, memberEpoch, instanceId }: ConsumerHeartbeat, nowMs: number): ConsumerHeartbeatAnswer {
    const member =
      instanceId === null ? this.#members.get(memberId) : this.members.find((each) => each.instanceId === instanceId);
    if (member === undefined) return heartbeatRefusal(errors.UNKNOWN_MEMBER_ID);
    if (member.memberId !== memberId) return heartbeatRefusal(errors.FENCED_INSTANCE_ID);
    if (memberEpoch === AWAY_EPOCH && instanceId !== null) {
      this.#members.set(memberId, inEpoch({ ...member, revoking: new Map() }, AWAY_EPOCH));
      this.#sessions.set(memberId, this.#sessions.get(memberId) ?? nowMs + this.#settings().sessionTimeoutMs);
    } else {
      this.#remove([memberId]);
    }
    return { errorCode: 0, memberId, memberEpoch, heartbeatIntervalMs: 0, assignment: null };
  }

  #remove(memberIds: readonly string[]): void {
    for (const memberId of memberIds) this.#forget(memberId);
    this.#topicsSeen = this.#fingerprint();
    this.groupEpoch++;
  }

  #forget(memberId: string): void {
    this.#members.delete(memberId);
    this.#targets.delete(memberId);
    this.#sessions.delete(memberId);
    this.#revocations.delete(memberId);
    this.#joins.delete(memberId);
    this.#syncs.delete(memberId);
  }
}

function sameSubscription(a: ConsumerMember, b: ConsumerMember): boolean {
  const names = new Set(b.topicNames);
  return (
    a.topicRegex === b.topicRegex &&
    new Set(a.topicNames).size === names.size &&
    a.topicNames.every((name) => names.has(name))
  );
}

function sameKeys(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  return a.size === b.size && [...a.keys()].every((key) => b.has(key));
}
