import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { Input } from '../../protocol/api.ts';
import {
  AddPartitionsToTxn,
  type AddPartitionsToTxnRequestAddPartitionsToTxnTopic,
  type AddPartitionsToTxnRequestAddPartitionsToTxnTransaction,
  type AddPartitionsToTxnResponseAddPartitionsToTxnTopicResult,
} from '../../protocol/generated/add-partitions-to-txn.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import { coordinatorError, fencedFor } from '../transactions/coordinated.ts';
import { TransactionCoordinator } from '../transactions/transaction-coordinator.ts';
import type { TransactionPartition } from '../transactions/transaction-partitions.ts';

/**
 * AddPartitionsToTxn, versions 0-5.
 *
 * Does: begin a transaction or add to it, all partitions or none; the form of brokers (v4 on), which Kafka answers to anyone
 * without an authorizer: many transactions, verification only.
 * Leaves out: -
 * v2 PRODUCER_FENCED · v3 flexible · v4 batches for brokers (KIP-890) · v5 TRANSACTION_ABORTABLE
 */
export const addPartitionsToTxnHandler: AnyHandler = defineHandler(AddPartitionsToTxn, (request, context) => {
  if (context.version < 4) {
    const transaction = {
      transactionalId: request.v3AndBelowTransactionalId,
      producerId: request.v3AndBelowProducerId,
      producerEpoch: request.v3AndBelowProducerEpoch,
      verifyOnly: false,
      topics: request.v3AndBelowTopics,
    };
    return { resultsByTopicV3AndBelow: resultsOf(transaction, context) };
  }
  const resultsByTransaction = request.transactions.map((transaction) => ({
    transactionalId: transaction.transactionalId,
    topicResults: resultsOf(transaction, context),
  }));
  return { resultsByTransaction };
});

type Transaction = AddPartitionsToTxnRequestAddPartitionsToTxnTransaction;
type TopicResults = Input<AddPartitionsToTxnResponseAddPartitionsToTxnTopicResult>[];

function resultsOf(transaction: Transaction, context: RequestContext): TopicResults {
  const { cluster, version } = context;
  const partitions = partitionsOf(transaction.topics);
  const exists = ({ topic, partition }: TransactionPartition): boolean =>
    cluster.partition(topic, partition) !== undefined;
  const { UNKNOWN_TOPIC_OR_PARTITION, OPERATION_NOT_ATTEMPTED } = brokerErrorCodes;
  if (!partitions.every(exists))
    return byTopic(transaction.topics, (each) => (exists(each) ? OPERATION_NOT_ATTEMPTED : UNKNOWN_TOPIC_OR_PARTITION));
  const decide = decisionOf(transaction, partitions, context);
  return byTopic(transaction.topics, (each) => fencedFor(decide(each), version >= 2));
}

function decisionOf(
  { transactionalId, verifyOnly, ...producer }: Transaction,
  partitions: readonly TransactionPartition[],
  context: RequestContext,
): (partition: TransactionPartition) => number {
  const refusal = coordinatorError(transactionalId, context);
  if (refusal !== 0) return () => refusal;
  const coordinator = context.cluster.service(TransactionCoordinator);
  if (verifyOnly) return (partition) => coordinator.verify(transactionalId, producer, partition);
  const errorCode =
    context.version >= 4 && coordinator.rules() !== 2
      ? brokerErrorCodes.UNSUPPORTED_VERSION
      : coordinator.add(transactionalId, producer, partitions);
  return () => errorCode;
}

function partitionsOf(topics: readonly AddPartitionsToTxnRequestAddPartitionsToTxnTopic[]): TransactionPartition[] {
  return topics.flatMap(({ name, partitions }) => partitions.map((partition) => ({ topic: name, partition })));
}

function byTopic(
  topics: readonly AddPartitionsToTxnRequestAddPartitionsToTxnTopic[],
  errorOf: (partition: TransactionPartition) => number,
): TopicResults {
  return topics.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map((partitionIndex) => ({
      partitionIndex,
      partitionErrorCode: errorOf({ topic: name, partition: partitionIndex }),
    })),
  }));
}
