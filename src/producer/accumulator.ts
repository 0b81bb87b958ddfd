import type { MetadataSnapshot } from '../cluster/metadata-snapshot.ts';
import type { SendError } from '../errors/send-error.ts';
import type { ProducerRecord } from '../model/producer-record.ts';
import { isPromiseLike, type Serialized } from '../model/serdes.ts';
import { recordSizeBound, type RecordHeader } from '../protocol/records/index.ts';
import { quote } from '../util/option-rules.ts';
import type { BufferMemory } from './buffer-memory.ts';
import type { SendSpan } from './flush-tracker.ts';
import { HeldSends } from './held-sends.ts';
import { MemoryQueue } from './memory-queue.ts';
import { OpenBatches } from './open-batches.ts';
import type { ResolvedProducerOptions } from './options.ts';
import { PartitionChooser } from './partition-chooser.ts';
import type { HeldRest, HeldSend, PartitionQueue, TopicQueue } from './partition-queue.ts';
import { failTarget, type ProducerBatch, type SendTarget } from './producer-batch.ts';
import type { ProducerCluster } from './producer-cluster.ts';
import { refuseMisnamed } from './record-fields.ts';
import { headersOf } from './record-headers-input.ts';
import type { RecordMetadata } from './record-metadata.ts';
import type { SendCall } from './send-call.ts';
import { plain, refusal, serialize, swallow } from './serialize.ts';
import type { Sender } from './sender.ts';
import { notSent } from './send-errors.ts';
import { WrittenTopics } from './written-topics.ts';

/** Texts of UTF-8 have up to three bytes for a character; headers and lengths come on top. */
const maxBytesPerCharacter = 3;
const sizeSlackBytes = 128;

type AnyRecord = ProducerRecord<unknown, unknown>;

/**
 * Puts records into the open batches of their partitions, in the order of the calls, and holds those that cannot go there yet:
 * per topic while its partitions are unknown or a serializer takes its time, and all of them, in order, while memory is full.
 */
export class Accumulator {
  readonly #options: ResolvedProducerOptions<unknown, unknown>;
  readonly #cluster: ProducerCluster;
  readonly #chooser: PartitionChooser;
  readonly #open: OpenBatches;
  readonly #held: HeldSends;
  readonly #waiting: MemoryQueue;
  readonly #topics: WrittenTopics;
  /** Key and value of a record without headers need not be measured if they are no longer than this together. */
  readonly #smallLength: number;
  #sender: Sender | undefined;

