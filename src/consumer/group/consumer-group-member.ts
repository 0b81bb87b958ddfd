import { randomBytes } from 'node:crypto';
import { chooseVersion } from '../../cluster/connection.ts';
import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { brokerError } from '../../errors/broker-error.ts';
import { isKafkaError, KafkaError, UsageError } from '../../errors/kafka-error.ts';
import {
  ConsumerGroupHeartbeat,
  type ConsumerGroupHeartbeatRequest,
} from '../../protocol/generated/consumer-group-heartbeat.ts';
import type { Input } from '../../protocol/api.ts';
import { deferred, type Deferred } from '../../util/deferred.ts';
import { quote } from '../../util/option-rules.ts';
import { isPassingFailure, type CommitIdentity } from '../offset-client.ts';
import { AssignedTopics } from './assigned-topics.ts';
import { ConsumerGroupMachine } from './consumer-group-machine.ts';
import type { ConsumerGroupEffect, ConsumerGroupInput } from './consumer-group-messages.ts';
import { CoordinatorLink } from './coordinator-link.ts';
import type { LeaveMode } from './group-messages.ts';
import type { ReaderTask } from './holding.ts';
import { MemberTimer } from './member-timer.ts';
import type { Membership, MembershipParts } from './membership.ts';

type SendHeartbeat = Extract<ConsumerGroupEffect, { kind: 'sendHeartbeat' }>;

const MEMBER_ID_BYTES = 16;
/** From this version on the coordinator takes patterns. */
const PATTERN_VERSION = 1;

