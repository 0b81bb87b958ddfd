import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { Input } from '../../protocol/api.ts';
import {
  Produce,
  type ProduceRequest,
  type ProduceRequestPartitionProduceData,
  type ProduceResponse,
  type ProduceResponsePartitionProduceResponse,
} from '../../protocol/generated/produce.ts';
import {
  attributesAt,
  baseSequenceAt,
  transactionalBit,
  batchHeaderBytes,
  producerEpochAt,
  producerIdAt,
} from '../../protocol/records/batch-layout.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import { LogCleaner } from '../log/log-cleaner.ts';
import { refusalOf, type ProduceRefusal } from '../log/produced-records.ts';
import { findPartition, nodeEndpoints, type TopicReference } from '../state/partition-lookup.ts';
import type { PartitionState } from '../state/partition-state.ts';
import { topicRules, type TopicRules } from '../state/topic-rules.ts';
import { verifyTransactionalWrite } from '../transactions/write-verification.ts';
import { waitUntil } from '../wait-until.ts';

/**
 * Produce, versions 3-13; 0-2 are listed and refused, as Kafka 4 does for clients that look for them.
 *
 * Does: check the batch and its records by the topic's settings; sequence numbers of idempotent producers; membership of a
 * transaction (KIP-890); acks 0, 1 and all with the in-sync set; LogAppendTime; errors per record (KIP-467); hints of the leader (KIP-951).
 * Leaves out: compressing again by the topic's `compression.type`; looking into records where no rule asks for it.
 * v5 log start · v7 zstd · v8 errors per record · v9 flexible · v10 hints · v12 adds to transactions · v13 topic ids
 */
export const produceHandler: AnyHandler = defineHandler(
  Produce,
  async (request, context) => {
    const writes = request.topicData.flatMap((topic) => topic.partitionData.map((data) => ({ topic, data })));
    const answers = await Promise.all(writes.map(({ topic, data }) => write(topic, data, request, context)));
    if (request.acks === 0) return answers.some(({ errorCode }) => errorCode !== 0) ? 'disconnect' : undefined;
    return respond(request, answers, context);
  },
  { min: 3, listedFrom: 0 },
);

type PartitionAnswer = Input<ProduceResponsePartitionProduceResponse>;

function respond(
  { topicData }: ProduceRequest,
  answers: readonly PartitionAnswer[],
  { cluster, connection, version }: RequestContext,
): Input<ProduceResponse> {
  let next = 0;
  const responses = topicData.map(({ name, topicId, partitionData }) => ({
    name,
    topicId,
    partitionResponses: partitionData.map(() => answers[next++] ?? {}),
  }));
  if (version < 10) return { responses };
  const leaders = answers.flatMap(({ currentLeader }) => currentLeader?.leaderId ?? []);
  return { responses, nodeEndpoints: nodeEndpoints(cluster, connection.listener.name, leaders) };
}

