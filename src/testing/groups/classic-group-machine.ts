import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import {
  joinRefusal,
  syncRefusal,
  type ClassicEffect,
  type ClassicIdentity,
  type ClassicJoin,
  type ClassicSync,
  type JoinAnswer,
  type SyncAnswer,
} from './classic-group-messages.ts';
import { ClassicMember } from './classic-member.ts';
import { ClassicRoster } from './classic-roster.ts';
import { sameProtocols, selectProtocol } from './group-protocols.ts';

/** The states of a classic group, by Kafka's names. */
export type ClassicGroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead';

/** Broker settings that a classic group goes by. */
export interface ClassicGroupSettings {
  /** `group.initial.rebalance.delay.ms` */
  readonly initialRebalanceDelayMs: number;
  /** `group.max.size` */
  readonly maxSize: number;
}

type JoinDeadline =
  | { readonly kind: 'rebalance'; readonly atMs: number }
  | { readonly kind: 'initial'; readonly atMs: number; readonly delayMs: number; readonly remainingMs: number };

const errors = brokerErrorCodes;
// A new member does not know its id yet and cannot send heartbeats: a join that waits longer than this is given up.
const NEW_MEMBER_JOIN_TIMEOUT_MS = 300_000;
const nothing = Buffer.alloc(0);

/** One classic group, as its coordinator sees it. Everything it decides is in this file; it knows no socket and no clock. */
export class ClassicGroupMachine {
  readonly type = 'classic';
  readonly groupId: string;
  readonly roster: ClassicRoster = new ClassicRoster();
  generationId = 0;
  /** Undefined for a group that only commits offsets. */
  protocolType: string | undefined;
  protocolName: string | null = null;
  readonly #settings: ClassicGroupSettings;
  readonly #heartbeatDeadlines = new Map<string, number>();
  #state: ClassicGroupState = 'Empty';
  #wasEmpty = false;
  #newMemberCame = false;
  #joinDeadline: JoinDeadline | undefined;
  #syncDeadlineMs: number | undefined;
  #effects: ClassicEffect[] = [];

  constructor(groupId: string, settings: ClassicGroupSettings) {
    this.groupId = groupId;
    this.#settings = settings;
  }

  get state(): ClassicGroupState {
    return this.#state;
  }

  /** Members in the order in which they came. */
  get members(): readonly ClassicMember[] {
    return [...this.roster.members.values()];
  }

  /** JoinGroup: answered by an effect, at once or when the others are there. */
  join(join: ClassicJoin, nowMs: number): void {
    if (!this.#accepts(join.memberId)) {
      this.#forget(join.memberId);
      this.#refuseJoin(join, errors.GROUP_MAX_SIZE_REACHED, '');
    } else if (!this.#supports(join)) {
      this.#refuseJoin(join, errors.INCONSISTENT_GROUP_PROTOCOL);
    } else if (join.memberId === '') {
      this.#joinNewMember(join, nowMs);
    } else if (this.roster.pending.has(join.memberId)) {
      this.#add(join, join.memberId, nowMs);
    } else {
      this.#rejoin(join, nowMs);
    }
  }

  /** SyncGroup: answered by an effect, at once or when the leader's assignment is there. */
  sync(sync: ClassicSync, nowMs: number): void {
    const refusal = this.#syncProblem(sync);
    const member = this.roster.members.get(sync.memberId);
    if (refusal !== undefined || member === undefined) {
      this.#answerSync(sync.requestId, syncRefusal(refusal ?? errors.UNKNOWN_MEMBER_ID));
      return;
    }
    this.#markSynced(sync.memberId);
    if (this.#state === 'Stable') {
      this.#answerSync(sync.requestId, this.#assigned(member));
      return;
    }
    if (member.syncRequest !== undefined) this.#supersede(member.syncRequest, 'sync');
    member.syncRequest = sync.requestId;
    if (this.roster.leaderId === sync.memberId) this.#assign(sync, nowMs);
  }

  /** Heartbeat: the error code to answer. */
  heartbeat(who: ClassicIdentity, generationId: number, nowMs: number): number {
    const problem = this.#memberProblem(who);
    if (problem !== undefined) return problem;
    if (generationId !== this.generationId) return errors.ILLEGAL_GENERATION;
    this.keepAlive(who.memberId, nowMs);
    return this.#state === 'PreparingRebalance' ? errors.REBALANCE_IN_PROGRESS : 0;
  }

