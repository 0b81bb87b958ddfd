import { BatchBuilder, stampStored } from '../../protocol/records/batch-builder.ts';
import type { BatchHeader } from '../../protocol/records/batch-header.ts';
import { BatchReader } from '../../protocol/records/batch-reader.ts';
import { controlKey, controlType, controlValue } from '../../protocol/records/control-record.ts';
import { RecordCursor } from '../../protocol/records/record-cursor.ts';
import { AbortedTransactions, type AbortedTransaction } from './aborted-transactions.ts';
import { LeaderEpochs } from './leader-epochs.ts';
import { LogSegment, type BatchPlace } from './log-segment.ts';
import { LogStorage, type SegmentOwner, type SegmentSink } from './log-storage.ts';
import { nextSequence, ProducerStates, type ProducedBatch } from './producer-states.ts';

/** How batches are appended. */
export interface AppendOptions {
  /** Of the leader that appends. */
  readonly leaderEpoch: number;
  /** The brokers' wall clock, in milliseconds. */
  readonly nowMs: number;
  /** Where the topic has `message.timestamp.type=LogAppendTime`: the time that all records get. */
  readonly logAppendTimeMs?: number;
  /** No segment becomes larger, unless one batch does. @defaultValue 1 MiB */
  readonly segmentBytes?: number;
  /** A segment that is older gets no more batches. @defaultValue never */
  readonly segmentMs?: number;
  /** A producer that has not written for so long is forgotten, as if it never had. @defaultValue never */
  readonly producerExpiryMs?: number;
  /** Whether a producer of which no batch is known must begin with sequence 0 (KIP-890, second part). @defaultValue false */
  readonly mustBeginAtZero?: boolean;
}

/** What came of an append. */
export type AppendResult =
  | {
      readonly kind: 'appended' | 'duplicate';
      readonly baseOffset: bigint;
      readonly lastOffset: bigint;
      /** -1 where the records keep their own times. */
      readonly logAppendTimeMs: number;
    }
  | { readonly kind: 'refused'; readonly errorCode: number; readonly message: string };

/** The end of a transaction, as its coordinator writes it into each partition. */
export interface Marker {
  readonly type: 'commit' | 'abort';
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  readonly leaderEpoch: number;
  readonly nowMs: number;
}

/** Up to where a reader may see. */
export type Visibility = 'endOffset' | 'highWatermark' | 'lastStableOffset';

/** How much is read. */
export interface ReadOptions {
  readonly maxBytes: number;
  /** Whether the first batch is handed out whole even if it is larger than `maxBytes`. */
  readonly minOneBatch: boolean;
  readonly until: Visibility;
}

/** A segment as it was kept elsewhere: whole batches, one after the other. */
export interface RestoredSegment {
  readonly baseOffset: bigint;
  readonly batches: Buffer;
}

/** What a log is connected with. */
export interface PartitionLogOptions {
  /** Shared with the other logs of a cluster. @defaultValue one of its own */
  readonly storage?: LogStorage;
  /** Whether old records may go where memory is short. @defaultValue they may */
  readonly mayDelete?: () => boolean;
  /** Told when old records went without anybody having asked for it. */
  readonly dropped?: () => void;
}

/** Batches that were read: a view of the log. */
export interface ReadResult {
  readonly records: Buffer;
  /** The offset behind the batches, for looking up what was aborted among them. */
  readonly endOffset: bigint;
}

/** In memory no segment becomes larger than this, so that retention can work in small steps. */
export const MAX_SEGMENT_BYTES: number = 1024 * 1024;

const NOTHING: Buffer = Buffer.alloc(0);

/**
 * The records of one partition: batches in segments, who wrote them, and which of them belong to transactions.
 *
 * It is the log of all replicas at once; that some of them have less shows in the high watermark alone. It knows no clock, and
 * no settings: both are passed in.
 */
