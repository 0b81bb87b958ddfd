import { chooseVersion } from '../../cluster/connection.ts';
import { retryBackoff } from '../../cluster/options.ts';
import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { brokerError, type BrokerError } from '../../errors/broker-error.ts';
import { KafkaError } from '../../errors/kafka-error.ts';
import {
  ConsumerGroupHeartbeat,
  type ConsumerGroupHeartbeatRequest,
} from '../../protocol/generated/consumer-group-heartbeat.ts';
import type { Input } from '../../protocol/api.ts';
import { deferred, type Deferred } from '../../util/deferred.ts';
import { quote } from '../../util/option-rules.ts';
import type { CommitIdentity } from '../offset-client.ts';
import { AssignedTopics } from './assigned-topics.ts';
import { ConsumerGroupMachine } from './consumer-group-machine.ts';
import type { ConsumerGroupEffect, ConsumerGroupInput } from './consumer-group-messages.ts';
import { newMemberId } from './member-id.ts';
import type { Membership, MembershipParts } from './membership.ts';
import { ReadingMember } from './reading-member.ts';
import type { LeaveMode } from './reading-messages.ts';

type SendHeartbeat = Extract<ConsumerGroupEffect, { kind: 'sendHeartbeat' }>;

/** From this version on the coordinator takes patterns. */
const PATTERN_VERSION = 1;

