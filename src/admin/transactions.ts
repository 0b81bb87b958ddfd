import type { CallOptions } from '../cluster/request.ts';
import type { SettledItem } from '../errors/admin-error.ts';
import { brokerError } from '../errors/broker-error.ts';
import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import type { TopicPartition } from '../model/topic-partition.ts';
import { DescribeTransactions } from '../protocol/generated/describe-transactions.ts';
import { InitProducerId } from '../protocol/generated/init-producer-id.ts';
import { ListTransactions } from '../protocol/generated/list-transactions.ts';
import { quote } from '../util/option-rules.ts';
import type { AdminCall } from './admin-call.ts';
import { fulfilled, inRounds, orRejected, refused, rejected, unanswered, type ItemOutcome } from './items.ts';

/** Which transactions are listed. */
export interface ListTransactionsOptions extends CallOptions {
  /** Only those in these states: `Ongoing`, `PrepareCommit`, `CompleteAbort` … @defaultValue all */
  readonly states?: readonly string[] | undefined;
  /** Only those of these producer ids. @defaultValue all */
  readonly producerIds?: readonly bigint[] | undefined;
  /** Only those that have been open for longer, in milliseconds (KIP-994, brokers from 3.8). @defaultValue all */
  readonly openForMs?: number | undefined;
  /** Only those of transactional ids that this RE2 pattern matches as a whole (KIP-1152, brokers from 4.1). @defaultValue all */
  readonly transactionalIdPattern?: string | undefined;
}

/** A transactional id as {@link Admin.listTransactions} names it. */
export interface TransactionListing {
  /** The name that the producer was given. */
  readonly transactionalId: string;
  /** The producer id that goes with it now. */
  readonly producerId: bigint;
  /** Kafka's word for it: `Ongoing`, `PrepareCommit`, `CompleteCommit`, `Empty` … */
  readonly state: string;
}

/** What the coordinator knows of a transactional id. */
export interface TransactionDescription extends TransactionListing {
  /** The broker that coordinates it. */
  readonly coordinatorId: number;
  /** The epoch of the producer; an older one is fenced. */
  readonly producerEpoch: number;
  /** How long its transactions may last, in milliseconds. */
  readonly transactionTimeoutMs: number;
  /** When the transaction that is open began, in milliseconds since 1970; undefined if none is. */
  readonly startedMs: number | undefined;
  /** The partitions that are part of it, those with offsets of groups among them. */
  readonly partitions: readonly TopicPartition[];
}

/** A transactional id whose producer was fenced. */
export interface FencedProducer {
  /** Whose producer it was. */
  readonly transactionalId: string;
  /** The producer id that goes with it now. */
  readonly producerId: bigint;
  /** The epoch that it has now; producers of older ones are fenced. */
  readonly producerEpoch: number;
}

/** The transactional ids of all brokers; each knows only those that it coordinates. */
export async function listTransactions(
  call: AdminCall,
  options: ListTransactionsOptions,
): Promise<TransactionListing[]> {
  const { brokers } = await call.topics([]);
  const { states, producerIds, openForMs, transactionalIdPattern } = options;
  const min = transactionalIdPattern === undefined ? (openForMs === undefined ? 0 : 1) : 2;
  const lists = await Promise.all(
    [...brokers.keys()].map(async (nodeId) => {
      const response = await call.request({
        api: ListTransactions,
        to: { kind: 'broker', nodeId },
        message: {
          stateFilters: states ?? [],
          producerIdFilters: producerIds ?? [],
          ...(openForMs === undefined ? {} : { durationFilter: BigInt(openForMs) }),
          ...(transactionalIdPattern === undefined ? {} : { transactionalIdPattern }),
        },
        versions: { min },
        errorCode: (answer) => answer.errorCode,
      });
      const [unknown] = response.unknownStateFilters;
      if (unknown === undefined) return response.transactionStates;
      const why = `the broker knows no state ${quote(unknown)}`;
      throw brokerError(brokerErrorCodes.INVALID_REQUEST, call.doing, why);
    }),
  );
  // One that moved between two answers is named by both.
  const byId = new Map(lists.flat().map((listed) => [listed.transactionalId, listed]));
  return [...byId.values()]
    .map(({ transactionalId, producerId, transactionState }) => ({
      transactionalId,
      producerId,
      state: transactionState,
    }))
    .sort((a, b) => (a.transactionalId < b.transactionalId ? -1 : 1));
}

/** What the coordinators know of transactional ids. */
export function describeTransactions(
  call: AdminCall,
  ids: readonly string[],
): Promise<SettledItem<TransactionDescription>[]> {
  return atCoordinators<TransactionDescription>(call, ids, async (transactionalId) => {
    const doing = `Cannot describe the transaction of ${quote(transactionalId)}`;
    const { transactionStates } = await call.request({
      api: DescribeTransactions,
      to: { kind: 'coordinator', type: 'transaction', key: transactionalId },
      doing,
      message: { transactionalIds: [transactionalId] },
    });
    // The one that answered, unless it has moved since.
    const coordinatorId = await call.coordinator('transaction', transactionalId);
    const found = transactionStates[0];
    if (found === undefined) return rejected(unanswered(doing));
    if (found.errorCode !== 0) return refusedByCoordinator(call, transactionalId, found.errorCode, doing);
    return fulfilled({
      transactionalId,
      coordinatorId,
      producerId: found.producerId,
      producerEpoch: found.producerEpoch,
      state: found.transactionState,
      transactionTimeoutMs: found.transactionTimeoutMs,
      startedMs: found.transactionStartTimeMs < 0n ? undefined : Number(found.transactionStartTimeMs),
      partitions: found.topics.flatMap(({ topic, partitions }) =>
        partitions.map((partition) => ({ topic, partition })),
      ),
    });
  });
}

/** Takes over transactional ids, so that the producers that have them now can do nothing more; what they had open is aborted. */
export function fenceProducers(call: AdminCall, ids: readonly string[]): Promise<SettledItem<FencedProducer>[]> {
  return atCoordinators<FencedProducer>(call, ids, async (transactionalId) => {
    const doing = `Cannot fence the producer of transactional id ${quote(transactionalId)}`;
    const response = await call.request({
      api: InitProducerId,
      to: { kind: 'coordinator', type: 'transaction', key: transactionalId },
      doing,
      // The timeout is that of transactions that the producer would begin; it begins none.
      message: { transactionalId, transactionTimeoutMs: call.brokerTimeoutMs() },
    });
    const { errorCode, producerId, producerEpoch } = response;
    if (errorCode !== 0) return refusedByCoordinator(call, transactionalId, errorCode, doing);
    return fulfilled({ transactionalId, producerId, producerEpoch });
  });
}

function atCoordinators<Result>(
  call: AdminCall,
  ids: readonly string[],
  ask: (transactionalId: string) => Promise<ItemOutcome<Result>>,
): Promise<SettledItem<Result>[]> {
  return inRounds(call, ids, async (left) => {
    const outcomes = await Promise.all(left.map((id) => orRejected([id], async () => [await ask(id)])));
    return outcomes.flat();
  });
}

function refusedByCoordinator(call: AdminCall, id: string, code: number, doing: string): ItemOutcome<never> {
  call.noteCoordinatorError(id, code, 'transaction');
  const refusal = refused(code, doing);
  // What the producer had open is being aborted; then it can be taken over.
  return code === brokerErrorCodes.CONCURRENT_TRANSACTIONS ? { ...refusal, status: 'again' } : refusal;
}
