import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { InitProducerId, type InitProducerIdRequest } from '../../protocol/generated/init-producer-id.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import { coordinatorError, fencedFor } from '../transactions/coordinated.ts';
import { TransactionCoordinator } from '../transactions/transaction-coordinator.ts';
import type { IdentityAnswer } from '../transactions/transaction-machine.ts';

/**
 * InitProducerId, versions 0-5.
 *
 * Does: ids in blocks per broker; raise the epoch and abort what the producer before left open; go on after an error (KIP-360); a
 * new id when the epochs are used up; limits of the timeout.
 * Leaves out: KIP-939 (v6: two-phase commit, prepared transactions), which Kafka 4.3 does not offer either.
 * v2 flexible · v3 expected id and epoch · v4 PRODUCER_FENCED · v5 TRANSACTION_ABORTABLE (KIP-890)
 */
export const initProducerIdHandler: AnyHandler = defineHandler(InitProducerId, (request, context) => {
  const { errorCode, producerId, producerEpoch } = init(request, context);
  return { errorCode: fencedFor(errorCode, context.version >= 4), producerId, producerEpoch };
});

const refused = (errorCode: number): IdentityAnswer => ({ errorCode, producerId: -1n, producerEpoch: -1 });

function init(request: InitProducerIdRequest, context: RequestContext): IdentityAnswer {
  const { transactionalId, producerId, producerEpoch, transactionTimeoutMs: timeoutMs } = request;
  const { cluster, broker } = context;
  const coordinator = cluster.service(TransactionCoordinator);
  if ((producerId === -1n) !== (producerEpoch === -1)) return refused(brokerErrorCodes.INVALID_REQUEST);
  if (transactionalId === null)
    return { errorCode: 0, producerId: coordinator.newProducerId(broker.id), producerEpoch: 0 };
  if (transactionalId === '') return refused(brokerErrorCodes.INVALID_REQUEST);
  const maxTimeoutMs = Number(cluster.brokerConfig('transaction.max.timeout.ms', broker));
  if (timeoutMs <= 0 || timeoutMs > maxTimeoutMs) return refused(brokerErrorCodes.INVALID_TRANSACTION_TIMEOUT);
  const errorCode = coordinatorError(transactionalId, context);
  if (errorCode !== 0) return refused(errorCode);
  const expected = producerId === -1n ? undefined : { producerId, producerEpoch };
  return coordinator.init(transactionalId, { timeoutMs, expected });
}
