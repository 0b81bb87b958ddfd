import {
  batchLengthAt,
  batchPrefixBytes,
  baseOffsetAt,
  lastOffsetDeltaAt,
  magicAt,
} from '../../protocol/records/batch-layout.ts';

/**
 * The offset behind the last whole batch of a `records` field; undefined if there is no whole batch.
 *
 * Nothing is checked: it is where to fetch next, while the batches are read and checked later.
 */
export function offsetBehind(records: Buffer): bigint | undefined {
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
  if (records.readInt8(lastAt + magicAt) < 2) return baseOffset + 1n;
  if (records.length < lastAt + lastOffsetDeltaAt + 4) return undefined;
  return baseOffset + BigInt(records.readInt32BE(lastAt + lastOffsetDeltaAt)) + 1n;
}
