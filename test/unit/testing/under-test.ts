import type { TestContext } from 'node:test';
import type { Input } from '../../../src/protocol/api.ts';
import { Produce, type ProduceRequest, type ProduceResponse } from '../../../src/protocol/generated/produce.ts';
import { BatchBuilder } from '../../../src/protocol/records/batch-builder.ts';
import { TestCluster, type TestClusterOptions } from '../../../src/testing/index.ts';
import { RawConnection } from '../../support/answers/raw-kafka.ts';

/** A cluster that ends with its test. */
export async function startCluster(test: TestContext, options: TestClusterOptions = {}): Promise<TestCluster> {
  const cluster = await TestCluster.start(options);
  test.after(() => cluster.close());
  return cluster;
}

/** A socket to one of its brokers that ends with its test. */
export async function connectTo(test: TestContext, cluster: TestCluster, brokerId = 1): Promise<RawConnection> {
  const broker = cluster.brokers.find(({ id }) => id === brokerId);
  const connection = await RawConnection.open(`${broker?.host}:${broker?.port}`);
  test.after(() => connection.close());
  return connection;
}

/** A Produce of one record. */
export function produceRequest(topic: string, value: string, acks = -1): Input<ProduceRequest> {
  const builder = new BatchBuilder({ initialBytes: 256, maxBytes: 1e6 });
  builder.append(1_700_000_000_000, null, value, undefined);
  const producer = { producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false };
  const records = builder.close({ ...producer, compression: 'none' });
  return { acks, timeoutMs: 1000, topicData: [{ name: topic, partitionData: [{ index: 0, records }] }] };
}

/** Sends it in version 9, which names its topics. */
export async function produce(connection: RawConnection, topic: string, value: string): Promise<ProduceResponse> {
  return await connection.send(Produce, 9, produceRequest(topic, value));
}

export function errorOf(answer: ProduceResponse): number | undefined {
  return answer.responses[0]?.partitionResponses[0]?.errorCode;
}

/** Whether a promise is still pending after the event loop had time for what is under way. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let isSettled = false;
  const settle = (): void => {
    isSettled = true;
  };
  promise.then(settle, settle);
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  return !isSettled;
}