async function write(
  reference: TopicReference,
  data: ProduceRequestPartitionProduceData,
  request: ProduceRequest,
  context: RequestContext,
): Promise<PartitionAnswer> {
  const { cluster, broker, version } = context;
  const refused = (errorCode: number, more: PartitionAnswer = {}): PartitionAnswer =>
    fitTo(version, { index: data.index, errorCode, baseOffset: -1n, ...more });
  if (request.acks < -1 || request.acks > 1) return refused(brokerErrorCodes.INVALID_REQUIRED_ACKS);
  if (request.transactionalId === null && isTransactional(data.records))
    return refused(brokerErrorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
  const found = findPartition(cluster, broker, reference, data.index);
  if (!('topic' in found)) return refused(found.errorCode, version >= 10 ? leaderHint(found) : {});
  const { topic, partition } = found;
  if (topic.isInternal) return refused(brokerErrorCodes.INVALID_TOPIC_EXCEPTION);
  const rules = topicRules(cluster, topic);
  const refusal = await refusalOf(data.records, rules.produce(version, cluster.clock.wallMs()));
  if (refusal !== undefined) return refused(refusal.errorCode, toldOf(refusal, partition));
  const records = data.records ?? Buffer.alloc(0);
  const membership = verifyTransaction(records, partition, request, context);
  if (membership === brokerErrorCodes.INVALID_TXN_STATE)
    return refused(membership, { errorMessage: 'The partition does not belong to the transaction' });
  if (membership !== 0) return refused(membership);
  return await append(records, rules, partition, request, context, refused);
}

/** Leaves out what a version has no field for. */
function fitTo(
  version: number,
  { recordErrors, errorMessage, logStartOffset, ...answer }: PartitionAnswer,
): PartitionAnswer {
  return {
    ...answer,
    ...(version >= 5 ? { logStartOffset } : {}),
    ...(version >= 8 ? { recordErrors, errorMessage } : {}),
  };
}

/** Kafka gives a reason only where single records are at fault. */
function toldOf({ recordErrors, errorMessage, isFromLog }: ProduceRefusal, { log }: PartitionState): PartitionAnswer {
  return {
    ...(recordErrors.length > 0 ? { recordErrors, errorMessage } : {}),
    ...(isFromLog ? { logStartOffset: log.startOffset } : {}),
  };
}

function leaderHint({ errorCode, partition }: { errorCode: number; partition?: PartitionState }): PartitionAnswer {
  if (errorCode !== brokerErrorCodes.NOT_LEADER_OR_FOLLOWER || partition === undefined) return {};
  return { currentLeader: { leaderId: partition.leaderId, leaderEpoch: partition.leaderEpoch } };
}

function isTransactional(records: Buffer | null): boolean {
  if (records === null || records.length < batchHeaderBytes) return false;
  return (records.readInt16BE(attributesAt) & transactionalBit) !== 0;
}

/** Asks the coordinator about the first write of a transaction to this partition; later ones are known. */
function verifyTransaction(
  records: Buffer,
  partition: PartitionState,
  { transactionalId }: ProduceRequest,
  { cluster, version }: RequestContext,
): number {
  if (transactionalId === null || records.length < batchHeaderBytes) return 0;
  if (records.readInt32BE(baseSequenceAt) < 0) return 0;
  const producerId = records.readBigInt64BE(producerIdAt);
  const producerEpoch = records.readInt16BE(producerEpochAt);
  const state = partition.log.producers.get(producerId);
  if (state?.transactionStart !== undefined && state.producerEpoch === producerEpoch) return 0;
  const { topic, partition: index } = partition;
  const knows = { addsPartition: version >= 12, knowsAbortable: version >= 11 };
  return verifyTransactionalWrite(cluster, {
    transactionalId,
    producerId,
    producerEpoch,
    topic,
    partition: index,
    ...knows,
  });
}

async function append(
  records: Buffer,
  rules: TopicRules,
  partition: PartitionState,
  { acks, timeoutMs, transactionalId }: ProduceRequest,
  context: RequestContext,
  refused: (errorCode: number, more?: PartitionAnswer) => PartitionAnswer,
): Promise<PartitionAnswer> {
  const { cluster, version } = context;
  const minIsr = Math.min(rules.minInsyncReplicas, partition.replicas.length);
  if (acks === -1 && partition.isr.length < minIsr) return refused(brokerErrorCodes.NOT_ENOUGH_REPLICAS);
  const { leaderEpoch, log } = partition;
  const mustBeginAtZero = transactionalId !== null && version >= 12;
  const result = log.append(records, { ...rules.append(leaderEpoch, cluster.clock.wallMs()), mustBeginAtZero });
  if (result.kind === 'refused') return refused(result.errorCode, { logStartOffset: log.startOffset });
  if (result.kind === 'appended') {
    cluster.service(LogCleaner).appended(rules);
    partition.changed.notify();
  }
  if (acks === -1) {
    const errorCode = await replicated(partition, result.lastOffset, leaderEpoch, minIsr, timeoutMs, context);
    if (errorCode !== 0) return refused(errorCode);
  }
  const { baseOffset, logAppendTimeMs } = result;
  const index = partition.partition;
  return fitTo(version, { index, errorCode: 0, baseOffset, logAppendTimeMs, logStartOffset: log.startOffset });
}

/** Waits until all in-sync replicas have a record; answers the error code. */
async function replicated(
  partition: PartitionState,
  offset: bigint,
  leaderEpoch: number,
  minIsr: number,
  timeoutMs: number,
  { cluster, signal }: RequestContext,
): Promise<number> {
  const isThere = (): boolean => partition.log.highWatermark > offset;
  const hasMoved = (): boolean => partition.leaderEpoch !== leaderEpoch;
  if (!isThere() || hasMoved()) {
    const outcome = await waitUntil({
      clock: cluster.clock,
      condition: () => isThere() || hasMoved(),
      watched: [partition.changed],
      timeoutMs,
      signal,
    });
    if (hasMoved()) return brokerErrorCodes.NOT_LEADER_OR_FOLLOWER;
    if (outcome !== 'done') return brokerErrorCodes.REQUEST_TIMED_OUT;
  }
  return partition.isr.length < minIsr ? brokerErrorCodes.NOT_ENOUGH_REPLICAS_AFTER_APPEND : 0;
}
