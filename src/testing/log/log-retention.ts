import type { LogSegment } from './log-segment.ts';
import type { PartitionLog } from './partition-log.ts';

/** How long and how much of a log is kept; -1 stands for no limit. */
export interface RetentionRules {
  readonly retentionMs: number;
  readonly retentionBytes: number;
}

/** Deletes the segments at the beginning of a log that are too old, or too many; answers whether any went. */
export function applyRetention(log: PartitionLog, rules: RetentionRules, nowMs: number): boolean {
  const { retentionMs, retentionBytes } = rules;
  let excessBytes = retentionBytes < 0 ? 0 : log.sizeBytes - retentionBytes;
  let last: LogSegment | undefined;
  for (const segment of log.segments) {
    if (segment.sizeBytes === 0 || segment.nextOffset > log.highWatermark) break;
    const isOld = retentionMs >= 0 && expiryOf(segment, retentionMs) < nowMs;
    const isTooMuch = retentionBytes >= 0 && excessBytes >= segment.sizeBytes;
    if (!isOld && !isTooMuch) break;
    excessBytes -= segment.sizeBytes;
    last = segment;
  }
  if (last !== undefined) log.deleteBefore(last.nextOffset);
  return last !== undefined;
}

/** When the oldest segment of a log becomes too old, on the wall clock; Infinity if it never does. */
export function nextExpiryMs(log: PartitionLog, { retentionMs }: RetentionRules): number {
  const first = log.segments[0];
  return first === undefined || first.sizeBytes === 0 || retentionMs < 0 ? Infinity : expiryOf(first, retentionMs) + 1;
}

function expiryOf(segment: LogSegment, retentionMs: number): number {
  // Records without a time age from when they came.
  return (segment.maxTimestamp >= 0 ? segment.maxTimestamp : segment.createdMs) + retentionMs;
}
