import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { EndTxn } from '../../protocol/generated/end-txn.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import { coordinatorError, fencedFor } from '../transactions/coordinated.ts';
import { TransactionCoordinator } from '../transactions/transaction-coordinator.ts';

/**
 * EndTxn, versions 0-5.
 *
 * Does: decide a transaction and have its markers written; the same end again; with v5 a new epoch each time, and aborts of
 * transactions that nothing was added to.
 * Leaves out: -
 * v2 PRODUCER_FENCED · v3 flexible · v4 TRANSACTION_ABORTABLE · v5 answers the id and epoch to go on with (KIP-890)
 */
export const endTxnHandler: AnyHandler = defineHandler(EndTxn, (request, context) => {
  const { transactionalId, producerId, producerEpoch, committed } = request;
  const { cluster, version } = context;
  const refusal = coordinatorError(transactionalId, context);
  if (refusal !== 0) return { errorCode: refusal };
  const coordinator = cluster.service(TransactionCoordinator);
  const rules = version >= 5 ? 2 : 1;
  if (rules > coordinator.rules()) return { errorCode: brokerErrorCodes.UNSUPPORTED_VERSION };
  const answer = coordinator.end(transactionalId, { producerId, producerEpoch, committed, rules });
  return rules === 2 ? answer : { errorCode: fencedFor(answer.errorCode, version >= 2) };
});