export class PartitionLog implements SegmentOwner {
  readonly #storage: LogStorage;
  readonly #options: PartitionLogOptions;
  /** The offset up to which it has been compacted. */
  compactedTo = 0n;
  /** Where the segments are kept besides memory. */
  sink: SegmentSink | undefined;
  #startOffset = 0n;
  #highWatermark = 0n;
  /** Whether the high watermark follows the end by itself: no replica lags behind. */
  #isFullyReplicated = true;
  #segments: LogSegment[] = [];
  readonly producers: ProducerStates = new ProducerStates();
  readonly epochs: LeaderEpochs = new LeaderEpochs();
  readonly #aborted = new AbortedTransactions();
  /** First offsets by producer, in the order of their beginning. */
  readonly #ongoing = new Map<bigint, bigint>();
  /** Ended by a marker that not all replicas have. */
  #unreplicated: AbortedTransaction[] = [];

  constructor(options: PartitionLogOptions = {}) {
    this.#options = options;
    this.#storage = options.storage ?? new LogStorage();
  }

  /** The offset of the first record that is kept. */
  get startOffset(): bigint {
    return this.#startOffset;
  }

  /** The offset that the next record will get. */
  get endOffset(): bigint {
    return this.#segments.at(-1)?.nextOffset ?? this.#startOffset;
  }

  /** The offset up to which all in-sync replicas have the records, so that consumers may see them. */
  get highWatermark(): bigint {
    return this.#highWatermark;
  }

  /** The offset up to which every transaction has ended: how far readers of committed records see. */
  get lastStableOffset(): bigint {
    let first = this.#highWatermark;
    for (const offset of this.#ongoing.values()) {
      if (offset < first) first = offset;
      break; // the others began later
    }
    for (const { firstOffset } of this.#unreplicated) if (firstOffset < first) first = firstOffset;
    return first;
  }

  /** What the batches take. */
  get sizeBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
  }

  get segments(): readonly LogSegment[] {
    return this.#segments;
  }

  /** First offset of the open transaction of each producer. */
  get ongoingTransactions(): ReadonlyMap<bigint, bigint> {
    return this.#ongoing;
  }

  /**
   * Appends checked batches, which it copies. Whether they may be appended is decided before the first one is: none or all are.
   */
  append(records: Buffer, options: AppendOptions): AppendResult {
    const batches: BatchHeader[] = [];
    const reader = new BatchReader(records, { checkCrcs: false });
    for (let batch = reader.next(); batch !== undefined; batch = reader.next()) {
      if (batch.producerId >= 0n && !batch.isControl) {
        this.producers.expire(batch.producerId, options.nowMs - (options.producerExpiryMs ?? Infinity));
        const verdict = this.producers.check(producedBatch(batch), options.mustBeginAtZero);
        if (verdict.kind === 'refuse') return { ...verdict, kind: 'refused' };
        if (verdict.kind === 'duplicate') {
          const { baseOffset, lastOffset, timestampMs } = verdict.of;
          return { kind: 'duplicate', baseOffset, lastOffset, logAppendTimeMs: timestampMs };
        }
      }
      batches.push(batch);
    }
    const baseOffset = this.endOffset;
    for (const batch of batches) this.#appendBatch(batch, options);
    const lastOffset = this.endOffset - 1n;
    this.#storage.makeRoom();
    return {
      kind: 'appended',
      baseOffset,
      lastOffset,
      logAppendTimeMs: options.logAppendTimeMs ?? -1,
    };
  }

  /** Ends a producer's transaction in this partition; the marker takes an offset of its own, which is answered. */
  appendMarker(marker: Marker): bigint {
    const { type, producerId, producerEpoch, coordinatorEpoch, leaderEpoch, nowMs } = marker;
    const offset = this.endOffset;
    const batch = markerBatch(marker);
    this.epochs.begin(leaderEpoch, offset);
    const place = { baseOffset: offset, lastOffset: offset, maxTimestamp: nowMs };
    this.#store(batch, place, { baseOffset: offset, partitionLeaderEpoch: leaderEpoch }, { leaderEpoch, nowMs });
    const firstOffset = this.producers.marked(producerId, producerEpoch, coordinatorEpoch, nowMs);
    this.#endTransaction(producerId, firstOffset, offset, type);
    this.#advance();
    return offset;
  }

