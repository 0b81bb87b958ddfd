import { brokerErrorByNumber, brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { brokerError } from '../../errors/broker-error.ts';
import type { TopicPartition } from '../../model/topic-partition.ts';
import { backoffMs, type BackoffPolicy } from '../../util/backoff.ts';
import type { RebalanceProtocol } from './assignors/assignor.ts';
import { Holding, type ReaderTask } from './holding.ts';
import { isCoordinatorGone } from './membership-errors.ts';
import type { EncodedAssignment, GroupEffect, GroupInput, JoinAnswer, JoinedMember } from './group-messages.ts';
import type { LeaveMode } from './reading-messages.ts';

type Heartbeat = { readonly name: 'due'; readonly atMs: number } | { readonly name: 'sent'; readonly attempt: number };

type State =
  /** Not a member; becomes one when a reader waits and no listener is due. */
  | { readonly name: 'idle' }
  | { readonly name: 'backingOff'; readonly untilMs: number; readonly reason: string }
  | { readonly name: 'joining'; readonly attempt: number }
  | {
      readonly name: 'assigning';
      readonly attempt: number;
      readonly generationId: number;
      readonly protocolName: string;
    }
  | { readonly name: 'syncing'; readonly attempt: number; readonly generationId: number; readonly leader: boolean }
  | {
      readonly name: 'stable';
      readonly generationId: number;
      readonly leader: boolean;
      /** What the group has given. */
      readonly partitions: readonly TopicPartition[];
      /** Whether the reader has heard of this generation. */
      isInstalled: boolean;
      heartbeat: Heartbeat;
      heartbeatFailures: number;
      rejoinReason: string | undefined;
    }
  | { readonly name: 'left' }
  /** Over, as soon as the listener has heard what is lost. */
  | { readonly name: 'failed'; readonly error: Error; isTold: boolean };

type Stable = Extract<State, { name: 'stable' }>;

/** What {@link GroupMachine} has to know about its group. */
export interface GroupMachineOptions {
  readonly groupId: string;
  readonly groupInstanceId: string | null;
  readonly rebalanceProtocol: RebalanceProtocol;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly maxPollIntervalMs: number;
  readonly retryBackoff: BackoffPolicy;
  readonly random: () => number;
}

const {
  NONE,
  MEMBER_ID_REQUIRED,
  UNKNOWN_MEMBER_ID,
  ILLEGAL_GENERATION,
  REBALANCE_IN_PROGRESS,
  COORDINATOR_LOAD_IN_PROGRESS,
} = brokerErrorCodes;

const NO_GENERATION = -1;

/**
 * Membership in a classic group. Everything it decides is in this file and in {@link Holding}; it knows no socket and no clock.
 *
 * Partitions change hands only while a reader waits, so that nothing is in the user's hands then; heartbeats go on whatever the reader
 * does. With eager rebalances, all is given up before the member joins again. With cooperative ones it keeps reading while it joins, gives
 * up what it is told to, and then joins once more, so that others can have that (KIP-429).
 */
export class GroupMachine {
  readonly #options: GroupMachineOptions;
  readonly #holding = new Holding();
  #state: State = { name: 'idle' };
  #effects: GroupEffect[] = [];
  #memberId = '';
  /** The generation that gave what is held. */
  #generationId = NO_GENERATION;
  #lastAttempt = 0;
  /** Failures since the last generation that was reached; each makes the next join wait longer. */
  #failures = 0;
  #topics: readonly string[] = [];
  #subscribed = false;
  /** Why the generation that is being formed will not do: what made it out of date came after its join was sent. */
  #pendingRejoin: string | undefined;
  #readerWaits = false;
  #busySinceMs = 0;

  constructor(options: GroupMachineOptions) {
    this.#options = options;
  }

  /** What the machine is doing, in one word. */
  get stateName(): State['name'] {
    return this.#state.name;
  }

  get memberId(): string {
    return this.#memberId;
  }

  /** The generation whose partitions may be committed; -1 while there is none. */
  get generationId(): number {
    if (this.#state.name === 'stable') return this.#state.generationId;
    return this.#holding.isEmpty ? NO_GENERATION : this.#generationId;
  }

  /** Whether a generation is being formed: what the coordinator refuses meanwhile may go well in the next. */
  get isRebalancing(): boolean {
    const { name } = this.#state;
    return name === 'joining' || name === 'assigning' || name === 'syncing' || name === 'backingOff';
  }

  /** Whether a reader waits for records now. */
  get readerWaits(): boolean {
    return this.#readerWaits;
  }

  get isLeader(): boolean {
    return this.#state.name === 'stable' && this.#state.leader;
  }

  /** Whether the group has given its partitions, and the reader has been told. */
  get isSettled(): boolean {
    return this.#state.name === 'stable' && this.#state.isInstalled && !this.needsReader;
  }

  /** Whether the reader has something to do that only it may do. */
  get needsReader(): boolean {
    if (this.#holding.isBusy) return false;
    if (this.#holding.hasLost) return true;
    const state = this.#state;
    if (state.name === 'idle') return this.#subscribed;
    return state.name === 'stable' && this.#dueTask(state) !== undefined;
  }

  /** Takes the effects that have come up, in order. */
  takeEffects(): GroupEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  handle(input: GroupInput, nowMs: number): void {
    if (this.#state.name === 'left') return;
    switch (input.kind) {
      case 'subscribed':
        this.#handleSubscribed(input.topics);
        break;
      case 'readerCame':
        this.#readerWaits = true;
        break;
      case 'readerLeft':
        this.#readerWaits = false;
        this.#busySinceMs = nowMs;
        break;
      case 'joinAnswered':
        if (this.#state.name === 'joining' && this.#state.attempt === input.attempt)
          this.#handleJoinAnswer(input.answer, nowMs);
        break;
      case 'assignmentComputed':
        if (this.#state.name === 'assigning' && this.#state.attempt === input.attempt) {
          this.#sync(this.#state.generationId, this.#state.protocolName, input.assignments, true, []);
        }
        break;
      case 'syncAnswered':
        if (this.#state.name === 'syncing' && this.#state.attempt === input.attempt)
          this.#handleSyncAnswer(input, nowMs);
        break;
      case 'heartbeatAnswered':
        this.#handleHeartbeatAnswer(input.attempt, input.errorCode, nowMs);
        break;
      case 'requestFailed':
        this.#handleFailure(input, nowMs);
        break;
      case 'taskDone':
        this.#handleTaskDone();
        break;
      case 'rejoin':
        this.#wantRejoin(input.reason);
        break;
      case 'disowned':
        if (this.#state.name === 'stable' && this.#state.generationId === input.generationId) {
          this.#handleMembershipError(this.#state, input.errorCode, nowMs);
        }
        break;
      case 'expired':
        // The reader may be waiting, but what holds it up is at work: until it comes back, it counts as away.
        this.#readerWaits = false;
        this.#expire(input.reason);
        break;
      case 'leave':
        if (this.#leave(input.reason, input.mode))
          this.#effects.push({ kind: 'left', memberId: this.#memberId, reason: input.reason });
        this.#state = { name: 'left' };
        return;
      default:
        input satisfies never;
    }
    this.tick(nowMs);
  }

  /** Time has passed; early or twice is harmless. */
  tick(nowMs: number): void {
    if (this.#pollIntervalEndMs() <= nowMs) this.#handlePollIntervalOver();
    if (this.#readerWaits && this.#holding.hasLost && !this.#holding.isBusy)
      this.#effects.push({ kind: 'runTask', task: this.#holding.beginLosing() });
    const state = this.#state;
    switch (state.name) {
      case 'idle':
        if (this.#subscribed && this.#readerWaits && !this.#holding.isBusy) this.#join('the consumer began to read');
        return;
      case 'backingOff':
        if (nowMs >= state.untilMs) this.#join(state.reason);
        return;
      case 'stable':
        this.#tickStable(state, nowMs);
        return;
      case 'failed':
        if (!state.isTold && !this.#holding.hasLost && !this.#holding.isBusy) {
          state.isTold = true;
          this.#effects.push({ kind: 'fail', error: state.error });
        }
        return;
      case 'joining':
      case 'assigning':
      case 'syncing':
      case 'left':
        return;
      default:
        state satisfies never;
    }
  }

  /** When {@link GroupMachine.tick} has something to do next, if nothing else happens. */
  nextDeadlineMs(): number | undefined {
    let next = this.#pollIntervalEndMs();
    const state = this.#state;
    if (state.name === 'backingOff') next = Math.min(next, state.untilMs);
    if (state.name === 'stable' && state.heartbeat.name === 'due') next = Math.min(next, state.heartbeat.atMs);
    return next === Infinity ? undefined : next;
  }

  #tickStable(state: Stable, nowMs: number): void {
    if (state.heartbeat.name === 'due' && nowMs >= state.heartbeat.atMs) this.#heartbeat(state, nowMs);
    if (this.#holding.isBusy) return;
    const due = this.#dueTask(state);
    if (due === undefined) {
      // Nothing has to be given up for it: so the others need not wait until the reader comes.
      if (state.rejoinReason !== undefined) this.#join(state.rejoinReason);
    } else if (this.#readerWaits) {
      if (due.kind === 'assign') state.isInstalled = true;
      this.#effects.push({ kind: 'runTask', task: this.#holding.begin(due.kind, due.partitions) });
    } else if (this.#isCooperative && state.rejoinReason !== undefined && this.#unwanted().length === 0) {
      this.#join(state.rejoinReason);
    }
  }

  /** What the reader has to do next before the member may go on. */
  #dueTask(state: Stable): ReaderTask | undefined {
    const holding = this.#holding;
    if (state.rejoinReason !== undefined) {
      const goes = this.#isCooperative ? this.#unwanted() : holding.partitions;
      if (goes.length > 0) return { kind: 'revoke', partitions: goes };
      // What the old generation gave would have to be given up at once.
      if (!this.#isCooperative) return undefined;
    }
    const goes = holding.without(state.partitions);
    if (goes.length > 0) return { kind: 'revoke', partitions: goes };
    if (!state.isInstalled) return { kind: 'assign', partitions: holding.missing(state.partitions) };
    return undefined;
  }

  /** Held partitions of topics that are not subscribed any more: others may get them from the generation that is to come. */
  #unwanted(): TopicPartition[] {
    return this.#holding.partitions.filter(({ topic }) => !this.#topics.includes(topic));
  }

  get #isCooperative(): boolean {
    return this.#options.rebalanceProtocol === 'cooperative';
  }

  #handleSubscribed(topics: readonly string[]): void {
    this.#topics = topics;
    if (this.#subscribed) this.#wantRejoin('the subscription changed');
    this.#subscribed = true;
  }

  #handleTaskDone(): void {
    const done = this.#holding.finish();
    // Walkthrough: 1. partitions are assigned, and the reader is to take them; 2. before it does, the membership is lost, and the assignment
    // ends; 3. the reader takes them. Without this it would read what belongs to others.
    if (done?.kind === 'assign' && done.isStale) this.#effects.push({ kind: 'endAssignment' });
    if (done?.kind === 'revoke' && !done.isStale && this.#isCooperative)
      this.#wantRejoin('partitions were given up for other members');
  }

  #heartbeat(state: Stable, nowMs: number): void {
    if (state.heartbeat.name !== 'due') return;
    const lateMs = nowMs - state.heartbeat.atMs;
    if (lateMs > this.#options.sessionTimeoutMs) this.#effects.push({ kind: 'blocked', durationMs: lateMs });
    const attempt = ++this.#lastAttempt;
    state.heartbeat = { name: 'sent', attempt };
    const { generationId } = state;
    this.#effects.push({ kind: 'sendHeartbeat', attempt, memberId: this.#memberId, generationId });
  }

  #handleJoinAnswer(answer: JoinAnswer, nowMs: number): void {
    const { errorCode } = answer;
    if (errorCode === NONE) {
      this.#memberId = answer.memberId;
      const leads = answer.leader === answer.memberId;
      const { generationId, protocolName, members } = answer;
      if (!leads || answer.skipAssignment) return this.#sync(generationId, protocolName, [], leads, members);
      const attempt = ++this.#lastAttempt;
      this.#state = { name: 'assigning', attempt, generationId, protocolName };
      this.#effects.push({ kind: 'computeAssignment', attempt, protocolName, members });
    } else if (errorCode === MEMBER_ID_REQUIRED && this.#memberId === '') {
      // KIP-394: the coordinator wants to see the id that it gives before it counts us.
      this.#memberId = answer.memberId;
      this.#join('the coordinator gave a member id');
    } else {
      this.#handleJoinError(errorCode, nowMs);
    }
  }

  #handleSyncAnswer(input: Extract<GroupInput, { kind: 'syncAnswered' }>, nowMs: number): void {
    if (this.#state.name !== 'syncing') return;
    if (input.errorCode !== NONE) return this.#handleJoinError(input.errorCode, nowMs);
    const { generationId, leader } = this.#state;
    this.#failures = 0;
    this.#generationId = generationId;
    this.#state = {
      name: 'stable',
      generationId,
      leader,
      partitions: input.partitions,
      isInstalled: false,
      heartbeat: { name: 'due', atMs: nowMs + this.#options.heartbeatIntervalMs },
      heartbeatFailures: 0,
      rejoinReason: this.#pendingRejoin,
    };
    this.#effects.push({
      kind: 'joined',
      generationId,
      memberId: this.#memberId,
      leader,
      partitions: input.partitions,
    });
  }

  /** An error of JoinGroup or SyncGroup: join again, with a pause, or give up. */
  #handleJoinError(errorCode: number, nowMs: number): void {
    if (isCoordinatorGone(errorCode)) {
      this.#effects.push({ kind: 'forgetCoordinator' });
      return this.#backOff('the coordinator moved', nowMs);
    }
    switch (errorCode) {
      case UNKNOWN_MEMBER_ID:
        if (!this.#holding.isEmpty) return this.#lose('the coordinator does not know the member', '');
        this.#memberId = '';
        return this.#backOff('the coordinator does not know the member', nowMs);
      case ILLEGAL_GENERATION:
        // A generation was formed without this member: what it holds is somebody else's in it.
        if (!this.#holding.isEmpty) return this.#lose('the coordinator is at another generation', this.#memberId);
        return this.#joinSoon(nowMs);
      case REBALANCE_IN_PROGRESS:
        return this.#joinSoon(nowMs);
      case MEMBER_ID_REQUIRED:
      case COORDINATOR_LOAD_IN_PROGRESS:
        return this.#backOff('the coordinator is not ready', nowMs);
      default:
        if (brokerErrorByNumber(errorCode)?.retriable === true)
          return this.#backOff('the coordinator is not ready', nowMs);
        return this.#fail(brokerError(errorCode, `Cannot join group ${JSON.stringify(this.#options.groupId)}`));
    }
  }

  /** Others are joining right now; to wait would make them wait. Only a second time in a row is worth a pause. */
  #joinSoon(nowMs: number): void {
    if (this.#failures > 0) return this.#backOff('the group is rebalancing', nowMs);
    this.#failures++;
    this.#join('the group is rebalancing');
  }

  #handleHeartbeatAnswer(attempt: number, errorCode: number, nowMs: number): void {
    const state = this.#state;
    if (state.name !== 'stable' || state.heartbeat.name !== 'sent' || state.heartbeat.attempt !== attempt) return;
    if (errorCode === NONE || errorCode === REBALANCE_IN_PROGRESS) {
      state.heartbeatFailures = 0;
      state.heartbeat = { name: 'due', atMs: nowMs + this.#options.heartbeatIntervalMs };
      if (errorCode === REBALANCE_IN_PROGRESS) this.#wantRejoin('the group is rebalancing');
      return;
    }
    this.#effects.push({ kind: 'heartbeatFailed', error: this.#heartbeatError(errorCode) });
    this.#handleMembershipError(state, errorCode, nowMs);
  }

  #handleMembershipError(state: Stable, errorCode: number, nowMs: number): void {
    if (isCoordinatorGone(errorCode)) {
      this.#effects.push({ kind: 'forgetCoordinator' });
      return this.#heartbeatLater(state, nowMs);
    }
    switch (errorCode) {
      case UNKNOWN_MEMBER_ID:
        return this.#lose('the coordinator does not know the member', '');
      case ILLEGAL_GENERATION:
        return this.#lose('the coordinator is at another generation', this.#memberId);
      default:
        if (brokerErrorByNumber(errorCode)?.retriable === true) return this.#heartbeatLater(state, nowMs);
        return this.#fail(this.#heartbeatError(errorCode));
    }
  }

  #heartbeatError(errorCode: number): Error {
    return brokerError(errorCode, `Cannot stay in group ${JSON.stringify(this.#options.groupId)}`);
  }

  #handleFailure(input: Extract<GroupInput, { kind: 'requestFailed' }>, nowMs: number): void {
    const state = this.#state;
    const isHeartbeat =
      state.name === 'stable' && state.heartbeat.name === 'sent' && state.heartbeat.attempt === input.attempt;
    const isJoin =
      (state.name === 'joining' || state.name === 'assigning' || state.name === 'syncing') &&
      state.attempt === input.attempt;
    if (!isHeartbeat && !isJoin) return;
    if (isHeartbeat) this.#effects.push({ kind: 'heartbeatFailed', error: input.error });
    if (input.fatal) return this.#fail(input.error);
    if (state.name !== 'assigning') this.#effects.push({ kind: 'forgetCoordinator' });
    if (state.name === 'stable') this.#heartbeatLater(state, nowMs);
    else this.#backOff('a request got no answer', nowMs);
  }

  #heartbeatLater(state: Stable, nowMs: number): void {
    state.heartbeatFailures++;
    state.heartbeat = { name: 'due', atMs: nowMs + this.#pauseMs(state.heartbeatFailures) };
  }

  #wantRejoin(reason: string): void {
    const state = this.#state;
    if (state.name === 'stable') state.rejoinReason ??= reason;
    // The join under way is not given up for a second one: its answer may name a member that nobody would then be.
    else if (state.name === 'joining' || state.name === 'assigning' || state.name === 'syncing')
      this.#pendingRejoin = reason;
  }

  #join(reason: string): void {
    const attempt = ++this.#lastAttempt;
    this.#pendingRejoin = undefined;
    this.#state = { name: 'joining', attempt };
    this.#effects.push({
      kind: 'sendJoin',
      attempt,
      memberId: this.#memberId,
      reason,
      owned: this.#holding.partitions,
      generationId: this.#generationId,
    });
  }

  #sync(
    generationId: number,
    protocolName: string,
    assignments: readonly EncodedAssignment[],
    leader: boolean,
    watched: readonly JoinedMember[],
  ): void {
    const attempt = ++this.#lastAttempt;
    this.#state = { name: 'syncing', attempt, generationId, leader };
    const memberId = this.#memberId;
    this.#effects.push({ kind: 'sendSync', attempt, memberId, generationId, protocolName, assignments, watched });
  }

  #backOff(reason: string, nowMs: number): void {
    this.#failures++;
    this.#state = { name: 'backingOff', untilMs: nowMs + this.#pauseMs(this.#failures), reason };
  }

  #pauseMs(failures: number): number {
    return backoffMs(this.#options.retryBackoff, failures, this.#options.random());
  }

  /** The membership is over against our will: nothing of it may be handed out or committed. */
  #lose(reason: string, nextMemberId: string): void {
    this.#effects.push({ kind: 'left', memberId: this.#memberId, reason });
    this.#memberId = nextMemberId;
    this.#endHolding();
    this.#state = { name: 'idle' };
  }

  #endHolding(): void {
    this.#effects.push({ kind: 'endAssignment' });
    this.#holding.loseAll();
    this.#generationId = NO_GENERATION;
  }

  #handlePollIntervalOver(): void {
    this.#expire(`no reader asked for records within maxPollIntervalMs (${this.#options.maxPollIntervalMs} ms)`);
  }

  #expire(reason: string): void {
    const { name } = this.#state;
    if (name === 'idle' || name === 'left' || name === 'failed') return;
    this.#leave(reason, 'default');
    if (name === 'stable' || !this.#holding.isEmpty) return this.#lose(reason, '');
    if (this.#memberId !== '') this.#effects.push({ kind: 'left', memberId: this.#memberId, reason });
    this.#memberId = '';
    this.#state = { name: 'idle' };
  }

  #pollIntervalEndMs(): number {
    const { name } = this.#state;
    if (this.#readerWaits || name === 'idle' || name === 'left' || name === 'failed') return Infinity;
    // A listener of the user's that runs is not a reader that stays away: the driver lets no reader go meanwhile.
    return this.#busySinceMs + this.#options.maxPollIntervalMs;
  }

  /**
   * Whether the group is told. A static member says nothing when it goes: its partitions wait for it until the session ends (KIP-345,
   * KIP-1092).
   */
  #leave(reason: string, mode: LeaveMode): boolean {
    const { name } = this.#state;
    const isMember = this.#memberId !== '' && name !== 'idle' && name !== 'failed';
    const isSilent = mode === 'remain' || (mode === 'default' && this.#options.groupInstanceId !== null);
    if (!isMember || isSilent) return false;
    this.#effects.push({ kind: 'sendLeave', memberId: this.#memberId, reason });
    return true;
  }

  #fail(error: Error): void {
    this.#endHolding();
    this.#state = { name: 'failed', error, isTold: false };
  }
}