/** A member of a group of the new protocol (KIP-848): does what {@link ConsumerGroupMachine} decides. */
export class ConsumerGroupMember implements Membership {
  readonly #parts: MembershipParts;
  readonly #machine: ConsumerGroupMachine;
  readonly #member: ReadingMember<ConsumerGroupInput, ConsumerGroupEffect>;
  readonly #assigned: AssignedTopics;
  #memberId = newMemberId();
  readonly #stopListening: () => void;
  #leaving: Promise<void> | undefined;
  /** Those who wait for an answer that may bring another epoch. */
  #answered: Deferred<void> | undefined;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
    const { options, cluster, groupId } = parts;
    this.#assigned = new AssignedTopics(cluster);
    this.#machine = new ConsumerGroupMachine({
      groupId,
      groupInstanceId: options.groupInstanceId ?? null,
      sessionTimeoutMs: options.sessionTimeoutMs,
      maxPollIntervalMs: options.maxPollIntervalMs,
      retryBackoff: retryBackoff(cluster.options),
      random: cluster.random,
    });
    this.#member = new ReadingMember<ConsumerGroupInput, ConsumerGroupEffect>(parts, this.#machine, {
      perform: (effect) => this.#perform(effect),
      refusal: (input) => refusal(input, `Cannot join group ${quote(groupId)}`),
    });
    this.#stopListening = cluster.onMetadata(() => this.#resolve());
  }

  get identity(): CommitIdentity {
    return { generationId: this.#machine.epoch, memberId: this.#memberId };
  }

  get lastFailure(): Error | undefined {
    return this.#member.lastFailure;
  }

  get needsReader(): boolean {
    return this.#member.needsReader;
  }

  get isSettled(): boolean {
    return this.#member.isSettled && this.#assigned.isComplete;
  }

  subscribed(): void {
    this.#member.handle({ kind: 'subscribed' });
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

  /** The brokers alone decide when to assign. */
  rejoin(): void {
    this.#parts.cluster.events.publish('warning', {
      message: `Group ${quote(this.#parts.groupId)} is not rebalanced: in the new protocol the brokers decide when`,
    });
  }

  async refused(identity: CommitIdentity, errorCode: number): Promise<boolean> {
    if (identity.generationId === this.#machine.epoch) {
      this.#member.handle({ kind: 'refused', epoch: identity.generationId, errorCode });
      if (errorCode !== brokerErrorCodes.STALE_MEMBER_EPOCH) return false;
      this.#answered ??= deferred<void>();
      await this.#answered.promise;
    }
    return this.#machine.epoch >= 0;
  }

  runReaderTasks(): Promise<void> {
    return this.#member.runReaderTasks();
  }

  async leave(reason: string, mode: LeaveMode): Promise<void> {
    this.#stopListening();
    this.#member.end({ kind: 'leave', reason, mode });
    this.#answered?.resolve();
    await this.#leaving;
  }

  #perform(effect: ConsumerGroupEffect): void {
    const { groupId, cluster } = this.#parts;
    const { events } = cluster;
    const memberId = this.#memberId;
    switch (effect.kind) {
      case 'sendHeartbeat':
        return void this.#heartbeat(effect);
      case 'sendLeave':
        this.#leaving = this.#member.link.quietly(this.#leave(effect.epoch));
        return;
      case 'joined': {
        const { epoch: generationId, partitions: assignment } = effect;
        return events.publish('group.joined', { groupId, memberId, generationId, leader: false, assignment });
      }
      case 'rebalancing':
        return events.publish('group.rebalancing', { groupId, reason: effect.reason });
      case 'left':
        return this.#member.tellLeft(memberId, effect.reason);
      case 'blocked':
        return this.#member.tellBlocked(effect.durationMs, 'a session');
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

  async #heartbeat(effect: SendHeartbeat): Promise<void> {
    await this.#member.request(effect.attempt, async () => {
      const answer = await this.#send(effect);
      if (answer.errorCode === brokerErrorCodes.NONE) this.#memberId = answer.memberId ?? this.#memberId;
      const given = answer.assignment?.topicPartitions;
      const assignment = given === undefined ? undefined : this.#assigned.take(given);
      return { kind: 'heartbeatAnswered', attempt: effect.attempt, answer: { ...answer, assignment } };
    });
    this.#answered?.resolve();
    this.#answered = undefined;
    if (!this.#assigned.isComplete) this.#learnTopics();
  }

  async #send({ epoch, isFull, withSubscription, owned }: SendHeartbeat): ReturnType<ConsumerGroupMember['request']> {
    const { options, cluster, topics, topicsKnown } = this.#parts;
    if (withSubscription) await topicsKnown();
    const { names, re2 } = topics();
    return this.request({
      memberEpoch: epoch,
      ...(isFull
        ? {
            rackId: cluster.options.clientRack ?? null,
            rebalanceTimeoutMs: options.maxPollIntervalMs,
            serverAssignor: options.groupRemoteAssignor ?? null,
          }
        : {}),
      ...(withSubscription ? { subscribedTopicNames: [...names] } : {}),
      // An empty pattern takes back the one before.
      ...(withSubscription && (re2 !== undefined || !isFull) ? { subscribedTopicRegex: re2 ?? '' } : {}),
      ...(owned === undefined ? {} : { topicPartitions: this.#assigned.byId(owned) }),
    });
  }

  private async request(
    fields: Partial<Input<ConsumerGroupHeartbeatRequest>> & { readonly memberEpoch: number },
  ): Promise<ReturnType<typeof ConsumerGroupHeartbeat.decodeResponse>> {
    const { groupId, options, cluster } = this.#parts;
    const connection = await this.#member.link.connection();
    const version = chooseVersion(ConsumerGroupHeartbeat, connection.versions);
    const { subscribedTopicRegex, ...others } = fields;
    if (version < PATTERN_VERSION && (subscribedTopicRegex ?? '') !== '') {
      throw new KafkaError(
        `Cannot join group ${quote(groupId)}: its coordinator does not evaluate patterns; use a RegExp`,
        { code: 'UNSUPPORTED_VERSION' },
      );
    }
    const message = {
      groupId,
      memberId: this.#memberId,
      instanceId: options.groupInstanceId ?? null,
      ...others,
      ...(version < PATTERN_VERSION || subscribedTopicRegex === undefined ? {} : { subscribedTopicRegex }),
    };
    const timeoutMs = Math.min(cluster.options.requestTimeoutMs, options.sessionTimeoutMs);
    return connection.send(ConsumerGroupHeartbeat, version, message, { timeoutMs, background: true });
  }

  async #leave(epoch: number): Promise<void> {
    const { errorCode } = await this.request({ memberEpoch: epoch });
    if (errorCode !== brokerErrorCodes.NONE)
      throw brokerError(errorCode, `Cannot leave group ${quote(this.#parts.groupId)}`);
  }

  #resolve(): void {
    if (this.#machine.epoch >= 0)
      this.#member.handle({ kind: 'assignmentResolved', partitions: this.#assigned.resolved() });
  }

  /** A topic that was created again has another id, and what a pattern of the broker's brings nobody has asked for. */
  #learnTopics(): void {
    const topics = this.#parts.topics().re2 === undefined ? 'known' : 'all';
    // Should it fail, the next heartbeat tries again.
    this.#parts.cluster.refresh({ topics }).catch(() => undefined);
  }
}

/** The broker's error in an answer, if there is one. */
function refusal(input: ConsumerGroupInput, doing: string): BrokerError | undefined {
  const code = input.kind === 'heartbeatAnswered' ? input.answer.errorCode : brokerErrorCodes.NONE;
  return code === brokerErrorCodes.NONE ? undefined : brokerError(code, doing);
}
