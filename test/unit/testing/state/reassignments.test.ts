import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Kafka, type Admin } from '../../../../src/index.ts';
import { TestCluster } from '../../../../src/testing/index.ts';

describe('Reassignments', () => {
  const item = (replicas: number[] | null) => ({ topic: 'orders', partition: 0, replicas });

  /** Three brokers, of which the third is down: what is to be copied to it waits. */
  async function cluster(test: TestContext): Promise<{ brokers: TestCluster; admin: Admin }> {
    const brokers = await TestCluster.start({ brokers: 3 });
    const kafka = new Kafka({ bootstrapServers: brokers.bootstrapServers });
    test.after(async () => {
      await kafka.close();
      await brokers.close();
    });
    const admin = kafka.admin();
    await admin.createTopics({ topic: 'orders', assignments: [[1, 2]] });
    await brokers.stop(3);
    return { brokers, admin };
  }

  const replicasOf = async (admin: Admin): Promise<readonly number[] | undefined> =>
    (await admin.describeTopics('orders')).partitions[0]?.replicas;

  it('move a partition once the new replica is there, and the leader with it', async (test) => {
    const { brokers, admin } = await cluster(test);
    const moved = admin.alterPartitionReassignments(item([3, 2]), { wait: true });
    await brokers.start(3);
    await moved;
    assert.deepEqual(await replicasOf(admin), [3, 2]);
    assert.deepEqual(await admin.listPartitionReassignments(), []);
  });

  it('that are cancelled leave those first that would have stayed, as Kafka does', async (test) => {
    const { admin } = await cluster(test);
    await admin.alterPartitionReassignments(item([3, 2]));
    const expected = { topic: 'orders', partition: 0, replicas: [3, 2, 1], addingReplicas: [3], removingReplicas: [1] };
    assert.deepEqual(await admin.listPartitionReassignments(), [expected]);
    await admin.alterPartitionReassignments(item(null), { wait: true });
    assert.deepEqual(await replicasOf(admin), [2, 1]);
  });
});