  /** Batches from the one that holds this offset on, of one segment. */
  read(offset: bigint, options: ReadOptions): ReadResult {
    const end = this.#visibleEnd(options.until);
    const none = { records: NOTHING, endOffset: offset };
    if (offset >= end) return none;
    const segment = this.#segments[this.#segmentIndexOf(offset)];
    const start = segment?.positionOf(offset);
    if (segment === undefined || start === undefined) return none;
    const first = segment.batchBytesAt(start);
    if (!options.minOneBatch && first > options.maxBytes) return none;
    const wanted = Math.max(options.maxBytes, options.minOneBatch ? first : 0);
    const stop = Math.min(segment.endBefore(end), start + wanted);
    const records = segment.batches.subarray(start, stop);
    return { records, endOffset: end < segment.nextOffset ? end : segment.nextOffset };
  }

  /** How many bytes a read from this offset could give, up to `enough`. */
  availableBytes(offset: bigint, until: Visibility, enough: number): number {
    const end = this.#visibleEnd(until);
    if (offset >= end) return 0;
    let bytes = 0;
    for (let index = this.#segmentIndexOf(offset); index < this.#segments.length && bytes < enough; index++) {
      const segment = this.#segments[index];
      if (segment === undefined) break;
      bytes += Math.max(0, segment.endBefore(end) - (segment.positionOf(offset) ?? segment.sizeBytes));
    }
    return Math.min(bytes, enough);
  }

  /** The aborted transactions that a reader of these offsets has to skip. */
  abortedWithin(from: bigint, to: bigint): AbortedTransaction[] {
    return this.#aborted.within(from, to);
  }

  /** Where all in-sync replicas have the records; undefined if that is always the end. */
  replicateTo(offset: bigint | undefined): void {
    this.#isFullyReplicated = offset === undefined;
    this.#setHighWatermark(offset ?? this.endOffset);
  }

  /** Deletes what lies below this offset, which must not be above the high watermark. Only whole segments give memory back. */
  deleteBefore(offset: bigint): void {
    if (offset <= this.#startOffset) return;
    const end = this.endOffset;
    this.#replaceSegments(
      this.#segments.filter((segment) => segment.nextOffset > offset),
      end,
    );
    this.#startOffset = offset;
    this.#aborted.dropBefore(offset);
    this.epochs.dropBefore(offset);
    this.sink?.startMoved(offset);
  }

  mayDelete(): boolean {
    return this.#options.mayDelete?.() ?? true;
  }

