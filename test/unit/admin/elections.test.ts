import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AdminError } from '../../../src/errors/admin-error.ts';
import { Kafka } from '../../../src/index.ts';
import { TestCluster } from '../../../src/testing/index.ts';
import { eventually } from '../../support/eventually.ts';
import { metadataAnswer } from '../cluster/fake-brokers.ts';
import { adminOver, asked, codesOf, errorOf } from './fake-admin.ts';

const orders = (partition: number) => ({ topic: 'orders', partition });
const result = (partitionId: number, errorCode = 0) => ({ partitionId, errorCode, errorMessage: null });

describe('Admin.electLeaders', () => {
  it('asks the controller, and takes for done what is so already', async () => {
    const { fake, admin } = adminOver(({ api }) =>
      api === 'Metadata'
        ? {}
        : {
            replicaElectionResults: [
              { topic: 'a', partitionResult: [result(0)] },
              { topic: 'orders', partitionResult: [result(2, 80), result(1, 84), result(0)] },
            ],
          },
    );
    const partitions = [orders(0), { topic: 'a', partition: 0 }, orders(1), orders(0), orders(2), orders(3)];
    const results = await admin.electLeaders('preferred', partitions, { settled: true });
    assert.deepEqual(codesOf(results), [
      'ok',
      'ok',
      'ok',
      'ok',
      'PREFERRED_LEADER_NOT_AVAILABLE',
      'UNKNOWN_SERVER_ERROR',
    ]);
    const values = results.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    assert.deepEqual(values, [
      { ...orders(0), elected: true },
      { topic: 'a', partition: 0, elected: true },
      { ...orders(1), elected: false },
      { ...orders(0), elected: true },
    ]);
    const [request] = asked(fake, 'ElectLeaders');
    assert.equal(request?.nodeId, 1);
    assert.equal(request.message['electionType'], 0);
    assert.deepEqual(request.message['topicPartitions'], [
      { topic: 'orders', partitions: [0, 1, 2, 3] },
      { topic: 'a', partitions: [0] },
    ]);
    await assert.rejects(admin.electLeaders('preferred', orders(2)), {
      code: 'PREFERRED_LEADER_NOT_AVAILABLE',
      message: /^Cannot elect the preferred leader of partition 2 of topic "orders": /,
    });
  });

  it('without partitions asks for all, and answers of those that the controller tells of', async () => {
    let failing: object[] = [];
    const { fake, admin } = adminOver(({ api }) =>
      api === 'Metadata'
        ? {}
        : {
            replicaElectionResults: [
              { topic: 'orders', partitionResult: [result(1), result(0), ...failing] },
              { topic: 'a', partitionResult: [result(5)] },
            ],
          },
    );
    const elected = await admin.electLeaders('unclean');
    assert.deepEqual(elected, [
      { topic: 'a', partition: 5, elected: true },
      { ...orders(0), elected: true },
      { ...orders(1), elected: true },
    ]);
    const [request] = asked(fake, 'ElectLeaders');
    assert.equal(request?.message['electionType'], 1);
    assert.equal(request.message['topicPartitions'], null);
    failing = [result(2, 83)];
    const error = await errorOf(admin.electLeaders('unclean'));
    assert.ok(error instanceof AdminError);
    assert.deepEqual(codesOf(error.results), ['ok', 'ok', 'ok', 'ELIGIBLE_LEADERS_NOT_AVAILABLE']);
    assert.match(
      error.message,
      /1 of 4 failed; the first with: Cannot elect a leader .* of partition 2 of topic "orders"/,
    );
    const settled = await admin.electLeaders('unclean', undefined, { settled: true });
    assert.deepEqual(codesOf(settled), codesOf(error.results));
    assert.deepEqual(await admin.electLeaders('unclean', []), []);
    assert.equal(fake.count('ElectLeaders'), 3);
  });

  it('elects only preferred leaders at brokers before 2.4, and follows a controller that has moved there', async () => {
    let controllerId = 1;
    const { fake, admin } = adminOver((request) => {
      if (request.api === 'Metadata') return { ...metadataAnswer(request, {}), controllerId };
      if (request.nodeId === 2) return { replicaElectionResults: [{ topic: 'orders', partitionResult: [result(0)] }] };
      controllerId = 2;
      return { replicaElectionResults: [{ topic: 'orders', partitionResult: [result(0, 41)] }] };
    });
    fake.maxVersions.set('43', 0);
    await assert.rejects(admin.electLeaders('unclean', orders(0)), { code: 'UNSUPPORTED_VERSION' });
    const pending = admin.electLeaders('preferred', orders(0));
    await fake.clock.advance(2000);
    assert.deepEqual(await pending, { ...orders(0), elected: true });
    assert.deepEqual(
      asked(fake, 'ElectLeaders').map(({ nodeId }) => nodeId),
      [1, 2],
    );
  });

  it('rejects with the code of the whole request', async () => {
    const { admin } = adminOver(({ api }) => (api === 'Metadata' ? {} : { errorCode: 31, replicaElectionResults: [] }));
    await assert.rejects(admin.electLeaders('preferred'), { code: 'CLUSTER_AUTHORIZATION_FAILED' });
    await assert.rejects(admin.electLeaders('preferred', orders(0)), { code: 'CLUSTER_AUTHORIZATION_FAILED' });
  });

  it('unclean gives a partition a leader that lacks records, where nobody else is left', async (test) => {
    const cluster = await TestCluster.start({ brokers: 3 });
    const kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
    test.after(async () => {
      await kafka.close();
      await cluster.close();
    });
    const admin = kafka.admin();
    await admin.createTopics({
      topic: 'orders',
      assignments: [
        [2, 3],
        [1, 3],
      ],
    });
    const partitions = async () => (await admin.describeTopics('orders')).partitions;
    const leaders = async () => (await partitions()).map(({ leaderId }) => leaderId);
    await cluster.stop(3);
    await eventually(async () => (await partitions())[0]?.isr.join() === '2', 'the loss of the follower');
    await cluster.stop(2);
    await eventually(async () => (await leaders()).join() === '-1,1', 'the loss of the leader');
    await cluster.start(3);
    assert.deepEqual(await leaders(), [-1, 1]);
    const refused = await admin.electLeaders('preferred', [orders(0), orders(1)], { settled: true });
    assert.deepEqual(codesOf(refused), ['PREFERRED_LEADER_NOT_AVAILABLE', 'ok']);
    assert.deepEqual(await admin.electLeaders('unclean'), [{ ...orders(0), elected: true }]);
    assert.deepEqual(await leaders(), [3, 1]);
  });
});
