import { ConsumerGroupMachine } from '../../../../src/consumer/group/consumer-group-machine.ts';
import type { ConsumerGroupEffect, HeartbeatAnswer } from '../../../../src/consumer/group/consumer-group-messages.ts';
import type { ReaderTask } from '../../../../src/consumer/group/holding.ts';
import { brokerErrorCodes as codes } from '../../../../src/errors/broker-error-codes.ts';
import type { TopicPartition } from '../../../../src/model/topic-partition.ts';

export const PARTITIONS = 7;
const SESSION_MS = 10_000;
const HEARTBEAT_MS = 1000;

interface Member {
  epoch: number;
  previousEpoch: number;
  lastSeenMs: number;
  /** What the coordinator counts as its own: given, and not known to be given up. */
  owned: Set<number>;
}

/** A coordinator of one group of the new protocol, in a hundred lines: epochs, targets, partitions that are given only once they are free. */
export class SimulatedConsumerGroup {
  readonly #members = new Map<string, Member>();
  groupEpoch = 0;
  fenced = 0;

  heartbeat(
    memberId: string,
    epoch: number,
    isFull: boolean,
    owned: readonly TopicPartition[] | undefined,
    nowMs: number,
  ): HeartbeatAnswer {
    if (epoch < 0) {
      this.#remove(memberId);
      return answer(codes.NONE, epoch);
    }
    let member = this.#members.get(memberId);
    if (epoch === 0) {
      // Who joins again has nothing.
      this.#remove(memberId);
      member = { epoch: 0, previousEpoch: 0, lastSeenMs: nowMs, owned: new Set() };
      this.#members.set(memberId, member);
      this.groupEpoch++;
    }
    if (member === undefined) return answer(codes.UNKNOWN_MEMBER_ID, -1);
    if (epoch !== member.epoch && epoch !== member.previousEpoch) {
      this.fenced++;
      this.#remove(memberId);
      return answer(codes.FENCED_MEMBER_EPOCH, -1);
    }
    member.lastSeenMs = nowMs;
    const reported = owned?.map(({ partition }) => partition);
    return this.#reconcile(memberId, member, reported, isFull || epoch === 0);
  }

