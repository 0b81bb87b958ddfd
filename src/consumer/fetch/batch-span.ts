import {
  batchLengthAt,
  batchPrefixBytes,
  baseOffsetAt,
  lastOffsetDeltaAt,
  leaderEpochAt,
  magicAt,
} from '../../protocol/records/batch-layout.ts';

/** Where the whole batches of an answer end. */
export interface BatchSpan {
  /** Behind the last of them. */
  readonly nextOffset: bigint;
  /** The epoch of the leader that appended the last one; -1 where the format has none. */
  readonly leaderEpoch: number;
}

/**
 * Where the last whole batch of a `records` field ends; undefined if there is no whole batch.
 *
 * Nothing is checked: it is where to fetch next, while the batches are read and checked later.
 */
export function spanOf(records: Buffer): BatchSpan | undefined {
  let lastAt = -1;
  for (let at = 0; records.length - at > batchPrefixBytes + magicAt;) {
    const end = at + batchPrefixBytes + records.readInt32BE(at + batchLengthAt);
    if (end > records.length || end <= at + batchPrefixBytes) break;
    lastAt = at;
    at = end;
  }
  if (lastAt < 0) return undefined;
  const baseOffset = records.readBigInt64BE(lastAt + baseOffsetAt);
  // In the formats before magic 2 the offset of a (wrapping) message is that of its last record.
  if (records.readInt8(lastAt + magicAt) < 2) return { nextOffset: baseOffset + 1n, leaderEpoch: -1 };
  if (records.length < lastAt + lastOffsetDeltaAt + 4) return undefined;
  const nextOffset = baseOffset + BigInt(records.readInt32BE(lastAt + lastOffsetDeltaAt)) + 1n;
  return { nextOffset, leaderEpoch: records.readInt32BE(lastAt + leaderEpochAt) };
}