/** A member of a group of the new protocol (KIP-848): does what {@link ConsumerGroupMachine} decides. */
export class ConsumerGroupMember implements Membership {
  readonly #parts: MembershipParts;
  readonly #machine: ConsumerGroupMachine;
  readonly #link: CoordinatorLink;
  readonly #timer: MemberTimer;
  readonly #assigned: AssignedTopics;
  /** Chosen here, in the form of Kafka's ids: so the coordinator need not be asked for one (KIP-1082). */
  #memberId = randomBytes(MEMBER_ID_BYTES).toString('base64url');
  #tasks: ReaderTask[] = [];
  #seenAsks = 0;
  readonly #stopListening: () => void;
  #leaving: Promise<void> | undefined;
  #lastFailure: Error | undefined;
  /** Those who wait for an answer that may bring another epoch. */
  #answered: Deferred<void> | undefined;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
    const { options, cluster, groupId } = parts;
    this.#link = new CoordinatorLink(cluster, groupId, parts.lane);
    this.#timer = new MemberTimer(cluster.clock, () => this.#tick());
    this.#assigned = new AssignedTopics(cluster);
    this.#machine = new ConsumerGroupMachine({
      groupId,
      groupInstanceId: options.groupInstanceId ?? null,
      sessionTimeoutMs: options.sessionTimeoutMs,
      maxPollIntervalMs: options.maxPollIntervalMs,
      retryBackoff: { initialMs: cluster.options.retryBackoffMs, maxMs: cluster.options.retryBackoffMaxMs },
      random: cluster.random,
    });
    this.#stopListening = cluster.onMetadata(() => this.#resolve());
  }

  get identity(): CommitIdentity {
    return { generationId: this.#machine.epoch, memberId: this.#memberId };
  }

  get lastFailure(): Error | undefined {
    return this.#lastFailure;
  }

  get needsReader(): boolean {
    return this.#tasks.length > 0 || this.#machine.needsReader;
  }

  get isSettled(): boolean {
    return this.#machine.isSettled && this.#tasks.length === 0 && this.#assigned.isComplete;
  }

  subscribed(): void {
    this.#handle({ kind: 'subscribed' });
  }

  readerCame(): void {
    this.#handle({ kind: 'readerCame' });
  }

  readerLeft(): void {
    this.#handle({ kind: 'readerLeft' });
  }

  readerOverdue(): void {
    const { maxPollIntervalMs } = this.#parts.options;
    this.#handle({ kind: 'expired', reason: `a handler took longer than maxPollIntervalMs (${maxPollIntervalMs} ms)` });
  }

  /** The brokers alone decide when to assign. */
  rejoin(): void {
    this.#parts.cluster.events.publish('warning', {
      message: `Group ${quote(this.#parts.groupId)} is not rebalanced: in the new protocol the brokers decide when`,
    });
  }

  async refused(identity: CommitIdentity, errorCode: number): Promise<boolean> {
    if (identity.generationId === this.#machine.epoch) {
      this.#handle({ kind: 'refused', epoch: identity.generationId, errorCode });
      if (errorCode !== brokerErrorCodes.STALE_MEMBER_EPOCH) return false;
      this.#answered ??= deferred<void>();
      await this.#answered.promise;
    }
    return this.#machine.epoch >= 0;
  }

  async runReaderTasks(): Promise<void> {
    for (let task = this.#tasks.shift(); task !== undefined; task = this.#tasks.shift()) {
      try {
        await this.#parts.runTask(task);
      } finally {
        this.#handle({ kind: 'taskDone' });
      }
    }
  }

  async leave(reason: string, mode: LeaveMode): Promise<void> {
    this.#stopListening();
    this.#handle({ kind: 'leave', reason, mode });
    this.#timer.clear();
    this.#answered?.resolve();
    await this.#leaving;
  }

  #handle(input: ConsumerGroupInput): void {
    this.#machine.handle(input, this.#parts.cluster.clock.nowMs());
    this.#act();
  }

  #tick(): void {
    const asks = this.#parts.askCount();
    const nowMs = this.#parts.cluster.clock.nowMs();
    // A reader that is served from what is ready does not tell each time that it came and went.
    if (asks !== this.#seenAsks && !this.#machine.readerWaits) this.#machine.handle({ kind: 'readerLeft' }, nowMs);
    this.#seenAsks = asks;
    this.#machine.tick(nowMs);
    this.#act();
  }

  #act(): void {
    for (const effect of this.#machine.takeEffects()) this.#perform(effect);
    this.#timer.set(this.#machine.nextDeadlineMs());
    if (this.needsReader) this.#parts.onReaderNeeded();
  }

  #perform(effect: ConsumerGroupEffect): void {
    const { cluster, groupId, options } = this.#parts;
    const { events } = cluster;
    const memberId = this.#memberId;
    switch (effect.kind) {
      case 'forgetCoordinator':
        return this.#link.forget();
      case 'sendHeartbeat':
        return void this.#heartbeat(effect);
      case 'sendLeave':
        this.#leaving = this.#leave(effect.epoch);
        return;
      case 'runTask':
        this.#tasks.push(effect.task);
        return;
      case 'endAssignment':
        return this.#parts.endAssignment();
      case 'joined': {
        const { epoch: generationId, partitions: assignment } = effect;
        return events.publish('group.joined', { groupId, memberId, generationId, leader: false, assignment });
      }
      case 'rebalancing':
        return events.publish('group.rebalancing', { groupId, reason: effect.reason });
      case 'left':
        return events.publish('group.left', {
          groupId,
          memberId,
          reason: `${effect.reason}; in hand: ${this.#parts.inHand()}`,
        });
      case 'heartbeatFailed':
        return events.publish('group.heartbeat.failed', { groupId, error: effect.error });
      case 'blocked':
        return events.publish('warning', {
          message:
            `The event loop was blocked for about ${Math.round(effect.durationMs)} ms, longer than a session of group ${quote(groupId)} lasts ` +
            `(${options.sessionTimeoutMs} ms): the partitions may belong to other members by now`,
        });
      case 'fail':
        return this.#parts.onFatal(effect.error);
      default:
        effect satisfies never;
    }
  }

  async #heartbeat(effect: SendHeartbeat): Promise<void> {
    const { attempt } = effect;
    let input: ConsumerGroupInput;
    try {
      const answer = await this.#send(effect);
      this.#lastFailure =
        answer.errorCode === brokerErrorCodes.NONE
          ? undefined
          : brokerError(answer.errorCode, `Cannot join group ${quote(this.#parts.groupId)}`);
      if (answer.errorCode === brokerErrorCodes.NONE) this.#memberId = answer.memberId ?? this.#memberId;
      const given = answer.assignment?.topicPartitions;
      const assignment = given === undefined ? undefined : this.#assigned.take(given);
      input = { kind: 'heartbeatAnswered', attempt, answer: { ...answer, assignment } };
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      this.#lastFailure = error;
      const fatal = error instanceof UsageError || (error instanceof KafkaError && !isPassingFailure(error));
      input = { kind: 'requestFailed', attempt, error, fatal };
    }
    this.#handle(input);
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
    const connection = await this.#link.connection();
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
    try {
      const { errorCode } = await this.request({ memberEpoch: epoch });
      if (errorCode !== brokerErrorCodes.NONE)
        throw brokerError(errorCode, `Cannot leave group ${quote(this.#parts.groupId)}`);
    } catch (error) {
      // The session ends by itself, only later.
      if (isKafkaError(error, 'UNKNOWN_MEMBER_ID') || !(error instanceof Error)) return;
      const message = `Could not leave group ${quote(this.#parts.groupId)}`;
      this.#parts.cluster.events.publish('warning', { message, error });
    }
  }

  #resolve(): void {
    if (this.#machine.epoch >= 0) this.#handle({ kind: 'assignmentResolved', partitions: this.#assigned.resolved() });
  }

  /** A topic that was created again has another id, and what a pattern of the broker's brings nobody has asked for. */
  #learnTopics(): void {
    const topics = this.#parts.topics().re2 === undefined ? 'known' : 'all';
    // Should it fail, the next heartbeat tries again.
    this.#parts.cluster.refresh({ topics }).catch(() => undefined);
  }
}
