import type { MetadataSnapshot, TopicMetadata } from '../cluster/metadata-snapshot.ts';
import { retryBackoff } from '../cluster/options.ts';
import { KafkaError } from '../errors/kafka-error.ts';
import type { SendError } from '../errors/send-error.ts';
import { ZERO_UUID } from '../protocol/wire/uuid.ts';
import { backoffMs } from '../util/backoff.ts';
import { quote } from '../util/option-rules.ts';
import type { HeldSends } from './held-sends.ts';
import type { ResolvedProducerOptions } from './options.ts';
import { PartitionMachine } from './partition-machine.ts';
import { PartitionQueue, TopicQueue, type TopicSerdes } from './partition-queue.ts';
import { BuiltInPartitioner, defaultPartitioner } from './partitioner.ts';
import { StickyPartition } from './partitioner-machine.ts';
import type { ProducerBatch } from './producer-batch.ts';
import type { ProducerCluster } from './producer-cluster.ts';
import type { Sender } from './sender.ts';
import { notSent, notSentBecause, outcomeOf, topicGone } from './send-errors.ts';

/**
 * How much goes to one partition before records without a key go to another. Larger batches come about under load all the same,
 * because each partition fills while requests are under way; a slow producer must not stay with one partition for hours.
 */
const stickyBytes = 64 * 1024;

/** What happens as topics become known, or turn out to be none. */
export interface WrittenTopicsHooks {
  /** Memory came free: sends that wait for it may go on. */
  handleMemory(): void;
  /** A topic is forgotten, and sequence numbers were used in its partitions. */
  handleSequencesLost(): void;
}

/**
 * The topics that are written to: looks them up, follows what the metadata says of them, and forgets those that are gone, so that
 * the next send begins anew.
 */
export class WrittenTopics {
  readonly #cluster: ProducerCluster;
  readonly #options: ResolvedProducerOptions<unknown, unknown>;
  readonly #held: HeldSends;
  readonly #hooks: WrittenTopicsHooks;
  readonly #topics = new Map<string, TopicQueue>();
  readonly #abort = new AbortController();
  #sender: Sender | undefined;
  #last: TopicQueue | undefined;

  constructor(
    cluster: ProducerCluster,
    options: ResolvedProducerOptions<unknown, unknown>,
    held: HeldSends,
    hooks: WrittenTopicsHooks,
  ) {
    this.#cluster = cluster;
    this.#options = options;
    this.#held = held;
    this.#hooks = hooks;
  }

  /** The sender and this class work on the same partitions; they are made one after the other. */
  connect(sender: Sender): void {
    this.#sender = sender;
  }

  /** The topic that {@link get} gave last: most sends go where the one before went. */
  get last(): TopicQueue | undefined {
    return this.#last;
  }

  /** @throws TypeError if it is not a name */
  get(name: unknown): TopicQueue {
    if (typeof name !== 'string' || name.length === 0) throw new TypeError(`topic is ${quote(name)}`);
    const topic = this.#topics.get(name) ?? this.#begin(name);
    this.#last = topic;
    return topic;
  }

  [Symbol.iterator](): IterableIterator<TopicQueue> {
    return this.#topics.values();
  }

