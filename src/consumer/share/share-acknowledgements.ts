import { AcknowledgeError } from '../../errors/acknowledge-error.ts';
import { KafkaError } from '../../errors/kafka-error.ts';
import type { EventPublisher } from '../../instrumentation/event-publisher.ts';
import { topicPartitionKey } from '../../model/topic-partition.ts';
import { acknowledgeTypes, type AcknowledgedRange } from './acquired-records-machine.ts';
import type { AcquiredRecords } from './acquired-records.ts';
import type { AcknowledgementResult, AcknowledgeType } from './share-options.ts';
import type { SessionPartition } from './share-session-machine.ts';

/** Acknowledgements that are under way: of which records, and what of them. */
export interface SentAcknowledgements {
  readonly acquired: AcquiredRecords;
  readonly ranges: readonly AcknowledgedRange[];
}

/** A partition in a request, with what is acknowledged of it. */
export interface AcknowledgedPartition {
  readonly partitionIndex: number;
  readonly acknowledgementBatches: readonly {
    readonly firstOffset: bigint;
    readonly lastOffset: bigint;
    readonly acknowledgeTypes: number[];
  }[];
}

const typeNames: ReadonlyMap<number, AcknowledgeType> = new Map([
  [acknowledgeTypes.accept, 'accept'],
  [acknowledgeTypes.release, 'release'],
  [acknowledgeTypes.reject, 'reject'],
  [acknowledgeTypes.renew, 'renew'],
]);

/** The topics of a request: these acknowledgements, and partitions that are only named. */
export function acknowledgedTopics(
  sent: readonly SentAcknowledgements[],
  named: readonly SessionPartition[] = [],
): { readonly topicId: string; readonly partitions: AcknowledgedPartition[] }[] {
  const partitions = new Map<
    string,
    { readonly topicId: string; readonly partition: number; sent: SentAcknowledgements[] }
  >();
  for (const { topicId, partition } of named) {
    partitions.set(topicPartitionKey(topicId, partition), { topicId, partition, sent: [] });
  }
  for (const one of sent) {
    const { topicId, partition } = one.acquired;
    const key = topicPartitionKey(topicId, partition);
    const same = partitions.get(key);
    if (same === undefined) partitions.set(key, { topicId, partition, sent: [one] });
    else same.sent.push(one);
  }
  const topics = new Map<string, AcknowledgedPartition[]>();
  for (const { topicId, partition, sent: ofPartition } of partitions.values()) {
    const one = { partitionIndex: partition, acknowledgementBatches: batchesOf(ofPartition) };
    const same = topics.get(topicId);
    if (same === undefined) topics.set(topicId, [one]);
    else same.push(one);
  }
  return [...topics].map(([topicId, ofTopic]) => ({ topicId, partitions: ofTopic }));
}

/** Brokers want the batches of a partition in the order of their offsets, whatever answer they came with. */
function batchesOf(sent: readonly SentAcknowledgements[]): AcknowledgedPartition['acknowledgementBatches'] {
  const batches = sent.flatMap(({ acquired, ranges }) =>
    ranges.map(({ first, last, type }) => ({
      firstOffset: acquired.baseOffset + BigInt(first),
      lastOffset: acquired.baseOffset + BigInt(last),
      acknowledgeTypes: [type],
    })),
  );
  return batches.sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
}

/** How many records these are; gaps hold none. */
export function recordCount(ranges: readonly AcknowledgedRange[]): number {
  return ranges.reduce((sum, { first, last, type }) => sum + (type === acknowledgeTypes.gap ? 0 : last - first + 1), 0);
}

/** Tells what became of acknowledgements: the callback, events, and calls of `commit` that wait. */
export class AcknowledgementResults {
  readonly #groupId: string;
  readonly #events: EventPublisher;
  readonly #onAcknowledged: ((results: readonly AcknowledgementResult[]) => unknown) | undefined;
  readonly #collectors = new Set<AcknowledgementResult[]>();
  #pending: AcknowledgementResult[] = [];

  constructor(
    groupId: string,
    events: EventPublisher,
    onAcknowledged: ((results: readonly AcknowledgementResult[]) => unknown) | undefined,
  ) {
    this.#groupId = groupId;
    this.#events = events;
    this.#onAcknowledged = onAcknowledged;
  }

  /** Collects what is told from now on, until {@link collected}. */
  collect(): AcknowledgementResult[] {
    const results: AcknowledgementResult[] = [];
    this.#collectors.add(results);
    return results;
  }

  /** @throws AcknowledgeError something was not acknowledged */
  collected(results: AcknowledgementResult[]): AcknowledgementResult[] {
    this.#collectors.delete(results);
    if (results.some(({ error }) => error !== undefined)) throw new AcknowledgeError(results);
    return results;
  }

  forget(results: AcknowledgementResult[]): void {
    this.#collectors.delete(results);
  }

  /** These were answered; {@link flush} tells the callback. */
  add(acquired: AcquiredRecords, ranges: readonly AcknowledgedRange[], error: KafkaError | undefined): void {
    const records = recordCount(ranges);
    if (records === 0) return;
    const { topic, partition } = acquired;
    const groupId = this.#groupId;
    if (error === undefined) {
      if (this.#events.has('share.acknowledged'))
        this.#events.publish('share.acknowledged', { groupId, topic, partition, records });
    } else this.#events.publish('share.acknowledge.failed', { groupId, topic, partition, records, error });
    // Offsets are spelt out only if somebody wants to see them.
    if (this.#collectors.size === 0 && this.#onAcknowledged === undefined) return;
    for (const [type, name] of typeNames) {
      const offsets = ranges.flatMap((range) => (range.type === type ? offsetsOf(acquired, range) : []));
      if (offsets.length === 0) continue;
      this.#pending.push({ topic, partition, offsets, type: name, ...(error === undefined ? {} : { error }) });
    }
  }

  flush(): void {
    const results = this.#pending;
    if (results.length === 0) return;
    this.#pending = [];
    for (const collector of this.#collectors) collector.push(...results);
    const report = (error: unknown): void =>
      this.#events.publish('listener.failed', { event: 'onAcknowledged', error });
    try {
      Promise.resolve(this.#onAcknowledged?.(results)).catch(report);
    } catch (error) {
      report(error);
    }
  }
}

function offsetsOf({ baseOffset }: AcquiredRecords, { first, last }: AcknowledgedRange): bigint[] {
  return Array.from({ length: last - first + 1 }, (_, index) => baseOffset + BigInt(first + index));
}

/** An error for acknowledgements that a broker never sees, since the lock has ended. */
export function lockEnded(topic: string, partition: number, why: string, cause?: unknown): KafkaError {
  return new KafkaError(`Cannot acknowledge records of ${topic}-${partition}: ${why}; they are delivered again`, {
    code: 'INVALID_RECORD_STATE',
    cause,
  });
}
