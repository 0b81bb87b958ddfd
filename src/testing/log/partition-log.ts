import { BatchReader } from '../../protocol/records/batch-reader.ts';
import { stampStored } from '../../protocol/records/batch-builder.ts';

interface StoredBatch {
  readonly baseOffset: bigint;
  readonly lastOffset: bigint;
  readonly bytes: Buffer;
}

/** The records of one partition, as batches. */
export class PartitionLog {
  #startOffset = 0n;
  #endOffset = 0n;
  readonly #batches: StoredBatch[] = [];

  /** The offset of the first record that is kept. */
  get startOffset(): bigint {
    return this.#startOffset;
  }

  /** The offset that the next record will get. */
  get endOffset(): bigint {
    return this.#endOffset;
  }

  /** Appends checked batches, which it copies; answers the offset of the first record. */
  append(records: Buffer, options: { readonly leaderEpoch: number; readonly logAppendTimeMs?: number }): bigint {
    const baseOffset = this.#endOffset;
    const copy = Buffer.from(records);
    const reader = new BatchReader(copy, { checkCrcs: false });
    for (let batch = reader.next(); batch !== undefined; batch = reader.next()) {
      const bytes = copy.subarray(batch.start, batch.end);
      const { logAppendTimeMs } = options;
      stampStored(bytes, {
        baseOffset: this.#endOffset,
        partitionLeaderEpoch: options.leaderEpoch,
        ...(logAppendTimeMs === undefined ? {} : { logAppendTimeMs }),
      });
      const lastOffset = this.#endOffset + BigInt(batch.lastOffsetDelta);
      this.#batches.push({ baseOffset: this.#endOffset, lastOffset, bytes });
      this.#endOffset = lastOffset + 1n;
    }
    return baseOffset;
  }
}