  /** The broker does not know a topic that the metadata named: has it been deleted? */
  verify(topic: TopicQueue): void {
    if (topic.isGone || topic.isLookedUp) return;
    // Otherwise the refresh that the answer has led to tells; see handleMetadata.
    if (!isUsable(this.#cluster.metadata.topic(topic.name))) this.#lookUp(topic);
  }

  /** What is known of the cluster has changed: partitions move, are added, or belong to another topic of the same name. */
  handleMetadata(snapshot: MetadataSnapshot): void {
    for (const topic of this.#topics.values()) {
      if (!topic.isKnown) continue;
      const metadata = snapshot.topic(topic.name);
      if (isUsable(metadata)) this.#update(topic, metadata, snapshot);
      else this.#lookUp(topic);
    }
    // Until there is a leader, somebody has to ask for it.
    if (this.#sender?.hasLeaderless() === true) this.#cluster.refreshSoon();
  }

  close(): void {
    this.#abort.abort();
  }

  #begin(name: string): TopicQueue {
    const { metadata } = this.#cluster;
    const topic = this.#newTopic(name);
    this.#topics.set(name, topic);
    const known = metadata.topic(name);
    if (isUsable(known)) this.#handleKnown(topic, known, metadata);
    // In any case: what is asked for by name stays in the metadata.
    this.#lookUp(topic);
    return topic;
  }

  #newTopic(name: string): TopicQueue {
    const { random, clock } = this.#cluster;
    const { batchSizeBytes, lingerMs, partitioner } = this.#options;
    const { adaptive, rackAware, availabilityTimeoutMs } =
      partitioner instanceof BuiltInPartitioner ? partitioner : defaultPartitioner();
    return new TopicQueue(name, '', {
      sticky: new StickyPartition({ stickyBytes: Math.min(batchSizeBytes, stickyBytes), adaptive, rackAware, random }),
      serdes: this.#serdesOf(name),
      maxBatchBytes: batchSizeBytes,
      canTake: (lane) =>
        availabilityTimeoutMs === 0 || lane.stalledForMs(clock.nowMs()) <= lingerMs + availabilityTimeoutMs,
    });
  }

  #serdesOf(name: string): TopicSerdes {
    const { topics, key, value } = this.#options;
    if (topics === undefined) return { key, value };
    const defined = Object.hasOwn(topics, name) ? topics[name] : undefined;
    if (defined !== undefined) return defined;
    throw notSent(name, 'INVALID_ARGUMENT', 'it is not among the topics of the producer; add it to topics');
  }

  #lookUp(topic: TopicQueue): void {
    if (topic.isLookedUp || topic.isGone) return;
    topic.isLookedUp = true;
    const { clock } = this.#cluster;
    const firstMs = topic.held.peek()?.calledMs ?? clock.nowMs();
    const timeoutMs = Math.max(1, firstMs + this.#options.maxBlockMs - clock.nowMs());
    const options = { timeoutMs, allowAutoTopicCreation: true, signal: this.#abort.signal };
    this.#cluster.topics([topic.name], options).then(
      (snapshot) => {
        topic.isLookedUp = false;
        const metadata = snapshot.topic(topic.name);
        if (!isUsable(metadata) || topic.isGone) return;
        if (topic.isKnown) this.#update(topic, metadata, snapshot);
        else this.#handleKnown(topic, metadata, snapshot);
      },
      (error: unknown) => {
        topic.isLookedUp = false;
        if (!this.#abort.signal.aborted) this.#handleLookUpFailure(topic, error);
      },
    );
  }

  #handleLookUpFailure(topic: TopicQueue, error: unknown): void {
    const isTimeout =
      error instanceof KafkaError && (error.code === 'OPERATION_TIMEOUT' || error.code === 'BOOTSTRAP_FAILED');
    if (!isTimeout) return this.#giveUp(topic, error);
    // The batches of a topic that was known have deadlines of their own.
    if (topic.isKnown) return;
    const nowMs = this.#cluster.clock.nowMs();
    for (let head = topic.held.peek(); head !== undefined; head = topic.held.peek()) {
      // The look-up had the first one's time: with the rounding of timers that may be a little early.
      if (head.calledMs + this.#options.maxBlockMs > nowMs + 5) break;
      topic.held.shift();
      this.#held.reject(head, (name) => notSentBecause(name, error));
    }
    if (topic.held.length > 0) this.#lookUp(topic);
    else this.#forget(topic);
    this.#hooks.handleMemory();
  }

  /** There is no such topic, or it must not be used. */
  #giveUp(topic: TopicQueue, error: unknown): void {
    this.#forget(topic);
    for (const held of topic.held.takeAll()) this.#held.reject(held, (name) => notSentBecause(name, error));
    for (const queue of topic.partitions) this.#giveUpPartition(queue, error);
    this.#hooks.handleMemory();
  }