  dropThrough(segment: LogSegment): boolean {
    if (segment.nextOffset > this.#highWatermark) return false;
    this.deleteBefore(segment.nextOffset);
    this.#options.dropped?.();
    return true;
  }

  /** Puts others in the place of neighbouring segments, if those are still there. */
  replaceSegments(old: readonly LogSegment[], fresh: readonly LogSegment[]): boolean {
    const from = this.#segments.findIndex((segment) => segment === old[0]);
    if (from === -1 || old.some((segment, index) => this.#segments[from + index] !== segment)) return false;
    this.#replaceSegments(
      [...this.#segments.slice(0, from), ...fresh, ...this.#segments.slice(from + old.length)],
      this.endOffset,
    );
    return true;
  }

  /**
   * Fills an empty log with what was kept of it: producers, transactions and epochs are learnt from the batches.
   *
   * Batches that lie before those of the segment ahead of them are left out: they are what a compaction had replaced.
   */
  restore(segments: readonly RestoredSegment[], startOffset: bigint, nowMs: number): void {
    let next = 0n;
    const restored = segments.map(({ baseOffset, batches }) => {
      const segment = new LogSegment(baseOffset, nowMs);
      const reader = new BatchReader(batches, { checkCrcs: false });
      for (let batch = reader.next(); batch !== undefined; batch = reader.next()) {
        if (batch.baseOffset < next) continue;
        const lastOffset = batch.baseOffset + BigInt(batch.lastOffsetDelta);
        const place = { baseOffset: batch.baseOffset, lastOffset, maxTimestamp: batch.maxTimestamp };
        segment.append(batch.bytes.subarray(batch.start, batch.end), place, batches.length);
        next = lastOffset + 1n;
      }
      return segment;
    });
    const end = startOffset > next ? startOffset : next;
    const filled = restored.filter(({ nextOffset, sizeBytes }) => sizeBytes > 0 && nextOffset > startOffset);
    this.#replaceSegments(filled, end);
    this.#startOffset = startOffset;
    this.#replay();
    this.epochs.dropBefore(startOffset);
    this.#setHighWatermark(this.endOffset);
  }

  /** Gives the memory of a log back whose topic is deleted. */
  close(): void {
    this.#replaceSegments([], this.endOffset);
  }

  /** Cuts off what does not end below this offset, as a replica does that follows a leader which has less. */
  truncateTo(offset: bigint): void {
    if (offset >= this.endOffset) return;
    const whole = this.#segments.filter((segment) => segment.nextOffset <= offset);
    const cut = this.#segments.find((segment) => segment.baseOffset < offset && segment.nextOffset > offset);
    this.#replaceSegments(cut === undefined ? whole : [...whole, cut.cutTo(offset)], offset);
    this.#startOffset = offset < this.#startOffset ? offset : this.#startOffset;
    this.epochs.truncateTo(this.endOffset);
    this.#replay();
    if (this.#highWatermark > this.endOffset) this.#setHighWatermark(this.endOffset);
    if (this.compactedTo > this.endOffset) this.compactedTo = this.endOffset;
  }

  /** Learns from the batches alone who wrote them and which transactions they belong to. */
  #replay(): void {
    this.producers.clear();
    this.#ongoing.clear();
    this.#unreplicated = [];
    this.#aborted.truncateTo(0n);
    for (const segment of this.#segments) for (const batch of segment.headers()) this.#replayBatch(batch);
  }

  #replayBatch(batch: BatchHeader): void {
    const { baseOffset, producerId, maxTimestamp } = batch;
    this.epochs.begin(batch.partitionLeaderEpoch, baseOffset);
    if (producerId < 0n) return;
    const lastOffset = baseOffset + BigInt(batch.lastOffsetDelta);
    if (!batch.isControl) {
      this.#remember(batch, baseOffset, lastOffset, maxTimestamp, maxTimestamp);
      return;
    }
    const cursor = new RecordCursor(batch);
    if (!cursor.next()) return;
    const type = controlType(cursor.bytes.subarray(cursor.keyStart, cursor.keyStart + cursor.keyLength));
    if (type === 'unknown') return;
    const coordinatorEpoch = cursor.valueLength < 6 ? -1 : cursor.bytes.readInt32BE(cursor.valueStart + 2);
    const first = this.producers.marked(producerId, batch.producerEpoch, coordinatorEpoch, maxTimestamp);
    this.#endTransaction(producerId, first, lastOffset, type);
  }

  #appendBatch(batch: BatchHeader, options: AppendOptions): void {
    const { leaderEpoch, logAppendTimeMs, nowMs } = options;
    const baseOffset = this.endOffset;
    const lastOffset = baseOffset + BigInt(batch.lastOffsetDelta);
    this.epochs.begin(leaderEpoch, baseOffset);
    const timestampMs = logAppendTimeMs ?? batch.maxTimestamp;
    const place = { baseOffset, lastOffset, maxTimestamp: timestampMs };
    const stamp = { baseOffset, partitionLeaderEpoch: leaderEpoch };
    const fullStamp = logAppendTimeMs === undefined ? stamp : { ...stamp, logAppendTimeMs };
    this.#store(batch.bytes.subarray(batch.start, batch.end), place, fullStamp, options);
    if (batch.producerId >= 0n) this.#remember(batch, baseOffset, lastOffset, timestampMs, nowMs);
    this.#advance();
  }

  #remember(batch: BatchHeader, baseOffset: bigint, lastOffset: bigint, timestampMs: number, nowMs: number): void {
    const { producerId } = batch;
    const produced = producedBatch(batch);
    const { baseSequence, lastSequence } = produced;
    this.producers.appended(produced, { baseSequence, lastSequence, baseOffset, lastOffset, timestampMs }, nowMs);
    if (batch.isTransactional && !this.#ongoing.has(producerId)) this.#ongoing.set(producerId, baseOffset);
  }

  #store(batch: Buffer, place: BatchPlace, stamp: StoredStamp, options: AppendOptions): void {
    const segment = this.#segmentFor(batch.length, options);
    const before = segment.capacityBytes;
    const stored = stampStored(segment.append(batch, place, segmentLimit(options)), stamp);
    this.#storage.resized(segment.capacityBytes - before);
    this.sink?.appended(segment, stored);
  }

  #segmentFor(batchBytes: number, options: AppendOptions): LogSegment {
    const last = this.#segments.at(-1);
    if (last !== undefined && !isFull(last, batchBytes, options)) return last;
    const end = this.endOffset;
    // What is left of a log without records only holds its end, and has no age.
    if (last?.sizeBytes === 0) this.#close(last);
    else if (last !== undefined) this.#seal(last);
    const segment = new LogSegment(end, options.nowMs);
    this.#segments = [...this.#segments.filter(({ sizeBytes }) => sizeBytes > 0), segment];
    this.#open(segment);
    return segment;
  }

