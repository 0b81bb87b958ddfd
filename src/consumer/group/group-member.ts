import type { Cluster } from '../../cluster/cluster.ts';
import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { brokerError, type BrokerError } from '../../errors/broker-error.ts';
import { isKafkaError, KafkaError, UsageError } from '../../errors/kafka-error.ts';
import type { TopicPartition } from '../../model/topic-partition.ts';
import { chooseVersion } from '../../cluster/connection.ts';
import type { Connection } from '../../cluster/connection.ts';
import type { Api, Input } from '../../protocol/api.ts';
import { Heartbeat } from '../../protocol/generated/heartbeat.ts';
import { JoinGroup, type JoinGroupRequest } from '../../protocol/generated/join-group.ts';
import { LeaveGroup } from '../../protocol/generated/leave-group.ts';
import { SyncGroup } from '../../protocol/generated/sync-group.ts';
import type { TimerHandle } from '../../util/clock.ts';
import { quote } from '../../util/option-rules.ts';
import { isPassingFailure } from '../offset-client.ts';
import type { ResolvedConsumerOptions } from '../options.ts';
import type { AssignmentTerm } from '../partition-state.ts';
import { decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription } from './consumer-protocol.ts';
import {
  GroupMachine,
  type EncodedAssignment,
  type GroupEffect,
  type GroupInput,
  type JoinedMember,
} from './group-machine.ts';
import { assignRange, saneAssignment } from './range-assignor.ts';

/** What the membership needs of its consumer. */
export interface GroupMemberParts {
  readonly cluster: Cluster;
  readonly groupId: string;
  readonly options: ResolvedConsumerOptions;
  readonly lane: string;
  readonly topics: () => readonly string[];
  /** Resolves once the metadata of the subscribed topics is there, or it is known not to be; never rejects. */
  readonly topicsKnown: () => Promise<void>;
  /** Makes the partitions the assignment and tells the listener. */
  readonly install: (partitions: readonly TopicPartition[], term: AssignmentTerm) => Promise<void>;
  /** Tells the listener and gives the partitions up. */
  readonly giveUp: (lost: boolean) => Promise<void>;
  /** The partitions are somebody else's from now on. */
  readonly endAssignment: () => void;
  /** Something waits for the reader, see {@link GroupMember.runReaderTasks}. */
  readonly onReaderNeeded: () => void;
  readonly onFatal: (error: Error) => void;
  /** How often the reader has asked so far: it asks too often to tell the machine each time. */
  readonly askCount: () => number;
  /** What the user has in hand, for the warning when a read stays away too long. */
  readonly inHand: () => string;
}

const PROTOCOL_TYPE = 'consumer';
const PROTOCOL_NAME = 'range';
/** A join is held back until all members have come; the coordinator itself ends that after the rebalance timeout. */
const JOIN_SLACK_MS = 5000;

/** Does what {@link GroupMachine} decides: requests to the coordinator, the one timer, and the reader's tasks. */
export class GroupMember {
  readonly #parts: GroupMemberParts;
  readonly #machine: GroupMachine;
  #tasks: Extract<GroupEffect, { kind: 'install' | 'giveUp' }>[] = [];
  #timer: TimerHandle | undefined;
  #seenAsks = 0;
  #lastGenerationId = -1;
  /** How many partitions each topic had when this member, as leader, assigned them. */
  #assignedCounts: ReadonlyMap<string, number> | undefined;
  readonly #unknownTopics = new Set<string>();
  readonly #stopListening: () => void;
  #leaving: Promise<void> | undefined;
  #lastFailure: Error | undefined;

