import type { ProducerCluster } from './producer-cluster.ts';
import type { MetadataSnapshot, TopicMetadata } from '../cluster/metadata-snapshot.ts';
import { KafkaError } from '../errors/kafka-error.ts';
import type { SendError } from '../errors/send-error.ts';
import type { ProducerRecord } from '../model/producer-record.ts';
import { isPromiseLike, type Serialized } from '../model/serdes.ts';
import { recordSizeBound, type RecordHeader } from '../protocol/records/index.ts';
import { backoffMs } from '../util/backoff.ts';
import { quote } from '../util/option-rules.ts';
import type { BufferMemory } from './buffer-memory.ts';
import { Fifo } from './fifo.ts';
import type { SendSpan } from './flush-tracker.ts';
import { PartitionChooser } from './partition-chooser.ts';
import type { ResolvedProducerOptions } from './options.ts';
import { PartitionMachine } from './partition-machine.ts';
import { PartitionQueue, TopicQueue, type HeldRest, type HeldSend } from './partition-queue.ts';
import { RoundRobinPartition, StickyPartition } from './partitioner.ts';
import { failTarget, ProducerBatch, type SendTarget } from './producer-batch.ts';
import { headersOf } from './record-headers-input.ts';
import type { RecordMetadata } from './record-metadata.ts';
import type { SendCall } from './send-call.ts';
import { SendTables } from './send-table.ts';
import { checkSerialized, plain, refusal, serializationFailed, serialize, swallow } from './serialize.ts';
import type { Sender } from './sender.ts';
import { notSent, notSentBecause, outcomeOf, topicGone } from './send-errors.ts';

/**
 * How much goes to one partition before records without a key go to another. Larger batches come about under load all the same,
 * because each partition fills while requests are under way; a slow producer must not stay with one partition for hours.
 */
const stickyBytes = 64 * 1024;
/** What a promise, with what settles it and what it will be settled with, takes of the JavaScript heap, about. */
const promiseBytes = 256;
/** What a record takes beside its key and value while it is held, about. */
const heldOverheadBytes = 256;
/** Texts of UTF-8 have up to three bytes for a character; headers and lengths come on top. */
const maxBytesPerCharacter = 3;
const sizeSlackBytes = 128;

type AnyRecord = ProducerRecord<unknown, unknown>;

/**
 * Puts records into the open batches of their partitions, in the order of the calls, and holds those that cannot go there yet:
 * per topic while its partitions are unknown or a serializer takes its time, and all of them, in order, while memory is full.
 */
export class Accumulator {
  readonly #cluster: ProducerCluster;
  readonly #options: ResolvedProducerOptions<unknown, unknown>;
  readonly #memory: BufferMemory;
  readonly #chooser: PartitionChooser;
  readonly #tables = new SendTables();
  readonly #topics = new Map<string, TopicQueue>();
  readonly #waiting = new Fifo<HeldSend | HeldRest>();
  readonly #abort = new AbortController();
  #sender: Sender | undefined;
  #lastTopic: TopicQueue | undefined;
  #isAdmitting = false;
  /** While sends that waited are let in: the one that has to wait on. */
  #stillWaiting: HeldSend | undefined;
  /** Sends held by their topics although memory is full. */
  #countedHeld = 0;
  #onRoom: (() => void)[] = [];

  constructor(cluster: ProducerCluster, options: ResolvedProducerOptions<unknown, unknown>, memory: BufferMemory) {
    this.#cluster = cluster;
    this.#options = options;
    this.#memory = memory;
    this.#chooser = new PartitionChooser(options.partitioner, () => cluster.refreshSoon());
  }

  /** The sender and this class work on the same partitions; they are made one after the other. */
  connect(sender: Sender): void {
    this.#sender = sender;
  }

  /** Whether a send would have to wait for memory. */
  get isFull(): boolean {
    return this.#waiting.length > 0 || this.#memory.isFull;
  }

  /** Calls back once when a send would not wait. */
  whenRoom(callback: () => void): void {
    this.#onRoom.push(callback);
  }

