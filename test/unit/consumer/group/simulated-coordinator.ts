import type { PartitionAssignor, RebalanceProtocol } from '../../../../src/consumer/group/assignors/assignor.ts';
import {
  makeAssignors,
  type PartitionAssignorName,
} from '../../../../src/consumer/group/assignors/resolve-assignors.ts';
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../../../src/consumer/group/consumer-protocol.ts';
import { GroupMachine } from '../../../../src/consumer/group/group-machine.ts';
import type { GroupEffect, JoinAnswer } from '../../../../src/consumer/group/group-messages.ts';
import type { ReaderTask } from '../../../../src/consumer/group/holding.ts';
import { brokerErrorCodes as codes } from '../../../../src/errors/broker-error-codes.ts';
import type { TopicPartition } from '../../../../src/model/topic-partition.ts';

const SESSION_MS = 10_000;
const REBALANCE_MS = 20_000;
export const PARTITIONS = 7;

interface Member {
  lastSeenMs: number;
  metadata: Buffer;
  /** Answers the join that is held back; undefined while none is. */
  join: ((answer: JoinAnswer) => void) | undefined;
  sync: ((errorCode: number, assignment: Buffer) => void) | undefined;
}

/** A coordinator of one classic group, in a hundred lines: member ids, generations, held-back joins, sessions. */
export class SimulatedCoordinator {
  readonly #members = new Map<string, Member>();
  #state: 'empty' | 'joining' | 'syncing' | 'stable' = 'empty';
  #joinEndsMs = Infinity;
  generation = 0;
  #leader = '';
  #assignments = new Map<string, Buffer>();
  #ids = 0;

