import { chooseVersion, type Connection } from '../../cluster/connection.ts';
import { retryBackoff } from '../../cluster/options.ts';
import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { brokerError } from '../../errors/broker-error.ts';
import { ClosedError, isKafkaError, KafkaError } from '../../errors/kafka-error.ts';
import type { Input } from '../../protocol/api.ts';
import {
  ShareGroupHeartbeat,
  type ShareGroupHeartbeatRequest,
  type ShareGroupHeartbeatResponse,
} from '../../protocol/generated/share-group-heartbeat.ts';
import { delay } from '../../util/delay.ts';
import { quote } from '../../util/option-rules.ts';
import { AssignedTopics } from '../group/assigned-topics.ts';
import { CoordinatorLink } from '../group/coordinator-link.ts';
import { MemberDriver } from '../group/member-driver.ts';
import { newMemberId } from '../group/member-id.ts';
import { ShareGroupMachine, shareGroupsAdvice } from './share-group-machine.ts';
import type { ShareGroupMembership, ShareGroupMembershipParts } from './share-group-membership.ts';
import type { ShareGroupEffect, ShareGroupInput } from './share-group-messages.ts';

type SendHeartbeat = Extract<ShareGroupEffect, { kind: 'sendHeartbeat' }>;
type Fields = Partial<Input<ShareGroupHeartbeatRequest>> & { readonly memberEpoch: number };

const LEAVE_EPOCH = -1;

/** A member of a share group (KIP-932): does what {@link ShareGroupMachine} decides. */
export class ShareGroupMember implements ShareGroupMembership {
  readonly #parts: ShareGroupMembershipParts;
  readonly #machine: ShareGroupMachine;
  readonly #link: CoordinatorLink;
  readonly #driver: MemberDriver<ShareGroupInput, ShareGroupEffect>;
  readonly #assigned: AssignedTopics;
  readonly #stopListening: () => void;
  /** In the form of Kafka's ids, as brokers demand it of members of share groups. */
  readonly memberId: string = newMemberId();
  #leaving: Promise<void> = Promise.resolve();
  /** Whether a heartbeat was sent that may have made it a member: else there is nobody to say farewell to. */
  #mayBeKnown = false;

