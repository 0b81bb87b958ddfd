import { brokerErrorByNumber, brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { brokerError } from '../../errors/broker-error.ts';
import type { TopicPartition } from '../../model/topic-partition.ts';
import { backoffMs, type BackoffPolicy } from '../../util/backoff.ts';

/** What the coordinator tells the leader about a member. */
export interface JoinedMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly metadata: Buffer;
}

/** What of a JoinGroup response the decisions need. */
export interface JoinAnswer {
  readonly errorCode: number;
  readonly memberId: string;
  readonly generationId: number;
  readonly protocolName: string;
  readonly leader: string;
  readonly skipAssignment: boolean;
  readonly members: readonly JoinedMember[];
}

/** One member's share, as the leader sends it. */
export interface EncodedAssignment {
  readonly memberId: string;
  readonly assignment: Buffer;
}

/** Something that happened. Answers carry the attempt of the request that they answer. */
export type GroupInput =
  /** The consumer wants to be a member, or wants other topics than before. */
  | { readonly kind: 'subscribed' }
  | { readonly kind: 'readerCame' }
  | { readonly kind: 'readerLeft' }
  | { readonly kind: 'joinAnswered'; readonly attempt: number; readonly answer: JoinAnswer }
  | {
      readonly kind: 'assignmentComputed';
      readonly attempt: number;
      readonly assignments: readonly EncodedAssignment[];
    }
  | {
      readonly kind: 'syncAnswered';
      readonly attempt: number;
      readonly errorCode: number;
      readonly partitions: readonly TopicPartition[];
    }
  | { readonly kind: 'heartbeatAnswered'; readonly attempt: number; readonly errorCode: number }
  /** A request got no answer, or an assignment could not be computed; `fatal` if trying again is of no use. */
  | { readonly kind: 'requestFailed'; readonly attempt: number; readonly error: Error; readonly fatal: boolean }
  /** The assigned partitions are known to the reader: the listener has run. */
  | { readonly kind: 'installed' }
  /** The partitions were given up: the listener has run. */
  | { readonly kind: 'givenUp' }
  /** Something asks for a new generation: the leader saw other partitions, the user wants it. */
  | { readonly kind: 'rejoin'; readonly reason: string }
  /** The coordinator refused a commit because it does not know this member, or not in this generation. */
  | { readonly kind: 'disowned'; readonly generationId: number; readonly errorCode: number }
  | { readonly kind: 'leave'; readonly reason: string };

/** Something that the driver must do now. */
export type GroupEffect =
  | { readonly kind: 'forgetCoordinator' }
  | { readonly kind: 'sendJoin'; readonly attempt: number; readonly memberId: string; readonly reason: string }
  | {
      readonly kind: 'computeAssignment';
      readonly attempt: number;
      readonly members: readonly JoinedMember[];
    }
  | {
      readonly kind: 'sendSync';
      readonly attempt: number;
      readonly memberId: string;
      readonly generationId: number;
      readonly protocolName: string;
      readonly assignments: readonly EncodedAssignment[];
    }
  | {
      readonly kind: 'sendHeartbeat';
      readonly attempt: number;
      readonly memberId: string;
      readonly generationId: number;
    }
  | { readonly kind: 'sendLeave'; readonly memberId: string; readonly reason: string }
  /** Make these partitions the assignment and let the listener know; answer with `installed`. */
  | { readonly kind: 'install'; readonly generationId: number; readonly partitions: readonly TopicPartition[] }
  /** The partitions are not ours any more: nothing of them may be handed out or committed from now on. */
  | { readonly kind: 'endAssignment' }
  /** Let the listener know, give the partitions up, answer with `givenUp`. */
  | { readonly kind: 'giveUp'; readonly lost: boolean }
  | {
      readonly kind: 'joined';
      readonly generationId: number;
      readonly memberId: string;
      readonly leader: boolean;
      readonly partitions: readonly TopicPartition[];
    }
  | { readonly kind: 'left'; readonly memberId: string; readonly reason: string }
  | { readonly kind: 'heartbeatFailed'; readonly error: Error }
  /** The event loop stood still for longer than the session lasts. */
  | { readonly kind: 'blocked'; readonly durationMs: number }
  | { readonly kind: 'fail'; readonly error: Error };

/** Where a member stands with the partitions of its generation. */
type Phase = 'assigned' | 'installing' | 'reading' | 'givingUp';

type Heartbeat = { readonly name: 'due'; readonly atMs: number } | { readonly name: 'sent'; readonly attempt: number };

type State =
  /** Not a member; becomes one when a reader waits. */
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
      readonly partitions: readonly TopicPartition[];
      phase: Phase;
      heartbeat: Heartbeat;
      heartbeatFailures: number;
      rejoinReason: string | undefined;
    }
  /** Not a member any more, and a listener has yet to hear of it, or is running. */
  | { readonly name: 'lost'; listener: 'installing' | 'due' | 'running' }
  | { readonly name: 'left' }
  | { readonly name: 'failed' };