  /** One record, whose span already counts it. Never throws: what is wrong with the record, its target learns. */
  add(
    record: AnyRecord,
    target: SendTarget,
    promise: Promise<RecordMetadata> | undefined,
    index: number,
    timestampMs: number,
    span: SendSpan,
  ): void {
    let topic = this.#lastTopic;
    try {
      if (topic === undefined || topic.name !== record.topic) topic = this.#topicOf(record.topic);
      const { key: keySerde, value: valueSerde } = this.#options;
      const key = keySerde === undefined ? plain(record.key) : serialize(keySerde, record.key, topic.keyContext);
      const value =
        valueSerde === undefined ? plain(record.value) : serialize(valueSerde, record.value, topic.valueContext);
      const headers = record.headers === undefined ? undefined : headersOf(record.headers);
      const timestamp = record.timestamp ?? timestampMs;
      if (!Number.isInteger(timestamp) || timestamp < 0) throw new TypeError(`timestamp is ${quote(timestamp)}`);
      if (isPromiseLike(key) || isPromiseLike(value) || !topic.isFree) {
        this.#holdInTopic(topic, record, key, value, headers, timestamp, target, promise, index, span);
        return;
      }
      this.#refuseTooLarge(topic, key, value, headers);
      const partition = this.#chooser.choose(topic, record, key);
      const isBehind = this.#waiting.length > 0 && !this.#isAdmitting;
      const queue = topic.partitions[partition];
      if (queue === undefined) throw new TypeError(`partition ${partition} does not exist`);
      if (!isBehind && this.#put(queue, key, value, headers, timestamp, target, promise, index, span, undefined))
        return;
      this.#hold({
        ...this.#held(topic, record, headers, timestamp, target, promise, index, span),
        key,
        value,
        partition,
        isSerialized: true,
      });
    } catch (error) {
      failTarget(target, promise, index, refusal(record, error), span, this.#cluster.events);
    }
  }

  /** Records of one array, from `from` on. */
  addAll(call: SendCall, records: readonly AnyRecord[], from: number, timestampMs: number, calledMs: number): void {
    const { span } = call;
    for (let index = from; index < records.length; index++) {
      const isStuck = this.#isAdmitting ? this.#stillWaiting !== undefined : this.#waiting.length > 0;
      if (isStuck) {
        this.#holdRest({ kind: 'rest', call, records, calledMs, timestampMs, next: index });
        return;
      }
      this.add(records[index] as AnyRecord, call, undefined, index, timestampMs, span);
    }
  }

  /** Nothing more is added to the open batch: it joins the end of those that are sent. */
  seal(queue: PartitionQueue): void {
    const batch = queue.open;
    if (batch === undefined) return;
    queue.open = undefined;
    queue.expectedBytes = batch.builder?.sizeBytes ?? 0;
    queue.machine.add(batch);
  }

  /** Closes all open batches, so that what is sent from now on does not join what a flush waits for. */
  sealAll(): void {
    for (const topic of this.#topics.values()) {
      for (const queue of topic.partitions) {
        if (queue.open === undefined) continue;
        this.seal(queue);
        this.#sender?.wake(queue);
      }
    }
  }

