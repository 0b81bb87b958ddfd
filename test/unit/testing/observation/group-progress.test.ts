import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConsumerProtocolAssignment } from '../../../../src/protocol/generated/consumer-protocol-assignment.ts';
import { JoinGroup } from '../../../../src/protocol/generated/join-group.ts';
import { OffsetCommit } from '../../../../src/protocol/generated/offset-commit.ts';
import { SyncGroup } from '../../../../src/protocol/generated/sync-group.ts';
import { Writer } from '../../../../src/protocol/wire/writer.ts';
import type { TestCluster } from '../../../../src/testing/index.ts';
import type { RawConnection } from '../../../support/answers/raw-kafka.ts';
import { connectTo, startCluster } from '../under-test.ts';

const groupId = 'billing';

/** One member that has joined and is assigned partition 0 of "orders". */
async function join(connection: RawConnection): Promise<{ memberId: string; generationId: number }> {
  const protocols = [{ name: 'range', metadata: Buffer.alloc(0) }];
  const request = {
    groupId,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    protocolType: 'consumer',
    protocols,
  };
  const { memberId, generationId } = await connection.send(JoinGroup, 2, request);
  const writer = new Writer();
  writer.int16(1, 'version');
  const assignedPartitions = [{ topic: 'orders', partitions: [0] }];
  ConsumerProtocolAssignment.write(writer, { assignedPartitions, userData: null }, 1);
  const assignments = [{ memberId, assignment: writer.toBuffer() }];
  await connection.send(SyncGroup, 2, { groupId, generationId, memberId, assignments });
  return { memberId, generationId };
}

async function commit(
  connection: RawConnection,
  member: Awaited<ReturnType<typeof join>>,
  offset: bigint,
): Promise<void> {
  const topics = [{ name: 'orders', partitions: [{ partitionIndex: 0, committedOffset: offset }] }];
  const { memberId, generationId } = member;
  await connection.send(OffsetCommit, 5, { groupId, memberId, generationIdOrMemberEpoch: generationId, topics });
}

async function start(test: Parameters<typeof startCluster>[0]): Promise<[TestCluster, RawConnection]> {
  const cluster = await startCluster(test, { topics: { orders: 1 } });
  return [cluster, await connectTo(test, cluster)];
}

describe('TestCluster.waitForGroup', () => {
  it('waits for members', async (test) => {
    const [cluster, connection] = await start(test);
    const waiting = cluster.waitForGroup(groupId, { members: 1 });
    await join(connection);
    await waiting;
    await assert.rejects(cluster.waitForGroup(groupId, { members: 2, timeoutMs: 20 }), {
      code: 'OPERATION_TIMEOUT',
      message:
        'Cannot wait for group "billing" to have 2 members: it did not happen within 20 ms; seen last: state Stable, 1 members, a lag of 0',
    });
  });

  it('waits until everything assigned is committed', async (test) => {
    const [cluster, connection] = await start(test);
    await cluster.append('orders', [{ value: 'a' }, { value: 'b' }]);
    const member = await join(connection);
    await assert.rejects(cluster.waitForGroup(groupId, { lag: 1, timeoutMs: 20 }), {
      message: /to have a lag of at most 1: .* a lag of 2$/,
    });
    const waiting = cluster.waitForGroup(groupId, { members: 1, lag: 0 });
    await commit(connection, member, 1n);
    await cluster.waitForGroup(groupId, { lag: 1 });
    await commit(connection, member, 2n);
    await waiting;
  });

  it('takes no lag from a group that has read nothing', async (test) => {
    const [cluster] = await start(test);
    await assert.rejects(cluster.waitForGroup('nobody', { lag: 0, timeoutMs: 20 }), {
      message: /state Dead, 0 members, nothing committed or assigned$/,
    });
    await cluster.waitForGroup('nobody', { members: 0 });
  });

  it('ends with its signal', async (test) => {
    const [cluster] = await start(test);
    const reason = new Error('enough');
    await assert.rejects(cluster.waitForGroup('nobody', { members: 1, signal: AbortSignal.timeout(5) }), {
      name: 'TimeoutError',
    });
    await assert.rejects(cluster.waitForGroup('nobody', { members: 1, signal: AbortSignal.abort(reason) }), reason);
  });
});