type Stable = Extract<State, { name: 'stable' }>;

/** What {@link GroupMachine} has to know about its group. */
export interface GroupMachineOptions {
  readonly groupId: string;
  readonly groupInstanceId: string | null;
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
  NOT_COORDINATOR,
  COORDINATOR_NOT_AVAILABLE,
  COORDINATOR_LOAD_IN_PROGRESS,
} = brokerErrorCodes;

/**
 * Membership in a classic group, with eager rebalances. Everything it decides is in this file; it knows no socket and no clock.
 *
 * Partitions are installed and given up only while a reader waits, so that nothing is in the user's hands then; heartbeats go
 * on whatever the reader does.
 */
export class GroupMachine {
  readonly #options: GroupMachineOptions;
  #state: State = { name: 'idle' };
  #effects: GroupEffect[] = [];
  #memberId = '';
  #lastAttempt = 0;
  /** Failures since the last generation that was reached; each makes the next join wait longer. */
  #failures = 0;
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
    return this.#state.name === 'stable' ? this.#state.generationId : -1;
  }

  /** Whether a reader waits for records now. */
  get readerWaits(): boolean {
    return this.#readerWaits;
  }

  get isLeader(): boolean {
    return this.#state.name === 'stable' && this.#state.leader;
  }

  /** Whether the reader has something to do that only it may do: install or give up partitions. */
  get needsReader(): boolean {
    const state = this.#state;
    if (state.name === 'lost') return state.listener === 'due';
    if (state.name === 'idle') return this.#subscribed;
    return (
      state.name === 'stable' &&
      (state.phase === 'assigned' || (state.phase === 'reading' && state.rejoinReason !== undefined))
    );
  }

  /** Takes the effects that have come up, in order. */
  takeEffects(): GroupEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  handle(input: GroupInput, nowMs: number): void {
    if (this.#state.name === 'left' || this.#state.name === 'failed') return;
    switch (input.kind) {
      case 'subscribed':
        if (this.#subscribed) this.#wantRejoin('the subscription changed');
        this.#subscribed = true;
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
          this.#sync(this.#state.generationId, this.#state.protocolName, input.assignments, true);
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
      case 'installed':
        if (this.#state.name === 'stable' && this.#state.phase === 'installing') this.#state.phase = 'reading';
        if (this.#state.name === 'lost' && this.#state.listener === 'installing') this.#state.listener = 'due';
        break;
      case 'givenUp':
        if (this.#state.name === 'stable' && this.#state.phase === 'givingUp')
          this.#join(this.#state.rejoinReason ?? 'rebalance');
        else if (this.#state.name === 'lost' && this.#state.listener === 'running') this.#state = { name: 'idle' };
        break;
      case 'rejoin':
        this.#wantRejoin(input.reason);
        break;
      case 'disowned':
        if (this.#state.name === 'stable' && this.#state.generationId === input.generationId) {
          this.#handleMembershipError(this.#state, input.errorCode, nowMs);
        }
        break;
      case 'leave':
        this.#leave(input.reason);
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
    const state = this.#state;
    switch (state.name) {
      case 'idle':
        if (this.#subscribed && this.#readerWaits) this.#join('the consumer began to read');
        return;
      case 'backingOff':
        if (nowMs >= state.untilMs) this.#join(state.reason);
        return;
      case 'lost':
        if (this.#readerWaits && state.listener === 'due') {
          state.listener = 'running';
          this.#effects.push({ kind: 'giveUp', lost: true });
        }
        return;
      case 'stable':
        this.#tickStable(state, nowMs);
        return;
      case 'joining':
      case 'assigning':
      case 'syncing':
      case 'left':
      case 'failed':
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
    if (state.heartbeat.name === 'due' && nowMs >= state.heartbeat.atMs) {
      const lateMs = nowMs - state.heartbeat.atMs;
      if (lateMs > this.#options.sessionTimeoutMs) this.#effects.push({ kind: 'blocked', durationMs: lateMs });
      const attempt = ++this.#lastAttempt;
      state.heartbeat = { name: 'sent', attempt };
      this.#effects.push({
        kind: 'sendHeartbeat',
        attempt,
        memberId: this.#memberId,
        generationId: state.generationId,
      });
    }
    if (!this.#readerWaits) return;
    if (state.rejoinReason !== undefined && state.phase === 'assigned') this.#join(state.rejoinReason);
    else if (state.rejoinReason !== undefined && state.phase === 'reading') {
      state.phase = 'givingUp';
      this.#effects.push({ kind: 'giveUp', lost: false });
    } else if (state.phase === 'assigned') {
      state.phase = 'installing';
      this.#effects.push({ kind: 'install', generationId: state.generationId, partitions: state.partitions });
    }
  }

  #handleJoinAnswer(answer: JoinAnswer, nowMs: number): void {
    const { errorCode } = answer;
    if (errorCode === NONE) {
      this.#memberId = answer.memberId;
      const leads = answer.leader === answer.memberId;
      if (!leads || answer.skipAssignment) return this.#sync(answer.generationId, answer.protocolName, [], leads);
      const attempt = ++this.#lastAttempt;
      this.#state = {
        name: 'assigning',
        attempt,
        generationId: answer.generationId,
        protocolName: answer.protocolName,
      };
      this.#effects.push({ kind: 'computeAssignment', attempt, members: answer.members });
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
    this.#state = {
      name: 'stable',
      generationId,
      leader,
      partitions: input.partitions,
      phase: 'assigned',
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
    switch (errorCode) {
      case UNKNOWN_MEMBER_ID:
        this.#memberId = '';
        return this.#backOff('the coordinator does not know the member', nowMs);
      case NOT_COORDINATOR:
      case COORDINATOR_NOT_AVAILABLE:
        this.#effects.push({ kind: 'forgetCoordinator' });
        return this.#backOff('the coordinator moved', nowMs);
      case ILLEGAL_GENERATION:
      case REBALANCE_IN_PROGRESS:
        // Others are joining right now; to wait would make them wait. Only a second time in a row is worth a pause.
        if (this.#failures === 0) {
          this.#failures++;
          return this.#join('the group is rebalancing');
        }
        return this.#backOff('the group is rebalancing', nowMs);
      case MEMBER_ID_REQUIRED:
      case COORDINATOR_LOAD_IN_PROGRESS:
        return this.#backOff('the coordinator is not ready', nowMs);
      default:
        if (brokerErrorByNumber(errorCode)?.retriable === true)
          return this.#backOff('the coordinator is not ready', nowMs);
        return this.#fail(brokerError(errorCode, `Cannot join group ${JSON.stringify(this.#options.groupId)}`));
    }
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
    switch (errorCode) {
      case UNKNOWN_MEMBER_ID:
        return this.#lose(state, 'the coordinator does not know the member', '');
      case ILLEGAL_GENERATION:
        return this.#lose(state, 'the coordinator is at another generation', this.#memberId);
      case NOT_COORDINATOR:
      case COORDINATOR_NOT_AVAILABLE:
        this.#effects.push({ kind: 'forgetCoordinator' });
        return this.#heartbeatLater(state, nowMs);
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
    this.#effects.push({ kind: 'sendJoin', attempt, memberId: this.#memberId, reason });
  }

  #sync(generationId: number, protocolName: string, assignments: readonly EncodedAssignment[], leader: boolean): void {
    const attempt = ++this.#lastAttempt;
    this.#state = { name: 'syncing', attempt, generationId, leader };
    this.#effects.push({
      kind: 'sendSync',
      attempt,
      memberId: this.#memberId,
      generationId,
      protocolName,
      assignments,
    });
  }

  #backOff(reason: string, nowMs: number): void {
    this.#failures++;
    this.#state = { name: 'backingOff', untilMs: nowMs + this.#pauseMs(this.#failures), reason };
  }

  #pauseMs(failures: number): number {
    return backoffMs(this.#options.retryBackoff, failures, this.#options.random());
  }

  /** The membership is over against our will: nothing of it may be handed out or committed. */
  #lose(state: Stable, reason: string, nextMemberId: string): void {
    this.#effects.push({ kind: 'left', memberId: this.#memberId, reason }, { kind: 'endAssignment' });
    this.#memberId = nextMemberId;
    // A listener that was never told of these partitions need not hear that they are gone.
    if (state.phase === 'assigned') this.#state = { name: 'idle' };
    else if (state.phase === 'reading') this.#state = { name: 'lost', listener: 'due' };
    else this.#state = { name: 'lost', listener: state.phase === 'installing' ? 'installing' : 'running' };
  }

  #handlePollIntervalOver(): void {
    const reason = `no reader asked for records within maxPollIntervalMs (${this.#options.maxPollIntervalMs} ms)`;
    const state = this.#state;
    this.#leave(reason);
    if (state.name === 'stable') return this.#lose(state, reason, '');
    if (this.#memberId !== '') this.#effects.push({ kind: 'left', memberId: this.#memberId, reason });
    this.#memberId = '';
    this.#state = { name: 'idle' };
  }

  #pollIntervalEndMs(): number {
    const { name } = this.#state;
    if (this.#readerWaits || name === 'idle' || name === 'lost' || name === 'left' || name === 'failed')
      return Infinity;
    // A listener of the user's that runs is not a reader that stays away: the driver lets no reader go meanwhile.
    return this.#busySinceMs + this.#options.maxPollIntervalMs;
  }

  /** A static member says nothing when it goes: its partitions wait for it until the session ends (KIP-345). */
  #leave(reason: string): void {
    const isMember = this.#memberId !== '' && this.#state.name !== 'idle' && this.#state.name !== 'lost';
    if (!isMember || this.#options.groupInstanceId !== null) return;
    this.#effects.push({ kind: 'sendLeave', memberId: this.#memberId, reason });
  }

  #fail(error: Error): void {
    this.#effects.push({ kind: 'endAssignment' }, { kind: 'fail', error });
    this.#state = { name: 'failed' };
  }
}