  /** Lets sends in that wait for memory, as far as there is some. */
  handleMemory(): void {
    if (this.#waiting.length > 0) this.#admit();
    if (this.#onRoom.length === 0 || this.isFull) return;
    for (const callback of this.#onRoom.splice(0)) callback();
  }

  isMemoryWanted(): boolean {
    return this.#waiting.length > 0 || this.#memory.isFull;
  }

  expireHeld(nowMs: number): void {
    const { maxBlockMs, bufferMemoryBytes } = this.#options;
    const isOver = ({ calledMs }: { readonly calledMs: number }): boolean => calledMs + maxBlockMs <= nowMs;
    for (let head = this.#waiting.peek(); head !== undefined && isOver(head); head = this.#waiting.peek()) {
      this.#waiting.shift();
      const why = `no buffer memory came free within ${maxBlockMs} ms; all ${bufferMemoryBytes} bytes of bufferMemoryBytes are in use`;
      this.#rejectHeld(head, (topic) => notSent(topic, 'DELIVERY_TIMEOUT', why, undefined, true));
    }
    for (const topic of this.#topics.values()) {
      if (!topic.isKnown) continue; // the look-up has this deadline itself, and can say what is wrong
      for (let head = topic.held.peek(); head !== undefined && isOver(head); head = topic.held.peek()) {
        topic.held.shift();
        const why = `its serializer did not answer within ${maxBlockMs} ms`;
        this.#rejectHeld(head, (name) => notSent(name, 'DELIVERY_TIMEOUT', why, undefined, true));
      }
      this.#release(topic);
    }
  }

  nextHeldDeadlineMs(): number | undefined {
    let calledMs = this.#waiting.peek()?.calledMs ?? Infinity;
    for (const topic of this.#topics.values()) {
      if (topic.isKnown) calledMs = Math.min(calledMs, topic.held.peek()?.calledMs ?? Infinity);
    }
    return calledMs === Infinity ? undefined : calledMs + this.#options.maxBlockMs;
  }

  /** The broker does not know a topic that the metadata named: has it been deleted? */
  verifyTopic(topic: TopicQueue): void {
    if (topic.isGone || topic.isLookedUp) return;
    const metadata = this.#cluster.metadata.topic(topic.name);
    // Otherwise the refresh that the answer has led to tells; see handleMetadata.
    if (!isUsable(metadata)) this.#lookUp(topic);
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

  /** Rejects everything that has not come into a batch. */
  rejectAllHeld(error: (topic: string) => SendError): void {
    for (const held of this.#waiting.takeAll()) this.#rejectHeld(held, error);
    for (const topic of this.#topics.values()) {
      for (const held of topic.held.takeAll()) this.#rejectHeld(held, error);
    }
  }

  close(): void {
    this.#abort.abort();
    for (const callback of this.#onRoom.splice(0)) callback();
  }

  #topicOf(name: unknown): TopicQueue {
    if (typeof name !== 'string' || name.length === 0) throw new TypeError(`topic is ${quote(name)}`);
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      const { random } = this.#cluster;
      const sticky = new StickyPartition(Math.min(this.#options.batchSizeBytes, stickyBytes), random);
      topic = new TopicQueue(name, '', sticky, new RoundRobinPartition());
      this.#topics.set(name, topic);
      const known = this.#cluster.metadata.topic(name);
      if (isUsable(known)) this.#begin(topic, known, this.#cluster.metadata);
      // In any case: what is asked for by name stays in the metadata.
      this.#lookUp(topic);
    }
    this.#lastTopic = topic;
    return topic;
  }

  #refuseTooLarge(
    topic: TopicQueue,
    key: Serialized,
    value: Serialized,
    headers: readonly RecordHeader[] | undefined,
  ): void {
    const { maxRequestBytes } = this.#options;
    if (headers === undefined) {
      const characters = (key === null ? 0 : key.length) + (value === null ? 0 : value.length);
      if (characters * maxBytesPerCharacter + sizeSlackBytes <= maxRequestBytes) return;
    }
    const bytes = recordSizeBound(key, value, headers, maxRequestBytes);
    if (bytes <= maxRequestBytes) return;
    const why = `the record takes up to ${bytes} bytes, above maxRequestBytes, which is ${maxRequestBytes}`;
    throw notSent(topic.name, 'MESSAGE_TOO_LARGE', why);
  }

  /** Puts a record into the open batch of its partition; answers false, and does nothing, if there is no memory for it. */
  #put(
    queue: PartitionQueue,
    key: Serialized,
    value: Serialized,
    headers: readonly RecordHeader[] | undefined,
    timestampMs: number,
    target: SendTarget,
    promise: Promise<RecordMetadata> | undefined,
    index: number,
    span: SendSpan,
    calledMs: number | undefined,
  ): boolean {
    let batch = queue.open;
    if (batch !== undefined && batch.span !== span) {
      this.#complete(queue);
      batch = undefined;
    }
    if (this.#memory.isFull) return false;
    if (batch?.builder?.append(timestampMs, key, value, headers) === false) {
      this.#complete(queue);
      batch = undefined;
      if (this.#memory.isFull) return false;
    }
    if (batch === undefined) {
      batch = this.#newBatch(queue, span, calledMs ?? this.#cluster.clock.nowMs());
      batch.builder?.append(timestampMs, key, value, headers);
      queue.open = batch;
      this.#sender?.wake(queue);
    }
    const { builder } = batch;
    if (builder === undefined) return false;
    const capacity = builder.capacityBytes;
    if (capacity !== batch.heldBytes) {
      this.#memory.take(capacity - batch.heldBytes);
      batch.heldBytes = capacity;
    }
    batch.expect(target, promise, index, timestampMs, builder.lastKeyBytes, builder.lastValueBytes);
    if (promise !== undefined) {
      batch.promiseBytes += promiseBytes;
      this.#memory.take(promiseBytes);
    }
    if (key === null) queue.topic.sticky.count(builder.lastRecordBytes);
    return true;
  }

  #complete(queue: PartitionQueue): void {
    this.seal(queue);
    this.#sender?.handleFull(queue);
  }

  #newBatch(queue: PartitionQueue, span: SendSpan, calledMs: number): ProducerBatch {
    const builder = this.#memory.builder(queue.expectedBytes);
    const deadlineMs = calledMs + this.#options.deliveryTimeoutMs;
    return new ProducerBatch(builder, span, calledMs, deadlineMs, this.#tables, this.#cluster.events);
  }

  #held(
    topic: TopicQueue,
    record: AnyRecord,
    headers: readonly RecordHeader[] | undefined,
    timestampMs: number,
    target: SendTarget,
    promise: Promise<RecordMetadata> | undefined,
    index: number,
    span: SendSpan,
  ): HeldSend {
    return {
      kind: 'record',
      topic,
      record,
      target,
      promise,
      index,
      span,
      headers,
      timestampMs,
      calledMs: this.#cluster.clock.nowMs(),
      key: null,
      value: null,
      partition: -1,
      isSerialized: false,
      chargedBytes: 0,
      isCounted: false,
      isOver: false,
    };
  }

  /** A record whose topic is not known, or whose serializer has not answered, or that is behind such a one. */
  #holdInTopic(
    topic: TopicQueue,
    record: AnyRecord,
    key: Serialized | PromiseLike<Serialized>,
    value: Serialized | PromiseLike<Serialized>,
    headers: readonly RecordHeader[] | undefined,
    timestampMs: number,
    target: SendTarget,
    promise: Promise<RecordMetadata> | undefined,
    index: number,
    span: SendSpan,
  ): void {
    const held = this.#held(topic, record, headers, timestampMs, target, promise, index, span);
    if (this.#memory.isFull) {
      if (this.#waiting.length + this.#countedHeld >= this.#options.maxWaitingSends) {
        swallow(key);
        swallow(value);
        throw this.#tooManyWait(topic.name);
      }
      this.#countedHeld++;
      held.isCounted = true;
    }
    topic.held.push(held);
    if (isPromiseLike(key) || isPromiseLike(value)) {
      this.#charge(held, null, null);
      this.#awaitSerializers(held, key, value);
    } else {
      held.isSerialized = true;
      this.#charge(held, key, value);
    }
    this.#sender?.schedule();
  }

  #awaitSerializers(
    held: HeldSend,
    key: Serialized | PromiseLike<Serialized>,
    value: Serialized | PromiseLike<Serialized>,
  ): void {
    const named = (field: string) => (error: unknown) => {
      throw serializationFailed(held.topic.name, field, error);
    };
    const both = [Promise.resolve(key).catch(named('key')), Promise.resolve(value).catch(named('value'))] as const;
    Promise.all(both).then(
      ([keyBytes, valueBytes]) => {
        if (held.isOver) return;
        held.isSerialized = true;
        try {
          held.key = checkSerialized(keyBytes, held.topic.name, 'key');
          held.value = checkSerialized(valueBytes, held.topic.name, 'value');
        } catch (error) {
          this.#rejectHeld(held, () => refusal(held.record, error));
        }
        this.#release(held.topic);
        this.handleMemory();
      },
      (error: unknown) => {
        if (!held.isOver) this.#rejectHeld(held, () => refusal(held.record, error));
        this.#release(held.topic);
        this.handleMemory();
      },
    );
  }

  #charge(held: HeldSend, key: Serialized, value: Serialized): void {
    held.key = key;
    held.value = value;
    held.chargedBytes = heldOverheadBytes + (key?.length ?? 0) + (value?.length ?? 0);
    this.#memory.take(held.chargedBytes);
  }

  #discharge(held: HeldSend): void {
    this.#memory.release(held.chargedBytes);
    held.chargedBytes = 0;
    if (held.isCounted) this.#countedHeld--;
    held.isCounted = false;
  }

