import { Fetch, type FetchRequest, type FetchResponse } from '../../../../src/protocol/generated/fetch.ts';
import { Produce, type ProduceResponsePartitionProduceResponse } from '../../../../src/protocol/generated/produce.ts';
import type { Input } from '../../../../src/protocol/api.ts';
import { brokerErrorByNumber } from '../../../../src/errors/broker-error-codes.ts';
import type { PartitionState } from '../../../../src/testing/state/partition-state.ts';
import type { AskedCluster } from '../asked-cluster.ts';
import { batchOf, type TestBatch } from '../log/batches.ts';

/** Whom and how a test asks. */
export interface Asking {
  readonly brokerId?: number;
  readonly version?: number;
  readonly acks?: number;
  readonly timeoutMs?: number;
  readonly partition?: number;
}

/** One batch, to partition 0 of a topic; as young as the cluster's clock says. */
export async function produceTo(
  cluster: AskedCluster,
  topic: string,
  batch: TestBatch = {},
  { brokerId = 1, version = 11, acks = -1, timeoutMs = 1_000, partition: index = 0 }: Asking = {},
): Promise<ProduceResponsePartitionProduceResponse> {
  const records = batchOf({ timeMs: cluster.clock.wallMs(), ...batch });
  const topicData = [{ name: topic, partitionData: [{ index, records }] }];
  const answer = await cluster.ask(Produce, version, { acks, timeoutMs, topicData }, brokerId);
  const [partition] = answer.responses[0]?.partitionResponses ?? [];
  if (partition === undefined) throw new Error('no partition was answered');
  return partition;
}

/** Everything from an offset of partition 0 on, at once unless the request says otherwise. */
export async function fetchFrom(
  cluster: AskedCluster,
  topic: string,
  offset: bigint,
  request: Input<FetchRequest> = {},
  { brokerId = 1, version = 12, partition = 0 }: Asking = {},
): Promise<FetchResponse> {
  const partitions = [{ partition, fetchOffset: offset, partitionMaxBytes: 1_000_000 }];
  const limits = { maxWaitMs: 0, minBytes: 1, maxBytes: 1_000_000 };
  return await cluster.ask(Fetch, version, { ...limits, topics: [{ topic, partitions }], ...request }, brokerId);
}

export function errorName(code: number | undefined): string | undefined {
  return code === undefined ? undefined : brokerErrorByNumber(code)?.name;
}

export function partitionOf(cluster: AskedCluster, topic: string, index = 0): PartitionState {
  const partition = cluster.state.partition(topic, index);
  if (partition === undefined) throw new Error(`there is no partition ${index} of ${topic}`);
  return partition;
}
