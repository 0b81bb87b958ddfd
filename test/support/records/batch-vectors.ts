import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type { CompressionName } from '../../../src/protocol/records/index.ts';

/** A batch and its records as Kafka's classes describe them: int64 as text, bytes as base64. */
export interface DescribedBatch {
  readonly baseOffset: string;
  readonly lastOffset: string;
  readonly magic: number;
  readonly compression: CompressionName;
  readonly timestampType: string;
  readonly maxTimestamp: string;
  readonly checksum: number;
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly partitionLeaderEpoch: number;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
  readonly records: readonly DescribedRecord[];
}

/** One record of a {@link DescribedBatch}. */
export interface DescribedRecord {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: string | null;
  readonly value: string | null;
  /** Only in control batches. */
  readonly control?: string;
  readonly headers: readonly (readonly [string, string | null])[];
}

/** One batch made by Kafka's builder. */
export interface BatchVector {
  readonly magic: number;
  readonly compression: CompressionName;
  readonly timestampType: 'create' | 'logAppend';
  readonly kind: 'plain' | 'idempotent' | 'transactional' | 'control';
  readonly content: string;
  /** The offset that the batch was made to end with; -1 if that of its last record; in control batches the coordinator's epoch. */
  readonly lastOffset: string;
  /** The timestamps that were given to the builder. */
  readonly appended: readonly string[];
  readonly bytes: string;
  readonly batches: readonly DescribedBatch[];
}

/** A key as text or as bytes, Java's murmur2 of it, a number of partitions and the partition that Java chooses. */
export type KeyVector = readonly [string | null, string | null, number, number, number];

const folder = new URL('../../conformance/vectors/', import.meta.url);
export const batchVectorsFile: string = fileURLToPath(new URL('record-batches.jsonl.gz', folder));
export const keyVectorsFile: string = fileURLToPath(new URL('keys.jsonl.gz', folder));

/** The text of a file of vectors; its first line names the release and the seed. */
export function readVectorText(file: string): string {
  return gunzipSync(readFileSync(file)).toString('utf8');
}

export function readBatchVectors(): BatchVector[] {
  return lines(batchVectorsFile).map((line) => JSON.parse(line) as BatchVector);
}

export function readKeyVectors(): KeyVector[] {
  return lines(keyVectorsFile).map((line) => JSON.parse(line) as KeyVector);
}

function lines(file: string): string[] {
  return readVectorText(file).trimEnd().split('\n').slice(1);
}
