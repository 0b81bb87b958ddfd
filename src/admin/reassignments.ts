import { partitionsOf } from '../cluster/metadata-response.ts';
import { brokerError } from '../errors/broker-error.ts';
import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import type { SettledItem } from '../errors/admin-error.ts';
import { byTopic, comparePartitions, keyOf, topicPartitionKey, type TopicPartition } from '../model/topic-partition.ts';
import { AlterPartitionReassignments } from '../protocol/generated/alter-partition-reassignments.ts';
import { ListPartitionReassignments } from '../protocol/generated/list-partition-reassignments.ts';
import type { AdminCall } from './admin-call.ts';
import {
  fulfilled,
  inRounds,
  notYet,
  orRejected,
  refused,
  refuseTwice,
  rejected,
  unanswered,
  untilDone,
  type AdminOptions,
  type ItemOutcome,
} from './items.ts';
import { partitionName } from './partitions.ts';
import { describe } from './topics.ts';

/** A partition to move to other brokers, or one that shall move no further. Java: `NewPartitionReassignment`. */
export interface NewPartitionReassignment extends TopicPartition {
  /**
   * The ids of all brokers that shall hold the partition, the preferred leader first. `null` cancels the reassignment that is under way, and the
   * partition goes back to the brokers that held it before, not always in the order from before. That must be said: a list that is empty or missing is refused, so that none that was
   * forgotten cancels anything.
   */
  readonly replicas: readonly number[] | null;
}

/** How partitions are moved. */
export interface AlterPartitionReassignmentsOptions extends AdminOptions {
  /**
   * Waits until each partition is held by the brokers it was given, and by no others. Copying goes on in the cluster however the call ends, also
   * when `timeoutMs` (60 s if not given) is over or `signal` ends it: give it the time that copying may take.
   *
   * @defaultValue false
   */
  readonly wait?: boolean | undefined;
  /**
   * Whether a partition may come to be held by more or fewer brokers than before. `false` has those refused with `INVALID_REPLICATION_FACTOR`
   * (KIP-860, brokers from 4.1).
   *
   * @defaultValue true
   */
  readonly allowReplicationFactorChange?: boolean | undefined;
}

/** A partition that is on its way to other brokers. Java: `PartitionReassignment`. */
export interface PartitionReassignment extends TopicPartition {
  /** All brokers that hold it now or are to hold it, those that are to be rid of it among them. */
  readonly replicas: readonly number[];
  /** Those of them that are copying it. */
  readonly addingReplicas: readonly number[];
  /** Those of them that give it up in the end. */
  readonly removingReplicas: readonly number[];
}

/**
 * So many looks at a partition that does not move any more, and is not where it should be: brokers learn of the end of a move one after another,
 * within less than the seconds that these take.
 */
const LOOKS_AT_STANDSTILL = 8;

const GOES_ON = 'it goes on';

/** Moves partitions to other brokers, or cancels moves (KIP-455). */
export async function alterPartitionReassignments(
  call: AdminCall,
  items: readonly NewPartitionReassignment[],
  options: AlterPartitionReassignmentsOptions,
): Promise<SettledItem<void>[]> {
  refuseTwice(call.doing, items, keyOf, (item) => `${partitionName(item)} given twice; give each of them once`);
  const taken = await inRounds(call, items, (left) => orRejected(left, () => alterOnce(call, left, options)));
  return options.wait === true ? untilDone(call, items, taken, observer(call)) : taken;
}

/** The partitions that are on their way to other brokers, by topic and number. */
export async function listPartitionReassignments(
  call: AdminCall,
  partitions: readonly TopicPartition[] | undefined,
): Promise<PartitionReassignment[]> {
  if (partitions?.length === 0) return [];
  const response = await call.request({
    api: ListPartitionReassignments,
    to: { kind: 'controller' },
    message: {
      timeoutMs: call.brokerTimeoutMs(),
      topics:
        partitions === undefined
          ? null
          : byTopic(partitions).map(([name, items]) => ({
              name,
              partitionIndexes: [...new Set(items.map(({ partition }) => partition))],
            })),
    },
    errorCode: (answer) => answer.errorCode,
    errorMessage: (answer) => answer.errorMessage,
  });
  return response.topics
    .flatMap(({ name, partitions: ongoing }) =>
      ongoing.map(({ partitionIndex, replicas, addingReplicas, removingReplicas }) => ({
        topic: name,
        partition: partitionIndex,
        replicas,
        addingReplicas,
        removingReplicas,
      })),
    )
    .sort(comparePartitions);
}

