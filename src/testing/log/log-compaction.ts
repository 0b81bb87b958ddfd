import { codecFor } from '../../compression/index.ts';
import { BatchBuilder } from '../../protocol/records/batch-builder.ts';
import type { BatchHeader } from '../../protocol/records/batch-header.ts';
import type { RecordCursor } from '../../protocol/records/record-cursor.ts';
import { readHeaders } from '../../protocol/records/record-cursor.ts';
import { LogSegment } from './log-segment.ts';
import { MAX_SEGMENT_BYTES, type PartitionLog } from './partition-log.ts';
import { cursorOver } from './produced-records.ts';

/** What `cleanup.policy=compact` goes by. */
export interface CompactionRules {
  readonly minCleanableDirtyRatio: number;
  readonly minCompactionLagMs: number;
  readonly maxCompactionLagMs: number;
  /** How long tombstones and the markers of transactions stay after they were first seen. */
  readonly deleteRetentionMs: number;
}

/** When each batch with tombstones, or marker, may go: by its first offset, on the wall clock. */
export type DeleteHorizons = Map<bigint, number>;

/** What a compaction is about to work on. */
interface Plan {
  readonly segments: readonly LogSegment[];
  /** The offset from which on records have not been compacted before. */
  readonly dirtyFrom: bigint;
  readonly end: bigint;
}

/**
 * Keeps of each key the last value: in all segments but the one that is written to, and below any open transaction.
 *
 * As Kafka does it: offsets stay; what belongs to aborted transactions goes; tombstones and markers go `deleteRetentionMs`
 * later; the last batch of a producer stays, empty if need be, so that its sequence is not forgotten.
 *
 * @returns whether there was anything to do
 */
export async function compact(
  log: PartitionLog,
  rules: CompactionRules,
  horizons: DeleteHorizons,
  nowMs: number,
): Promise<boolean> {
  const plan = planOf(log, rules, horizons, nowMs);
  if (plan === undefined) return false;
  const latest = await latestOffsets(log, plan);
  const compaction = new Compaction(log, plan, latest, { horizons, nowMs, deleteRetentionMs: rules.deleteRetentionMs });
  const fresh = await compaction.run();
  if (!log.replaceSegments(plan.segments, fresh)) return false; // deleted or cut off meanwhile
  log.compactedTo = plan.end;
  for (const [offset, horizonMs] of horizons) if (horizonMs <= nowMs) horizons.delete(offset);
  return true;
}

function planOf(log: PartitionLog, rules: CompactionRules, horizons: DeleteHorizons, nowMs: number): Plan | undefined {
  const stable = log.lastStableOffset;
  const closed = log.segments.slice(0, -1);
  const tooYoung = closed.findIndex(
    ({ nextOffset, maxTimestamp }) => nextOffset > stable || maxTimestamp > nowMs - rules.minCompactionLagMs,
  );
  const segments = tooYoung === -1 ? closed : closed.slice(0, tooYoung);
  const last = segments.at(-1);
  if (last === undefined) return undefined;
  const dirtyFrom = log.compactedTo;
  const dirty = segments.filter(({ nextOffset }) => nextOffset > dirtyFrom);
  const bytes = (of: readonly LogSegment[]): number => of.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const ratio = bytes(dirty) / Math.max(1, bytes(segments));
  const isOverdue = dirty.some(({ createdMs }) => nowMs - createdMs > rules.maxCompactionLagMs);
  const hasExpired = [...horizons.values()].some((horizonMs) => horizonMs <= nowMs);
  const isWorthIt = dirty.length > 0 && (ratio >= rules.minCleanableDirtyRatio || isOverdue);
  return isWorthIt || hasExpired ? { segments, dirtyFrom, end: last.nextOffset } : undefined;
}

/** Where the last record of each key stands among those that have not been compacted before. */
async function latestOffsets(log: PartitionLog, { segments, dirtyFrom }: Plan): Promise<Map<string, bigint>> {
  const latest = new Map<string, bigint>();
  for (const segment of segments.filter(({ nextOffset }) => nextOffset > dirtyFrom)) {
    for (const batch of segment.headers()) {
      if (batch.isControl || isAborted(log, batch)) continue;
      const cursor = await cursorOver(batch);
      while (cursor.next()) if (cursor.keyLength >= 0) latest.set(keyOf(cursor), cursor.offset);
    }
  }
  return latest;
}

interface Circumstances {
  readonly horizons: DeleteHorizons;
  readonly nowMs: number;
  readonly deleteRetentionMs: number;
}

class Compaction {
  readonly #log: PartitionLog;
  readonly #plan: Plan;
  readonly #latest: ReadonlyMap<string, bigint>;
  readonly #circumstances: Circumstances;
  readonly #lastBatches: ReadonlySet<bigint>;
  readonly #fresh: LogSegment[] = [];
  /** Producers of whose transactions something was kept that their marker explains. */
  readonly #transactionsWithRecords = new Set<bigint>();

  constructor(log: PartitionLog, plan: Plan, latest: ReadonlyMap<string, bigint>, circumstances: Circumstances) {
    this.#log = log;
    this.#plan = plan;
    this.#latest = latest;
    this.#circumstances = circumstances;
    this.#lastBatches = new Set(log.producers.all().flatMap(({ batches }) => batches.at(-1)?.lastOffset ?? []));
  }

  async run(): Promise<LogSegment[]> {
    for (const segment of this.#plan.segments) {
      for (const batch of segment.headers()) {
        const kept = batch.isControl ? this.#keptMarker(batch) : await this.#keptBatch(batch);
        if (kept !== undefined) this.#add(batch, kept, segment.createdMs);
      }
    }
    return this.#fresh;
  }

