import type { FetchedTopic } from '../../instrumentation/events.ts';
import {
  batchHeaderBytes,
  batchLengthAt,
  batchPrefixBytes,
  magicAt,
  recordCountAt,
} from '../../protocol/records/batch-layout.ts';

/** What one answer brought, topic by topic, for those who listen. */
export class FetchedTopics {
  readonly #topics = new Map<string, FetchedTopic>();
  #records = 0;

  /** How many records came in all. */
  get records(): number {
    return this.#records;
  }

  get list(): FetchedTopic[] {
    return [...this.#topics.values()];
  }

  /** One partition of the topic brought so much. */
  add(topic: string, records: number, bytes: number): void {
    const before = this.#topics.get(topic);
    this.#records += records;
    this.#topics.set(topic, {
      topic,
      records: (before?.records ?? 0) + records,
      bytes: (before?.bytes ?? 0) + bytes,
    });
  }
}

/**
 * How many records the whole batches of a `records` field say that they have, without reading one of them: markers of transactions count, and
 * so do records before the offset that was asked for. In the formats before magic 2 a message counts as one, whatever is compressed in it.
 */
export function recordCountOf(records: Buffer): number {
  let count = 0;
  for (let at = 0; records.length - at > batchPrefixBytes + magicAt;) {
    const end = at + batchPrefixBytes + records.readInt32BE(at + batchLengthAt);
    if (end > records.length || end <= at + batchPrefixBytes) break;
    const hasCount = records.readInt8(at + magicAt) >= 2 && end - at >= batchHeaderBytes;
    count += hasCount ? Math.max(0, records.readInt32BE(at + recordCountAt)) : 1;
    at = end;
  }
  return count;
}