  constructor(parts: GroupMemberParts) {
    this.#parts = parts;
    const { options, cluster } = parts;
    this.#machine = new GroupMachine({
      groupId: parts.groupId,
      groupInstanceId: options.groupInstanceId ?? null,
      sessionTimeoutMs: options.sessionTimeoutMs,
      heartbeatIntervalMs: options.heartbeatIntervalMs,
      maxPollIntervalMs: options.maxPollIntervalMs,
      retryBackoff: { initialMs: cluster.options.retryBackoffMs, maxMs: cluster.options.retryBackoffMaxMs },
      random: cluster.random,
    });
    this.#stopListening = cluster.onMetadata(() => this.#checkPartitionCounts());
  }

  get memberId(): string {
    return this.#machine.memberId;
  }

  get generationId(): number {
    return this.#machine.generationId;
  }

  /** What kept the member from its assignment the last time it asked; undefined after an answer without an error. */
  get lastFailure(): Error | undefined {
    return this.#lastFailure;
  }

  /** Whether the reader must call {@link GroupMember.runReaderTasks} before it hands out anything. */
  get needsReader(): boolean {
    return this.#tasks.length > 0 || this.#machine.needsReader;
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

  /** The coordinator refused a commit of this generation. */
  disowned(generationId: number, errorCode: number): void {
    this.#handle({ kind: 'disowned', generationId, errorCode });
  }

  /**
   * Runs what only a waiting reader may run: listeners, and the change of the assignment around them. Rejects with what a
   * listener threw; the change is made all the same.
   */
  async runReaderTasks(): Promise<void> {
    for (let task = this.#tasks.shift(); task !== undefined; task = this.#tasks.shift()) {
      if (task.kind === 'install') {
        const term: AssignmentTerm = {
          generationId: task.generationId,
          memberId: this.#machine.memberId,
          ended: false,
        };
        try {
          await this.#parts.install(task.partitions, term);
        } finally {
          this.#handle({ kind: 'installed' });
        }
      } else {
        try {
          await this.#parts.giveUp(task.lost);
        } finally {
          this.#handle({ kind: 'givenUp' });
        }
      }
    }
  }

  /** Leaves the group; resolves when the coordinator knows, or cannot be told. A static member just goes silent. */
  async leave(reason: string): Promise<void> {
    this.#stopListening();
    this.#handle({ kind: 'leave', reason });
    this.#clearTimer();
    await this.#leaving;
  }

  #handle(input: GroupInput): void {
    this.#machine.handle(input, this.#parts.cluster.clock.nowMs());
    this.#act();
  }

  #tick(): void {
    const asks = this.#parts.askCount();
    // A reader that is served from what is ready does not tell each time that it came and went.
    if (asks !== this.#seenAsks && !this.#readerWaits())
      this.#machine.handle({ kind: 'readerLeft' }, this.#parts.cluster.clock.nowMs());
    this.#seenAsks = asks;
    this.#machine.tick(this.#parts.cluster.clock.nowMs());
    this.#act();
  }

  #readerWaits(): boolean {
    return this.#machine.readerWaits;
  }

  #act(): void {
    for (const effect of this.#machine.takeEffects()) this.#perform(effect);
    this.#arm();
    if (this.needsReader) this.#parts.onReaderNeeded();
  }

  #arm(): void {
    this.#clearTimer();
    const { clock } = this.#parts.cluster;
    const deadlineMs = this.#machine.nextDeadlineMs();
    if (deadlineMs === undefined) return;
    this.#timer = clock.setTimer(() => this.#tick(), deadlineMs - clock.nowMs());
    this.#timer.unref();
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#parts.cluster.clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  #perform(effect: GroupEffect): void {
    const { cluster, groupId } = this.#parts;
    const { events } = cluster;
    switch (effect.kind) {
      case 'forgetCoordinator':
        return cluster.forgetCoordinator('group', groupId);
      case 'sendJoin':
        events.publish('group.rebalancing', { groupId, reason: effect.reason });
        return void this.#request(effect.attempt, () => this.#join(effect));
      case 'computeAssignment':
        return void this.#request(effect.attempt, () => this.#computeAssignment(effect));
      case 'sendSync':
        return void this.#request(effect.attempt, () => this.#sync(effect));
      case 'sendHeartbeat':
        return void this.#request(effect.attempt, () => this.#heartbeat(effect));
      case 'sendLeave':
        this.#leaving = this.#leave(effect);
        return;
      case 'install':
      case 'giveUp':
        this.#tasks.push(effect);
        return;
      case 'endAssignment':
        return this.#parts.endAssignment();
      case 'joined':
        this.#lastGenerationId = effect.generationId;
        events.publish('group.joined', {
          groupId,
          memberId: effect.memberId,
          generationId: effect.generationId,
          leader: effect.leader,
          assignment: effect.partitions,
        });
        return;
      case 'left':
        return this.#reportLeft(effect);
      case 'heartbeatFailed':
        return events.publish('group.heartbeat.failed', { groupId, error: effect.error });
      case 'blocked':
        return events.publish('warning', {
          message:
            `The event loop was blocked for about ${Math.round(effect.durationMs)} ms, longer than the session of group ${quote(groupId)} lasts ` +
            `(${this.#parts.options.sessionTimeoutMs} ms): the partitions may belong to other members by now`,
        });
      case 'fail':
        return this.#parts.onFatal(effect.error);
      default:
        effect satisfies never;
    }
  }

  #reportLeft({ memberId, reason }: Extract<GroupEffect, { kind: 'left' }>): void {
    const { cluster, groupId } = this.#parts;
    cluster.events.publish('group.left', { groupId, memberId, reason: `${reason}; in hand: ${this.#parts.inHand()}` });
  }

  /** Runs a request of an attempt; what goes wrong becomes an input, too. */
  async #request(attempt: number, run: () => Promise<GroupInput>): Promise<void> {
    let input: GroupInput;
    try {
      input = await run();
      this.#lastFailure = refusal(input, `Cannot join group ${quote(this.#parts.groupId)}`);
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      this.#lastFailure = error;
      const fatal = error instanceof UsageError || (error instanceof KafkaError && !isPassingFailure(error));
      input = { kind: 'requestFailed', attempt, error, fatal };
    }
    this.#handle(input);
  }

  async #join(effect: Extract<GroupEffect, { kind: 'sendJoin' }>): Promise<GroupInput> {
    const { options, groupId } = this.#parts;
    await this.#parts.topicsKnown();
    const metadata = encodeSubscription(
      this.#parts.topics(),
      this.#lastGenerationId,
      this.#parts.cluster.options.clientRack ?? null,
    );
    const message: Input<JoinGroupRequest> = {
      groupId,
      sessionTimeoutMs: options.sessionTimeoutMs,
      rebalanceTimeoutMs: options.maxPollIntervalMs,
      memberId: effect.memberId,
      ...this.#instance(),
      protocolType: PROTOCOL_TYPE,
      protocols: [{ name: PROTOCOL_NAME, metadata }],
      reason: effect.reason,
    };
    const answer = await this.#send(JoinGroup, message, options.maxPollIntervalMs + JOIN_SLACK_MS);
    return {
      kind: 'joinAnswered',
      attempt: effect.attempt,
      answer: { ...answer, protocolName: answer.protocolName ?? '' },
    };
  }

  async #sync(effect: Extract<GroupEffect, { kind: 'sendSync' }>): Promise<GroupInput> {
    const answer = await this.#send(
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
    const given = answer.errorCode === 0 ? decodeAssignment(answer.assignment) : [];
    const { partitions, refused } = saneAssignment(given, new Set(this.#parts.topics()));
    if (refused.length > 0) {
      const names = refused.map(({ topic, partition }) => `${topic}-${partition}`).join(', ');
      this.#parts.cluster.events.publish('warning', {
        message: `The leader of group ${quote(this.#parts.groupId)} assigned partitions that are not subscribed or do not exist; they are left alone: ${names}`,
      });
    }
    return { kind: 'syncAnswered', attempt: effect.attempt, errorCode: answer.errorCode, partitions };
  }

  async #heartbeat(effect: Extract<GroupEffect, { kind: 'sendHeartbeat' }>): Promise<GroupInput> {
    const { groupId, options, cluster } = this.#parts;
    const timeoutMs = Math.min(cluster.options.requestTimeoutMs, options.sessionTimeoutMs);
    const answer = await this.#send(
      Heartbeat,
      { groupId, generationId: effect.generationId, memberId: effect.memberId, ...this.#instance() },
      timeoutMs,
      true,
    );
    return { kind: 'heartbeatAnswered', attempt: effect.attempt, errorCode: answer.errorCode };
  }

  async #leave({ memberId, reason }: Extract<GroupEffect, { kind: 'sendLeave' }>): Promise<void> {
    const { cluster, groupId } = this.#parts;
    try {
      // Not in the group's own lane: there it would wait behind a join that the coordinator holds back.
      await cluster.request({
        api: LeaveGroup,
        to: { kind: 'coordinator', type: 'group', key: groupId },
        doing: `Cannot leave group ${quote(groupId)}`,
        retry: 'never',
        message: (version) => (version >= 3 ? { groupId, members: [{ memberId, reason }] } : { groupId, memberId }),
        errorCode: (answer) => answer.errorCode,
      });
    } catch (error) {
      // The session ends by itself, only later.
      if (!isKafkaError(error, 'UNKNOWN_MEMBER_ID') && error instanceof Error) {
        cluster.events.publish('warning', { message: `Could not leave group ${quote(groupId)}`, error });
      }
    }
  }

  async #computeAssignment(effect: Extract<GroupEffect, { kind: 'computeAssignment' }>): Promise<GroupInput> {
    const members = effect.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      topics: this.#topicsOf(member),
    }));
    const topics = [...new Set(members.flatMap((member) => member.topics))];
    await this.#learnTopics(topics);
    const { metadata } = this.#parts.cluster;
    const counts = new Map(topics.map((topic) => [topic, metadata.topic(topic)?.partitions.length ?? 0]));
    this.#assignedCounts = counts;
    const assignments: EncodedAssignment[] = [...assignRange(members, (topic) => counts.get(topic))].map(
      ([memberId, partitions]) => ({
        memberId,
        assignment: encodeAssignment(partitions),
      }),
    );
    return { kind: 'assignmentComputed', attempt: effect.attempt, assignments };
  }

  /** A member whose subscription cannot be read gets nothing; the group must not stand still for it. */
  #topicsOf(member: JoinedMember): readonly string[] {
    try {
      return decodeSubscription(member.metadata);
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      this.#parts.cluster.events.publish('warning', {
        message: `Member ${quote(member.memberId)} of group ${quote(this.#parts.groupId)} gets no partitions: its subscription cannot be read`,
        error,
      });
      return [];
    }
  }

  async #learnTopics(topics: readonly string[]): Promise<void> {
    const { cluster } = this.#parts;
    // The group waits meanwhile: a topic that was not there last time is not waited for again.
    const wanted = topics.filter((topic) => !this.#unknownTopics.has(topic));
    try {
      await cluster.topics(wanted);
    } catch (error) {
      if (!isKafkaError(error, 'UNKNOWN_TOPIC_OR_PARTITION') && !isKafkaError(error, 'TOPIC_AUTHORIZATION_FAILED'))
        throw error;
    }
    this.#unknownTopics.clear();
    for (const topic of topics) if (cluster.metadata.topic(topic) === undefined) this.#unknownTopics.add(topic);
  }

  #checkPartitionCounts(): void {
    const { metadata } = this.#parts.cluster;
    if (this.#assignedCounts === undefined || !this.#machine.isLeader) return;
    for (const [topic, count] of this.#assignedCounts) {
      const now = metadata.topic(topic);
      // A topic that has an error just now may have fewer partitions in the metadata than in truth.
      if ((now?.partitions.length ?? 0) === count || (now !== undefined && now.errorCode !== 0)) continue;
      return this.#handle({ kind: 'rejoin', reason: `topic ${quote(topic)} has other partitions than before` });
    }
  }

  /** Not sent unless it is set: coordinators before 2.3 do not know the field. */
  #instance(): { readonly groupInstanceId?: string } {
    const { groupInstanceId } = this.#parts.options;
    return groupInstanceId === undefined ? {} : { groupInstanceId };
  }

  async #send<Req, Res>(api: Api<Req, Res>, message: Input<Req>, timeoutMs: number, background = false): Promise<Res> {
    const connection = await this.#coordinator();
    return connection.send(api, chooseVersion(api, connection.versions), message, { timeoutMs, background });
  }

  async #coordinator(): Promise<Connection> {
    const { cluster, groupId, lane } = this.#parts;
    return cluster.connection(await cluster.coordinator('group', groupId), lane);
  }
}

/** The broker's error in an answer, if there is one. */
function refusal(input: GroupInput, doing: string): BrokerError | undefined {
  const code = input.kind === 'joinAnswered' ? input.answer.errorCode : 'errorCode' in input ? input.errorCode : 0;
  return code === brokerErrorCodes.NONE ? undefined : brokerError(code, doing);
}
