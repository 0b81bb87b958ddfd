import { brokerErrorByNumber, brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { brokerError } from '../../errors/broker-error.ts';
import type { TopicPartition } from '../../model/topic-partition.ts';
import { backoffMs, type BackoffPolicy } from '../../util/backoff.ts';
import type { ConsumerGroupEffect, ConsumerGroupInput, HeartbeatAnswer } from './consumer-group-messages.ts';
import type { LeaveMode } from './reading-messages.ts';
import { Holding, type ReaderTask } from './holding.ts';
import { isCoordinatorGone } from './membership-errors.ts';

type Heartbeat = { readonly name: 'due'; readonly atMs: number } | { readonly name: 'sent'; readonly attempt: number };

type State =
  /** Not a member; becomes one when a reader waits and no listener is due. */
  | { readonly name: 'idle' }
  /** Has asked to be a member, with epoch 0. */
  | { readonly name: 'joining'; readonly sinceMs: number; heartbeat: Heartbeat }
  | { readonly name: 'member'; heartbeat: Heartbeat }
  | { readonly name: 'left' }
  /** Over, as soon as the listener has heard what is lost. */
  | { readonly name: 'failed'; readonly error: Error; isTold: boolean };

type Beating = Extract<State, { heartbeat: Heartbeat }>;

/** What {@link ConsumerGroupMachine} has to know about its group. */
export interface ConsumerGroupMachineOptions {
  readonly groupId: string;
  readonly groupInstanceId: string | null;
  /** After so long without a heartbeat a broker with its defaults gives the partitions to others. */
  readonly sessionTimeoutMs: number;
  readonly maxPollIntervalMs: number;
  readonly retryBackoff: BackoffPolicy;
  readonly random: () => number;
}

const {
  NONE,
  UNKNOWN_MEMBER_ID,
  FENCED_MEMBER_EPOCH,
  STALE_MEMBER_EPOCH,
  UNRELEASED_INSTANCE_ID,
  COORDINATOR_LOAD_IN_PROGRESS,
} = brokerErrorCodes;

const JOIN_EPOCH = 0;
const LEAVE_EPOCH = -1;
const STATIC_LEAVE_EPOCH = -2;
/** A static member that died is known to the broker until its session ends: after 60 s at most, as brokers are set. */
const INSTANCE_RELEASED_AFTER_MS = 70_000;

/**
 * Membership in a group of the new protocol (KIP-848). Everything it decides is in this file and in {@link Holding}; it knows no socket
 * and no clock.
 *
 * There is one request, the heartbeat: it joins, tells what the member wants and has, and its answers say what the member should have. The
 * member gives up what it should not have, tells that it has, and gets the rest when others have done the same. What stays is read on
 * throughout.
 */
export class ConsumerGroupMachine {
  readonly #options: ConsumerGroupMachineOptions;
  readonly #holding = new Holding();
  #state: State = { name: 'idle' };
  #effects: ConsumerGroupEffect[] = [];
  #epoch = JOIN_EPOCH;
  #lastAttempt = 0;
  #failures = 0;
  #heartbeatIntervalMs = 0;
  #subscribed = false;
  /** What the coordinator has yet to hear. */
  #isFullDue = true;
  #isSubscriptionDue = false;
  #isOwnedDue = false;
  /**
   * Whether a changed subscription has had no answer yet. Until then nothing more is taken up: what the member was given for the one before
   * and has not told that it owns, the coordinator gives to others at once, in the same epoch.
   */
  #isSubscriptionOpen = false;
  /** What the member should have; undefined until it has heard. */
  #target: readonly TopicPartition[] | undefined;
  /** Whether the listener has heard of the target. */
  #isInstalled = false;
  #readerWaits = false;
  #busySinceMs = 0;

  constructor(options: ConsumerGroupMachineOptions) {
    this.#options = options;
  }

  /** What the machine is doing, in one word. */
  get stateName(): State['name'] {
    return this.#state.name;
  }

  /** The epoch under which partitions may be committed; -1 while it is no member. */
  get epoch(): number {
    return this.#state.name === 'member' ? this.#epoch : -1;
  }

  /** Whether a reader waits for records now. */
  get readerWaits(): boolean {
    return this.#readerWaits;
  }

  /** Whether the group has given its partitions, and the reader has been told. */
  get isSettled(): boolean {
    return this.#state.name === 'member' && this.#isInstalled && !this.#holding.isBusy && !this.needsReader;
  }

  /** Whether the reader has something to do that only it may do. */
  get needsReader(): boolean {
    if (this.#holding.isBusy) return false;
    if (this.#holding.hasLost) return true;
    if (this.#state.name === 'idle') return this.#subscribed;
    return this.#state.name === 'member' && this.#dueTask() !== undefined;
  }

  /** Takes the effects that have come up, in order. */
  takeEffects(): ConsumerGroupEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  handle(input: ConsumerGroupInput, nowMs: number): void {
    if (this.#state.name === 'left') return;
    switch (input.kind) {
      case 'subscribed':
        if (this.#subscribed) this.#isSubscriptionDue = this.#isSubscriptionOpen = true;
        this.#subscribed = true;
        this.#beatNow(nowMs);
        break;
      case 'readerCame':
        this.#readerWaits = true;
        break;
      case 'readerLeft':
        this.#readerWaits = false;
        this.#busySinceMs = nowMs;
        break;
      case 'heartbeatAnswered':
        if (this.#isUnderWay(input.attempt)) this.#handleAnswer(input.answer, nowMs);
        break;
      case 'requestFailed':
        if (this.#isUnderWay(input.attempt)) this.#handleFailure(input.error, input.fatal, nowMs);
        break;
      case 'assignmentResolved':
        if (this.#state.name === 'member') this.#aim(input.partitions);
        break;
      case 'taskDone':
        this.#handleTaskDone(nowMs);
        break;
      case 'refused':
        if (this.#state.name === 'member' && input.epoch === this.#epoch) this.#handleRefusal(input.errorCode, nowMs);
        break;
      case 'expired':
        // The reader may be waiting, but what holds it up is at work: until it comes back, it counts as away.
        this.#readerWaits = false;
        this.#expire(input.reason);
        break;
      case 'leave':
        if (this.#leave(input.mode)) this.#effects.push({ kind: 'left', reason: input.reason });
        this.#state = { name: 'left' };
        return;
      default:
        input satisfies never;
    }
    this.tick(nowMs);
  }

  /** Time has passed; early or twice is harmless. */
  tick(nowMs: number): void {
    if (this.#pollIntervalEndMs() <= nowMs)
      this.#expire(`no reader asked for records within maxPollIntervalMs (${this.#options.maxPollIntervalMs} ms)`);
    if (this.#readerWaits && this.#holding.hasLost && !this.#holding.isBusy)
      this.#effects.push({ kind: 'runTask', task: this.#holding.beginLosing() });
    const state = this.#state;
    switch (state.name) {
      case 'idle':
        if (this.#subscribed && this.#readerWaits && !this.#holding.isBusy) this.#join(nowMs);
        return;
      case 'joining':
        this.#beat(state, nowMs);
        return;
      case 'member':
        this.#runDueTask(nowMs);
        this.#beat(state, nowMs);
        return;
      case 'failed':
        if (!state.isTold && !this.#holding.hasLost && !this.#holding.isBusy) {
          state.isTold = true;
          this.#effects.push({ kind: 'fail', error: state.error });
        }
        return;
      case 'left':
        return;
      default:
        state satisfies never;
    }
  }

  /** When {@link ConsumerGroupMachine.tick} has something to do next, if nothing else happens. */
  nextDeadlineMs(): number | undefined {
    let next = this.#pollIntervalEndMs();
    const state = this.#state;
    if ('heartbeat' in state && state.heartbeat.name === 'due') next = Math.min(next, state.heartbeat.atMs);
    return next === Infinity ? undefined : next;
  }

  #join(nowMs: number): void {
    this.#epoch = JOIN_EPOCH;
    this.#target = undefined;
    this.#isInstalled = false;
    this.#isFullDue = true;
    this.#state = { name: 'joining', sinceMs: nowMs, heartbeat: { name: 'due', atMs: nowMs } };
    this.#effects.push({ kind: 'rebalancing', reason: 'the consumer began to read' });
    this.#beat(this.#state, nowMs);
  }

  #beat(state: Beating, nowMs: number): void {
    if (state.heartbeat.name !== 'due' || nowMs < state.heartbeat.atMs) return;
    const lateMs = nowMs - state.heartbeat.atMs;
    if (lateMs > this.#options.sessionTimeoutMs) this.#effects.push({ kind: 'blocked', durationMs: lateMs });
    const attempt = ++this.#lastAttempt;
    state.heartbeat = { name: 'sent', attempt };
    const isFull = this.#isFullDue;
    this.#effects.push({
      kind: 'sendHeartbeat',
      attempt,
      epoch: this.#epoch,
      isFull,
      withSubscription: isFull || this.#isSubscriptionDue,
      owned: isFull || this.#isOwnedDue ? this.#holding.partitions : undefined,
    });
    this.#isFullDue = false;
    this.#isSubscriptionDue = false;
    this.#isOwnedDue = false;
  }

  /** What the coordinator should hear, it hears now; or, if a heartbeat is under way, right after that. */
  #beatNow(nowMs: number): void {
    const state = this.#state;
    if ('heartbeat' in state && state.heartbeat.name === 'due' && this.#failures === 0)
      state.heartbeat = { name: 'due', atMs: nowMs };
  }

  #isUnderWay(attempt: number): boolean {
    const state = this.#state;
    return 'heartbeat' in state && state.heartbeat.name === 'sent' && state.heartbeat.attempt === attempt;
  }

  #handleAnswer(answer: HeartbeatAnswer, nowMs: number): void {
    if (answer.errorCode !== NONE) return this.#handleError(answer, nowMs);
    this.#failures = 0;
    // A heartbeat that failed has told of it, perhaps, and the next one tells all.
    if (!this.#isSubscriptionDue) this.#isSubscriptionOpen = false;
    this.#heartbeatIntervalMs = answer.heartbeatIntervalMs;
    const isNews = this.#isSubscriptionDue || this.#isOwnedDue || this.#isFullDue;
    const atMs = isNews ? nowMs : nowMs + this.#heartbeatIntervalMs;
    const isNewEpoch = this.#state.name === 'joining' || answer.memberEpoch !== this.#epoch;
    this.#epoch = answer.memberEpoch;
    this.#state = { name: 'member', heartbeat: { name: 'due', atMs } };
    if (answer.assignment !== undefined) this.#aim(answer.assignment);
    if (isNewEpoch) this.#effects.push({ kind: 'joined', epoch: this.#epoch, partitions: this.#target ?? [] });
  }

  #aim(target: readonly TopicPartition[]): void {
    const isFirst = this.#target === undefined;
    this.#target = target;
    if (isFirst || this.#holding.missing(target).length > 0) this.#isInstalled = false;
  }

  #runDueTask(nowMs: number): void {
    if (!this.#readerWaits || this.#holding.isBusy) return;
    const due = this.#dueTask();
    if (due === undefined) return;
    if (due.kind === 'assign') {
      this.#isInstalled = true;
      this.#isOwnedDue = true;
      this.#beatNow(nowMs);
    }
    this.#effects.push({ kind: 'runTask', task: this.#holding.begin(due.kind, due.partitions) });
  }

  #dueTask(): ReaderTask | undefined {
    if (this.#target === undefined) return undefined;
    const goes = this.#holding.without(this.#target);
    if (goes.length > 0) return { kind: 'revoke', partitions: goes };
    if (this.#isInstalled || this.#isSubscriptionOpen) return undefined;
    return { kind: 'assign', partitions: this.#holding.missing(this.#target) };
  }

  #handleTaskDone(nowMs: number): void {
    const done = this.#holding.finish();
    // Taken by the reader after the membership was lost: see the same place of the classic machine.
    if (done?.kind === 'assign' && done.isStale) this.#effects.push({ kind: 'endAssignment' });
    if (done?.kind !== 'revoke' || done.isStale) return;
    // Others wait for what was given up.
    this.#isOwnedDue = true;
    this.#beatNow(nowMs);
  }

  #handleError({ errorCode, errorMessage }: HeartbeatAnswer, nowMs: number): void {
    const error = this.#errorOf(errorCode, errorMessage);
    this.#effects.push({ kind: 'heartbeatFailed', error });
    if (isCoordinatorGone(errorCode)) {
      this.#effects.push({ kind: 'forgetCoordinator' });
      return this.#beatLater(nowMs);
    }
    switch (errorCode) {
      case UNKNOWN_MEMBER_ID:
      case FENCED_MEMBER_EPOCH:
        return this.#lose(`the coordinator answered ${brokerErrorByNumber(errorCode)?.name ?? errorCode}`);
      case UNRELEASED_INSTANCE_ID:
        if (this.#state.name === 'joining' && nowMs < this.#state.sinceMs + INSTANCE_RELEASED_AFTER_MS)
          return this.#beatLater(nowMs);
        return this.#fail(error);
      case COORDINATOR_LOAD_IN_PROGRESS:
        return this.#beatLater(nowMs);
      default:
        if (brokerErrorByNumber(errorCode)?.retriable === true) return this.#beatLater(nowMs);
        return this.#fail(error);
    }
  }

  #errorOf(errorCode: number, words: string | null): Error {
    const doing = `Cannot ${this.#state.name === 'joining' ? 'join' : 'stay in'} group ${JSON.stringify(this.#options.groupId)}`;
    return brokerError(errorCode, words === null || words === '' ? doing : `${doing}: ${words}`);
  }

  #handleFailure(error: Error, isFatal: boolean, nowMs: number): void {
    this.#effects.push({ kind: 'heartbeatFailed', error });
    if (isFatal) return this.#fail(error);
    this.#effects.push({ kind: 'forgetCoordinator' });
    this.#beatLater(nowMs);
  }

  #handleRefusal(errorCode: number, nowMs: number): void {
    if (errorCode === STALE_MEMBER_EPOCH) this.#beatNow(nowMs);
    else this.#lose(`a commit was answered ${brokerErrorByNumber(errorCode)?.name ?? errorCode}`);
  }

  /** What the coordinator has heard of a heartbeat without a good answer, nobody knows: it hears everything again. */
  #beatLater(nowMs: number): void {
    const state = this.#state;
    if (!('heartbeat' in state)) return;
    this.#failures++;
    this.#isFullDue = true;
    const pauseMs = backoffMs(this.#options.retryBackoff, this.#failures, this.#options.random());
    state.heartbeat = { name: 'due', atMs: nowMs + pauseMs };
  }

  /** The membership is over against our will: nothing of it may be handed out or committed. */
  #lose(reason: string): void {
    this.#effects.push({ kind: 'left', reason });
    this.#endHolding();
    this.#state = { name: 'idle' };
  }

  #endHolding(): void {
    this.#effects.push({ kind: 'endAssignment' });
    this.#holding.loseAll();
    this.#target = undefined;
    this.#isInstalled = false;
    this.#failures = 0;
  }

  #expire(reason: string): void {
    if (!('heartbeat' in this.#state)) return;
    this.#leave('default');
    this.#lose(reason);
  }

  #pollIntervalEndMs(): number {
    if (this.#readerWaits || !('heartbeat' in this.#state)) return Infinity;
    // A listener of the user's that runs is not a reader that stays away: the driver lets no reader go meanwhile.
    return this.#busySinceMs + this.#options.maxPollIntervalMs;
  }

  /**
   * Whether it goes for good. A static member goes for a while: its partitions wait for it until the session ends (KIP-345, KIP-1092).
   */
  #leave(mode: LeaveMode): boolean {
    if (!('heartbeat' in this.#state)) return false;
    const isStatic = this.#options.groupInstanceId !== null;
    if (mode === 'remain' && !isStatic) return false;
    const epoch = isStatic && mode !== 'leave' ? STATIC_LEAVE_EPOCH : LEAVE_EPOCH;
    this.#effects.push({ kind: 'sendLeave', epoch });
    return epoch === LEAVE_EPOCH;
  }

  #fail(error: Error): void {
    this.#endHolding();
    this.#state = { name: 'failed', error, isTold: false };
  }
}
