import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import { brokerError } from '../errors/broker-error.ts';
import { ProtocolError, type KafkaError } from '../errors/kafka-error.ts';
import type { Input } from '../protocol/api.ts';
import type {
  ProduceRequest,
  ProduceResponse,
  ProduceResponsePartitionProduceResponse,
} from '../protocol/generated/produce.ts';
import type { PartitionQueue, TopicQueue } from './partition-queue.ts';
import { answerOf, type ProduceAnswer } from './produce-errors.ts';
import type { ProducerBatch } from './producer-batch.ts';
import { doingSend } from './send-errors.ts';

/** One batch in a request. */
export interface SentBatch {
  readonly queue: PartitionQueue;
  readonly batch: ProducerBatch;
}

/** What a response says about one batch. */
export interface BatchAnswer extends ProduceAnswer {
  readonly sent: SentBatch;
  readonly baseOffset: bigint;
  /** -1 unless the topic takes the broker's time. */
  readonly logAppendTimeMs: number;
  /** Undefined if it was delivered. */
  readonly error: KafkaError | undefined;
  /** KIP-467: what is wrong with single records, by their place in the batch. */
  readonly recordErrors: ReadonlyMap<number, KafkaError> | undefined;
  /** KIP-951: the leader that the broker names instead of itself. */
  readonly leader: { readonly leaderId: number; readonly leaderEpoch: number } | undefined;
}

/** The body of a request with these batches, at most one for each partition. */
export function produceRequest(
  sent: readonly SentBatch[],
  acks: number,
  timeoutMs: number,
  transactionalId: string | null,
): Input<ProduceRequest> {
  const topics = new Map<TopicQueue, { index: number; records: Buffer | null }[]>();
  for (const { queue, batch } of sent) {
    const data = { index: queue.partition, records: batch.bytes ?? null };
    const partitions = topics.get(queue.topic);
    if (partitions === undefined) topics.set(queue.topic, [data]);
    else partitions.push(data);
  }
  return {
    transactionalId,
    acks,
    timeoutMs,
    topicData: Array.from(topics, ([{ name, topicId }, partitionData]) => ({ name, topicId, partitionData })),
  };
}

/**
 * What the response says about each batch that was sent, in their order. What it says about others is passed over; a batch that
 * it does not mention may have been written.
 */
export function readAnswers(sent: readonly SentBatch[], { responses }: ProduceResponse): BatchAnswer[] {
  // A response has names or ids, depending on its version; the other one is empty.
  const hasNames = responses[0]?.name !== '';
  const topics = new Map<string, TopicAnswers>();
  for (const { name, topicId, partitionResponses } of responses) {
    const key = hasNames ? name : topicId;
    if (!topics.has(key)) topics.set(key, { answers: partitionResponses, next: 0 });
  }
  return sent.map((each) => {
    const { topic, partition } = each.queue;
    const found = answerFor(topics.get(hasNames ? topic.name : topic.topicId), partition);
    return found === undefined ? missing(each) : read(each, found);
  });
}

interface TopicAnswers {
  readonly answers: readonly ProduceResponsePartitionProduceResponse[];
  next: number;
}

/** Brokers answer in the order of the request: to look for each of thousands of partitions from the beginning takes long. */
function answerFor(
  topic: TopicAnswers | undefined,
  partition: number,
): ProduceResponsePartitionProduceResponse | undefined {
  const expected = topic?.answers[topic.next];
  if (topic === undefined || expected?.index !== partition)
    return topic?.answers.find((candidate) => candidate.index === partition);
  topic.next++;
  return expected;
}

/** Records that were handed to the network, and that nobody will acknowledge (acks 0). */
export function unanswered(sent: SentBatch): BatchAnswer {
  return { ...base(sent), verdict: 'delivered', maybeWritten: true, staleMetadata: false };
}

/** The request failed: no answer, or none that can be read. */
export function lost(sent: SentBatch, error: KafkaError, maybeWritten: boolean): BatchAnswer {
  return { ...base(sent), verdict: 'retry', maybeWritten, staleMetadata: true, error };
}

function base(sent: SentBatch): Omit<BatchAnswer, keyof ProduceAnswer> {
  return {
    sent,
    baseOffset: -1n,
    logAppendTimeMs: -1,
    error: undefined,
    recordErrors: undefined,
    leader: undefined,
  };
}

function missing(sent: SentBatch): BatchAnswer {
  const { topic, partition } = sent.queue;
  const doing = doingSend(topic.name, partition);
  return lost(sent, new ProtocolError(`${doing}: the answer of the broker does not mention the partition`), true);
}

function read(sent: SentBatch, answer: ProduceResponsePartitionProduceResponse): BatchAnswer {
  const verdict = answerOf(answer.errorCode);
  if (verdict.verdict === 'delivered') {
    const isKnown = answer.errorCode === 0;
    return {
      ...base(sent),
      ...verdict,
      baseOffset: isKnown ? answer.baseOffset : -1n,
      logAppendTimeMs: isKnown ? Number(answer.logAppendTimeMs) : -1,
    };
  }
  const { topic, partition } = sent.queue;
  const doing = doingSend(topic.name, partition);
  const { currentLeader } = answer;
  return {
    ...base(sent),
    ...verdict,
    error: brokerError(answer.errorCode, doing, answer.errorMessage),
    recordErrors: recordErrors(answer, doing),
    leader: currentLeader.leaderId < 0 ? undefined : currentLeader,
  };
}

/**
 * The one error code of the answer is surely that of a record only if no other is named beside it; several may be invalid for
 * different reasons, which their messages tell.
 */
function recordErrors(
  { recordErrors: errors, errorCode, errorMessage }: ProduceResponsePartitionProduceResponse,
  doing: string,
): ReadonlyMap<number, KafkaError> | undefined {
  if (errors.length === 0) return undefined;
  const code = errors.length === 1 ? errorCode : brokerErrorCodes.INVALID_RECORD;
  return new Map(
    errors.map(({ batchIndex, batchIndexErrorMessage }) => [
      batchIndex,
      brokerError(code, doing, batchIndexErrorMessage ?? errorMessage),
    ]),
  );
}
