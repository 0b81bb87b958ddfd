import { retryBackoff } from '../../cluster/options.ts';
import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { brokerError, type BrokerError } from '../../errors/broker-error.ts';
import type { Input } from '../../protocol/api.ts';
import { Heartbeat } from '../../protocol/generated/heartbeat.ts';
import { JoinGroup, type JoinGroupRequest } from '../../protocol/generated/join-group.ts';
import { SyncGroup } from '../../protocol/generated/sync-group.ts';
import { deferred, type Deferred } from '../../util/deferred.ts';
import { quote } from '../../util/option-rules.ts';
import { isDisowned, type CommitIdentity } from '../offset-client.ts';
import type { PartitionAssignor } from './assignors/assignor.ts';
import { makeAssignors, rebalanceProtocolOf } from './assignors/resolve-assignors.ts';
import { decodeAssignment, encodeSubscription } from './consumer-protocol.ts';
import { GroupDuty } from './group-duty.ts';
import { GroupMachine } from './group-machine.ts';
import type { GroupEffect, GroupInput } from './group-messages.ts';
import type { Membership, MembershipParts } from './membership.ts';
import { ReadingMember } from './reading-member.ts';
import type { LeaveMode } from './reading-messages.ts';
import { saneAssignment } from './sane-assignment.ts';

const PROTOCOL_TYPE = 'consumer';
/** A join is held back until all members have come; the coordinator itself ends that after the rebalance timeout. */
const JOIN_SLACK_MS = 5000;