  #add(batch: BatchHeader, bytes: Buffer, createdMs: number): void {
    const last = this.#fresh.at(-1);
    const fits = last !== undefined && last.sizeBytes + bytes.length <= MAX_SEGMENT_BYTES;
    const segment = fits ? last : new LogSegment(batch.baseOffset, createdMs);
    if (!fits) this.#fresh.push(segment);
    const lastOffset = batch.baseOffset + BigInt(batch.lastOffsetDelta);
    segment.append(
      bytes,
      { baseOffset: batch.baseOffset, lastOffset, maxTimestamp: batch.maxTimestamp },
      MAX_SEGMENT_BYTES,
    );
  }

  #keptMarker(batch: BatchHeader): Buffer | undefined {
    const hasRecords = this.#transactionsWithRecords.delete(batch.producerId);
    if (!hasRecords && this.#isOver(batch)) return undefined;
    return whole(batch);
  }

  async #keptBatch(batch: BatchHeader): Promise<Buffer | undefined> {
    const mustStay = this.#lastBatches.has(batch.baseOffset + BigInt(batch.lastOffsetDelta));
    if (isAborted(this.#log, batch)) return mustStay ? emptied(batch) : undefined;
    const cursor = await cursorOver(batch);
    const keeps: boolean[] = [];
    let hasTombstone = false;
    while (cursor.next()) {
      const isLatest = this.#isLatest(cursor);
      if (isLatest && cursor.valueLength === -1) hasTombstone = true;
      keeps.push(isLatest && (cursor.valueLength !== -1 || !this.#isOverdue(batch)));
    }
    if (hasTombstone) this.#isOver(batch); // its time begins now, if it has not before
    if (keeps.length === 0) return mustStay ? whole(batch) : undefined;
    if (!keeps.includes(true)) return mustStay ? emptied(batch) : undefined;
    if (batch.isTransactional) this.#transactionsWithRecords.add(batch.producerId);
    return keeps.includes(false) ? await rewritten(batch, keeps) : whole(batch);
  }

  #isLatest(cursor: RecordCursor): boolean {
    if (cursor.keyLength < 0) return false;
    const latest = this.#latest.get(keyOf(cursor));
    return latest === undefined || cursor.offset >= latest;
  }

  /** Whether the time of a batch of tombstones, or of a marker, has run out; it begins when a compaction first asks. */
  #isOver(batch: BatchHeader): boolean {
    const { horizons, nowMs, deleteRetentionMs } = this.#circumstances;
    if (!horizons.has(batch.baseOffset)) horizons.set(batch.baseOffset, nowMs + deleteRetentionMs);
    return this.#isOverdue(batch);
  }

  #isOverdue(batch: BatchHeader): boolean {
    const { horizons, nowMs } = this.#circumstances;
    return (horizons.get(batch.baseOffset) ?? Infinity) <= nowMs;
  }
}

function isAborted(log: PartitionLog, batch: BatchHeader): boolean {
  if (!batch.isTransactional) return false;
  const aborted = log.abortedWithin(batch.baseOffset, batch.baseOffset + 1n);
  return aborted.some(({ producerId }) => producerId === batch.producerId);
}

function keyOf({ bytes, keyStart, keyLength }: RecordCursor): string {
  return bytes.toString('latin1', keyStart, keyStart + keyLength);
}

function whole(batch: BatchHeader): Buffer {
  return batch.bytes.subarray(batch.start, batch.end);
}

function emptied(batch: BatchHeader): Buffer {
  return new BatchBuilder({ initialBytes: 64, maxBytes: 64 }).close({ ...closingOf(batch), compression: 'none' });
}

async function rewritten(batch: BatchHeader, keeps: readonly boolean[]): Promise<Buffer> {
  const builder = new BatchBuilder({ initialBytes: batch.end - batch.start, maxBytes: 0x7fff_ffff });
  const cursor = await cursorOver(batch);
  let nextDelta = 0;
  for (let index = 0; cursor.next(); index++) {
    if (keeps[index] !== true) continue;
    builder.skipOffsets(cursor.offsetDelta - nextDelta);
    nextDelta = cursor.offsetDelta + 1;
    const { bytes, keyStart, keyLength, valueStart, valueLength, headersStart, headerCount } = cursor;
    const key = keyLength < 0 ? null : bytes.subarray(keyStart, keyStart + keyLength);
    const value = valueLength < 0 ? null : bytes.subarray(valueStart, valueStart + valueLength);
    builder.append(cursor.timestampMs, key, value, readHeaders(bytes, headersStart, headerCount));
  }
  const { compression } = batch;
  if (compression === 'none') return builder.close({ ...closingOf(batch), compression });
  const codec = await codecFor(compression);
  const compressed = await codec.compress(builder.body(), undefined);
  return builder.close({ ...closingOf(batch), compression, compressed });
}

/** Everything of a batch's header that compaction leaves as it is. */
function closingOf(batch: BatchHeader): Omit<Parameters<BatchBuilder['close']>[0], 'compression'> {
  const { producerId, producerEpoch, baseSequence, baseOffset, partitionLeaderEpoch, lastOffsetDelta } = batch;
  return {
    producerId,
    producerEpoch,
    baseSequence,
    baseOffset,
    partitionLeaderEpoch,
    lastOffsetDelta,
    transactional: batch.isTransactional,
    maxTimestampMs: batch.maxTimestamp,
    ...(batch.timestampType === 'logAppend' ? { logAppendTimeMs: batch.maxTimestamp } : {}),
  };
}
