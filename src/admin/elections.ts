import type { SettledItem } from '../errors/admin-error.ts';
import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import { byTopic, comparePartitions, keyOf, type TopicPartition } from '../model/topic-partition.ts';
import { ElectLeaders, type ElectLeadersResponsePartitionResult } from '../protocol/generated/elect-leaders.ts';
import type { AdminCall } from './admin-call.ts';
import { fulfilled, inRounds, orRejected, refused, rejected, unanswered, type ItemOutcome } from './items.ts';
import { partitionName } from './partitions.ts';
import { controllerCode } from './topics.ts';

/**
 * Who shall lead: `preferred` the first of the replicas, if it is in sync; `unclean` any replica that is up, where none that is in sync is, so
 * that records which only the others have are lost.
 */
export type ElectionType = 'preferred' | 'unclean';

/** The numbers of {@link ElectionType} on the wire. */
export const electionTypes: Readonly<Record<ElectionType, number>> = { preferred: 0, unclean: 1 };

/** A partition that has the leader that was asked for. */
export interface ElectedLeader extends TopicPartition {
  /** False if it had it already: for `unclean`, any leader at all. */
  readonly elected: boolean;
}

type Result = TopicPartition & ElectLeadersResponsePartitionResult;

/** Elects leaders of these partitions (KIP-183, KIP-460). */
export function electLeaders(
  call: AdminCall,
  type: ElectionType,
  items: readonly TopicPartition[],
): Promise<SettledItem<ElectedLeader>[]> {
  return inRounds(call, items, (left) =>
    orRejected(left, async () => {
      const results = await elect(call, type, left);
      const byPartition = new Map(results.map((result) => [keyOf(result), result]));
      return left.map((item) => {
        const result = byPartition.get(keyOf(item));
        return result === undefined ? rejected(unanswered(doingOf(type, item))) : outcome(type, result);
      });
    }),
  );
}

/** Elects leaders wherever that changes something; the controller tells of those partitions only. */
export async function electAllLeaders(call: AdminCall, type: ElectionType): Promise<SettledItem<ElectedLeader>[]> {
  const results = await elect(call, type, undefined);
  return results.sort(comparePartitions).map((result) => {
    const ended = outcome(type, result);
    return ended.status === 'again' ? rejected(ended.reason) : ended;
  });
}

async function elect(
  call: AdminCall,
  type: ElectionType,
  items: readonly TopicPartition[] | undefined,
): Promise<Result[]> {
  const response = await call.request({
    api: ElectLeaders,
    to: { kind: 'controller' },
    message: {
      electionType: electionTypes[type],
      topicPartitions:
        items === undefined
          ? null
          : byTopic(items).map(([topic, same]) => ({
              topic,
              partitions: [...new Set(same.map(({ partition }) => partition))],
            })),
      timeoutMs: call.brokerTimeoutMs(),
    },
    // Brokers before 2.4 know preferred leaders only.
    versions: { min: type === 'unclean' ? 1 : 0 },
    errorCode: (answer) =>
      answer.errorCode ||
      controllerCode(answer.replicaElectionResults.flatMap(({ partitionResult }) => partitionResult)),
  });
  return response.replicaElectionResults.flatMap(({ topic, partitionResult }) =>
    partitionResult.map((result) => ({ ...result, topic, partition: result.partitionId })),
  );
}

function outcome(type: ElectionType, result: Result): ItemOutcome<ElectedLeader> {
  const { topic, partition, errorCode, errorMessage } = result;
  // What was asked for is so already: as with a topic that is there, or gone, that is no failure.
  if (errorCode === brokerErrorCodes.ELECTION_NOT_NEEDED) return fulfilled({ topic, partition, elected: false });
  if (errorCode === 0) return fulfilled({ topic, partition, elected: true });
  return refused(errorCode, doingOf(type, result), errorMessage);
}

function doingOf(type: ElectionType, item: TopicPartition): string {
  const whom = type === 'preferred' ? 'the preferred leader' : 'a leader that is not in sync';
  return `Cannot elect ${whom} of ${partitionName(item)}`;
}