  join(memberId: string, metadata: Buffer, nowMs: number, answer: (answer: JoinAnswer) => void): void {
    if (memberId === '') return answer(this.#refusal(codes.MEMBER_ID_REQUIRED, this.#newId(nowMs)));
    const member = this.#members.get(memberId);
    if (member === undefined) return answer(this.#refusal(codes.UNKNOWN_MEMBER_ID, ''));
    member.lastSeenMs = nowMs;
    member.join = answer;
    member.metadata = metadata;
    if (this.#state !== 'joining') this.#startJoining(nowMs);
    this.tick(nowMs);
  }

  sync(
    memberId: string,
    generation: number,
    assignments: ReadonlyMap<string, Buffer>,
    nowMs: number,
    answer: (code: number, bytes: Buffer) => void,
  ): void {
    const member = this.#members.get(memberId);
    if (member === undefined) return answer(codes.UNKNOWN_MEMBER_ID, Buffer.alloc(0));
    if (generation !== this.generation) return answer(codes.ILLEGAL_GENERATION, Buffer.alloc(0));
    if (this.#state === 'joining') return answer(codes.REBALANCE_IN_PROGRESS, Buffer.alloc(0));
    member.lastSeenMs = nowMs;
    member.sync = answer;
    if (memberId === this.#leader && this.#state === 'syncing') {
      this.#assignments = new Map(assignments);
      this.#state = 'stable';
    }
    if (this.#state === 'stable')
      for (const [id, { sync }] of this.#members) {
        this.#member(id).sync = undefined;
        sync?.(0, this.#assignments.get(id) ?? Buffer.alloc(0));
      }
  }

  heartbeat(memberId: string, generation: number, nowMs: number): number {
    const member = this.#members.get(memberId);
    if (member === undefined) return codes.UNKNOWN_MEMBER_ID;
    if (generation !== this.generation) return codes.ILLEGAL_GENERATION;
    member.lastSeenMs = nowMs;
    return this.#state === 'stable' ? codes.NONE : codes.REBALANCE_IN_PROGRESS;
  }

  leave(memberId: string, nowMs: number): void {
    if (!this.#members.delete(memberId)) return;
    if (this.#members.size === 0) this.#state = 'empty';
    else if (this.#state !== 'joining') this.#startJoining(nowMs);
    this.tick(nowMs);
  }

  tick(nowMs: number): void {
    for (const [id, member] of [...this.#members]) {
      // Who waits for an answer is taken to be alive, as by Kafka: expired, it would wait without end.
      const isWaiting = member.join !== undefined || member.sync !== undefined;
      if (!isWaiting && nowMs - member.lastSeenMs > SESSION_MS) this.leave(id, nowMs);
    }
    if (this.#state !== 'joining') return;
    const isComplete = [...this.#members.values()].every((member) => member.join !== undefined);
    if (!isComplete && nowMs < this.#joinEndsMs) return;
    for (const [id, member] of [...this.#members]) if (member.join === undefined) this.#members.delete(id);
    if (this.#members.size === 0) return void (this.#state = 'empty');
    this.generation++;
    this.#state = 'syncing';
    this.#leader = [...this.#members.keys()][0] ?? '';
    const members = [...this.#members].map(([memberId, { metadata }]) => ({
      memberId,
      groupInstanceId: null,
      metadata,
    }));
    for (const [memberId, member] of this.#members) {
      const answer = member.join;
      member.join = undefined;
      member.lastSeenMs = nowMs;
      const base = {
        errorCode: 0,
        memberId,
        generationId: this.generation,
        protocolName: 'p',
        leader: this.#leader,
        skipAssignment: false,
      };
      answer?.({ ...base, members: memberId === this.#leader ? members : [] });
    }
  }

  #startJoining(nowMs: number): void {
    this.#state = 'joining';
    this.#joinEndsMs = nowMs + REBALANCE_MS;
    for (const member of this.#members.values()) {
      member.sync?.(codes.REBALANCE_IN_PROGRESS, Buffer.alloc(0));
      member.sync = undefined;
    }
  }

  #newId(nowMs: number): string {
    const id = `m-${++this.#ids}`;
    this.#members.set(id, { lastSeenMs: nowMs, metadata: Buffer.alloc(0), join: undefined, sync: undefined });
    return id;
  }

  #refusal(errorCode: number, memberId: string): JoinAnswer {
    return { errorCode, memberId, generationId: -1, protocolName: '', leader: '', skipAssignment: false, members: [] };
  }

  #member(id: string): Member {
    const member = this.#members.get(id);
    if (member === undefined) throw new Error(`no member ${id}`);
    return member;
  }
}

/** A machine with a driver that has no socket: messages wait in a queue, and arrive or are lost as the schedule says. */
export class SimulatedMember {
  readonly machine: GroupMachine;
  readonly messages: { readonly attempt: number; deliver: () => void }[] = [];
  held: readonly TopicPartition[] = [];
  /** The generation that gave what is held; a cooperative member carries what it keeps into the next. */
  heldGeneration = -1;
  /** How often a partition was taken from the reader. */
  givenUp = 0;
  tasks: ReaderTask[] = [];
  isReading = false;
  error: Error | undefined;
  readonly #coordinator: SimulatedCoordinator;
  #nowMs: () => number;

  readonly #assignor: PartitionAssignor;
  readonly #isCooperative: boolean;

  constructor(coordinator: SimulatedCoordinator, nowMs: () => number, name: PartitionAssignorName) {
    this.#coordinator = coordinator;
    const [assignor] = makeAssignors([name]);
    if (assignor === undefined) throw new Error(name);
    this.#assignor = assignor;
    const rebalanceProtocol: RebalanceProtocol = name === 'cooperative-sticky' ? 'cooperative' : 'eager';
    this.#isCooperative = rebalanceProtocol === 'cooperative';
    this.#nowMs = nowMs;
    this.machine = new GroupMachine({
      groupId: 'g',
      groupInstanceId: null,
      rebalanceProtocol,
      sessionTimeoutMs: SESSION_MS,
      heartbeatIntervalMs: 3000,
      maxPollIntervalMs: 30_000,
      retryBackoff: { initialMs: 100, maxMs: 1000 },
      random: () => 0.5,
    });
    this.machine.handle({ kind: 'subscribed', topics: ['t'] }, nowMs());
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
    if (task.kind === 'assign') {
      this.held = [...this.held, ...task.partitions];
      this.heldGeneration = this.machine.generationId;
    } else if (task.kind === 'revoke') {
      this.givenUp += task.partitions.length;
      this.held = this.held.filter(({ partition }) => !task.partitions.some((gone) => gone.partition === partition));
    }
    this.machine.handle({ kind: 'taskDone' }, this.#nowMs());
    this.perform();
  }

  deliver(index: number): void {
    const [message] = this.messages.splice(index % Math.max(1, this.messages.length), 1);
    message?.deliver();
    this.perform();
  }

  lose(index: number): void {
    const [message] = this.messages.splice(index % Math.max(1, this.messages.length), 1);
    if (message === undefined) return;
    this.machine.handle(
      { kind: 'requestFailed', attempt: message.attempt, error: new Error('lost'), fatal: false },
      this.#nowMs(),
    );
    this.perform();
  }

  perform(): void {
    for (const effect of this.machine.takeEffects()) this.#perform(effect);
  }

  #subscription({ owned, generationId }: Extract<GroupEffect, { kind: 'sendJoin' }>): Buffer {
    const ownedPartitions = this.#isCooperative ? owned : [];
    const userData = this.#assignor.subscriptionUserData?.(['t']) ?? null;
    return encodeSubscription({
      topics: ['t'],
      userData: userData as Buffer | null,
      ownedPartitions,
      generationId,
      rackId: null,
    });
  }

  #perform(effect: GroupEffect): void {
    const now = this.#nowMs;
    const coordinator = this.#coordinator;
    const send = (attempt: number, deliver: () => void): void => void this.messages.push({ attempt, deliver });
    switch (effect.kind) {
      case 'sendJoin':
        return send(effect.attempt, () =>
          coordinator.join(effect.memberId, this.#subscription(effect), now(), (answer) => {
            this.machine.handle({ kind: 'joinAnswered', attempt: effect.attempt, answer }, now());
            this.perform();
          }),
        );
      case 'computeAssignment': {
        const members = effect.members.map(({ memberId, metadata }) => ({
          memberId,
          groupInstanceId: null,
          ...decodeSubscription(metadata),
        }));
        const topics = new Map([
          ['t', Array.from({ length: PARTITIONS }, (_, partition) => ({ partition, racks: [] }))],
        ]);
        const assignments = [...this.#assignor.assign(topics, members)].map(([memberId, partitions]) => ({
          memberId,
          assignment: encodeAssignment(partitions as TopicPartition[]),
        }));
        this.machine.handle({ kind: 'assignmentComputed', attempt: effect.attempt, assignments }, now());
        return this.perform();
      }
      case 'sendSync':
        return send(effect.attempt, () => {
          const assignments = new Map(effect.assignments.map(({ memberId, assignment }) => [memberId, assignment]));
          coordinator.sync(effect.memberId, effect.generationId, assignments, now(), (errorCode, bytes) => {
            const { partitions } = decodeAssignment(bytes);
            const { generationId, memberId } = effect;
            if (errorCode === 0) this.#assignor.onAssignment?.(partitions, { generationId, memberId, userData: null });
            this.machine.handle({ kind: 'syncAnswered', attempt: effect.attempt, errorCode, partitions }, now());
            this.perform();
          });
        });
      case 'sendHeartbeat':
        return send(effect.attempt, () => {
          const errorCode = coordinator.heartbeat(effect.memberId, effect.generationId, now());
          this.machine.handle({ kind: 'heartbeatAnswered', attempt: effect.attempt, errorCode }, now());
        });
      case 'sendLeave':
        return coordinator.leave(effect.memberId, now());
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
      case 'left':
      case 'heartbeatFailed':
      case 'blocked':
        return;
      default:
        effect satisfies never;
    }
  }
}
