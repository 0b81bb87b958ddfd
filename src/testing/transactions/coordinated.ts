import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { RequestContext } from '../handler.ts';

/** Whether the broker that was asked coordinates this transactional id; answers an error code. */
export function coordinatorError(transactionalId: string, { cluster, broker }: RequestContext): number {
  if (transactionalId === '') return brokerErrorCodes.INVALID_REQUEST;
  const { leaderId } = cluster.coordinatorPartition('transaction', transactionalId);
  return leaderId === broker.id ? 0 : brokerErrorCodes.NOT_COORDINATOR;
}

/** Clients that are older than PRODUCER_FENCED are told INVALID_PRODUCER_EPOCH instead. */
export function fencedFor(errorCode: number, knowsFenced: boolean): number {
  return errorCode === brokerErrorCodes.PRODUCER_FENCED && !knowsFenced
    ? brokerErrorCodes.INVALID_PRODUCER_EPOCH
    : errorCode;
}
