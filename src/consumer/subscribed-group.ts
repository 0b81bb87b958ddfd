import type { Cluster } from '../cluster/cluster.ts';
import { TimeoutError, type KafkaError } from '../errors/kafka-error.ts';
import type { ConsumerGroupMetadata } from '../model/consumer-group-metadata.ts';
import { quote } from '../util/option-rules.ts';
import type { Assignment } from './assignment.ts';
import type { LeaveMode } from './group/reading-messages.ts';
import type { ReaderTask } from './group/holding.ts';
import { makeMembership, memberOfNewProtocol } from './group/make-membership.ts';
import type { Membership } from './group/membership.ts';
import type { CommitIdentity } from './offset-client.ts';
import type { ResolvedConsumerOptions } from './options.ts';
import type { Reading } from './reading.ts';
import { Rebalances, type RebalanceListener, type RebalancesParts } from './rebalance-listener.ts';
import type { Subscription } from './subscription.ts';
import type { TopicInterest } from './topic-interest.ts';
import { TopicPatterns } from './topic-patterns.ts';

/** What the group needs of its consumer. */
export interface SubscribedGroupParts {
  readonly cluster: Cluster;
  readonly groupId: string;
  readonly options: ResolvedConsumerOptions;
  readonly lane: string;
  readonly assignment: Assignment;
  readonly interest: TopicInterest;
  readonly reading: Reading;
  readonly signal: AbortSignal;
  readonly allowsTopic: (topic: string) => boolean;
  readonly commitProcessed: RebalancesParts['commitProcessed'];
}

/** A consumer's side of its group: what it is subscribed to, its membership, and the listener that hears of changes. */
export class SubscribedGroup {
  readonly #parts: SubscribedGroupParts;
  readonly #rebalances: Rebalances;
  readonly #patterns: TopicPatterns;
  #subscription: Subscription = { names: [], patterns: [], re2: undefined };
  #listener: RebalanceListener = {};
  #member: Membership | undefined;
  #known: Promise<void> = Promise.resolve();

  constructor(parts: SubscribedGroupParts) {
    this.#parts = parts;
    const { cluster, assignment, reading, signal, allowsTopic: allows, commitProcessed } = parts;
    this.#rebalances = new Rebalances({
      assignment,
      listener: () => this.#listener,
      handlersDone: (states) => reading.handlersDone(states),
      commitProcessed,
      onEnded: () => reading.interrupt(),
    });
    this.#patterns = new TopicPatterns({
      cluster,
      signal,
      allows,
      onChange: () => {
        parts.interest.follow(this.#names);
        this.#member?.subscribed();
      },
      onFatal: (error) => reading.fail(error),
    });
  }

  /** Undefined until something is subscribed. */
  get member(): Membership | undefined {
    return this.#member;
  }

  /** Who reads the group's offsets, where the coordinator wants to know (KIP-848). */
  get offsetReader(): CommitIdentity | undefined {
    return memberOfNewProtocol(this.#member);
  }

  get #names(): readonly string[] {
    return [...new Set([...this.#subscription.names, ...this.#patterns.matches])];
  }

  /** Takes the place of what was subscribed before. Does no IO. */
  subscribe(subscription: Subscription, listener: RebalanceListener): void {
    this.#subscription = subscription;
    this.#listener = listener;
    this.#member ??= this.#makeMember();
    this.#patterns.stop();
    // Which topics match is known only when it was looked: until then the old ones count.
    if (subscription.patterns.length === 0) this.#member.subscribed();
  }

  /** A read begins after {@link SubscribedGroup.subscribe}: sees to the metadata of the topics. */
  begin(): void {
    const { interest } = this.#parts;
    const { patterns, names } = this.#subscription;
    const follow = this.#patterns.follow(patterns);
    if (patterns.length === 0) {
      interest.follow(names);
      this.#known = interest.known;
      return;
    }
    this.#known = follow.then(async () => {
      interest.follow(this.#names);
      this.#member?.subscribed();
      await interest.known;
    });
  }

  /** Tells the listener that all goes, and leaves. */
  async unsubscribe(reason: string, mode: LeaveMode): Promise<void> {
    const member = this.#member;
    this.#member = undefined;
    this.#patterns.stop();
    try {
      await this.farewell();
    } finally {
      this.#parts.assignment.end();
      await member?.leave(reason, mode);
    }
  }

  /** Tells the listener, as when partitions are revoked. */
  async farewell(): Promise<void> {
    const { partitions } = this.#parts.assignment;
    if (partitions.length === 0) return;
    await this.#listener.onPartitionsRevoked?.(partitions);
    this.#publish({ kind: 'revoke', partitions });
  }

  metadata(): ConsumerGroupMetadata {
    const { groupId, options } = this.#parts;
    const { generationId, memberId } = this.#member?.identity ?? { generationId: -1, memberId: '' };
    return { groupId, generationId, memberId, groupInstanceId: options.groupInstanceId };
  }

  /** Why there is no assignment in time. Without the cluster there is no group: then its error lists the servers, with advice. */
  lateAssignment(timeoutMs: number): KafkaError {
    const { cluster, groupId } = this.#parts;
    const cause = cluster.lastFailure ?? this.#member?.lastFailure;
    const why = cause === undefined ? 'check that the cluster and the coordinator can be reached' : cause.message;
    return new TimeoutError(`Cannot join group ${quote(groupId)}: no assignment within ${timeoutMs} ms; ${why}`, {
      code: 'OPERATION_TIMEOUT',
      retriable: true,
      cause,
    });
  }

  #makeMember(): Membership {
    const { cluster, groupId, options, lane, reading } = this.#parts;
    return makeMembership({
      cluster,
      groupId,
      options,
      lane,
      topics: () => ({ names: this.#names, re2: this.#subscription.re2 }),
      topicsKnown: () => this.#known,
      runTask: (task) => this.#run(task),
      endAssignment: () => this.#rebalances.end(),
      onReaderNeeded: () => reading.interrupt(),
      onFatal: (error) => reading.fail(error),
      askCount: () => reading.asks,
      inHand: () => describeInHand(reading),
    });
  }

  async #run(task: ReaderTask): Promise<void> {
    // A pattern of the broker's may bring topics that nobody here has asked for yet.
    if (task.kind === 'assign') this.#parts.interest.add([...new Set(task.partitions.map(({ topic }) => topic))]);
    try {
      await this.#rebalances.run(task);
    } finally {
      this.#publish(task);
    }
  }

  #publish({ kind, partitions }: ReaderTask): void {
    const { cluster, groupId } = this.#parts;
    const event = { assign: 'group.assigned', revoke: 'group.revoked', lose: 'group.lost' } as const;
    cluster.events.publish(event[kind], { groupId, partitions });
  }
}

function describeInHand(reading: Reading): string {
  const states = reading.inHand;
  if (states.length === 0) return 'nothing';
  return states
    .map(({ topic, partition, position = 0n }) => `${topic}-${partition} up to offset ${position - 1n}`)
    .join(', ');
}
