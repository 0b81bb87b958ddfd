import type { CallOptions } from '../cluster/request.ts';
import { AdminError, type SettledItem } from '../errors/admin-error.ts';
import { brokerError } from '../errors/broker-error.ts';
import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import { ClosedError, KafkaError, TimeoutError, UsageError } from '../errors/kafka-error.ts';
import type { AdminCall } from './admin-call.ts';

/** What every administrative call takes. */
export interface AdminOptions extends CallOptions {
  /** `true` resolves with what became of each item, whatever it was, instead of rejecting if one failed. @defaultValue false */
  readonly settled?: boolean | undefined;
}

/** {@link AdminOptions} that ask for the result of each item. */
export type Settled<Options extends AdminOptions = AdminOptions> = Options & {
  /** See {@link AdminOptions.settled}. */
  readonly settled: true;
};

/** What a call with one item or an array of items resolves with. */
export type ItemsAnswer<Result> = Result | Result[] | SettledItem<Result> | SettledItem<Result>[];

/** What one round found out about one item. */
export type ItemOutcome<Result> =
  | SettledItem<Result>
  /** Not now: a leader or a coordinator moves, or the broker asks for patience. */
  | { readonly status: 'again'; readonly reason: KafkaError };

/**
 * Answers as all calls do: for one item its result or its error, for an array an array in the same order or an
 * {@link AdminError} that holds the result of each.
 */
export async function answerItems<Item, Result>(
  given: Item | readonly Item[],
  options: AdminOptions,
  doing: string,
  settle: (items: readonly Item[]) => Promise<SettledItem<Result>[]>,
): Promise<ItemsAnswer<Result>> {
  if (isList(given)) return answerList(given.length === 0 ? [] : await settle(given), options, doing);
  const [result] = await settle([given]);
  if (result === undefined) throw brokerError(brokerErrorCodes.UNKNOWN_SERVER_ERROR, doing, NOT_ANSWERED);
  if (options.settled === true) return result;
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}

/** The results as they are if that is asked for, else their values, or an {@link AdminError} if one has none. */
export function answerList<Result>(
  results: SettledItem<Result>[],
  options: AdminOptions,
  doing: string,
): Result[] | SettledItem<Result>[] {
  if (options.settled === true) return results;
  return results.map((result) => {
    if (result.status === 'rejected') throw new AdminError(doing, results);
    return result.value;
  });
}

/**
 * Sends what is left in rounds until every item is settled, with growing pauses while brokers ask for patience.
 *
 * @param round one try for the items given; an answer for each, in order
 * @param mayGoOn whether there may be a further round after so many
 */
export async function inRounds<Item, Result>(
  call: AdminCall,
  items: readonly Item[],
  round: (items: readonly Item[]) => Promise<ItemOutcome<Result>[]>,
  mayGoOn: (rounds: number) => boolean = (rounds) => call.hasTimeFor(rounds),
): Promise<SettledItem<Result>[]> {
  const results = new Map<number, SettledItem<Result>>();
  let left = items.map((item, index) => ({ item, index }));
  for (let failures = 1; left.length > 0; failures++) {
    const outcomes = await round(left.map(({ item }) => item));
    const goesOn = mayGoOn(failures);
    const again: typeof left = [];
    left.forEach((entry, position) => {
      const outcome = outcomes[position] ?? rejected(unanswered(call.doing));
      if (outcome.status !== 'again') results.set(entry.index, outcome);
      else if (goesOn) again.push(entry);
      else results.set(entry.index, rejected(outcome.reason));
    });
    left = again;
    if (left.length > 0) await call.backOff(failures);
  }
  return items.map((_, index) => results.get(index) ?? rejected(unanswered(call.doing)));
}

/**
 * Looks again and again at what goes on in the cluster after it was taken, until every item is done or the call's time is nearly up.
 *
 * @param taken what became of each item when it was asked for; those that were refused stay as they are
 * @param look an answer for each of the items given, in order: `again` while it goes on
 */
export async function untilDone<Item>(
  call: AdminCall,
  items: readonly Item[],
  taken: readonly SettledItem<void>[],
  look: (items: readonly Item[]) => Promise<ItemOutcome<void>[]>,
): Promise<SettledItem<void>[]> {
  const begun = items.filter((_, index) => taken[index]?.status === 'fulfilled');
  const ended = await inRounds(
    call,
    begun,
    (left) => orRejected(left, () => look(left)),
    (looks) => call.hasTimeToLook(looks),
  );
  let next = 0;
  return taken.map((result) => (result.status === 'fulfilled' ? (ended[next++] ?? result) : result));
}