  #giveUpPartition(queue: PartitionQueue, cause: unknown, matches?: (batch: ProducerBatch) => boolean): void {
    const { topic, partition, machine } = queue;
    const error = (batch: ProducerBatch): SendError =>
      topicGone(topic.name, partition, machine.isInFlight(batch) ? 'unknown' : outcomeOf(batch), cause);
    this.#sender?.giveUp(queue, error, matches);
  }

  /** The next send to it begins anew. */
  #forget(topic: TopicQueue): void {
    topic.isGone = true;
    if (this.#topics.get(topic.name) === topic) this.#topics.delete(topic.name);
    if (this.#last === topic) this.#last = undefined;
    // Walkthrough: 1. record a is written with sequence number 0; 2. the topic is denied for a while, and forgotten with its numbers;
    // 3. it is allowed again, and record b goes with number 0, too; 4. the broker takes b for a, and acknowledges what it never wrote.
    if (topic.partitions.some(({ machine }) => machine.hasSequences)) this.#hooks.handleSequencesLost();
  }

  #handleKnown(topic: TopicQueue, metadata: TopicMetadata, snapshot: MetadataSnapshot): void {
    topic.isKnown = true;
    topic.topicId = metadata.topicId;
    this.#update(topic, metadata, snapshot);
    this.#held.release(topic);
    // What was held has given its memory back, perhaps after the first ones found it full.
    this.#hooks.handleMemory();
  }

  #update(topic: TopicQueue, metadata: TopicMetadata, snapshot: MetadataSnapshot): void {
    if (topic.topicId !== metadata.topicId && isKnownId(metadata.topicId)) {
      if (isKnownId(topic.topicId)) this.#handleNewTopic(topic, metadata);
      topic.topicId = metadata.topicId;
    }
    for (const { partition, leaderId } of metadata.partitions) {
      const queue = (topic.partitions[partition] ??= this.#newQueue(topic, partition));
      const leader = snapshot.brokers.get(leaderId);
      const isReachable = leaderId >= 0 && leader !== undefined;
      queue.isNear = isReachable && leader.rack === this.#cluster.options.clientRack;
      this.#sender?.moveTo(queue, isReachable ? leaderId : undefined);
    }
  }

  /**
   * A topic of the same name was created anew: what had been sent to the old one is gone with it, the rest may still go, unless
   * the new one has not as many partitions.
   */
  #handleNewTopic(topic: TopicQueue, { partitions }: TopicMetadata): void {
    const cause = new KafkaError('the topic was re-created meanwhile', { code: 'UNKNOWN_TOPIC_ID' });
    for (const queue of topic.partitions) {
      const isMissing = queue.partition >= partitions.length;
      this.#giveUpPartition(queue, cause, (batch) => isMissing || batch.order >= 0);
      queue.machine.handleNewTopic();
      if (isMissing) this.#sender?.moveTo(queue, undefined);
    }
    if (topic.partitions.length > partitions.length) topic.partitions.length = partitions.length;
    topic.maxBatchBytes = this.#options.batchSizeBytes;
    this.#hooks.handleMemory();
  }

  #newQueue(topic: TopicQueue, partition: number): PartitionQueue {
    const { retries } = this.#cluster.options;
    const policy = retryBackoff(this.#cluster.options);
    const machine = new PartitionMachine<ProducerBatch>({
      idempotent: this.#options.idempotence,
      transactional: this.#options.transactionalId !== undefined,
      maxInFlight: this.#options.maxInFlightRequests,
      retries,
      backoffMs: (failures) => backoffMs(policy, failures, this.#cluster.random()),
    });
    return new PartitionQueue(topic, partition, machine);
  }
}

function isUsable(metadata: TopicMetadata | undefined): metadata is TopicMetadata {
  return metadata !== undefined && metadata.errorCode === 0 && metadata.partitions.length > 0;
}

function isKnownId(topicId: string): boolean {
  return topicId !== '' && topicId !== ZERO_UUID;
}