  /** @param onSequencesLost sequence numbers of the present producer id must not be used for topics that are new to the producer */
  constructor(
    cluster: ProducerCluster,
    options: ResolvedProducerOptions<unknown, unknown>,
    memory: BufferMemory,
    onSequencesLost: () => void,
  ) {
    this.#cluster = cluster;
    this.#options = options;
    this.#smallLength = (options.maxRequestBytes - sizeSlackBytes) / maxBytesPerCharacter;
    this.#chooser = new PartitionChooser(options.partitioner, () => cluster.refreshSoon());
    this.#open = new OpenBatches(cluster, options, memory);
    this.#held = new HeldSends(cluster, memory, {
      handleFree: (held) => this.#enter(held),
      handleRestFree: (topic, rest) => this.#enterRest(topic, rest),
      handleMemory: () => this.handleMemory(),
    });
    this.#waiting = new MemoryQueue(options, memory, this.#held, {
      put: (held) => this.#putHeld(held),
      addRest: (rest) => this.#addRest(rest),
      handleWait: () => this.#sender?.schedule(),
    });
    this.#topics = new WrittenTopics(cluster, options, this.#held, {
      handleMemory: () => this.handleMemory(),
      handleSequencesLost: onSequencesLost,
    });
  }

  /** The sender and this class work on the same partitions; they are made one after the other. */
  connect(sender: Sender): void {
    this.#sender = sender;
    this.#open.connect(sender);
    this.#topics.connect(sender);
  }

  /** Whether a send would have to wait for memory. */
  get isFull(): boolean {
    return this.#waiting.isWanted;
  }

  /** How many sends wait for memory. */
  get waitingCount(): number {
    return this.#waiting.waitingCount;
  }

  /** Calls back once when a send would not wait. */
  whenRoom(callback: () => void): void {
    this.#waiting.whenRoom(callback);
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
    let topic = this.#topics.last;
    let key: Serialized | PromiseLike<Serialized> = null;
    try {
      if (topic === undefined || topic.name !== record.topic) topic = this.#topics.get(record.topic);
      const { keySerde, valueSerde } = topic;
      if (record.value === undefined) refuseMisnamed(record);
      const headers = record.headers === undefined ? undefined : headersOf(record.headers);
      const timestamp = timestampOf(record, timestampMs);
      key = keySerde === undefined ? plain(record.key, 'key') : serialize(keySerde, record.key, topic.keyContext);
      const value =
        valueSerde === undefined
          ? plain(record.value, 'value')
          : serialize(valueSerde, record.value, topic.valueContext);
      if (isPromiseLike(key) || isPromiseLike(value) || !topic.isFree) {
        const held = this.#held.make(topic, record, headers, timestamp, target, promise, index, span);
        this.#holdInTopic(held, key, value);
        return;
      }
      this.#refuseTooLarge(topic, key, value, headers);
      const partition = this.#chooser.choose(topic, record, key, value);
      const queue = topic.partitions[partition];
      if (queue === undefined) throw new TypeError(`partition ${partition} does not exist`);
      if (
        !this.#waiting.isAhead &&
        this.#open.put(queue, key, value, headers, timestamp, target, promise, index, span, undefined)
      ) {
        return;
      }
      const held = this.#held.make(topic, record, headers, timestamp, target, promise, index, span);
      this.#waiting.push(Object.assign(held, { key, value, partition, isSerialized: true }));
    } catch (error) {
      swallow(key);
      failTarget(target, promise, index, refusal(record, error), span, this.#cluster.events);
    }
  }

  /** The records of one array. */
  addAll(call: SendCall, records: readonly AnyRecord[], timestampMs: number, calledMs: number): void {
    this.#addRest({
      kind: 'rest',
      call,
      records,
      isCopied: false,
      calledMs,
      timestampMs,
      next: 0,
      end: records.length,
      chargedBytes: 0,
      isCounted: false,
    });
  }

  /** Nothing more is added to the open batch: it joins the end of those that are sent. */
  seal(queue: PartitionQueue): void {
    this.#open.seal(queue);
  }

  /** Closes all open batches, so that what is sent from now on does not join what a flush waits for. */
  sealAll(): void {
    for (const topic of this.#topics) {
      for (const queue of topic.partitions) {
        if (queue.open === undefined) continue;
        this.#open.seal(queue);
        this.#sender?.wake(queue);
      }
    }
  }

  /** The topic takes no batch as large as this one: the next ones of it will be at most half as large. */
  learnTooLarge(topic: TopicQueue, uncompressedBytes: number): void {
    this.#open.limit(topic, Math.ceil(uncompressedBytes / 2));
  }

  /** An empty batch for some of the records of `batch`. */
  partOf(queue: PartitionQueue, batch: ProducerBatch): ProducerBatch {
    return this.#open.partOf(queue, batch);
  }

  /** Lets sends in that wait for memory, as far as there is some. */
  handleMemory(): void {
    this.#waiting.handleMemory();
  }

  isMemoryWanted(): boolean {
    return this.#waiting.isWanted;
  }

  expireHeld(nowMs: number): void {
    this.#waiting.expire(nowMs);
    for (const topic of this.#topics) {
      // The look-up of one that is not known has this deadline itself, and can say what is wrong.
      if (topic.isKnown) this.#held.expire(topic, nowMs, this.#options.maxBlockMs);
    }
  }

  nextHeldDeadlineMs(): number | undefined {
    let calledMs = this.#waiting.firstCalledMs ?? Infinity;
    for (const topic of this.#topics) {
      if (topic.isKnown) calledMs = Math.min(calledMs, topic.held.peek()?.calledMs ?? Infinity);
    }
    return calledMs === Infinity ? undefined : calledMs + this.#options.maxBlockMs;
  }

  /** The broker does not know a topic that the metadata named: has it been deleted? */
  verifyTopic(topic: TopicQueue): void {
    this.#topics.verify(topic);
  }

  /** What is known of the cluster has changed: partitions move, are added, or belong to another topic of the same name. */
  handleMetadata(snapshot: MetadataSnapshot): void {
    this.#topics.handleMetadata(snapshot);
  }

  /** Rejects everything that has not come into a batch. */
  rejectAllHeld(error: (topic: string) => SendError): void {
    this.#waiting.rejectAll(error);
    for (const topic of this.#topics) {
      for (const held of topic.held.takeAll()) this.#held.reject(held, error);
    }
  }

  close(): void {
    this.#topics.close();
    this.#waiting.callBack();
  }

  #addRest(rest: HeldRest): void {
    const { call, records, timestampMs, end } = rest;
    const { span } = call;
    let index = rest.next;
    while (index < end) {
      if (this.#waiting.isStuck) {
        rest.next = index;
        this.#waiting.pushRest(copied(rest));
        return;
      }
      const topic = this.#topics.last;
      if (topic !== undefined && !topic.isFree && topic.isPlain && names(records[index], topic)) {
        rest.next = index;
        index = this.#holdRun(topic, rest);
        continue;
      }
      const putEnd = topic === undefined ? index : this.#putRun(topic, rest, index);
      if (putEnd > index) {
        index = putEnd;
        continue;
      }
      this.add(records[index] as AnyRecord, call, undefined, index, timestampMs, span);
      index++;
    }
  }

  /**
   * The quick way for nearly all records of arrays, those that go into an open batch as they are: in one loop of which V8 makes one piece,
   * since the calls of {@link add} take longer than what they do. Answers where it ended; {@link add} knows what to do with the record
   * there.
   */
  #putRun(topic: TopicQueue, { call, records, timestampMs: sentMs, end }: HeldRest, from: number): number {
    const { name, partitions } = topic;
    const chooser = this.#chooser;
    if (!topic.isFree || !topic.isPlain || this.#waiting.isMemoryFull || !chooser.hashesKeys) return from;
    for (let index = from; index < end; index++) {
      let key: Serialized, value: Serialized, timestamp: number;
      try {
        const record = records[index] as AnyRecord;
        if (record.topic !== name || record.headers !== undefined || record.partition !== undefined) return index;
        if (record.value === undefined) return index;
        timestamp = record.timestamp ?? sentMs;
        key = (record.key ?? null) as Serialized;
        value = record.value as Serialized;
      } catch {
        return index; // it is no record, or one that throws
      }
      if (timestamp !== sentMs && !isTimestamp(timestamp)) return index;
      if (lengthOf(key) + lengthOf(value) > this.#smallLength) return index;
      const queue = partitions[chooser.chooseByKey(topic, key)];
      const batch = queue?.open;
      if (queue === undefined || batch?.builder === undefined || batch.span !== call.span) return index;
      const { builder } = batch;
      if (!builder.append(timestamp, key, value, undefined)) return index;
      batch.expectOf(call, index, timestamp, builder.lastKeyBytes, builder.lastValueBytes);
      // Seldom, and there may be no room or no open batch after it.
      if (this.#open.handleAppended(queue, batch, builder)) return index + 1;
    }
    return end;
  }

  /** The next records of an array are all for one topic, which holds them; answers where they end. */
  #holdRun(topic: TopicQueue, rest: HeldRest): number {
    const { records } = copied(rest);
    let end = rest.next;
    while (end < rest.end && names(records[end], topic)) end++;
    const run = { ...rest, end };
    try {
      if (this.#waiting.isMemoryFull) this.#waiting.checkRoom(topic.name);
      this.#held.holdRest(topic, run);
      this.#sender?.schedule();
    } catch (error) {
      this.#held.reject(run, () => refusal(records[run.next], error));
    }
    return end;
  }

  /** Records of an array whose topic is known now. */
  #enterRest(topic: TopicQueue, rest: HeldRest): void {
    for (; rest.next < rest.end; rest.next++) {
      // One of them may have found memory full; the others come after it.
      if (!this.#waiting.isEmpty) return this.#waiting.append(rest);
      this.#enterNext(topic, rest);
    }
  }

  #enterNext(topic: TopicQueue, { call, records, next, timestampMs, calledMs }: HeldRest): void {
    const record = records[next] as AnyRecord;
    try {
      if (record.value === undefined) refuseMisnamed(record);
      const headers = record.headers === undefined ? undefined : headersOf(record.headers);
      const timestamp = timestampOf(record, timestampMs);
      const held = this.#held.make(topic, record, headers, timestamp, call, undefined, next, call.span);
      const content = { key: plain(record.key, 'key'), value: plain(record.value, 'value') };
      this.#enter(Object.assign(held, content, { calledMs, isSerialized: true }));
    } catch (error) {
      call.fail(next, refusal(record, error));
    }
  }

  #refuseTooLarge(
    topic: TopicQueue,
    key: Serialized,
    value: Serialized,
    headers: readonly RecordHeader[] | undefined,
  ): void {
    if (headers === undefined && lengthOf(key) + lengthOf(value) <= this.#smallLength) return;
    const { maxRequestBytes } = this.#options;
    const bytes = recordSizeBound(key, value, headers, maxRequestBytes);
    if (bytes <= maxRequestBytes) return;
    const why = `the record takes up to ${bytes} bytes, above maxRequestBytes, which is ${maxRequestBytes}`;
    throw notSent(topic.name, 'MESSAGE_TOO_LARGE', why);
  }

  /** A record whose topic is not known, or whose serializer has not answered, or that is behind such a one. */
  #holdInTopic(
    held: HeldSend,
    key: Serialized | PromiseLike<Serialized>,
    value: Serialized | PromiseLike<Serialized>,
  ): void {
    try {
      if (this.#waiting.isMemoryFull) this.#waiting.checkRoom(held.topic.name);
    } catch (error) {
      swallow(key);
      swallow(value);
      throw error;
    }
    this.#held.hold(held, key, value);
    this.#sender?.schedule();
  }

  /** A held record, serialized and of a known topic, goes into its batch or joins those that wait for memory. */
  #enter(held: HeldSend): void {
    try {
      if (held.partition < 0) {
        this.#refuseTooLarge(held.topic, held.key, held.value, held.headers);
        held.partition = this.#chooser.choose(held.topic, held.record, held.key, held.value);
      }
      if (this.#waiting.isEmpty && this.#putHeld(held)) return;
      this.#waiting.append(held);
    } catch (error) {
      this.#held.reject(held, () => refusal(held.record, error));
    }
  }

  #putHeld(held: HeldSend): boolean {
    const { topic, key, value, headers, timestampMs, target, promise, index, span, calledMs } = held;
    // The topic may have been re-created with fewer partitions since one was chosen.
    const queue =
      topic.partitions[held.partition] ?? topic.partitions[this.#chooser.choose(topic, held.record, key, value)];
    if (queue === undefined) throw new TypeError(`partition ${held.partition} does not exist any more`);
    return this.#open.put(queue, key, value, headers, timestampMs, target, promise, index, span, calledMs);
  }
}

/** Whether a record is for this topic; one that throws when it is asked is for none. */
function names(record: AnyRecord | undefined, topic: TopicQueue): boolean {
  try {
    return record?.topic === topic.name;
  } catch {
    return false;
  }
}

/** @throws TypeError if it is not a time */
function timestampOf(record: AnyRecord, otherwiseMs: number): number {
  const timestamp = record.timestamp ?? otherwiseMs;
  if (!isTimestamp(timestamp)) throw new TypeError(`timestamp is ${quote(timestamp)}`);
  return timestamp;
}

function isTimestamp(timestamp: number): boolean {
  return Number.isInteger(timestamp) && timestamp >= 0;
}

/** How long a key or value is; infinitely if it is none. */
function lengthOf(content: unknown): number {
  if (typeof content === 'string' || content instanceof Uint8Array) return content.length;
  return content === null ? 0 : Infinity;
}

/** From now on it waits. */
function copied(rest: HeldRest): HeldRest {
  if (!rest.isCopied) rest.records = rest.records.slice();
  rest.isCopied = true;
  return rest;
}