/** The outcome of an item that is not done yet, with the error that it has if it is not done in time. */
export function notYet(doing: string, why: string): ItemOutcome<never> {
  const message = `${doing}: not done in the time that the call had; ${why}`;
  return { status: 'again', reason: new TimeoutError(message, { code: 'OPERATION_TIMEOUT', retriable: true }) };
}

/**
 * Brokers take one of two items that are about the same, and nobody can tell which.
 *
 * @param keyOf the same for two that are about the same; names are shortened and would not do
 * @param problemOf what is wrong with the second one and what to do, as it appears in the message
 * @throws UsageError if two are about the same
 */
export function refuseTwice<Item>(
  doing: string,
  items: readonly Item[],
  keyOf: (item: Item) => string,
  problemOf: (item: Item) => string,
): void {
  const keys = new Set<string>();
  for (const item of items) {
    const key = keyOf(item);
    if (keys.has(key)) throw new UsageError(`${doing}: ${problemOf(item)}`, { code: 'INVALID_ARGUMENT' });
    keys.add(key);
  }
}

/** Groups items, runs `send` for the groups side by side, and puts the answers back into the order of the items. */
export async function inGroups<Item, Key, Result>(
  items: readonly Item[],
  keyOf: (item: Item) => Key,
  send: (key: Key, items: readonly Item[]) => Promise<ItemOutcome<Result>[]>,
): Promise<ItemOutcome<Result>[]> {
  const groups = new Map<Key, number[]>();
  items.forEach((item, index) => {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [index]);
    else group.push(index);
  });
  const outcomes: ItemOutcome<Result>[] = [];
  await Promise.all(
    [...groups].map(async ([key, indexes]) => {
      const group = indexes.flatMap((index) => items.slice(index, index + 1));
      const answers = await send(key, group);
      indexes.forEach((index, position) => {
        const answer = answers[position];
        if (answer !== undefined) outcomes[index] = answer;
      });
    }),
  );
  return outcomes;
}

/** What a request's own failure means for each of its items; the reason of a signal, and that the client was
 * closed, concern the whole call and go through. */
export async function orRejected<Item, Result>(
  items: readonly Item[],
  send: () => Promise<ItemOutcome<Result>[]>,
): Promise<ItemOutcome<Result>[]> {
  try {
    return await send();
  } catch (error) {
    if (!(error instanceof KafkaError) || error instanceof ClosedError) throw error;
    return items.map(() => rejected(error));
  }
}

/** The item is done. */
export function fulfilled<Result>(value: Result): SettledItem<Result> & { status: 'fulfilled' } {
  return { status: 'fulfilled', value };
}

/** The item failed. */
export function rejected(reason: KafkaError): { readonly status: 'rejected'; readonly reason: KafkaError } {
  return { status: 'rejected', reason };
}

/** The outcome of an item that a broker answered with an error code. */
export function refused(
  code: number,
  doing: string,
  message?: string | null,
): { readonly status: 'rejected' | 'again'; readonly reason: KafkaError } {
  return { status: passingCodes.has(code) ? 'again' : 'rejected', reason: brokerError(code, doing, message) };
}

/** The error of an item that the broker left out of its answer. */
export function unanswered(doing: string): KafkaError {
  return brokerError(brokerErrorCodes.UNKNOWN_SERVER_ERROR, doing, NOT_ANSWERED);
}

const NOT_ANSWERED = 'the broker left it out of its answer';

/** Codes after which the same item is asked for again, elsewhere or later. */
const passingCodes: ReadonlySet<number> = new Set([
  brokerErrorCodes.LEADER_NOT_AVAILABLE,
  brokerErrorCodes.NOT_LEADER_OR_FOLLOWER,
  brokerErrorCodes.REPLICA_NOT_AVAILABLE,
  brokerErrorCodes.COORDINATOR_LOAD_IN_PROGRESS,
  brokerErrorCodes.COORDINATOR_NOT_AVAILABLE,
  brokerErrorCodes.NOT_COORDINATOR,
  brokerErrorCodes.NOT_CONTROLLER,
  brokerErrorCodes.KAFKA_STORAGE_ERROR,
  brokerErrorCodes.FENCED_LEADER_EPOCH,
  brokerErrorCodes.UNKNOWN_LEADER_EPOCH,
  brokerErrorCodes.OFFSET_NOT_AVAILABLE,
  brokerErrorCodes.THROTTLING_QUOTA_EXCEEDED,
]);

function isList<Item>(given: Item | readonly Item[]): given is readonly Item[] {
  return Array.isArray(given);
}
