import type { BatchHeader } from '../../protocol/records/batch-header.ts';
import { BatchReader } from '../../protocol/records/batch-reader.ts';
import { controlType } from '../../protocol/records/control-record.ts';
import { RecordCursor } from '../../protocol/records/record-cursor.ts';
import type { AbortedTransaction } from '../log/aborted-transactions.ts';
import type { Visibility } from '../log/partition-log.ts';
import type { SharePartitionLeader } from './share-partition-leader.ts';
import type { AcquiredRange, Acquisition, ReadBatch } from './share-partition-machine.ts';

/** How much a member wants of one partition. */
export interface SharedRead extends Pick<Acquisition, 'memberId' | 'mode' | 'maxRecords' | 'batchSize'> {
  readonly maxBytes: number;
  readonly minOneBatch: boolean;
  readonly isCommittedOnly: boolean;
  readonly nowMs: number;
}

/** Records for a member, with the ranges of them that it holds now. */
export interface SharedRecords {
  readonly records: Buffer;
  readonly acquired: readonly AcquiredRange[];
  /** Whether what was to be read is deleted: told with an empty answer at once, as Kafka does. */
  readonly hasMoved: boolean;
}

const NOTHING: Buffer = Buffer.alloc(0);

/** How many bytes the log has from where a share group would read on. */
export function bytesToShare({ machine, partition, limits }: SharePartitionLeader, until: Visibility): number {
  if (!machine.hasRoom(limits)) return 0;
  if (machine.fetchOffset < partition.log.startOffset) return Infinity;
  return partition.log.availableBytes(machine.fetchOffset, until, Number.MAX_SAFE_INTEGER);
}

/** Reads where a share group has records to give, and gives them to a member. */
export function acquireRecords(leader: SharePartitionLeader, read: SharedRead): SharedRecords {
  const { machine, partition, limits } = leader;
  const { log } = partition;
  const hasMoved = machine.fetchOffset < log.startOffset;
  machine.moveLogStart(log.startOffset);
  const none = { records: NOTHING, acquired: [], hasMoved };
  if (hasMoved) return none;
  if (read.maxRecords <= 0 || !machine.hasRoom(limits)) return none;
  const { fetchOffset } = machine;
  const until = read.isCommittedOnly ? 'lastStableOffset' : 'highWatermark';
  const { records, endOffset } = log.read(fetchOffset, { ...read, until });
  const headers = [...headersIn(records)];
  const aborted = read.isCommittedOnly ? log.abortedWithin(fetchOffset, endOffset) : [];
  const batches = withAborted(headers, aborted);
  const acquired = machine.acquire({ ...read, fetchOffset, batches }, limits, read.nowMs);
  leader.settle();
  if (acquired.length === 0) return none;
  return { records: slice(records, headers, acquired), acquired, hasMoved };
}

function* headersIn(records: Buffer): Generator<BatchHeader> {
  const reader = new BatchReader(records, { checkCrcs: false });
  for (let batch = reader.next(); batch !== undefined; batch = reader.next()) yield batch;
}

/** Which batches belong to aborted transactions: those of their producers, from where each began to its marker. */
function withAborted(headers: readonly BatchHeader[], aborted: readonly AbortedTransaction[]): ReadBatch[] {
  const ahead = aborted.toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  const aborting = new Set<bigint>();
  return headers.map((batch) => {
    const { baseOffset, producerId } = batch;
    const lastOffset = baseOffset + BigInt(batch.lastOffsetDelta);
    while (ahead[0] !== undefined && ahead[0].firstOffset <= lastOffset) aborting.add(ahead.shift()?.producerId ?? -1n);
    if (batch.isControl && isAbortMarker(batch)) aborting.delete(producerId);
    const isAborted = !batch.isControl && batch.isTransactional && aborting.has(producerId);
    return { baseOffset, lastOffset, isAborted };
  });
}

function isAbortMarker(batch: BatchHeader): boolean {
  const cursor = new RecordCursor(batch);
  if (!cursor.next()) return false;
  return controlType(cursor.bytes.subarray(cursor.keyStart, cursor.keyStart + cursor.keyLength)) === 'abort';
}

/** The batches that hold what was acquired, and those between. */
function slice(records: Buffer, headers: readonly BatchHeader[], acquired: readonly AcquiredRange[]): Buffer {
  const first = acquired[0]?.firstOffset ?? 0n;
  const last = acquired.at(-1)?.lastOffset ?? -1n;
  const isMeant = ({ baseOffset, lastOffsetDelta }: BatchHeader): boolean =>
    baseOffset <= last && baseOffset + BigInt(lastOffsetDelta) >= first;
  const start = headers.find(isMeant)?.start ?? 0;
  return records.subarray(start, headers.findLast(isMeant)?.end ?? 0);
}
