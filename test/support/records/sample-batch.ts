import { BatchBuilder, type CloseOptions, type RecordHeader } from '../../../src/protocol/records/index.ts';

/** One record for {@link sampleBatch}. */
export interface SampleRecord {
  readonly timestampMs?: number;
  readonly key?: string | Uint8Array | null;
  readonly value?: string | Uint8Array | null;
  readonly headers?: readonly RecordHeader[];
}

/** How a batch is closed where a test does not care. */
export const plainClosing: CloseOptions = {
  compression: 'none',
  producerId: -1n,
  producerEpoch: -1,
  baseSequence: -1,
  transactional: false,
};

/** A closed batch of these records. */
export function sampleBatch(records: readonly SampleRecord[], closing: Partial<CloseOptions> = {}): Buffer {
  const builder = new BatchBuilder({ initialBytes: 128, maxBytes: 2 ** 24 });
  for (const { timestampMs = 1_000, key = null, value = null, headers } of records) {
    builder.append(timestampMs, key, value, headers);
  }
  return builder.close({ ...plainClosing, ...closing });
}
