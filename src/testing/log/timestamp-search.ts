import type { BatchHeader } from '../../protocol/records/batch-header.ts';
import type { PartitionLog } from './partition-log.ts';
import { cursorOver } from './produced-records.ts';

/** A record that was found by its time. */
export interface FoundRecord {
  readonly offset: bigint;
  readonly timestampMs: number;
  readonly leaderEpoch: number;
}

/** The first record below `end` whose time is `timestampMs` or later. */
export async function findByTimestamp(
  log: PartitionLog,
  timestampMs: number,
  end: bigint,
): Promise<FoundRecord | undefined> {
  for (const segment of log.segments) {
    if (segment.maxTimestamp < timestampMs) continue;
    for (const batch of segment.headers()) {
      if (batch.baseOffset >= end) return undefined;
      if (batch.maxTimestamp < timestampMs) continue;
      const found = await findInBatch(batch, log.startOffset, timestampMs);
      if (found !== undefined && found.offset < end) return found;
    }
  }
  return undefined;
}

/** The first record below `end` with the highest time of all (KIP-734). */
export async function findMaxTimestamp(log: PartitionLog, end: bigint): Promise<FoundRecord | undefined> {
  let highest: BatchHeader | undefined;
  for (const segment of log.segments) {
    if (segment.maxTimestamp <= (highest?.maxTimestamp ?? -1)) continue;
    for (const batch of segment.headers()) {
      if (batch.baseOffset < end && batch.maxTimestamp > (highest?.maxTimestamp ?? -1)) highest = batch;
    }
  }
  return highest && (await findInBatch(highest, log.startOffset, highest.maxTimestamp));
}

async function findInBatch(batch: BatchHeader, from: bigint, timestampMs: number): Promise<FoundRecord | undefined> {
  const { baseOffset, partitionLeaderEpoch: leaderEpoch } = batch;
  if (batch.timestampType === 'logAppend') return { offset: baseOffset, timestampMs: batch.maxTimestamp, leaderEpoch };
  const cursor = await cursorOver(batch);
  while (cursor.next()) {
    if (cursor.timestampMs >= timestampMs && cursor.offset >= from)
      return { offset: cursor.offset, timestampMs: cursor.timestampMs, leaderEpoch };
  }
  return undefined;
}
