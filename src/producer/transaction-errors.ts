import { brokerErrorByNumber, brokerErrorCodes, type BrokerErrorName } from '../errors/broker-error-codes.ts';
import type { ErrorCode } from '../errors/error-codes.ts';
import type { CoordinatorAnswer, CoordinatorRequest } from './transaction-coordination.ts';

/** What a coordinator is asked. */
export type CoordinatorRequestKind = 'initialize' | 'add-partitions' | 'add-offsets' | 'commit-offsets' | 'end';

/**
 * What an error code in a coordinator's answer means.
 *
 * - `retry`: the same again after a pause; `soon` after a short one, since the transaction before is just being completed;
 *   `elsewhere` after the coordinator was looked up again
 * - `abortable`: nothing but an abort helps, then the producer is as good as new
 * - `renew`: the same, but the coordinator does not know the producer any more: a new identity takes the place of the abort
 * - `fenced`: another producer has taken over the transactional id
 * - `fatal`: this producer can do nothing more
 */
export type CoordinatorVerdict = 'done' | 'retry' | 'soon' | 'elsewhere' | 'abortable' | 'renew' | 'fenced' | 'fatal';

type Verdicts = Partial<Record<BrokerErrorName, CoordinatorVerdict>>;

const common: Verdicts = {
  NONE: 'done',
  NOT_COORDINATOR: 'elsewhere',
  COORDINATOR_NOT_AVAILABLE: 'elsewhere',
  COORDINATOR_LOAD_IN_PROGRESS: 'retry',
  CONCURRENT_TRANSACTIONS: 'soon',
  // Coordinators of before 2.7 say the first where newer ones say the second (KIP-588).
  INVALID_PRODUCER_EPOCH: 'fenced',
  PRODUCER_FENCED: 'fenced',
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 'fatal',
  CLUSTER_AUTHORIZATION_FAILED: 'fatal',
  INVALID_TXN_STATE: 'fatal',
  UNSUPPORTED_VERSION: 'fatal',
  TRANSACTION_ABORTABLE: 'abortable',
  INVALID_PRODUCER_ID_MAPPING: 'renew',
  UNKNOWN_PRODUCER_ID: 'renew',
};

const table: Readonly<
  Record<CoordinatorRequestKind, { readonly special: Verdicts; readonly other: CoordinatorVerdict }>
> = {
  // An identity that the coordinator does not know is answered with another one; there is no transaction to abort.
  initialize: {
    special: { INVALID_PRODUCER_ID_MAPPING: 'fatal', UNKNOWN_PRODUCER_ID: 'fatal', TRANSACTION_ABORTABLE: 'fatal' },
    other: 'fatal',
  },
  'add-partitions': { special: {}, other: 'abortable' },
  'add-offsets': { special: { GROUP_AUTHORIZATION_FAILED: 'abortable' }, other: 'fatal' },
  'commit-offsets': {
    special: { REQUEST_TIMED_OUT: 'elsewhere', UNSUPPORTED_FOR_MESSAGE_FORMAT: 'fatal' },
    other: 'abortable',
  },
  end: { special: {}, other: 'fatal' },
};

/** What the answer `errorCode` to a request of this kind means (KIP-588, KIP-890, KIP-1050). */
export function verdictOf(kind: CoordinatorRequestKind, errorCode: number): CoordinatorVerdict {
  const error = brokerErrorByNumber(errorCode);
  const { special, other } = table[kind];
  const known = error === undefined ? undefined : (special[error.name] ?? common[error.name]);
  return known ?? (error?.retriable === true ? 'retry' : other);
}

const fatalForSends: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'PRODUCER_FENCED',
  'UNSUPPORTED_VERSION',
]);

/** Whether the error of a record ends the producer, and not only its transaction. */
export function isFatalForSends(code: ErrorCode): boolean {
  return fatalForSends.has(code);
}

/** A verdict after which the same request is not sent again. */
export type Refusal = Exclude<CoordinatorVerdict, 'done' | 'retry' | 'soon' | 'elsewhere'>;

export function isRefusal(verdict: CoordinatorVerdict): verdict is Refusal {
  return verdict !== 'done' && verdict !== 'retry' && verdict !== 'soon' && verdict !== 'elsewhere';
}

/** The code that decides: a partition that must be waited for, or that ends the producer, counts before one that is refused. */
export function worstOf({ kind }: CoordinatorRequest, { errorCode, partitions = [] }: CoordinatorAnswer): number {
  if (errorCode !== 0) return errorCode;
  const codes = partitions.map((partition) => partition.errorCode).filter((code) => code !== 0);
  const rank = (code: number): number => ranks.indexOf(verdictOf(kind, code));
  // OPERATION_NOT_ATTEMPTED tells of a partition only that another one is at fault.
  const isTelling = (code: number): boolean => code !== brokerErrorCodes.OPERATION_NOT_ATTEMPTED;
  const telling = codes.filter(isTelling);
  return [...(telling.length > 0 ? telling : codes)].sort((a, b) => rank(a) - rank(b))[0] ?? 0;
}

const ranks: readonly CoordinatorVerdict[] = [
  'fenced',
  'fatal',
  'renew',
  'elsewhere',
  'soon',
  'retry',
  'abortable',
  'done',
];

const outdatedMember: ReadonlySet<number> = new Set([
  brokerErrorCodes.ILLEGAL_GENERATION,
  brokerErrorCodes.UNKNOWN_MEMBER_ID,
  brokerErrorCodes.STALE_MEMBER_EPOCH,
  brokerErrorCodes.FENCED_MEMBER_EPOCH,
]);

/** What to do about a refusal, where its name does not tell. Java: the `CommitFailedException` of `sendOffsetsToTransaction`. */
export function adviceOn(kind: CoordinatorRequestKind, errorCode: number): string | undefined {
  if (kind !== 'commit-offsets' || !outdatedMember.has(errorCode)) return undefined;
  return 'the group has given the partitions to another member since groupMetadata() was called; abort, and read on: whoever has them now reads the records again';
}
