import { codecFor } from '../../compression/index.ts';
import { brokerError } from '../../errors/broker-error.ts';
import { UsageError } from '../../errors/kafka-error.ts';
import type { HeadersInput, HeaderValue } from '../../model/producer-record.ts';
import { Produce } from '../../protocol/generated/produce.ts';
import { BatchBuilder, type RecordHeader } from '../../protocol/records/batch-builder.ts';
import type { CompressionName } from '../../protocol/records/compression-type.ts';
import { murmur2 } from '../../util/murmur2.ts';
import { quote } from '../../util/option-rules.ts';
import type { Dispatcher } from '../server/dispatcher.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { PartitionState } from '../state/partition-state.ts';
import type { TopicState } from '../state/topic-state.ts';

/** A record that a test puts into a topic. */
export interface TestRecordInput {
  /** @defaultValue null */
  readonly key?: string | Uint8Array | null;
  /** @defaultValue null: a tombstone */
  readonly value?: string | Uint8Array | null;
  /** @defaultValue none */
  readonly headers?: HeadersInput;
  /** @defaultValue where the Java client puts the key; without a key, one partition after the other */
  readonly partition?: number;
  /** Milliseconds since 1970. @defaultValue the time of the cluster's clock */
  readonly timestamp?: number;
}

/** How records are put into a topic. */
export interface AppendRecordsOptions {
  /** @defaultValue none */
  readonly compression?: CompressionName;
}

/** Where a record was put. */
export interface AppendedRecord {
  /** The partition that it went to. */
  readonly partition: number;
  /** Its offset there. */
  readonly offset: bigint;
}

// The highest version that names its topics.
const produceVersion = 12;
const whollyOptional = { producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false } as const;

/** Writes records as a producer would, one batch per partition, and answers where they are, in the order of the records. */
export async function appendRecords(
  cluster: ClusterState,
  dispatcher: Dispatcher,
  topic: TopicState,
  records: readonly TestRecordInput[],
  options: AppendRecordsOptions,
): Promise<AppendedRecord[]> {
  const indexes = new Map<number, number[]>();
  records.forEach((record, index) => {
    const partition = partitionOf(topic, record, index);
    const sharing = indexes.get(partition) ?? [];
    sharing.push(index);
    indexes.set(partition, sharing);
  });
  const places: AppendedRecord[] = [];
  for (const [number, sharing] of indexes) {
    const partition = topic.partitions[number];
    if (partition === undefined) throw noPartition(topic, number);
    const builder = new BatchBuilder({ initialBytes: 1024, maxBytes: 2 ** 30 });
    for (const index of sharing) add(builder, records[index] ?? {}, cluster);
    const first = await produce(cluster, dispatcher, partition, await close(builder, options.compression ?? 'none'));
    sharing.forEach((index, count) => (places[index] = { partition: number, offset: first + BigInt(count) }));
  }
  return places;
}

function partitionOf({ partitions }: TopicState, { partition, key = null }: TestRecordInput, index: number): number {
  if (partition !== undefined) return partition;
  if (key === null) return index % partitions.length;
  return (murmur2(typeof key === 'string' ? Buffer.from(key) : key) & 0x7fff_ffff) % partitions.length;
}

function noPartition(topic: TopicState, partition: number): UsageError {
  return new UsageError(
    `Cannot append to partition ${quote(partition)} of topic "${topic.name}": it has ${topic.partitions.length}`,
    { code: 'INVALID_ARGUMENT' },
  );
}

function add(builder: BatchBuilder, record: TestRecordInput, { clock }: ClusterState): void {
  const { timestamp = clock.wallMs(), key = null, value = null, headers } = record;
  builder.append(Math.floor(timestamp), key, value, headers === undefined ? undefined : headersOf(headers));
}

function headersOf(input: HeadersInput): RecordHeader[] {
  if (Symbol.iterator in input) return Array.from(input, ([key, value]) => ({ key, value }));
  return Object.entries(input).flatMap(([key, value]) => {
    const values = Array.isArray(value) ? (value as readonly HeaderValue[]) : [value as HeaderValue];
    return values.map((each) => ({ key, value: each }));
  });
}

async function close(builder: BatchBuilder, compression: CompressionName): Promise<Buffer> {
  if (compression === 'none') return builder.close({ ...whollyOptional, compression });
  const codec = await codecFor(compression);
  const compressed = await codec.compress(builder.body(), undefined);
  return builder.close({ ...whollyOptional, compression, compressed });
}

async function produce(
  cluster: ClusterState,
  dispatcher: Dispatcher,
  { topic, partition, leaderId }: PartitionState,
  records: Buffer,
): Promise<bigint> {
  const doing = `Cannot append to partition ${partition} of topic "${topic}"`;
  const leader = cluster.brokers.get(leaderId);
  if (leader === undefined) throw new UsageError(`${doing}: nobody leads it`, { code: 'INVALID_STATE' });
  const topicData = [{ name: topic, partitionData: [{ index: partition, records }] }];
  const request = { acks: 1, timeoutMs: 1000, topicData };
  const { responses } = await dispatcher.ask(Produce, request, produceVersion, leader);
  const result = responses[0]?.partitionResponses[0];
  if (result === undefined || result.errorCode !== 0)
    throw brokerError(result?.errorCode ?? -1, doing, result?.errorMessage);
  return result.baseOffset;
}
