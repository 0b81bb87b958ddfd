import { ShareGroupMachine } from '../../../../src/consumer/share/share-group-machine.ts';
import type { SharePartition } from '../../../../src/consumer/share/share-group-membership.ts';
import type { ShareGroupEffect, ShareHeartbeatAnswer } from '../../../../src/consumer/share/share-group-messages.ts';
import { brokerErrorCodes as codes } from '../../../../src/errors/broker-error-codes.ts';

export const PARTITIONS = 5;
const SESSION_MS = 10_000;
const HEARTBEAT_MS = 1000;
/** So long after a change the coordinator keeps to the assignment before. */
const ASSIGNMENT_INTERVAL_MS = 700;

interface Member {
  epoch: number;
  previousEpoch: number;
  lastSeenMs: number;
  hasSubscription: boolean;
  given: readonly number[] | undefined;
}

/** A coordinator of one share group, in a hundred lines: epochs, assignments that come a moment after a change, sessions that end. */
export class SimulatedShareGroup {
  readonly #members = new Map<string, Member>();
  #target = new Map<string, readonly number[]>();
  #targetEpoch = 0;
  #changedMs = -Infinity;
  groupEpoch = 0;
  refusals = 0;
  /** What every heartbeat is answered with, as while the coordinator moves. */
  outage = 0;

  heartbeat(memberId: string, epoch: number, withSubscription: boolean, nowMs: number): ShareHeartbeatAnswer {
    if (this.outage !== 0) return answer(this.outage, epoch);
    if (epoch < 0) {
      this.#remove(memberId, nowMs);
      return answer(codes.NONE, epoch);
    }
    const member = epoch === 0 ? this.#join(memberId, nowMs) : this.#members.get(memberId);
    if (member === undefined) return this.#refuse(codes.UNKNOWN_MEMBER_ID);
    if (epoch !== 0 && epoch !== member.epoch && epoch !== member.previousEpoch)
      return this.#refuse(codes.FENCED_MEMBER_EPOCH);
    member.lastSeenMs = nowMs;
    member.hasSubscription ||= withSubscription;
    return this.#reconcile(memberId, member, epoch === 0 || withSubscription);
  }

  tick(nowMs: number): void {
    for (const [memberId, { lastSeenMs }] of [...this.#members])
      if (nowMs - lastSeenMs > SESSION_MS) this.#remove(memberId, nowMs);
    if (this.#targetEpoch === this.groupEpoch || nowMs < this.#changedMs + ASSIGNMENT_INTERVAL_MS) return;
    this.#targetEpoch = this.groupEpoch;
    const ids = [...this.#members].filter(([, member]) => member.hasSubscription).map(([id]) => id);
    this.#target = new Map(ids.map((id, index) => [id, shareOf(index, ids.length)]));
  }

  has(memberId: string): boolean {
    return this.#members.has(memberId);
  }

  /** What the coordinator has last told this member. */
  given(memberId: string): readonly number[] {
    return this.#members.get(memberId)?.given ?? [];
  }

  /** Another coordinator took over, and its member is gone. */
  drop(memberId: string, nowMs: number): void {
    this.#remove(memberId, nowMs);
  }

  /** The member's epoch is another one than it thinks. */
  fence(memberId: string): void {
    const member = this.#members.get(memberId);
    if (member === undefined) return;
    member.epoch += 10;
    member.previousEpoch = member.epoch;
  }

  #join(memberId: string, nowMs: number): Member {
    const known = this.#members.get(memberId);
    if (known !== undefined) return known;
    const member = { epoch: 0, previousEpoch: 0, lastSeenMs: nowMs, hasSubscription: false, given: undefined };
    this.#members.set(memberId, member);
    this.#change(nowMs);
    return member;
  }

  #reconcile(memberId: string, member: Member, isFull: boolean): ShareHeartbeatAnswer {
    const target = this.#target.get(memberId) ?? [];
    const isNews = isFull || member.given?.join() !== target.join();
    member.given = target;
    if (member.epoch < this.groupEpoch) {
      member.previousEpoch = member.epoch;
      member.epoch = this.groupEpoch;
    }
    const assignment = isNews ? target.map(partitionOf) : undefined;
    return { ...answer(codes.NONE, member.epoch), assignment };
  }

  #refuse(errorCode: number): ShareHeartbeatAnswer {
    this.refusals++;
    return answer(errorCode, -1);
  }

  #remove(memberId: string, nowMs: number): void {
    if (this.#members.delete(memberId)) this.#change(nowMs);
  }

  #change(nowMs: number): void {
    this.groupEpoch++;
    this.#changedMs = nowMs;
  }
}