  constructor(parts: ShareGroupMembershipParts) {
    this.#parts = parts;
    const { cluster, groupId } = parts;
    this.#link = new CoordinatorLink(cluster, groupId, parts.lane);
    this.#assigned = new AssignedTopics(cluster);
    this.#machine = new ShareGroupMachine({
      groupId,
      retryBackoff: retryBackoff(cluster.options),
      random: cluster.random,
    });
    this.#driver = new MemberDriver<ShareGroupInput, ShareGroupEffect>(cluster.clock, this.#machine, {
      perform: (effect) => this.#perform(effect),
      refusal: (input) => refusal(input, `Cannot join share group ${quote(groupId)}`),
    });
    this.#stopListening = cluster.onMetadata(() => this.#resolve());
  }

  get lastFailure(): Error | undefined {
    return this.#driver.lastFailure;
  }

  get isSettled(): boolean {
    const { assignment } = this.#machine;
    if (assignment === undefined || !this.#assigned.isComplete) return false;
    // The coordinator takes members in first and gives them partitions a moment later: nothing is no answer yet, unless there is nothing.
    return assignment.length > 0 || !this.#hasTopics;
  }

  subscribed(): void {
    this.#driver.handle({ kind: this.#parts.topics().length === 0 ? 'unsubscribed' : 'subscribed' });
  }

  async leave(timeoutMs: number = Infinity): Promise<void> {
    this.#stopListening();
    this.#driver.end({ kind: 'leave' });
    const over = new AbortController();
    const late = timeoutMs === Infinity ? [] : [delay(this.#parts.cluster.clock, timeoutMs, over.signal, true)];
    await Promise.race([this.#leaving, ...late]);
    over.abort();
  }

  get #hasTopics(): boolean {
    const { metadata } = this.#parts.cluster;
    return this.#parts.topics().some((topic) => (metadata.topic(topic)?.partitions.length ?? 0) > 0);
  }

  #perform(effect: ShareGroupEffect): void {
    const { cluster, groupId, onAssignment, onLost, onFatal } = this.#parts;
    const { events } = cluster;
    const { memberId } = this;
    switch (effect.kind) {
      case 'forgetCoordinator':
        return this.#link.forget();
      case 'sendHeartbeat':
        return void this.#heartbeat(effect);
      case 'sendLeave':
        this.#leaving = this.#leave();
        return;
      case 'assign':
        return onAssignment(effect.partitions);
      case 'lose':
        events.publish('group.left', { groupId, memberId, reason: effect.reason });
        return onLost();
      case 'joined': {
        const { epoch: generationId, partitions: assignment } = effect;
        return events.publish('group.joined', { groupId, memberId, generationId, leader: false, assignment });
      }
      case 'heartbeatFailed':
        return events.publish('group.heartbeat.failed', { groupId, error: effect.error });
      case 'fail':
        return onFatal(effect.error);
      default:
        effect satisfies never;
    }
  }

  async #heartbeat(effect: SendHeartbeat): Promise<void> {
    await this.#driver.request(effect.attempt, async () => {
      try {
        return this.#inputOf(effect.attempt, await this.#send(effect));
      } catch (error) {
        throw explained(error, this.#parts.groupId);
      }
    });
    // A topic that was created again has another id. Should it fail, the next heartbeat tries again.
    if (!this.#assigned.isComplete) this.#parts.cluster.refresh().catch(() => undefined);
  }

  #inputOf(attempt: number, answer: ShareGroupHeartbeatResponse): ShareGroupInput {
    const given = this.#machine.isUnderWay(attempt) ? answer.assignment : null;
    if (given !== null) this.#assigned.take(given.topicPartitions);
    const assignment = given === null ? undefined : this.#assigned.identified();
    return { kind: 'heartbeatAnswered', attempt, answer: { ...answer, assignment, hasTopics: this.#hasTopics } };
  }

  async #send(effect: SendHeartbeat): Promise<ShareGroupHeartbeatResponse> {
    const { attempt, epoch, isFull, withSubscription } = effect;
    const { cluster, topics } = this.#parts;
    // If the farewell of the membership before came later than this, it would end the new one.
    if (isFull) await this.#leaving;
    const connection = await this.#link.connection();
    if (!this.#machine.isUnderWay(attempt)) throw new ClosedError('the membership');
    this.#mayBeKnown = true;
    const rackId = isFull ? (cluster.options.clientRack ?? null) : null;
    const subscription = withSubscription ? { subscribedTopicNames: [...new Set(topics())] } : {};
    return this.#request(connection, { memberEpoch: epoch, rackId, ...subscription }, true);
  }

  async #request(connection: Connection, fields: Fields, background: boolean): Promise<ShareGroupHeartbeatResponse> {
    const { groupId, cluster } = this.#parts;
    const version = chooseVersion(ShareGroupHeartbeat, connection.versions);
    const timeoutMs = cluster.options.requestTimeoutMs;
    const message = { groupId, memberId: this.memberId, ...fields };
    return connection.send(ShareGroupHeartbeat, version, message, { timeoutMs, background });
  }

  async #leave(): Promise<void> {
    const { cluster, groupId } = this.#parts;
    if (!this.#mayBeKnown) return;
    this.#mayBeKnown = false;
    await this.#link.quietly(this.#sayFarewell());
    cluster.events.publish('group.left', { groupId, memberId: this.memberId, reason: 'the consumer left' });
  }

  async #sayFarewell(): Promise<void> {
    const connection = await this.#link.connection();
    const { errorCode } = await this.#request(connection, { memberEpoch: LEAVE_EPOCH }, false);
    // Where it is no member there is nothing to leave.
    if (errorCode === brokerErrorCodes.NONE || errorCode === brokerErrorCodes.GROUP_ID_NOT_FOUND) return;
    throw brokerError(errorCode, `Cannot leave share group ${quote(this.#parts.groupId)}`);
  }

  #resolve(): void {
    if (this.#machine.epoch >= 0)
      this.#driver.handle({ kind: 'assignmentResolved', partitions: this.#assigned.identified() });
  }
}

function refusal(input: ShareGroupInput, doing: string): Error | undefined {
  if (input.kind !== 'heartbeatAnswered') return undefined;
  const { errorCode, errorMessage } = input.answer;
  return errorCode === brokerErrorCodes.NONE ? undefined : brokerError(errorCode, doing, errorMessage);
}

/** A broker that does not know the request has no share groups: that deserves other words than a missing API. */
function explained(cause: unknown, groupId: string): Error {
  if (!(cause instanceof Error)) return new Error(String(cause));
  if (!isKafkaError(cause, 'UNSUPPORTED_VERSION')) return cause;
  const message = `Cannot join share group ${quote(groupId)}: the coordinator has none; ${shareGroupsAdvice}`;
  return new KafkaError(message, { code: 'UNSUPPORTED_VERSION', cause });
}
