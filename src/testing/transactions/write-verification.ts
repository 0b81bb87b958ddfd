import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { TransactionCoordinator } from './transaction-coordinator.ts';
import type { ProducerIdentity } from './transaction-machine.ts';
import type { TransactionPartition } from './transaction-partitions.ts';

/** A write to a partition that does not know the transaction yet. */
export interface TransactionalWrite extends ProducerIdentity, TransactionPartition {
  readonly transactionalId: string;
  /** Whether the write adds its partition (Produce from v12, TxnOffsetCommit from v5 on); otherwise the client has done so before. */
  readonly addsPartition: boolean;
  /** Whether the client knows TRANSACTION_ABORTABLE (Produce from v11, TxnOffsetCommit from v4 on). */
  readonly knowsAbortable: boolean;
}

/** Asks the coordinator, as the leader of a partition does, whether a write belongs to an open transaction (KIP-890); an error code. */
export function verifyTransactionalWrite(cluster: ClusterState, write: TransactionalWrite): number {
  const { addsPartition, knowsAbortable } = write;
  if (!addsPartition && cluster.brokerConfig('transaction.partition.verification.enable') === 'false') return 0;
  const errorCode = askCoordinator(cluster, write);
  if (errorCode === brokerErrorCodes.PRODUCER_FENCED) return brokerErrorCodes.INVALID_PRODUCER_EPOCH;
  if (errorCode === brokerErrorCodes.TRANSACTION_ABORTABLE && !knowsAbortable)
    return brokerErrorCodes.INVALID_TXN_STATE;
  const isLate = errorCode === brokerErrorCodes.CONCURRENT_TRANSACTIONS && !addsPartition;
  // Old clients would not come again for what these say; for this one they do.
  if (isLate || errorCode === brokerErrorCodes.COORDINATOR_NOT_AVAILABLE) return brokerErrorCodes.NOT_ENOUGH_REPLICAS;
  return errorCode;
}

function askCoordinator(cluster: ClusterState, write: TransactionalWrite): number {
  const { transactionalId, topic, partition } = write;
  if (cluster.coordinator('transaction', transactionalId) === undefined)
    return brokerErrorCodes.COORDINATOR_NOT_AVAILABLE;
  const coordinator = cluster.service(TransactionCoordinator);
  if (!write.addsPartition) return coordinator.verify(transactionalId, write, { topic, partition });
  if (coordinator.rules() !== 2) return brokerErrorCodes.UNSUPPORTED_VERSION;
  return coordinator.add(transactionalId, write, [{ topic, partition }]);
}