/** Every partition goes to somebody; with more members than partitions some go to several. */
function shareOf(index: number, members: number): number[] {
  const all = Array.from({ length: PARTITIONS }, (_, partition) => partition);
  return members > PARTITIONS ? [index % PARTITIONS] : all.filter((partition) => partition % members === index);
}

function partitionOf(partition: number): SharePartition {
  return { topic: 't', topicId: 'id', partition };
}

function answer(errorCode: number, memberEpoch: number): ShareHeartbeatAnswer {
  const base = { errorMessage: null, heartbeatIntervalMs: HEARTBEAT_MS, assignment: undefined, hasTopics: true };
  return { errorCode, memberEpoch, ...base };
}

interface Message {
  /** Undefined for a farewell. */
  readonly attempt: number | undefined;
  /** The coordinator hears it; answers what is done when its answer arrives. */
  hear(): () => void;
}

/**
 * A machine with a driver that has no socket: what it sends waits in one row, as on a connection, and is heard, or lost with all that
 * is behind it, as the schedule says.
 */
export class SimulatedShareMember {
  readonly machine: ShareGroupMachine;
  readonly memberId: string;
  held: readonly number[] = [];
  error: Error | undefined;
  losses = 0;
  isSubscribed = false;
  #row: Message[] = [];
  readonly #group: SimulatedShareGroup;
  readonly #nowMs: () => number;

  constructor(memberId: string, group: SimulatedShareGroup, nowMs: () => number) {
    this.memberId = memberId;
    this.#group = group;
    this.#nowMs = nowMs;
    this.machine = new ShareGroupMachine({
      groupId: 'g',
      retryBackoff: { initialMs: 100, maxMs: 1000 },
      random: () => 0.5,
    });
  }

  get isUnderWay(): boolean {
    return this.#row.some(({ attempt }) => attempt !== undefined && this.machine.isUnderWay(attempt));
  }

  get isQuiet(): boolean {
    return this.#row.length === 0;
  }

  subscribe(isSubscribed: boolean): void {
    this.isSubscribed = isSubscribed;
    this.machine.handle({ kind: isSubscribed ? 'subscribed' : 'unsubscribed' }, this.#nowMs());
    this.#act();
  }

  leave(): void {
    this.isSubscribed = false;
    this.machine.handle({ kind: 'leave' }, this.#nowMs());
    this.#act();
  }

  tick(): void {
    this.machine.tick(this.#nowMs());
    this.#act();
  }

  deliver(): void {
    this.#row.shift()?.hear()();
    this.#act();
  }

  /** The connection is cut: with the first in the row heard, but never answered, or before. */
  cut(isFirstHeard: boolean): void {
    if (isFirstHeard) this.#row[0]?.hear();
    const lost = this.#row;
    this.#row = [];
    for (const { attempt } of lost)
      if (attempt !== undefined)
        this.machine.handle({ kind: 'requestFailed', attempt, error: new Error('cut'), fatal: false }, this.#nowMs());
    this.#act();
  }

  #act(): void {
    for (const effect of this.machine.takeEffects()) this.#perform(effect);
  }

  #perform(effect: ShareGroupEffect): void {
    switch (effect.kind) {
      case 'sendHeartbeat':
        return void this.#row.push(this.#heartbeat(effect.attempt, effect.epoch, effect.withSubscription));
      case 'sendLeave':
        return void this.#row.push({
          attempt: undefined,
          hear: () => {
            this.#group.heartbeat(this.memberId, -1, false, this.#nowMs());
            return () => undefined;
          },
        });
      case 'assign':
        this.held = effect.partitions.map(({ partition }) => partition);
        return;
      case 'lose':
        this.held = [];
        this.losses++;
        return;
      case 'fail':
        this.error = effect.error;
        return;
      case 'forgetCoordinator':
      case 'joined':
      case 'heartbeatFailed':
        return;
      default:
        effect satisfies never;
    }
  }

  #heartbeat(attempt: number, epoch: number, withSubscription: boolean): Message {
    return {
      attempt,
      hear: () => {
        const heard = this.#group.heartbeat(this.memberId, epoch, withSubscription, this.#nowMs());
        return () => this.machine.handle({ kind: 'heartbeatAnswered', attempt, answer: heard }, this.#nowMs());
      },
    };
  }
}