  tick(nowMs: number): void {
    for (const [memberId, { lastSeenMs }] of [...this.#members])
      if (nowMs - lastSeenMs > SESSION_MS) this.#remove(memberId);
  }

  /** Whether the coordinator would take a heartbeat of this member. */
  knows(memberId: string, epoch: number): boolean {
    const member = this.#members.get(memberId);
    return member !== undefined && (epoch === member.epoch || epoch === member.previousEpoch);
  }

  /** Who is fenced comes back with nothing; so nothing that it had is its own from now on. */
  fence(memberId: string): void {
    this.#remove(memberId);
  }

  #reconcile(memberId: string, member: Member, reported: number[] | undefined, isFull: boolean): HeartbeatAnswer {
    const target = this.#target(memberId);
    const before = [...member.owned].sort().join();
    const goes = [...member.owned].filter((partition) => !target.has(partition));
    const isGivenUp = reported !== undefined && goes.every((partition) => !reported.includes(partition));
    if (goes.length > 0 && isGivenUp) for (const partition of goes) member.owned.delete(partition);
    const isClean = goes.length === 0 || isGivenUp;
    if (isClean) {
      const taken = new Set(
        [...this.#members.values()].filter((one) => one !== member).flatMap((one) => [...one.owned]),
      );
      for (const partition of target) if (!taken.has(partition)) member.owned.add(partition);
      if (member.epoch !== this.groupEpoch) {
        member.previousEpoch = member.epoch;
        member.epoch = this.groupEpoch;
      }
    }
    const given = isClean ? [...member.owned] : [...member.owned].filter((partition) => target.has(partition));
    const isNews = isFull || !isClean || before !== [...member.owned].sort().join() || reported !== undefined;
    return {
      ...answer(codes.NONE, member.epoch),
      assignment: isNews ? given.map((partition) => ({ topic: 't', partition })) : undefined,
    };
  }

  #target(memberId: string): Set<number> {
    const ids = [...this.#members.keys()].sort();
    const index = ids.indexOf(memberId);
    return new Set(Array.from({ length: PARTITIONS }, (_, each) => each).filter((each) => each % ids.length === index));
  }

  #remove(memberId: string): void {
    if (this.#members.delete(memberId)) this.groupEpoch++;
  }
}

function answer(errorCode: number, memberEpoch: number): HeartbeatAnswer {
  return { errorCode, errorMessage: null, memberEpoch, heartbeatIntervalMs: HEARTBEAT_MS, assignment: undefined };
}

/** A machine with a driver that has no socket: messages wait in a queue, and arrive or are lost as the schedule says. */
export class SimulatedConsumerMember {
  readonly machine: ConsumerGroupMachine;
  readonly messages: { readonly attempt: number; deliver: () => void }[] = [];
  held: readonly TopicPartition[] = [];
  tasks: ReaderTask[] = [];
  isReading = false;
  error: Error | undefined;
  losses = 0;
  readonly memberId: string;
  readonly #group: SimulatedConsumerGroup;
  readonly #nowMs: () => number;

  constructor(memberId: string, group: SimulatedConsumerGroup, nowMs: () => number) {
    this.memberId = memberId;
    this.#group = group;
    this.#nowMs = nowMs;
    this.machine = new ConsumerGroupMachine({
      groupId: 'g',
      groupInstanceId: null,
      sessionTimeoutMs: SESSION_MS,
      maxPollIntervalMs: 30_000,
      retryBackoff: { initialMs: 100, maxMs: 1000 },
      random: () => 0.5,
    });
    this.machine.handle({ kind: 'subscribed' }, nowMs());
    this.perform();
  }

  read(isReading: boolean): void {
    if (this.isReading === isReading) return;
    this.isReading = isReading;
    this.machine.handle({ kind: isReading ? 'readerCame' : 'readerLeft' }, this.#nowMs());
    this.perform();
  }

  tick(): void {
    this.machine.tick(this.#nowMs());
    this.perform();
  }

  /** The reader runs its next listener, if it waits. */
  runTask(): void {
    const task = this.isReading ? this.tasks.shift() : undefined;
    if (task === undefined) return;
    if (task.kind === 'assign') this.held = [...this.held, ...task.partitions];
    if (task.kind === 'revoke')
      this.held = this.held.filter(({ partition }) => !task.partitions.some((gone) => gone.partition === partition));
    if (task.kind === 'lose') this.losses++;
    this.machine.handle({ kind: 'taskDone' }, this.#nowMs());
    this.perform();
  }

  deliver(index: number): void {
    const [message] = this.messages.splice(index % Math.max(1, this.messages.length), 1);
    message?.deliver();
    this.perform();
  }

  /** The request or its answer never arrives. */
  lose(index: number, isHeard: boolean): void {
    const [message] = this.messages.splice(index % Math.max(1, this.messages.length), 1);
    if (message === undefined) return;
    const { attempt } = message;
    if (isHeard) this.#heard?.();
    this.machine.handle({ kind: 'requestFailed', attempt, error: new Error('lost'), fatal: false }, this.#nowMs());
    this.perform();
  }

  #heard: (() => void) | undefined;

  perform(): void {
    for (const effect of this.machine.takeEffects()) this.#perform(effect);
  }

  #perform(effect: ConsumerGroupEffect): void {
    switch (effect.kind) {
      case 'sendHeartbeat': {
        const { attempt, epoch, isFull, owned } = effect;
        const send = (): HeartbeatAnswer => this.#group.heartbeat(this.memberId, epoch, isFull, owned, this.#nowMs());
        this.#heard = () => void send();
        this.messages.push({
          attempt,
          deliver: () => this.machine.handle({ kind: 'heartbeatAnswered', attempt, answer: send() }, this.#nowMs()),
        });
        return;
      }
      case 'sendLeave':
        this.#group.heartbeat(this.memberId, effect.epoch, false, undefined, this.#nowMs());
        return;
      case 'runTask':
        return void this.tasks.push(effect.task);
      case 'endAssignment':
        this.held = [];
        return;
      case 'fail':
        this.error = effect.error;
        return;
      case 'forgetCoordinator':
      case 'joined':
      case 'rebalancing':
      case 'left':
      case 'heartbeatFailed':
      case 'blocked':
        return;
      default:
        effect satisfies never;
    }
  }
}
