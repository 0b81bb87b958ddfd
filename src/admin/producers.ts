import type { SettledItem } from '../errors/admin-error.ts';
import { brokerError } from '../errors/broker-error.ts';
import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import { UsageError } from '../errors/kafka-error.ts';
import type { TopicPartition } from '../model/topic-partition.ts';
import { DescribeProducers } from '../protocol/generated/describe-producers.ts';
import { WriteTxnMarkers } from '../protocol/generated/write-txn-markers.ts';
import { parseInt64, type Int64Input } from '../util/int64.ts';
import { quote } from '../util/option-rules.ts';
import type { AdminCall } from './admin-call.ts';
import { fulfilled, rejected, unanswered, type ItemOutcome } from './items.ts';
import { atLeaders, partitionName, refusedByLeader } from './partitions.ts';

/** An idempotent or transactional producer as the leader of a partition knows it. */
export interface ActiveProducer {
  /** The id that its records carry. */
  readonly producerId: bigint;
  /** The epoch of its last record. */
  readonly producerEpoch: number;
  /** The sequence number of its last record; -1 after the end of a transaction. */
  readonly lastSequence: number;
  /** When it wrote last, in milliseconds since 1970. */
  readonly lastTimestampMs: number;
  /** The epoch of the coordinator that ended its last transaction here; undefined before that. */
  readonly coordinatorEpoch: number | undefined;
  /** The offset at which its open transaction begins: readers of what is committed come no further. Undefined if none is open. */
  readonly transactionStartOffset: bigint | undefined;
}

/** The producers of a partition. */
export interface PartitionProducers extends TopicPartition {
  /** Those that the leader remembers; it forgets them some time after their last record. */
  readonly producers: readonly ActiveProducer[];
}

/** A transaction of which one partition waits for the end in vain. */
export interface HangingTransaction extends TopicPartition {
  /** The producer that has written it; see {@link ActiveProducer}. */
  readonly producerId: Int64Input;
  /** Its epoch. @defaultValue what {@link Admin.describeProducers} says */
  readonly producerEpoch?: number | undefined;
  /** The epoch of its coordinator. @defaultValue what {@link Admin.describeProducers} says */
  readonly coordinatorEpoch?: number | undefined;
}

/** The producers that leaders remember (KIP-664). */
export function describeProducers(
  call: AdminCall,
  items: readonly TopicPartition[],
): Promise<SettledItem<PartitionProducers>[]> {
  return atLeaders(call, items, 'Cannot describe the producers of', (nodeId, group) => describe(call, nodeId, group));
}

async function describe(
  call: AdminCall,
  nodeId: number,
  items: readonly TopicPartition[],
): Promise<ItemOutcome<PartitionProducers>[]> {
  const names = [...new Set(items.map(({ topic }) => topic))];
  const topicsAsked = names.map((name) => ({
    name,
    partitionIndexes: items.filter(({ topic }) => topic === name).map(({ partition }) => partition),
  }));
  const { topics } = await call.request({
    api: DescribeProducers,
    to: { kind: 'broker', nodeId },
    message: { topics: topicsAsked },
  });
  return items.map(({ topic, partition }): ItemOutcome<PartitionProducers> => {
    const doing = `Cannot describe the producers of ${partitionName({ topic, partition })}`;
    const found = topics
      .find(({ name }) => name === topic)
      ?.partitions.find(({ partitionIndex }) => partitionIndex === partition);
    if (found === undefined) return rejected(unanswered(doing));
    if (found.errorCode !== 0) return refusedByLeader(found.errorCode, doing);
    const producers = found.activeProducers.map((producer) => ({
      producerId: producer.producerId,
      producerEpoch: producer.producerEpoch,
      lastSequence: producer.lastSequence,
      lastTimestampMs: Number(producer.lastTimestamp),
      coordinatorEpoch: producer.coordinatorEpoch < 0 ? undefined : producer.coordinatorEpoch,
      transactionStartOffset: producer.currentTxnStartOffset < 0n ? undefined : producer.currentTxnStartOffset,
    }));
    return fulfilled({ topic, partition, producers });
  });
}

/** Ends transactions in partitions that wait for their end in vain, each with a marker of its own (KIP-664). */
export function abortTransactions(call: AdminCall, items: readonly HangingTransaction[]): Promise<SettledItem<void>[]> {
  const wanted = items.map((item) => ({ ...item, producerId: producerIdOf(item) }));
  return atLeaders(call, wanted, 'Cannot abort a transaction in', (nodeId, group) =>
    Promise.all(group.map((item) => abort(call, nodeId, item))),
  );
}

async function abort(
  call: AdminCall,
  nodeId: number,
  item: HangingTransaction & { readonly producerId: bigint },
): Promise<ItemOutcome<void>> {
  const { topic, partition, producerId } = item;
  const doing = `Cannot abort the transaction of producer ${producerId} in ${partitionName(item)}`;
  let { producerEpoch, coordinatorEpoch } = item;
  if (producerEpoch === undefined || coordinatorEpoch === undefined) {
    const [outcome] = await describe(call, nodeId, [item]);
    if (outcome?.status !== 'fulfilled') return outcome ?? rejected(unanswered(doing));
    const producer = outcome.value.producers.find((candidate) => candidate.producerId === producerId);
    if (producer?.transactionStartOffset === undefined) {
      return rejected(brokerError(brokerErrorCodes.INVALID_TXN_STATE, doing, 'it has none open there'));
    }
    producerEpoch ??= producer.producerEpoch;
    coordinatorEpoch ??= producer.coordinatorEpoch ?? 0;
  }
  const topics = [{ name: topic, partitionIndexes: [partition] }];
  const { markers } = await call.request({
    api: WriteTxnMarkers,
    to: { kind: 'broker', nodeId },
    doing,
    message: { markers: [{ producerId, producerEpoch, coordinatorEpoch, transactionResult: false, topics }] },
  });
  const answer = markers[0]?.topics[0]?.partitions[0];
  if (answer === undefined) return rejected(unanswered(doing));
  return answer.errorCode === 0 ? fulfilled(undefined) : refusedByLeader(answer.errorCode, doing);
}

function producerIdOf(item: HangingTransaction): bigint {
  const parsed = parseInt64(item.producerId);
  if (parsed !== undefined && parsed >= 0n) return parsed;
  throw new UsageError(
    `Cannot abort the transaction of producer ${quote(item.producerId)} in ${partitionName(item)}: give its producer id, an int64 from 0`,
    { code: 'INVALID_ARGUMENT' },
  );
}
