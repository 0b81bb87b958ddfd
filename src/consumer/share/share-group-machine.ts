import { brokerErrorByNumber, brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { brokerError } from '../../errors/broker-error.ts';
import { backoffMs, type BackoffPolicy } from '../../util/backoff.ts';
import { isCoordinatorGone } from '../group/membership-errors.ts';
import type { SharePartition } from './share-group-membership.ts';
import type { ShareGroupEffect, ShareGroupInput, ShareHeartbeatAnswer } from './share-group-messages.ts';

type Heartbeat = { readonly name: 'due'; readonly atMs: number } | { readonly name: 'sent'; readonly attempt: number };

type State =
  /** Not a member, because nothing is subscribed. */
  | { readonly name: 'idle' }
  /** Has asked to be a member, with epoch 0. */
  | { readonly name: 'joining'; heartbeat: Heartbeat }
  | { readonly name: 'member'; heartbeat: Heartbeat }
  | { readonly name: 'left' }
  | { readonly name: 'failed' };

/** What {@link ShareGroupMachine} has to know about its group. */
export interface ShareGroupMachineOptions {
  readonly groupId: string;
  readonly retryBackoff: BackoffPolicy;
  readonly random: () => number;
}

const { NONE, UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, GROUP_ID_NOT_FOUND, UNSUPPORTED_VERSION } = brokerErrorCodes;

const JOIN_EPOCH = 0;
/** No broker asks for more; without a bound one that says 0 would be asked without a pause. */
const MIN_HEARTBEAT_INTERVAL_MS = 100;

/**
 * Membership in a share group (KIP-932). Everything it decides is in this file; it knows no socket and no clock.
 *
 * There is one request, the heartbeat: it joins with epoch 0 and tells the topics, and its answers say which partitions to read. Unlike in
 * other groups nothing has to be given up before somebody else may have it: the partitions' leaders share out the records, whoever
 * asks. So an assignment takes effect at once, and a member that was dropped only has to come back.
 */
export class ShareGroupMachine {
  readonly #options: ShareGroupMachineOptions;
  #state: State = { name: 'idle' };
  #effects: ShareGroupEffect[] = [];
  #epoch = JOIN_EPOCH;
  #lastAttempt = 0;
  #lastHeardMs = 0;
  #failures = 0;
  #emptyAnswers = 0;
  /** What the coordinator has yet to hear. */
  #isFullDue = true;
  #isSubscriptionDue = false;
  /** What the member should read; undefined until it has heard. */
  #assignment: readonly SharePartition[] | undefined;

  constructor(options: ShareGroupMachineOptions) {
    this.#options = options;
  }

  /** What the machine is doing, in one word. */
  get stateName(): State['name'] {
    return this.#state.name;
  }

  /** The epoch of the membership; -1 while it is no member. */
  get epoch(): number {
    return this.#state.name === 'member' ? this.#epoch : -1;
  }

  /** What the coordinator gave, undefined as long as it has given nothing. */
  get assignment(): readonly SharePartition[] | undefined {
    return this.#assignment;
  }

  /** Whether the heartbeat of this attempt is still wanted: one that was overtaken by a farewell would bring the member back. */
  isUnderWay(attempt: number): boolean {
    const state = this.#state;
    return 'heartbeat' in state && state.heartbeat.name === 'sent' && state.heartbeat.attempt === attempt;
  }

  /** Takes the effects that have come up, in order. */
  takeEffects(): ShareGroupEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  handle(input: ShareGroupInput, nowMs: number): void {
    if (this.#state.name === 'left' || this.#state.name === 'failed') return;
    switch (input.kind) {
      case 'subscribed':
        this.#subscribe(nowMs);
        break;
      case 'unsubscribed':
        this.#leave();
        this.#state = { name: 'idle' };
        break;
      case 'heartbeatAnswered':
        if (this.isUnderWay(input.attempt)) this.#handleAnswer(input.answer, nowMs);
        break;
      case 'requestFailed':
        if (this.isUnderWay(input.attempt)) this.#handleFailure(input.error, input.fatal, nowMs);
        break;
      case 'assignmentResolved':
        if (this.#assignment !== undefined) this.#assign(input.partitions);
        break;
      case 'leave':
        this.#leave();
        this.#state = { name: 'left' };
        break;
      default:
        input satisfies never;
    }
    this.tick(nowMs);
  }

  /** Time has passed; early or twice is harmless. */
  tick(nowMs: number): void {
    const state = this.#state;
    if (!('heartbeat' in state) || state.heartbeat.name !== 'due' || nowMs < state.heartbeat.atMs) return;
    const attempt = ++this.#lastAttempt;
    state.heartbeat = { name: 'sent', attempt };
    const isFull = this.#isFullDue;
    const withSubscription = isFull || this.#isSubscriptionDue;
    this.#effects.push({ kind: 'sendHeartbeat', attempt, epoch: this.#epoch, isFull, withSubscription });
    this.#isFullDue = false;
    this.#isSubscriptionDue = false;
  }

  /** When {@link ShareGroupMachine.tick} has something to do next, if nothing else happens. */
  nextDeadlineMs(): number | undefined {
    const state = this.#state;
    return 'heartbeat' in state && state.heartbeat.name === 'due' ? state.heartbeat.atMs : undefined;
  }

  #subscribe(nowMs: number): void {
    const state = this.#state;
    if (!('heartbeat' in state)) return this.#join(nowMs);
    this.#isSubscriptionDue = true;
    // What is under way may have left without it; after a failure the pause counts.
    if (state.heartbeat.name === 'due' && this.#failures === 0) state.heartbeat = { name: 'due', atMs: nowMs };
  }

  #join(atMs: number): void {
    this.#epoch = JOIN_EPOCH;
    this.#isFullDue = true;
    this.#failures = 0;
    this.#emptyAnswers = 0;
    this.#state = { name: 'joining', heartbeat: { name: 'due', atMs } };
  }

  #handleAnswer(answer: ShareHeartbeatAnswer, nowMs: number): void {
    if (answer.errorCode !== NONE) return this.#handleError(answer, nowMs);
    this.#failures = 0;
    this.#lastHeardMs = nowMs;
    const isNewEpoch = this.#state.name === 'joining' || answer.memberEpoch !== this.#epoch;
    this.#epoch = answer.memberEpoch;
    if (answer.assignment !== undefined) this.#assign(answer.assignment);
    const atMs = this.#isSubscriptionDue ? nowMs : nowMs + this.#intervalMs(answer);
    this.#state = { name: 'member', heartbeat: { name: 'due', atMs } };
    if (isNewEpoch) this.#effects.push({ kind: 'joined', epoch: this.#epoch, partitions: this.#assignment ?? [] });
  }

  /**
   * Who joins is given partitions a moment later, by the answer to a later heartbeat. So the first ones come sooner than the coordinator asks
   * for: a consumer would stand still for a whole interval, 5 s as brokers are set, before its first record.
   */
  #intervalMs({ heartbeatIntervalMs, hasTopics }: ShareHeartbeatAnswer): number {
    const intervalMs = Math.max(MIN_HEARTBEAT_INTERVAL_MS, heartbeatIntervalMs);
    const isAwaited = hasTopics && (this.#assignment ?? []).length === 0;
    this.#emptyAnswers = isAwaited ? this.#emptyAnswers + 1 : 0;
    if (!isAwaited) return intervalMs;
    const { retryBackoff, random } = this.#options;
    const pauseMs = backoffMs({ ...retryBackoff, maxMs: intervalMs }, this.#emptyAnswers, random());
    return Math.min(intervalMs, pauseMs);
  }

  #assign(partitions: readonly SharePartition[]): void {
    const before = this.#assignment;
    this.#assignment = partitions;
    if (before === undefined || !isSame(before, partitions)) this.#effects.push({ kind: 'assign', partitions });
  }

  #handleError({ errorCode, errorMessage }: ShareHeartbeatAnswer, nowMs: number): void {
    const error = this.#errorOf(errorCode, errorMessage);
    this.#effects.push({ kind: 'heartbeatFailed', error });
    const isMember = this.#state.name === 'member';
    // A group of another type is answered GROUP_ID_NOT_FOUND as well; a member of it was never taken in, so it is joining.
    if (errorCode === UNKNOWN_MEMBER_ID || errorCode === FENCED_MEMBER_EPOCH) return this.#rejoin(errorCode, nowMs);
    if (errorCode === GROUP_ID_NOT_FOUND && isMember) return this.#rejoin(errorCode, nowMs);
    if (isCoordinatorGone(errorCode)) this.#effects.push({ kind: 'forgetCoordinator' });
    else if (brokerErrorByNumber(errorCode)?.retriable !== true) return this.#fail(error);
    this.#beatLater(nowMs);
  }

  #errorOf(errorCode: number, words: string | null): Error {
    const doing = `Cannot ${this.#state.name === 'joining' ? 'join' : 'stay in'} share group ${JSON.stringify(this.#options.groupId)}`;
    if (errorCode !== UNSUPPORTED_VERSION) return brokerError(errorCode, doing, words);
    return brokerError(errorCode, doing, `${words ?? 'the brokers have none'}; ${shareGroupsAdvice}`);
  }

  #handleFailure(error: Error, isFatal: boolean, nowMs: number): void {
    this.#effects.push({ kind: 'heartbeatFailed', error });
    if (isFatal) return this.#fail(error);
    this.#effects.push({ kind: 'forgetCoordinator' });
    this.#beatLater(nowMs);
  }

  /** What the coordinator has heard of a heartbeat without a good answer, nobody knows: it hears everything again. */
  #beatLater(nowMs: number): void {
    const state = this.#state;
    if (!('heartbeat' in state)) return;
    this.#isFullDue = true;
    state.heartbeat = { name: 'due', atMs: nowMs + this.#pauseMs() };
  }

  #pauseMs(): number {
    return backoffMs(this.#options.retryBackoff, ++this.#failures, this.#options.random());
  }

  /**
   * The coordinator has dropped the member, which comes back under the same id. At once the first time; one that is dropped again before it
   * was taken in waits in between.
   */
  #rejoin(errorCode: number, nowMs: number): void {
    if (this.#state.name === 'joining') return this.#beatLater(nowMs);
    const name = brokerErrorByNumber(errorCode)?.name ?? String(errorCode);
    const quietMs = Math.round(nowMs - this.#lastHeardMs);
    const reason = `the coordinator answered ${name}, ${quietMs} ms after the last good answer`;
    this.#assignment = undefined;
    this.#effects.push({ kind: 'lose', reason });
    this.#join(nowMs);
  }

  #leave(): void {
    if ('heartbeat' in this.#state) this.#effects.push({ kind: 'sendLeave' });
    this.#forgetAssignment();
  }

  #fail(error: Error): void {
    this.#forgetAssignment();
    this.#effects.push({ kind: 'fail', error });
    this.#state = { name: 'failed' };
  }

  #forgetAssignment(): void {
    const had = this.#assignment;
    this.#assignment = undefined;
    if (had !== undefined && had.length > 0) this.#effects.push({ kind: 'assign', partitions: [] });
  }
}

/** What to do about brokers that have no share groups. */
export const shareGroupsAdvice: string =
  'share groups need brokers of Kafka 4.2 or later with the feature share.version at 1: admin.updateFeatures({ feature: "share.version", maxVersionLevel: 1 })';

function isSame(some: readonly SharePartition[], others: readonly SharePartition[]): boolean {
  const keys = new Set(some.map(keyOf));
  return some.length === others.length && others.every((other) => keys.has(keyOf(other)));
}

function keyOf({ topicId, partition }: SharePartition): string {
  return `${topicId}:${partition}`;
}