async function alterOnce(
  call: AdminCall,
  items: readonly NewPartitionReassignment[],
  { allowReplicationFactorChange = true }: AlterPartitionReassignmentsOptions,
): Promise<ItemOutcome<void>[]> {
  let tries = 0;
  const { responses } = await call.request({
    api: AlterPartitionReassignments,
    to: { kind: 'controller' },
    message: () => {
      tries += 1;
      return {
        timeoutMs: call.brokerTimeoutMs(),
        ...(allowReplicationFactorChange ? {} : { allowReplicationFactorChange }),
        topics: byTopic(items).map(([name, partitions]) => ({
          name,
          partitions: partitions.map(({ partition, replicas }) => ({
            partitionIndex: partition,
            replicas: replicas === null ? null : [...replicas],
          })),
        })),
      };
    },
    versions: { min: allowReplicationFactorChange ? 0 : 1 },
    errorCode: (answer) => answer.errorCode,
    errorMessage: (answer) => answer.errorMessage,
  });
  return items.map((item) => {
    const found = responses
      .find(({ name }) => name === item.topic)
      ?.partitions.find(({ partitionIndex }) => partitionIndex === item.partition);
    if (found === undefined) return rejected(unanswered(doingOf(item)));
    if (found.errorCode === 0) return fulfilled(undefined);
    const { NO_REASSIGNMENT_IN_PROGRESS } = brokerErrorCodes;
    // The answer to an earlier try may have been lost after the move was cancelled.
    if (tries > 1 && item.replicas === null && found.errorCode === NO_REASSIGNMENT_IN_PROGRESS) {
      return fulfilled(undefined);
    }
    return refused(found.errorCode, doingOf(item), found.errorMessage);
  });
}

/** What becomes of partitions that the controller has agreed to move. */
function observer(call: AdminCall): (items: readonly NewPartitionReassignment[]) => Promise<ItemOutcome<void>[]> {
  const standstills = new Map<string, number>();
  return async (items) => {
    const ongoing = new Map(
      (await listPartitionReassignments(call, items)).map((found) => [keyOf(found), found] as const),
    );
    const ended = items.filter((item) => item.replicas !== null && !ongoing.has(keyOf(item)));
    const held = await holdersOf(call, ended);
    return items.map((item): ItemOutcome<void> => {
      const { replicas } = item;
      const key = keyOf(item);
      const moving = ongoing.get(key);
      if (replicas === null) return moving === undefined ? fulfilled(undefined) : notYet(doingOf(item), GOES_ON);
      if (moving !== undefined) return isOnItsWay(moving, replicas) ? copying(item, moving) : superseded(item, moving);
      const holders = held.get(key);
      if (holders?.join() === replicas.join()) return fulfilled(undefined);
      standstills.set(key, (standstills.get(key) ?? 0) + 1);
      const isOver = (standstills.get(key) ?? 0) >= LOOKS_AT_STANDSTILL;
      return { ...endedElsewhere(item, holders), status: isOver ? 'rejected' : 'again' };
    });
  };
}

/** The brokers of partitions, as the metadata has them; nothing for those that are not there any more. */
async function holdersOf(
  call: AdminCall,
  partitions: readonly TopicPartition[],
): Promise<ReadonlyMap<string, readonly number[]>> {
  if (partitions.length === 0) return new Map();
  const { topics } = await describe(
    call,
    partitions.map(({ topic }) => topic),
  );
  return new Map(
    topics.flatMap((topic) =>
      partitionsOf(topic).map(({ partition, replicas }) => [topicPartitionKey(topic.name ?? '', partition), replicas]),
    ),
  );
}

/** In whichever order the controller names the brokers while it moves the partition. */
function isOnItsWay({ replicas, removingReplicas }: PartitionReassignment, wanted: readonly number[]): boolean {
  const target = replicas.filter((brokerId) => !removingReplicas.includes(brokerId));
  return target.length === wanted.length && wanted.every((brokerId) => target.includes(brokerId));
}

function copying(item: NewPartitionReassignment, { addingReplicas }: PartitionReassignment): ItemOutcome<never> {
  const why = addingReplicas.length === 0 ? GOES_ON : `the copying to ${brokersNamed(addingReplicas)} goes on`;
  return notYet(doingOf(item), why);
}

function superseded(item: NewPartitionReassignment, moving: PartitionReassignment): ItemOutcome<never> {
  const target = moving.replicas.filter((brokerId) => !moving.removingReplicas.includes(brokerId));
  const why = `another reassignment has taken its place, to ${brokersNamed(target)}`;
  return rejected(brokerError(brokerErrorCodes.REASSIGNMENT_IN_PROGRESS, doingOf(item), why));
}

function endedElsewhere(
  item: NewPartitionReassignment,
  holders: readonly number[] | undefined,
): ReturnType<typeof rejected> {
  const { NO_REASSIGNMENT_IN_PROGRESS, UNKNOWN_TOPIC_OR_PARTITION } = brokerErrorCodes;
  if (holders === undefined) {
    return rejected(brokerError(UNKNOWN_TOPIC_OR_PARTITION, doingOf(item), 'it is not there any more'));
  }
  const why = `the move has ended, and ${brokersNamed(holders)} ${holders.length === 1 ? 'holds' : 'hold'} it; it may have been cancelled`;
  return rejected(brokerError(NO_REASSIGNMENT_IN_PROGRESS, doingOf(item), why));
}

function doingOf(item: NewPartitionReassignment): string {
  if (item.replicas === null) return `Cannot cancel the reassignment of ${partitionName(item)}`;
  return `Cannot move ${partitionName(item)} to ${brokersNamed(item.replicas)}`;
}

function brokersNamed(brokerIds: readonly number[]): string {
  return `${brokerIds.length === 1 ? 'broker' : 'brokers'} ${brokerIds.join(', ')}`;
}
