import { OffsetCommit, type OffsetCommitResponse } from '../../protocol/generated/offset-commit.ts';
import type { Input } from '../../protocol/wire/input.ts';
import { GroupRegistry } from '../groups/group-registry.ts';
import { OffsetCoordinator, type PartitionCommit } from '../groups/offset-coordinator.ts';
import { answerTopics, sortOutCommits } from '../groups/offset-requests.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';

/**
 * OffsetCommit, versions 2-10.
 *
 * Does: fence by member id, generation and instance id; commits without membership; metadata and its limit; a retention of its
 * own (v2-4); answer per partition.
 * Leaves out: -
 * v6 leader epoch · v7 group instance id (KIP-345) · v8 flexible · v9 member epoch (KIP-848) · v10 topic ids (KIP-848)
 */
export const offsetCommitHandler: AnyHandler = defineHandler(OffsetCommit, (request, context) => {
  const { cluster, broker, version } = context;
  const { known, refused } = sortOutCommits(request.topics, version >= 10, cluster);
  const commit = (commits: readonly PartitionCommit[]): number | number[] => {
    const { groupId, memberId, groupInstanceId, generationIdOrMemberEpoch: generationId } = request;
    const refusal = cluster.service(GroupRegistry).refusal(groupId, broker);
    if (refusal !== undefined) return refusal;
    const committer = { groupId, memberId, groupInstanceId, generationId, version };
    return cluster.service(OffsetCoordinator).commit(committer, commits, version < 5 ? request.retentionTimeMs : -1n);
  };
  const codes = known.length === 0 ? [] : commit(known);
  const answer: Input<OffsetCommitResponse> = { topics: answerTopics(known, codes, refused) };
  return answer;
});