  /** LeaveGroup: the error code of each who leaves. */
  leave(leavers: readonly ClassicIdentity[], nowMs: number): number[] {
    if (this.#state === 'Dead') return leavers.map(() => errors.COORDINATOR_NOT_AVAILABLE);
    const codes = leavers.map((leaver) => this.#removeLeaver(leaver));
    if (!codes.includes(0)) return codes;
    if (this.#state === 'Stable' || this.#state === 'CompletingRebalance') this.#prepareRebalance(nowMs);
    else this.#completeJoinIfAllJoined(nowMs);
    return codes;
  }

  /** Whether offsets may be committed by this member of this generation: an error code, or undefined. */
  commitProblem(who: ClassicIdentity, generationId: number, isTransactional: boolean): number | undefined {
    if (this.#state === 'Dead') return errors.COORDINATOR_NOT_AVAILABLE;
    if (generationId < 0 && this.#state === 'Empty') return undefined;
    if (generationId >= 0 || who.memberId !== '' || who.groupInstanceId !== null) {
      const problem = this.#memberProblem(who);
      if (problem !== undefined) return problem;
      if (generationId !== this.generationId) return errors.ILLEGAL_GENERATION;
    } else if (!isTransactional && this.#state !== 'Empty') {
      return errors.UNKNOWN_MEMBER_ID;
    }
    return !isTransactional && this.#state === 'CompletingRebalance' ? errors.REBALANCE_IN_PROGRESS : undefined;
  }

  /** A member has shown that it is alive. */
  keepAlive(memberId: string, nowMs: number): void {
    const member = this.roster.members.get(memberId);
    if (member !== undefined) this.#heartbeatDeadlines.set(memberId, nowMs + member.sessionTimeoutMs);
  }

  /** Time has passed: sessions and rebalances may be over. */
  tick(nowMs: number): void {
    for (const [memberId, deadlineMs] of [...this.#heartbeatDeadlines]) {
      if (deadlineMs <= nowMs && this.#heartbeatDeadlines.delete(memberId)) this.#expireSession(memberId, nowMs);
    }
    const join = this.#joinDeadline;
    if (join !== undefined && join.atMs <= nowMs) this.#expireJoin(join, nowMs);
    if (this.#syncDeadlineMs !== undefined && this.#syncDeadlineMs <= nowMs) this.#expireSync(nowMs);
  }

  /** When {@link tick} has something to do. */
  nextDeadlineMs(): number | undefined {
    const deadlines = [...this.#heartbeatDeadlines.values()];
    if (this.#joinDeadline !== undefined) deadlines.push(this.#joinDeadline.atMs);
    if (this.#syncDeadlineMs !== undefined) deadlines.push(this.#syncDeadlineMs);
    return deadlines.length === 0 ? undefined : Math.min(...deadlines);
  }

  takeEffects(): ClassicEffect[] {
    return this.#effects.splice(0);
  }

  /** Ends the group, or its stay at this coordinator: whoever waits is told, and nothing is decided any more. */
  end(errorCode: number): void {
    for (const member of this.members) {
      this.#answerJoin(member, joinRefusal(errorCode, member.memberId));
      this.#propagate(member, syncRefusal(errorCode));
    }
    this.#transition('Dead');
    this.#heartbeatDeadlines.clear();
    this.#joinDeadline = undefined;
    this.#syncDeadlineMs = undefined;
  }

  /** Takes up a generation that was agreed on before: at another coordinator, before a restart, or under another protocol. */
  load(generationId: number, protocolType: string | undefined, members: readonly ClassicMember[], nowMs: number): void {
    this.generationId = generationId;
    this.protocolType = protocolType;
    for (const member of members) {
      member.isNew = false;
      this.roster.add(member);
      this.keepAlive(member.memberId, nowMs);
    }
    if (members.length === 0) return;
    this.protocolName = selectProtocol(members.map((member) => member.protocols)) ?? null;
    this.#transition('Stable');
  }

  /** Calls the members together again, as after a change that their assignment must follow. */
  rebalance(nowMs: number): void {
    if (this.#state === 'Stable' || this.#state === 'CompletingRebalance') this.#prepareRebalance(nowMs);
  }

  #accepts(memberId: string): boolean {
    const { members, joinedCount } = this.roster;
    const isMember = members.has(memberId);
    switch (this.#state) {
      case 'Empty':
      case 'Dead':
        return true;
      case 'PreparingRebalance':
        return members.get(memberId)?.joinRequest !== undefined || joinedCount < this.#settings.maxSize;
      case 'CompletingRebalance':
      case 'Stable':
        return isMember || members.size < this.#settings.maxSize;
    }
  }

  #supports({ protocolType, protocols }: ClassicJoin): boolean {
    if (this.#state === 'Empty') return protocolType !== '' && protocols.length > 0;
    if (protocolType !== this.protocolType) return false;
    return protocols.some(({ name }) =>
      this.members.every((member) => member.protocols.some((other) => other.name === name)),
    );
  }

  #joinNewMember(join: ClassicJoin, nowMs: number): void {
    const old = join.groupInstanceId === null ? undefined : this.#instance(join.groupInstanceId);
    if (old !== undefined) {
      this.#replaceStaticMember(old, join, nowMs);
    } else if (join.groupInstanceId === null && join.requiresMemberId) {
      this.roster.pending.add(join.newMemberId);
      this.#heartbeatDeadlines.set(join.newMemberId, nowMs + join.sessionTimeoutMs);
      this.#refuseJoin(join, errors.MEMBER_ID_REQUIRED, join.newMemberId);
    } else {
      this.#add(join, join.newMemberId, nowMs);
    }
  }

  #rejoin(join: ClassicJoin, nowMs: number): void {
    const problem = this.#memberProblem(join);
    const member = this.roster.members.get(join.memberId);
    if (problem !== undefined || member === undefined) {
      this.#refuseJoin(join, problem ?? errors.UNKNOWN_MEMBER_ID);
      return;
    }
    const isUnchanged = sameProtocols(member.protocols, join.protocols);
    const isLeader = this.roster.leaderId === member.memberId;
    // Who asks again for the generation that it has missed the answer of is told; a leader in a stable group wants a rebalance.
    const isRepeated =
      isUnchanged && (this.#state === 'CompletingRebalance' || (this.#state === 'Stable' && !isLeader));
    if (isRepeated) {
      this.#effects.push({ kind: 'join', requestId: join.requestId, answer: this.#joined(member) });
      return;
    }
    this.#update(member, join);
    this.#rebalanceOrCompleteJoin(nowMs);
  }

  #add(join: ClassicJoin, memberId: string, nowMs: number): void {
    const member = new ClassicMember({ ...join, memberId });
    if (this.#state === 'PreparingRebalance' && this.#wasEmpty) this.#newMemberCame = true;
    if (this.roster.members.size === 0) this.protocolType = join.protocolType;
    member.joinRequest = join.requestId;
    this.roster.add(member);
    this.#heartbeatDeadlines.set(memberId, nowMs + NEW_MEMBER_JOIN_TIMEOUT_MS);
    this.#rebalanceOrCompleteJoin(nowMs);
  }

  #update(member: ClassicMember, join: ClassicJoin): void {
    member.protocols = join.protocols;
    member.sessionTimeoutMs = join.sessionTimeoutMs;
    member.rebalanceTimeoutMs = join.rebalanceTimeoutMs;
    if (member.joinRequest !== undefined) this.#supersede(member.joinRequest, 'join');
    member.joinRequest = join.requestId;
  }

  /** A process that comes back under its instance id takes the place of its former self, if possible without a rebalance. */
  #replaceStaticMember(old: ClassicMember, join: ClassicJoin, nowMs: number): void {
    const formerLeader = this.roster.leaderId ?? '';
    this.#answerJoin(old, joinRefusal(errors.FENCED_INSTANCE_ID, old.memberId));
    this.#propagate(old, syncRefusal(errors.FENCED_INSTANCE_ID));
    const member = new ClassicMember({ ...join, memberId: join.newMemberId });
    member.assignment = old.assignment;
    member.isNew = false;
    this.roster.replace(old, member);
    this.#heartbeatDeadlines.delete(old.memberId);
    this.keepAlive(member.memberId, nowMs);
    member.joinRequest = join.requestId;
    if (this.#state === 'CompletingRebalance') {
      this.#prepareRebalance(nowMs);
    } else if (this.#state === 'Stable' && this.#selected() === this.protocolName) {
      const answer = this.#joined(member);
      const isLeader = this.roster.leaderId === member.memberId;
      // A leader that cannot be told to skip the assignment is told that its former self leads, so that it does not assign.
      const told = join.canSkipAssignment
        ? { ...answer, skipAssignment: isLeader }
        : { ...answer, leader: formerLeader, members: [] };
      this.#answerJoin(member, told);
    } else {
      this.#rebalanceOrCompleteJoin(nowMs);
    }
  }

  #rebalanceOrCompleteJoin(nowMs: number): void {
    if (this.#state === 'PreparingRebalance') this.#completeJoinIfAllJoined(nowMs);
    else this.#prepareRebalance(nowMs);
  }

  #prepareRebalance(nowMs: number): void {
    if (this.#state === 'CompletingRebalance') {
      for (const member of this.members) {
        member.assignment = nothing;
        if (this.#propagate(member, syncRefusal(errors.REBALANCE_IN_PROGRESS))) this.keepAlive(member.memberId, nowMs);
      }
    }
    this.roster.unsynced.clear();
    this.#syncDeadlineMs = undefined;
    const isInitial = this.#state === 'Empty';
    this.#wasEmpty = isInitial;
    this.#transition('PreparingRebalance');
    if (isInitial) {
      const delayMs = this.#settings.initialRebalanceDelayMs;
      const remainingMs = Math.max(this.roster.rebalanceTimeoutMs - delayMs, 0);
      this.#joinDeadline = { kind: 'initial', atMs: nowMs + delayMs, delayMs, remainingMs };
    } else if (this.roster.haveAllJoined) {
      this.#completeJoin(nowMs);
    } else {
      this.#joinDeadline = { kind: 'rebalance', atMs: nowMs + this.roster.rebalanceTimeoutMs };
    }
  }

  /** The first members of a group are given the initial delay, however quickly they come. */
  #completeJoinIfAllJoined(nowMs: number): void {
    if (this.#state === 'PreparingRebalance' && !this.#wasEmpty && this.roster.haveAllJoined) this.#completeJoin(nowMs);
  }

  #completeJoin(nowMs: number): void {
    this.#joinDeadline = undefined;
    for (const member of this.members) {
      if (member.joinRequest === undefined && member.groupInstanceId === null) this.#forget(member.memberId);
    }
    if (!this.roster.electJoinedLeader() && this.roster.members.size > 0) {
      this.#joinDeadline = { kind: 'rebalance', atMs: nowMs + this.roster.rebalanceTimeoutMs };
      return;
    }
    this.generationId++;
    this.roster.unsynced.clear();
    if (this.roster.members.size === 0) {
      this.protocolName = null;
      this.#transition('Empty');
      return;
    }
    this.protocolName = this.#selected() ?? null;
    this.#transition('CompletingRebalance');
    for (const member of this.members) {
      this.#answerJoin(member, this.#joined(member));
      this.keepAlive(member.memberId, nowMs);
      member.isNew = false;
      this.roster.unsynced.add(member.memberId);
    }
    this.#syncDeadlineMs = nowMs + this.roster.rebalanceTimeoutMs;
  }

  #assign(sync: ClassicSync, nowMs: number): void {
    const assignments = new Map(sync.assignments.map(({ memberId, assignment }) => [memberId, assignment]));
    for (const member of this.members) {
      member.assignment = assignments.get(member.memberId) ?? nothing;
      if (this.#propagate(member, this.#assigned(member))) this.keepAlive(member.memberId, nowMs);
    }
    this.#transition('Stable');
  }

  #removeLeaver({ memberId, groupInstanceId }: ClassicIdentity): number {
    if (memberId === '') {
      const member = groupInstanceId === null ? undefined : this.#instance(groupInstanceId);
      if (member === undefined) return errors.UNKNOWN_MEMBER_ID;
      this.#remove(member);
      return 0;
    }
    if (this.roster.pending.has(memberId)) {
      this.#forget(memberId);
      return 0;
    }
    const problem = this.#memberProblem({ memberId, groupInstanceId });
    const member = this.roster.members.get(memberId);
    if (problem !== undefined || member === undefined) return problem ?? errors.UNKNOWN_MEMBER_ID;
    this.#remove(member);
    return 0;
  }

  #expireSession(memberId: string, nowMs: number): void {
    if (this.roster.pending.has(memberId)) {
      this.#forget(memberId);
      // Kafka lets even the first members go on at once when one that was only announced does not come.
      if (this.#state === 'PreparingRebalance' && this.roster.haveAllJoined) this.#completeJoin(nowMs);
      return;
    }
    const member = this.roster.members.get(memberId);
    if (member === undefined || member.isExcused) return;
    this.#remove(member);
    if (this.#state === 'Stable' || this.#state === 'CompletingRebalance') this.#prepareRebalance(nowMs);
    else if (this.#state === 'PreparingRebalance' && this.roster.haveAllJoined) this.#completeJoin(nowMs);
  }

  #expireJoin(join: JoinDeadline, nowMs: number): void {
    if (join.kind === 'initial' && this.#newMemberCame && join.remainingMs !== 0) {
      this.#newMemberCame = false;
      const delayMs = Math.min(this.#settings.initialRebalanceDelayMs, join.remainingMs);
      const remainingMs = Math.max(join.remainingMs - join.delayMs, 0);
      this.#joinDeadline = { kind: 'initial', atMs: nowMs + delayMs, delayMs, remainingMs };
      return;
    }
    this.#newMemberCame = false;
    this.#completeJoin(nowMs);
  }

  #expireSync(nowMs: number): void {
    this.#syncDeadlineMs = undefined;
    if (this.roster.unsynced.size === 0) return;
    for (const memberId of [...this.roster.unsynced]) {
      const member = this.roster.members.get(memberId);
      if (member !== undefined) this.#remove(member);
    }
    this.#prepareRebalance(nowMs);
  }

  #markSynced(memberId: string): void {
    this.roster.unsynced.delete(memberId);
    if (this.roster.unsynced.size === 0) this.#syncDeadlineMs = undefined;
  }

  #memberProblem({ memberId, groupInstanceId }: ClassicIdentity): number | undefined {
    if (groupInstanceId !== null) {
      const known = this.roster.staticMembers.get(groupInstanceId);
      if (known === undefined) return errors.UNKNOWN_MEMBER_ID;
      if (known !== memberId) return errors.FENCED_INSTANCE_ID;
    }
    return this.roster.members.has(memberId) ? undefined : errors.UNKNOWN_MEMBER_ID;
  }

  #syncProblem(sync: ClassicSync): number | undefined {
    const problem = this.#memberProblem(sync);
    if (problem !== undefined) return problem;
    if (sync.generationId !== this.generationId) return errors.ILLEGAL_GENERATION;
    const differs = (asked: string | null, known: string | null | undefined): boolean =>
      asked !== null && known !== null && known !== undefined && asked !== known;
    if (differs(sync.protocolType, this.protocolType) || differs(sync.protocolName, this.protocolName))
      return errors.INCONSISTENT_GROUP_PROTOCOL;
    return this.#state === 'PreparingRebalance' ? errors.REBALANCE_IN_PROGRESS : undefined;
  }

  #instance(groupInstanceId: string): ClassicMember | undefined {
    return this.roster.members.get(this.roster.staticMembers.get(groupInstanceId) ?? '');
  }

  #selected(): string | undefined {
    return selectProtocol(this.members.map((member) => member.protocols));
  }

  #remove(member: ClassicMember): void {
    this.#answerJoin(member, joinRefusal(errors.UNKNOWN_MEMBER_ID, ''));
    this.#propagate(member, syncRefusal(errors.UNKNOWN_MEMBER_ID));
    this.#forget(member.memberId);
  }

  #forget(memberId: string): void {
    this.roster.remove(memberId);
    this.#heartbeatDeadlines.delete(memberId);
  }

