import { AddOffsetsToTxn } from '../../protocol/generated/add-offsets-to-txn.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import { coordinatorError, fencedFor } from '../transactions/coordinated.ts';
import { TransactionCoordinator } from '../transactions/transaction-coordinator.ts';

/**
 * AddOffsetsToTxn, versions 0-4.
 *
 * Does: add the partition that keeps the group's offsets to the transaction.
 * Leaves out: -
 * v2 PRODUCER_FENCED · v3 flexible · v4 TRANSACTION_ABORTABLE (KIP-890)
 */
export const addOffsetsToTxnHandler: AnyHandler = defineHandler(AddOffsetsToTxn, (request, context) => {
  const { transactionalId, groupId, producerId, producerEpoch } = request;
  const { cluster, version } = context;
  const refusal = coordinatorError(transactionalId, context);
  if (refusal !== 0) return { errorCode: refusal };
  const { topic, partition } = cluster.coordinatorPartition('group', groupId);
  const coordinator = cluster.service(TransactionCoordinator);
  const errorCode = coordinator.add(transactionalId, { producerId, producerEpoch }, [{ topic, partition }]);
  return { errorCode: fencedFor(errorCode, version >= 2) };
});
