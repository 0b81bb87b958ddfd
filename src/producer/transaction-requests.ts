import type { VersionLimits } from '../cluster/connection.ts';
import type { Api, Input } from '../protocol/api.ts';
import { AddOffsetsToTxn } from '../protocol/generated/add-offsets-to-txn.ts';
import { AddPartitionsToTxn } from '../protocol/generated/add-partitions-to-txn.ts';
import { EndTxn } from '../protocol/generated/end-txn.ts';
import { InitProducerId } from '../protocol/generated/init-producer-id.ts';
import { TxnOffsetCommit } from '../protocol/generated/txn-offset-commit.ts';
import { byTopic } from '../model/topic-partition.ts';
import type { CoordinatorAnswer, CoordinatorRequest } from './transaction-coordination.ts';

/** One request as it goes over the wire, and what its answer says. */
export interface WireRequest {
  readonly coordinator: { readonly type: 'transaction' | 'group'; readonly key: string };
  /** Has it sent in the version that fits. */
  send(exchange: Exchange): Promise<CoordinatorAnswer>;
}

/** Sends a request in a version within the limits; `message` makes its body. */
export type Exchange = <Req, Res>(
  api: Api<Req, Res>,
  limits: VersionLimits,
  message: (version: number) => Input<Req>,
) => Promise<Res>;

/** How a request is said to the brokers. */
export function wireRequest(request: CoordinatorRequest, transactionalId: string, timeoutMs: number): WireRequest {
  const { kind } = request;
  const coordinator =
    kind === 'commit-offsets'
      ? ({ type: 'group', key: request.group.groupId } as const)
      : ({ type: 'transaction', key: transactionalId } as const);
  return { coordinator, send: (exchange) => send(request, transactionalId, timeoutMs, exchange) };
}

async function send(
  request: CoordinatorRequest,
  transactionalId: string,
  transactionTimeoutMs: number,
  exchange: Exchange,
): Promise<CoordinatorAnswer> {
  switch (request.kind) {
    case 'initialize': {
      const { identity } = request;
      // Without the identity, a producer that was fenced would fence the one that has fenced it (KIP-360).
      const limits = identity === undefined ? {} : { min: 3 };
      const message = { transactionalId, transactionTimeoutMs, ...identity };
      return withIdentity(await exchange(InitProducerId, limits, () => message));
    }
    case 'add-partitions': {
      const { producerId, producerEpoch } = request.identity;
      const message = {
        v3AndBelowTransactionalId: transactionalId,
        v3AndBelowProducerId: producerId,
        v3AndBelowProducerEpoch: producerEpoch,
        v3AndBelowTopics: byTopic(request.partitions).map(([name, items]) => ({
          name,
          partitions: items.map(({ partition }) => partition),
        })),
      };
      const { errorCode, resultsByTopicV3AndBelow } = await exchange(AddPartitionsToTxn, {}, () => message);
      const partitions = resultsByTopicV3AndBelow.flatMap(({ name, resultsByPartition }) =>
        resultsByPartition.map(({ partitionIndex, partitionErrorCode }) => ({
          topic: name,
          partition: partitionIndex,
          errorCode: partitionErrorCode,
        })),
      );
      return { errorCode, partitions };
    }
    case 'add-offsets': {
      const { groupId, identity } = request;
      return await exchange(AddOffsetsToTxn, {}, () => ({ transactionalId, groupId, ...identity }));
    }
    case 'commit-offsets':
      return commitOffsets(request, transactionalId, exchange);
    case 'end': {
      const { protocol, committed, identity } = request;
      const message = { transactionalId, committed, ...identity };
      return withIdentity(await exchange(EndTxn, { transactionVersion: protocol }, () => message));
    }
    default:
      return request satisfies never;
  }
}

async function commitOffsets(
  { group, identity, protocol, offsets }: CoordinatorRequest & { readonly kind: 'commit-offsets' },
  transactionalId: string,
  exchange: Exchange,
): Promise<CoordinatorAnswer> {
  const { groupId, generationId, memberId, groupInstanceId } = group;
  const topics = byTopic(offsets).map(([name, items]) => ({
    name,
    partitions: items.map(({ partition, offset, leaderEpoch, metadata }) => ({
      partitionIndex: partition,
      committedOffset: offset,
      committedLeaderEpoch: leaderEpoch,
      committedMetadata: metadata,
    })),
  }));
  const isMember = generationId >= 0;
  // Older brokers cannot tell a member that has left from one that has not (KIP-447): better no transaction than one of a zombie.
  const limits = { transactionVersion: protocol, ...(isMember ? { min: 3 } : {}) };
  const member = { generationIdOrMemberEpoch: generationId, memberId, groupInstanceId: groupInstanceId ?? null };
  const response = await exchange(TxnOffsetCommit, limits, (version) => ({
    transactionalId,
    groupId,
    ...identity,
    ...(isMember ? member : {}),
    topics: version >= 2 ? topics : topics.map(withoutLeaderEpochs),
  }));
  const partitions = response.topics.flatMap((topic) =>
    topic.partitions.map(({ partitionIndex, errorCode }) => ({
      topic: topic.name,
      partition: partitionIndex,
      errorCode,
    })),
  );
  return { errorCode: 0, partitions };
}

function withoutLeaderEpochs<
  Topic extends { readonly partitions: readonly { readonly committedLeaderEpoch: number }[] },
>(topic: Topic): Topic {
  return { ...topic, partitions: topic.partitions.map((partition) => ({ ...partition, committedLeaderEpoch: -1 })) };
}

function withIdentity(answer: {
  readonly errorCode: number;
  readonly producerId: bigint;
  readonly producerEpoch: number;
}): CoordinatorAnswer {
  const { errorCode, producerId, producerEpoch } = answer;
  return { errorCode, identity: producerId < 0n ? undefined : { producerId, producerEpoch } };
}
