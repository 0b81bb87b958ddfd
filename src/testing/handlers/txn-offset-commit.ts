import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import {
  TxnOffsetCommit,
  type TxnOffsetCommitRequest,
  type TxnOffsetCommitResponse,
} from '../../protocol/generated/txn-offset-commit.ts';
import { ZERO_UUID } from '../../protocol/wire/uuid.ts';
import type { Input } from '../../protocol/wire/input.ts';
import { GroupRegistry } from '../groups/group-registry.ts';
import { OffsetCoordinator, type PartitionCommit } from '../groups/offset-coordinator.ts';
import { offsetBatch } from '../groups/offset-records.ts';
import { answerTopics, sortOutCommits } from '../groups/offset-requests.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import type { PartitionState } from '../state/partition-state.ts';
import { verifyTransactionalWrite } from '../transactions/write-verification.ts';

/**
 * TxnOffsetCommit, versions 0-5.
 *
 * Does: keep offsets until the producer's transaction ends; fence by member and generation (KIP-447) and by the producer's
 * epoch; ask whether the transaction knows of the group, or make it know (KIP-890).
 * Leaves out: -
 * v2 leader epoch · v3 flexible, member, generation, instance (KIP-447) · v4 TRANSACTION_ABORTABLE (KIP-890) · v5 adds the
 * group to the transaction by itself
 */
export const txnOffsetCommitHandler: AnyHandler = defineHandler(
  TxnOffsetCommit,
  async (request, context) => {
    const topics = request.topics.map((topic) => ({ ...topic, topicId: ZERO_UUID }));
    const { known, refused } = sortOutCommits(topics, false, context.cluster);
    const codes = known.length === 0 ? [] : await commit(request, known, context);
    const answered = answerTopics(known, codes, refused);
    const answer: Input<TxnOffsetCommitResponse> = {
      topics: answered.map(({ name, partitions }) => ({ name, partitions })),
    };
    return answer;
  },
  { max: 5 },
);

async function commit(
  request: TxnOffsetCommitRequest,
  commits: readonly PartitionCommit[],
  context: RequestContext,
): Promise<number | number[]> {
  const { cluster, broker, version } = context;
  const { groupId, memberId, groupInstanceId, generationIdOrMemberEpoch: generationId } = request;
  const refusal = cluster.service(GroupRegistry).refusal(groupId, broker);
  if (refusal !== undefined) return refusal;
  const partition = cluster.coordinatorPartition('group', groupId);
  const verdict = verify(request, partition, context);
  if (verdict !== 0) return verdict;
  const offsets = cluster.service(OffsetCoordinator);
  const committer = { groupId, memberId, groupInstanceId, generationId, version };
  const problem = offsets.transactionProblem(committer, commits);
  if (problem !== undefined) return problem;
  const nowMs = cluster.clock.wallMs();
  const fitting = commits.filter((each) => !offsets.isTooLarge(each.metadata));
  if (fitting.length > 0) {
    const batch = offsetBatch(groupId, fitting, request, nowMs);
    const written = partition.log.append(batch, { leaderEpoch: partition.leaderEpoch, nowMs });
    if (written.kind === 'refused') return written.errorCode;
    partition.changed.notify();
  }
  return offsets.commitInTransaction(committer, request.producerId, commits);
}

/** Asks the transaction's coordinator, unless the transaction has written to this partition before. */
function verify(
  { transactionalId, producerId, producerEpoch }: TxnOffsetCommitRequest,
  { topic, partition, log }: PartitionState,
  { cluster, version }: RequestContext,
): number {
  const state = log.producers.get(producerId);
  if (state?.transactionStart !== undefined && state.producerEpoch === producerEpoch) return 0;
  const write = { transactionalId, producerId, producerEpoch, topic, partition };
  const knows = { addsPartition: version >= 5, knowsAbortable: version >= 4 };
  const code = verifyTransactionalWrite(cluster, { ...write, ...knows });
  return code === brokerErrorCodes.NOT_ENOUGH_REPLICAS ? brokerErrorCodes.COORDINATOR_NOT_AVAILABLE : code;
}
