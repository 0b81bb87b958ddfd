import type { Input } from '../../protocol/api.ts';
import {
  DescribeProducers,
  type DescribeProducersResponsePartitionResponse,
  type DescribeProducersResponseProducerState,
} from '../../protocol/generated/describe-producers.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import type { ProducerState } from '../log/producer-states.ts';
import { findPartition } from '../state/partition-lookup.ts';

/**
 * DescribeProducers, version 0.
 *
 * Does: the producers that a partition remembers, with where their open transactions began (KIP-664).
 * Leaves out: -
 */
export const describeProducersHandler: AnyHandler = defineHandler(DescribeProducers, (request, context) => ({
  topics: request.topics.map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((index) => describe(name, index, context)),
  })),
}));

function describe(
  name: string,
  partitionIndex: number,
  { cluster, broker }: RequestContext,
): Input<DescribeProducersResponsePartitionResponse> {
  const found = findPartition(cluster, broker, { name }, partitionIndex);
  if (!('topic' in found)) return { partitionIndex, errorCode: found.errorCode, activeProducers: [] };
  const { producers } = found.partition.log;
  producers.expireAll(cluster.clock.wallMs() - Number(cluster.brokerConfig('producer.id.expiration.ms')));
  return { partitionIndex, errorCode: 0, activeProducers: producers.all().map(stateOf) };
}

function stateOf(state: ProducerState): Input<DescribeProducersResponseProducerState> {
  return {
    producerId: state.producerId,
    producerEpoch: state.producerEpoch,
    lastSequence: state.batches.at(-1)?.lastSequence ?? -1,
    lastTimestamp: BigInt(Math.floor(state.lastTimestampMs)),
    coordinatorEpoch: state.coordinatorEpoch,
    currentTxnStartOffset: state.transactionStart ?? -1n,
  };
}