  #seal(segment: LogSegment): void {
    const before = segment.capacityBytes;
    segment.seal();
    this.#storage.resized(segment.capacityBytes - before);
  }

  /** The segments become these; if none is left, an empty one holds the end. */
  #replaceSegments(kept: readonly LogSegment[], endOffset: bigint): void {
    const segments = kept.length > 0 ? [...kept] : [new LogSegment(endOffset, -1)];
    // The new ones first: whoever keeps them elsewhere must not be without both if it ends between.
    for (const segment of segments) if (!this.#segments.includes(segment)) this.#open(segment);
    for (const segment of this.#segments) if (!segments.includes(segment)) this.#close(segment);
    this.#segments = segments;
  }

  #open(segment: LogSegment): void {
    this.#storage.opened(segment, this);
    this.sink?.opened(segment);
  }

  #close(segment: LogSegment): void {
    this.#storage.closed(segment);
    this.sink?.closed(segment);
  }

  #endTransaction(
    producerId: bigint,
    firstOffset: bigint | undefined,
    lastOffset: bigint,
    type: 'commit' | 'abort',
  ): void {
    if (firstOffset === undefined) return;
    const ended = { producerId, firstOffset, lastOffset };
    this.#ongoing.delete(producerId);
    this.#unreplicated.push(ended);
    if (type === 'abort') this.#aborted.add(ended);
  }

  #advance(): void {
    if (this.#isFullyReplicated) this.#setHighWatermark(this.endOffset);
  }

  #setHighWatermark(offset: bigint): void {
    this.#highWatermark = offset;
    if (this.#unreplicated.length > 0)
      this.#unreplicated = this.#unreplicated.filter(({ lastOffset }) => lastOffset >= offset);
  }

  #visibleEnd(until: Visibility): bigint {
    return until === 'endOffset' ? this.endOffset : this[until];
  }

  /** The last segment that begins at this offset or before. */
  #segmentIndexOf(offset: bigint): number {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#segments[middle]?.nextOffset ?? 0n) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

type StoredStamp = Parameters<typeof stampStored>[1];

function segmentLimit({ segmentBytes = MAX_SEGMENT_BYTES }: AppendOptions): number {
  return Math.min(segmentBytes, MAX_SEGMENT_BYTES);
}

function isFull(segment: LogSegment, batchBytes: number, options: AppendOptions): boolean {
  if (segment.sizeBytes === 0) return true;
  if (segment.sizeBytes + batchBytes > segmentLimit(options)) return true;
  return options.nowMs - segment.createdMs >= (options.segmentMs ?? Infinity);
}

function producedBatch(batch: BatchHeader): ProducedBatch {
  const { producerId, producerEpoch, baseSequence, lastOffsetDelta, isTransactional } = batch;
  const lastSequence = nextSequence(baseSequence, lastOffsetDelta);
  return { producerId, producerEpoch, baseSequence, lastSequence, isTransactional };
}

function markerBatch({ type, producerId, producerEpoch, coordinatorEpoch, nowMs }: Marker): Buffer {
  const builder = new BatchBuilder({ initialBytes: 128, maxBytes: 1024 });
  builder.append(nowMs, controlKey(type), controlValue(coordinatorEpoch), undefined);
  return builder.close({
    compression: 'none',
    transactional: true,
    control: true,
    producerId,
    producerEpoch,
    baseSequence: -1,
  });
}
