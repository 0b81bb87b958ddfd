import type { Serialized } from '../model/serdes.ts';
import type { BatchBuilder, RecordHeader } from '../protocol/records/index.ts';
import type { BufferMemory } from './buffer-memory.ts';
import type { SendSpan } from './flush-tracker.ts';
import type { ResolvedProducerOptions } from './options.ts';
import type { PartitionQueue, TopicQueue } from './partition-queue.ts';
import { lookEveryBytes, ProducerBatch, promiseBytes, type SendTarget } from './producer-batch.ts';
import type { ProducerCluster } from './producer-cluster.ts';
import type { RecordMetadata } from './record-metadata.ts';
import { SendTables } from './send-table.ts';
import type { Sender } from './sender.ts';

/** The open batch of each partition: records are encoded into it as they are sent, until it is full, due, or another span's. */
export class OpenBatches {
  readonly #cluster: ProducerCluster;
  readonly #options: ResolvedProducerOptions<unknown, unknown>;
  readonly #memory: BufferMemory;
  readonly #tables = new SendTables();
  #sender: Sender | undefined;

  constructor(cluster: ProducerCluster, options: ResolvedProducerOptions<unknown, unknown>, memory: BufferMemory) {
    this.#cluster = cluster;
    this.#options = options;
    this.#memory = memory;
  }

  /** The sender and this class work on the same partitions; they are made one after the other. */
  connect(sender: Sender): void {
    this.#sender = sender;
  }

  /**
   * Puts a record into the open batch of its partition; answers false, and does nothing, if there is no memory for it.
   *
   * @param calledMs when `send` was called; undefined for now
   */
  put(
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
      batch = this.#begin(queue, span, calledMs ?? this.#cluster.clock.nowMs());
      batch.builder?.append(timestampMs, key, value, headers);
      queue.open = batch;
      this.#sender?.wake(queue);
    }
    const { builder } = batch;
    if (builder === undefined) return false;
    batch.expect(target, promise, index, timestampMs, builder.lastKeyBytes, builder.lastValueBytes);
    if (promise !== undefined) {
      batch.promiseBytes += promiseBytes;
      this.#memory.take(promiseBytes);
    }
    this.handleAppended(queue, batch, builder);
    return true;
  }

  /**
   * A record was appended: counts it, and what the buffer has grown by, and lets a batch go that has become large. Answers whether there
   * was any of the latter two, which is seldom.
   */
  handleAppended(queue: PartitionQueue, batch: ProducerBatch, builder: BatchBuilder): boolean {
    queue.topic.sticky.count(queue.partition, builder.lastRecordBytes);
    if (builder.capacityBytes === batch.heldBytes && builder.sizeBytes < batch.lookAtBytes) return false;
    this.#handleGrown(queue, batch, builder);
    return true;
  }

  /** Nothing more is added to the open batch: it joins the end of those that are sent. */
  seal(queue: PartitionQueue): void {
    const batch = queue.open;
    if (batch === undefined) return;
    queue.open = undefined;
    queue.expectedBytes = batch.builder?.sizeBytes ?? 0;
    queue.machine.add(batch);
  }

  /** The broker takes no larger batches for this topic: those that are open grow no further than that, either. */
  limit(topic: TopicQueue, maxBatchBytes: number): void {
    if (maxBatchBytes >= topic.maxBatchBytes) return;
    topic.maxBatchBytes = maxBatchBytes;
    for (const { open } of topic.partitions) open?.builder?.limitTo(maxBatchBytes);
  }

  /** An empty batch for some of the records of `batch`: at most half as large, so that there is always a second one. */
  partOf(queue: PartitionQueue, batch: ProducerBatch): ProducerBatch {
    const maxBytes = Math.min(queue.topic.maxBatchBytes, Math.ceil(batch.uncompressedBytes / 2));
    const builder = this.#memory.builder(maxBytes, maxBytes);
    const { span, createdMs, deadlineMs } = batch;
    return new ProducerBatch(builder, span, createdMs, deadlineMs, this.#tables, this.#cluster.events);
  }

  #complete(queue: PartitionQueue): void {
    this.seal(queue);
    this.#sender?.handleFull(queue);
  }

  #handleGrown(queue: PartitionQueue, batch: ProducerBatch, { capacityBytes, sizeBytes }: BatchBuilder): void {
    this.#memory.take(capacityBytes - batch.heldBytes);
    batch.heldBytes = capacityBytes;
    if (sizeBytes < batch.lookAtBytes) return;
    batch.lookAtBytes += lookEveryBytes;
    this.#sender?.handleLarge(queue);
  }

  #begin(queue: PartitionQueue, span: SendSpan, calledMs: number): ProducerBatch {
    const builder = this.#memory.builder(queue.expectedBytes, queue.topic.maxBatchBytes);
    const deadlineMs = calledMs + this.#options.deliveryTimeoutMs;
    return new ProducerBatch(builder, span, calledMs, deadlineMs, this.#tables, this.#cluster.events);
  }
}