/** A member of a classic group: does what {@link GroupMachine} decides. */
export class GroupMember implements Membership {
  readonly #parts: MembershipParts;
  readonly #machine: GroupMachine;
  readonly #member: ReadingMember<GroupInput, GroupEffect>;
  readonly #assignors: readonly PartitionAssignor[];
  readonly #isCooperative: boolean;
  readonly #duty: GroupDuty;
  readonly #stopListening: () => void;
  #leaving: Promise<void> | undefined;
  /** Those who wait for the end of a rebalance. */
  #settling: Deferred<void> | undefined;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
    const { options, cluster, groupId } = parts;
    this.#assignors = makeAssignors(options.partitionAssignors);
    const rebalanceProtocol = rebalanceProtocolOf(this.#assignors) ?? 'eager';
    this.#isCooperative = rebalanceProtocol === 'cooperative';
    this.#duty = new GroupDuty({ cluster, groupId, assignors: this.#assignors, rebalanceProtocol });
    this.#machine = new GroupMachine({
      groupId,
      groupInstanceId: options.groupInstanceId ?? null,
      rebalanceProtocol,
      sessionTimeoutMs: options.sessionTimeoutMs,
      heartbeatIntervalMs: options.heartbeatIntervalMs,
      maxPollIntervalMs: options.maxPollIntervalMs,
      retryBackoff: retryBackoff(cluster.options),
      random: cluster.random,
    });
    this.#member = new ReadingMember<GroupInput, GroupEffect>(parts, this.#machine, {
      perform: (effect) => this.#perform(effect),
      onPerformed: () => this.#settle(),
      refusal: (input) => refusal(input, `Cannot join group ${quote(groupId)}`),
    });
    this.#stopListening = cluster.onMetadata(() => this.#checkTopics());
  }

  get identity(): CommitIdentity {
    return { generationId: this.#machine.generationId, memberId: this.#machine.memberId };
  }

  get lastFailure(): Error | undefined {
    return this.#member.lastFailure;
  }

  get needsReader(): boolean {
    return this.#member.needsReader;
  }

  get isSettled(): boolean {
    return this.#member.isSettled;
  }

  subscribed(): void {
    this.#member.handle({ kind: 'subscribed', topics: this.#parts.topics().names });
  }

  readerCame(): void {
    this.#member.handle({ kind: 'readerCame' });
  }

  readerLeft(): void {
    this.#member.handle({ kind: 'readerLeft' });
  }

  readerOverdue(): void {
    this.#member.readerOverdue();
  }

  rejoin(reason: string): void {
    this.#member.handle({ kind: 'rejoin', reason });
  }

  async refused(identity: CommitIdentity, errorCode: number): Promise<boolean> {
    const isCurrent = identity.generationId === this.#machine.generationId && !this.#machine.isRebalancing;
    if (isCurrent && isDisowned(errorCode)) {
      this.#member.handle({ kind: 'disowned', generationId: identity.generationId, errorCode });
      return false;
    }
    // A cooperative member goes on committing what it keeps: the next generation takes it.
    if (this.#machine.isRebalancing) {
      this.#settling ??= deferred<void>();
      await this.#settling.promise;
    }
    return this.#machine.generationId >= 0 && this.#machine.generationId !== identity.generationId;
  }

  runReaderTasks(): Promise<void> {
    return this.#member.runReaderTasks();
  }

  async leave(reason: string, mode: LeaveMode): Promise<void> {
    this.#stopListening();
    this.#member.end({ kind: 'leave', reason, mode });
    this.#settling?.resolve();
    await this.#leaving;
  }

  #settle(): void {
    if (this.#machine.isRebalancing) return;
    this.#settling?.resolve();
    this.#settling = undefined;
  }

  #perform(effect: GroupEffect): void {
    const { cluster, groupId, options } = this.#parts;
    const { events } = cluster;
    switch (effect.kind) {
      case 'sendJoin':
        events.publish('group.rebalancing', { groupId, reason: effect.reason });
        return void this.#member.request(effect.attempt, () => this.#join(effect));
      case 'computeAssignment':
        return void this.#member.request(effect.attempt, () => this.#computeAssignment(effect));
      case 'sendSync':
        return void this.#member.request(effect.attempt, () => this.#sync(effect));
      case 'sendHeartbeat':
        return void this.#member.request(effect.attempt, () => this.#heartbeat(effect));
      case 'sendLeave':
        this.#leaving = this.#member.link.leave(effect.memberId, options.groupInstanceId, effect.reason);
        return;
      case 'joined':
        events.publish('group.joined', {
          groupId,
          memberId: effect.memberId,
          generationId: effect.generationId,
          leader: effect.leader,
          assignment: effect.partitions,
        });
        return;
      case 'left':
        return this.#member.tellLeft(effect.memberId, effect.reason);
      case 'blocked':
        return this.#member.tellBlocked(effect.durationMs, 'the session');
      case 'forgetCoordinator':
      case 'runTask':
      case 'endAssignment':
      case 'heartbeatFailed':
      case 'fail':
        return this.#member.perform(effect);
      default:
        effect satisfies never;
    }
  }

  async #join(effect: Extract<GroupEffect, { kind: 'sendJoin' }>): Promise<GroupInput> {
    const { options, groupId } = this.#parts;
    await this.#parts.topicsKnown();
    const message: Input<JoinGroupRequest> = {
      groupId,
      sessionTimeoutMs: options.sessionTimeoutMs,
      rebalanceTimeoutMs: options.maxPollIntervalMs,
      memberId: effect.memberId,
      ...this.#instance(),
      protocolType: PROTOCOL_TYPE,
      protocols: this.#assignors.map((assignor) => this.#protocol(assignor, effect)),
      reason: effect.reason,
    };
    const answer = await this.#member.link.send(JoinGroup, message, options.maxPollIntervalMs + JOIN_SLACK_MS);
    return {
      kind: 'joinAnswered',
      attempt: effect.attempt,
      answer: { ...answer, protocolName: answer.protocolName ?? '' },
    };
  }

  #protocol(
    assignor: PartitionAssignor,
    { owned, generationId }: Extract<GroupEffect, { kind: 'sendJoin' }>,
  ): { name: string; metadata: Buffer } {
    const topics = this.#parts.topics().names;
    const userData = assignor.subscriptionUserData?.(topics) ?? null;
    const metadata = encodeSubscription({
      topics,
      userData: userData === null ? null : Buffer.from(userData.buffer, userData.byteOffset, userData.byteLength),
      ownedPartitions: this.#isCooperative ? owned : [],
      generationId,
      rackId: this.#parts.cluster.options.clientRack ?? null,
    });
    return { name: assignor.name, metadata };
  }

  async #sync(effect: Extract<GroupEffect, { kind: 'sendSync' }>): Promise<GroupInput> {
    await this.#duty.watch(effect.watched);
    const answer = await this.#member.link.send(
      SyncGroup,
      {
        groupId: this.#parts.groupId,
        generationId: effect.generationId,
        memberId: effect.memberId,
        ...this.#instance(),
        protocolType: PROTOCOL_TYPE,
        protocolName: effect.protocolName,
        assignments: effect.assignments,
      },
      this.#parts.options.maxPollIntervalMs + JOIN_SLACK_MS,
    );
    const { attempt } = effect;
    if (answer.errorCode !== brokerErrorCodes.NONE)
      return { kind: 'syncAnswered', attempt, errorCode: answer.errorCode, partitions: [] };
    const given = decodeAssignment(answer.assignment);
    const { partitions, refused } = saneAssignment(given.partitions, new Set(this.#parts.topics().names));
    if (refused.length > 0) {
      const names = refused.map(({ topic, partition }) => `${topic}-${partition}`).join(', ');
      this.#parts.cluster.events.publish('warning', {
        message: `The leader of group ${quote(this.#parts.groupId)} assigned partitions that are not subscribed or do not exist; they are left alone: ${names}`,
      });
    }
    const { generationId, memberId } = effect;
    const assignor = this.#duty.assignor(answer.protocolName ?? effect.protocolName);
    assignor.onAssignment?.(partitions, { generationId, memberId, userData: given.userData });
    return { kind: 'syncAnswered', attempt, errorCode: brokerErrorCodes.NONE, partitions };
  }

  async #heartbeat(effect: Extract<GroupEffect, { kind: 'sendHeartbeat' }>): Promise<GroupInput> {
    const { groupId, options, cluster } = this.#parts;
    const timeoutMs = Math.min(cluster.options.requestTimeoutMs, options.sessionTimeoutMs);
    const answer = await this.#member.link.send(
      Heartbeat,
      { groupId, generationId: effect.generationId, memberId: effect.memberId, ...this.#instance() },
      timeoutMs,
      true,
    );
    return { kind: 'heartbeatAnswered', attempt: effect.attempt, errorCode: answer.errorCode };
  }

  async #computeAssignment(effect: Extract<GroupEffect, { kind: 'computeAssignment' }>): Promise<GroupInput> {
    const assignments = await this.#duty.assign(effect.protocolName, effect.members);
    return { kind: 'assignmentComputed', attempt: effect.attempt, assignments };
  }

  #checkTopics(): void {
    const reason = this.#machine.isLeader ? this.#duty.change() : undefined;
    if (reason !== undefined) this.#member.handle({ kind: 'rejoin', reason });
  }

  /** Not sent unless it is set: coordinators before 2.3 do not know the field. */
  #instance(): { readonly groupInstanceId?: string } {
    const { groupInstanceId } = this.#parts.options;
    return groupInstanceId === undefined ? {} : { groupInstanceId };
  }
}

/** The broker's error in an answer, if there is one. */
function refusal(input: GroupInput, doing: string): BrokerError | undefined {
  const code = input.kind === 'joinAnswered' ? input.answer.errorCode : 'errorCode' in input ? input.errorCode : 0;
  return code === brokerErrorCodes.NONE ? undefined : brokerError(code, doing);
}
