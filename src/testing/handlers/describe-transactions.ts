import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { Input } from '../../protocol/api.ts';
import {
  DescribeTransactions,
  type DescribeTransactionsResponseTransactionState,
} from '../../protocol/generated/describe-transactions.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import { coordinatorError } from '../transactions/coordinated.ts';
import { TransactionCoordinator } from '../transactions/transaction-coordinator.ts';

/**
 * DescribeTransactions, version 0.
 *
 * Does: state, producer, timeout, start and partitions of each transactional id (KIP-664).
 * Leaves out: -
 */
export const describeTransactionsHandler: AnyHandler = defineHandler(DescribeTransactions, (request, context) => ({
  transactionStates: request.transactionalIds.map((transactionalId) => describe(transactionalId, context)),
}));

function describe(
  transactionalId: string,
  context: RequestContext,
): Input<DescribeTransactionsResponseTransactionState> {
  const refused = (errorCode: number): Input<DescribeTransactionsResponseTransactionState> => ({
    transactionalId,
    errorCode,
    transactionState: '',
  });
  const refusal = coordinatorError(transactionalId, context);
  if (refusal !== 0) return refused(refusal);
  const transaction = context.cluster.service(TransactionCoordinator).find(transactionalId);
  if (transaction === undefined) return refused(brokerErrorCodes.TRANSACTIONAL_ID_NOT_FOUND);
  return {
    transactionalId,
    transactionState: transaction.state,
    transactionTimeoutMs: transaction.timeoutMs,
    transactionStartTimeMs: BigInt(Math.floor(transaction.startMs)),
    producerId: transaction.producerId,
    producerEpoch: transaction.producerEpoch,
    topics: transaction.partitions.byTopic(),
  };
}