  #joined(member: ClassicMember): JoinAnswer {
    const isLeader = this.roster.leaderId === member.memberId;
    return {
      errorCode: 0,
      memberId: member.memberId,
      generationId: this.generationId,
      protocolType: this.protocolType ?? null,
      protocolName: this.protocolName,
      leader: this.roster.leaderId ?? '',
      skipAssignment: false,
      members: isLeader
        ? this.members.map((each) => ({
            memberId: each.memberId,
            groupInstanceId: each.groupInstanceId,
            metadata: each.metadata(this.protocolName),
          }))
        : [],
    };
  }

  #assigned(member: ClassicMember): SyncAnswer {
    const { protocolType = null, protocolName } = this;
    return { errorCode: 0, protocolType, protocolName, assignment: member.assignment };
  }

  #refuseJoin(join: ClassicJoin, errorCode: number, memberId = join.memberId): void {
    this.#effects.push({ kind: 'join', requestId: join.requestId, answer: joinRefusal(errorCode, memberId) });
  }

  #answerJoin(member: ClassicMember, answer: JoinAnswer): void {
    const requestId = member.joinRequest;
    if (requestId === undefined) return;
    member.joinRequest = undefined;
    this.#effects.push({ kind: 'join', requestId, answer });
  }

  #propagate(member: ClassicMember, answer: SyncAnswer): boolean {
    const requestId = member.syncRequest;
    if (requestId === undefined) return false;
    member.syncRequest = undefined;
    this.#answerSync(requestId, answer);
    return true;
  }

  #answerSync(requestId: number, answer: SyncAnswer): void {
    this.#effects.push({ kind: 'sync', requestId, answer });
  }

  #supersede(requestId: number, request: 'join' | 'sync'): void {
    this.#effects.push({ kind: 'superseded', requestId, request });
  }

  #transition(state: ClassicGroupState): void {
    this.#state = state;
  }
}
