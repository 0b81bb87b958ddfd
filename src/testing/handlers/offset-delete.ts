import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { OffsetDelete } from '../../protocol/generated/offset-delete.ts';
import { GroupCoordinator } from '../groups/group-coordinator.ts';
import { OffsetCoordinator } from '../groups/offset-coordinator.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';

/**
 * OffsetDelete, version 0.
 *
 * Does: forget committed offsets of topics that the group does not read.
 * Leaves out: -
 */
export const offsetDeleteHandler: AnyHandler = defineHandler(OffsetDelete, (request, { cluster, broker }) => {
  const { groupId } = request;
  const offsets = cluster.service(OffsetCoordinator);
  const problem = cluster.service(GroupCoordinator).refusal(groupId, broker) ?? offsets.deleteProblem(groupId);
  if (problem !== undefined) return { errorCode: problem, topics: [] };
  const partitions = request.topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex }) => ({ name, partitionIndex })),
  );
  const exists = ({ name, partitionIndex }: Named): boolean => cluster.partition(name, partitionIndex) !== undefined;
  const missing = brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION;
  // Kafka answers first what does not exist.
  const topics = byTopic([
    ...partitions.filter((each) => !exists(each)).map((each) => ({ ...each, errorCode: missing })),
    ...partitions
      .filter(exists)
      .map((each) => ({ ...each, errorCode: offsets.deleteOffset(groupId, each.name, each.partitionIndex) })),
  ]);
  return { errorCode: 0, topics };
});

interface Named {
  readonly name: string;
  readonly partitionIndex: number;
}

interface Deleted extends Named {
  readonly errorCode: number;
}

function byTopic(deleted: readonly Deleted[]): { name: string; partitions: Omit<Deleted, 'name'>[] }[] {
  const topics = new Map<string, Omit<Deleted, 'name'>[]>();
  for (const { name, partitionIndex, errorCode } of deleted) {
    const partitions = topics.get(name) ?? [];
    topics.set(name, partitions);
    partitions.push({ partitionIndex, errorCode });
  }
  return [...topics].map(([name, partitions]) => ({ name, partitions }));
}
