import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { ListTransactions, type ListTransactionsRequest } from '../../protocol/generated/list-transactions.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import { TransactionCoordinator } from '../transactions/transaction-coordinator.ts';
import { transactionStates, type TransactionMachine } from '../transactions/transaction-machine.ts';

/**
 * ListTransactions, versions 0-2.
 *
 * Does: the transactional ids that the broker coordinates, by state, producer id, duration and pattern.
 * Leaves out: patterns are JavaScript's, Kafka's are RE2's.
 * v1 duration (KIP-994) · v2 pattern of the transactional id (KIP-1152)
 */
export const listTransactionsHandler: AnyHandler = defineHandler(ListTransactions, (request, context) => {
  const { cluster, broker } = context;
  const pattern = patternOf(request.transactionalIdPattern);
  if (pattern === 'invalid') return { errorCode: brokerErrorCodes.INVALID_REGULAR_EXPRESSION };
  const isListed = filterOf(request, cluster.clock.wallMs());
  const found = cluster
    .service(TransactionCoordinator)
    .ofBroker(broker.id)
    .filter((transaction) => isListed(transaction) && (pattern?.test(transaction.transactionalId) ?? true));
  return {
    unknownStateFilters: request.stateFilters.filter((name) => !isState(name)),
    transactionStates: found.map(({ transactionalId, producerId, state }) => ({
      transactionalId,
      producerId,
      transactionState: state,
    })),
  };
});

/** Kafka knows these two besides, and no transaction stays in them. */
const passingStates = ['PrepareEpochFence', 'Dead'];

function isState(name: string): boolean {
  return [...transactionStates, ...passingStates].includes(name);
}

function filterOf(request: ListTransactionsRequest, nowMs: number): (transaction: TransactionMachine) => boolean {
  const { stateFilters, producerIdFilters, durationFilter } = request;
  return ({ state, producerId, startMs }) =>
    (stateFilters.length === 0 || stateFilters.includes(state)) &&
    (producerIdFilters.length === 0 || producerIdFilters.includes(producerId)) &&
    (durationFilter < 0n || nowMs - startMs > Number(durationFilter));
}

/** The whole transactional id must match. */
function patternOf(pattern: string | null): RegExp | 'invalid' | undefined {
  if (pattern === null || pattern === '') return undefined;
  try {
    return new RegExp(`^(?:${pattern})$`, 'u');
  } catch {
    return 'invalid';
  }
}