  /** Lets the held records of a topic go on, up to the first whose serializer has not answered. */
  #release(topic: TopicQueue): void {
    if (!topic.isKnown) return;
    for (let head = topic.held.peek(); head !== undefined; head = topic.held.peek()) {
      if (!head.isOver && !head.isSerialized) return;
      topic.held.shift();
      if (head.isOver) continue;
      this.#discharge(head);
      this.#enter(head);
    }
  }

  /** A held record, serialized and of a known topic, goes into its batch or joins those that wait for memory. */
  #enter(held: HeldSend): void {
    try {
      if (held.partition < 0) {
        this.#refuseTooLarge(held.topic, held.key, held.value, held.headers);
        held.partition = this.#chooser.choose(held.topic, held.record, held.key);
      }
      if (this.#waiting.length === 0 && this.#putHeld(held)) return;
      this.#waiting.push(held);
      this.#sender?.schedule();
    } catch (error) {
      this.#rejectHeld(held, () => refusal(held.record, error));
    }
  }

  #putHeld(held: HeldSend): boolean {
    const queue = held.topic.partitions[held.partition];
    if (queue === undefined) throw new TypeError(`partition ${held.partition} does not exist any more`);
    const { key, value, headers, timestampMs, target, promise, index, span, calledMs } = held;
    return this.#put(queue, key, value, headers, timestampMs, target, promise, index, span, calledMs);
  }

  #hold(held: HeldSend): void {
    if (this.#isAdmitting) {
      this.#stillWaiting = held;
      return;
    }
    if (this.#waiting.length + this.#countedHeld >= this.#options.maxWaitingSends)
      throw this.#tooManyWait(held.topic.name);
    this.#waiting.push(held);
    // Batches must leave now even if they are not full.
    this.#sender?.schedule();
  }

  #holdRest(rest: HeldRest): void {
    if (this.#isAdmitting) {
      this.#waiting.unshift(rest);
      return;
    }
    if (this.#waiting.length + this.#countedHeld >= this.#options.maxWaitingSends) {
      this.#rejectHeld(rest, (topic) => this.#tooManyWait(topic));
      return;
    }
    this.#waiting.push(rest);
  }

  #tooManyWait(topic: string): SendError {
    const { maxWaitingSends } = this.#options;
    const why = `${maxWaitingSends} sends wait for buffer memory already; await sends, or producer.ready()`;
    return notSent(topic, 'BUFFER_FULL', why, undefined, true);
  }

  #admit(): void {
    if (this.#isAdmitting) return;
    this.#isAdmitting = true;
    for (let head = this.#waiting.peek(); head !== undefined && !this.#memory.isFull; head = this.#waiting.peek()) {
      this.#waiting.shift();
      if (head.kind === 'rest') this.addAll(head.call, head.records, head.next, head.timestampMs, head.calledMs);
      else this.#admitRecord(head);
      if (this.#stillWaiting === undefined) continue;
      this.#waiting.unshift(this.#stillWaiting);
      this.#stillWaiting = undefined;
      break;
    }
    this.#isAdmitting = false;
  }

  #admitRecord(held: HeldSend): void {
    if (held.isOver) return;
    try {
      if (!this.#putHeld(held)) this.#stillWaiting = held;
    } catch (error) {
      this.#rejectHeld(held, () => refusal(held.record, error));
    }
  }

  #rejectHeld(held: HeldSend | HeldRest, error: (topic: string) => SendError): void {
    if (held.kind === 'rest') {
      for (let index = held.next; index < held.records.length; index++) {
        held.call.fail(index, error(String(held.records[index]?.topic)));
      }
      return;
    }
    if (held.isOver) return;
    held.isOver = true;
    this.#discharge(held);
    failTarget(held.target, held.promise, held.index, error(held.topic.name), held.span, this.#cluster.events);
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
        else this.#begin(topic, metadata, snapshot);
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
    if (!isTimeout) return this.#giveUpTopic(topic, error);
    // The batches of a topic that was known have deadlines of their own.
    if (topic.isKnown) return;
    const nowMs = this.#cluster.clock.nowMs();
    for (let head = topic.held.peek(); head !== undefined; head = topic.held.peek()) {
      // The look-up had the first one's time: with the rounding of timers that may be a little early.
      if (head.calledMs + this.#options.maxBlockMs > nowMs + 5) break;
      topic.held.shift();
      this.#rejectHeld(head, (name) => notSentBecause(name, error));
    }
    if (topic.held.length > 0) this.#lookUp(topic);
    else this.#forget(topic);
    this.handleMemory();
  }

  /** There is no such topic, or it must not be used. */
  #giveUpTopic(topic: TopicQueue, error: unknown): void {
    this.#forget(topic);
    for (const held of topic.held.takeAll()) this.#rejectHeld(held, (name) => notSentBecause(name, error));
    for (const queue of topic.partitions) {
      this.#sender?.giveUp(queue, (batch) => topicGone(topic.name, queue.partition, outcomeOf(batch), error));
    }
    this.handleMemory();
  }

  /** The next send to it begins anew. */
  #forget(topic: TopicQueue): void {
    topic.isGone = true;
    if (this.#topics.get(topic.name) === topic) this.#topics.delete(topic.name);
    if (this.#lastTopic === topic) this.#lastTopic = undefined;
  }

  #begin(topic: TopicQueue, metadata: TopicMetadata, snapshot: MetadataSnapshot): void {
    topic.isKnown = true;
    topic.topicId = metadata.topicId;
    this.#update(topic, metadata, snapshot);
    this.#release(topic);
    // What was held has given its memory back, perhaps after the first ones found it full.
    this.handleMemory();
  }

  #update(topic: TopicQueue, metadata: TopicMetadata, snapshot: MetadataSnapshot): void {
    if (topic.topicId !== metadata.topicId && isKnownId(metadata.topicId)) {
      if (isKnownId(topic.topicId)) this.#handleNewTopic(topic);
      topic.topicId = metadata.topicId;
    }
    for (const { partition, leaderId } of metadata.partitions) {
      const queue = (topic.partitions[partition] ??= this.#newQueue(topic, partition));
      const isReachable = leaderId >= 0 && snapshot.brokers.has(leaderId);
      this.#sender?.moveTo(queue, isReachable ? leaderId : undefined);
    }
  }

  /** A topic of the same name was created anew: what had been sent to the old one is gone with it, the rest may still go. */
  #handleNewTopic(topic: TopicQueue): void {
    const cause = new KafkaError('the topic was deleted and created again', { code: 'UNKNOWN_TOPIC_ID' });
    for (const queue of topic.partitions) {
      const wasSent = (batch: ProducerBatch): boolean => batch.attempts > 0;
      const error = (batch: ProducerBatch): SendError =>
        topicGone(topic.name, queue.partition, queue.machine.isInFlight(batch) ? 'unknown' : outcomeOf(batch), cause);
      this.#sender?.giveUp(queue, error, wasSent);
      queue.machine.handleNewTopic();
    }
  }

  #newQueue(topic: TopicQueue, partition: number): PartitionQueue {
    const { retries, retryBackoffMs, retryBackoffMaxMs } = this.#cluster.options;
    const policy = { initialMs: retryBackoffMs, maxMs: retryBackoffMaxMs };
    const machine = new PartitionMachine<ProducerBatch>({
      idempotent: this.#options.idempotence,
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
  return topicId !== '' && topicId !== 'AAAAAAAAAAAAAAAAAAAAAA';
}
