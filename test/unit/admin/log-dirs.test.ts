import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isKafkaError } from '../../../src/errors/kafka-error.ts';
import { metadataAnswer, refused } from '../cluster/fake-brokers.ts';
import { adminOver, asked, codesOf, errorOf } from './fake-admin.ts';

const replica = (partition: number, brokerId: number) => ({ topic: 'orders', partition, brokerId });

interface Place {
  readonly partitionIndex: number;
  readonly partitionSize?: bigint;
  readonly offsetLag?: bigint;
  readonly isFutureKey?: boolean;
}

const logDir = (path: string, partitions: readonly Place[], topic = 'orders') => ({
  logDir: path,
  topics: [{ name: topic, partitions }],
});

describe('Admin.describeLogDirs', () => {
  it('asks each broker that is given, once, and tells of each directory', async () => {
    const { fake, admin } = adminOver(({ api, nodeId }) => {
      if (api === 'Metadata') return {};
      if (nodeId === 2) return { results: [{ ...logDir('/data', []), totalBytes: 100n, usableBytes: 40n }] };
      return {
        results: [
          { errorCode: 56, logDir: '/broken', topics: [] },
          {
            ...logDir('/a', [
              { partitionIndex: 1, partitionSize: 2n ** 40n, offsetLag: 7n, isFutureKey: true },
              { partitionIndex: 0, partitionSize: 5n },
            ]),
            isCordoned: true,
          },
        ],
      };
    });
    const [two, one, again] = await admin.describeLogDirs([2, 1, 2]);
    assert.deepEqual(again, two);
    const nothing = {
      error: undefined,
      totalBytes: undefined,
      usableBytes: undefined,
      isCordoned: false,
      replicas: [],
    };
    assert.deepEqual(two, {
      brokerId: 2,
      logDirs: [{ ...nothing, path: '/data', totalBytes: 100, usableBytes: 40 }],
    });
    assert.equal(one?.brokerId, 1);
    const [broken, a] = one.logDirs;
    assert.deepEqual({ ...broken, error: undefined }, { ...nothing, path: '/broken' });
    assert.ok(isKafkaError(broken?.error, 'KAFKA_STORAGE_ERROR'));
    assert.match(broken.error.message, /^Cannot use log directory "\/broken" of broker 1: /);
    assert.deepEqual(a, {
      ...nothing,
      path: '/a',
      isCordoned: true,
      replicas: [
        { topic: 'orders', partition: 0, sizeBytes: 5, offsetLag: 0n, isFuture: false },
        { topic: 'orders', partition: 1, sizeBytes: 2 ** 40, offsetLag: 7n, isFuture: true },
      ],
    });
    const requests = asked(fake, 'DescribeLogDirs');
    assert.deepEqual(requests.map(({ nodeId }) => nodeId).sort(), [1, 2]);
    assert.equal(requests[0]?.message['topics'], null);
    assert.equal((await admin.describeLogDirs(2)).brokerId, 2);
  });

  it('asks every broker of the cluster if none is given', async () => {
    const { fake, admin } = adminOver(({ api, nodeId }) => {
      if (api === 'Metadata') return {};
      if (api === 'DescribeLogDirs') return { results: [logDir(`/${nodeId}`, [])] };
      return {
        controllerId: 1,
        brokers: [2, 1].map((brokerId) => ({ brokerId, host: 'kafka', port: 9000 + brokerId })),
      };
    });
    const found = await admin.describeLogDirs();
    assert.deepEqual(
      found.map(({ brokerId, logDirs }) => [brokerId, logDirs[0]?.path]),
      [
        [1, '/1'],
        [2, '/2'],
      ],
    );
    assert.deepEqual(await admin.describeLogDirs([]), []);
    fake.down.set('kafka:9002', refused('kafka:9002'));
    const pending = admin.describeLogDirs(undefined, { settled: true, timeoutMs: 2000 });
    await fake.clock.advance(3000);
    assert.deepEqual(codesOf(await pending), ['ok', 'OPERATION_TIMEOUT']);
  });

  it('takes no directory at all for a refusal, which older brokers have no code for', async () => {
    const { fake, admin } = adminOver(({ api }) => (api === 'Metadata' ? {} : { results: [] }));
    fake.maxVersions.set('35', 2);
    await assert.rejects(admin.describeLogDirs(1), {
      code: 'CLUSTER_AUTHORIZATION_FAILED',
      message: /^Cannot describe the log directories of broker 1: /,
    });
  });
});

describe('Admin.describeReplicaLogDirs', () => {
  it('asks the brokers for these replicas only, and tells where each is and goes', async () => {
    const { fake, admin } = adminOver(({ api, nodeId }) => {
      if (api === 'Metadata') return {};
      if (nodeId === 2) return { results: [logDir('/c', [])] };
      return {
        results: [
          logDir('/a', [
            { partitionIndex: 0, partitionSize: 9n },
            { partitionIndex: 1, partitionSize: 3n },
          ]),
          logDir('/b', [{ partitionIndex: 0, partitionSize: 4n, offsetLag: 5n, isFutureKey: true }]),
          logDir('/b', [{ partitionIndex: 0, partitionSize: 77n }], 'other'),
        ],
      };
    });
    const found = await admin.describeReplicaLogDirs([replica(1, 1), replica(0, 2), replica(0, 1)]);
    assert.deepEqual(found, [
      { ...replica(1, 1), current: { path: '/a', sizeBytes: 3, offsetLag: 0n }, future: undefined },
      { ...replica(0, 2), current: undefined, future: undefined },
      {
        ...replica(0, 1),
        current: { path: '/a', sizeBytes: 9, offsetLag: 0n },
        future: { path: '/b', sizeBytes: 4, offsetLag: 5n },
      },
    ]);
    assert.deepEqual(
      new Map(asked(fake, 'DescribeLogDirs').map(({ nodeId, message }) => [nodeId, message['topics']])),
      new Map([
        [1, [{ topic: 'orders', partitions: [1, 0] }]],
        [2, [{ topic: 'orders', partitions: [0] }]],
      ]),
    );
  });
});

describe('Admin.alterReplicaLogDirs', () => {
  it('asks each broker once, by directory, and does not wait for what will not come by itself', async () => {
    const answered = (codes: readonly number[]) => ({
      results: [
        {
          topicName: 'orders',
          partitions: codes.map((errorCode, partitionIndex) => ({ partitionIndex, errorCode })),
        },
      ],
    });
    const { fake, admin } = adminOver((request) => {
      if (request.api === 'Metadata') return metadataAnswer(request, {});
      return request.nodeId === 1 ? answered([0, 57, 9]) : answered([56]);
    });
    const items = [
      { ...replica(2, 1), path: '/a' },
      { ...replica(0, 2), path: '/a' },
      { ...replica(0, 1), path: '/b' },
      { ...replica(1, 1), path: '/a' },
      { ...replica(3, 1), path: '/b' },
    ];
    const results = await admin.alterReplicaLogDirs(items, { settled: true });
    assert.deepEqual(codesOf(results), [
      'REPLICA_NOT_AVAILABLE',
      'KAFKA_STORAGE_ERROR',
      'ok',
      'LOG_DIR_NOT_FOUND',
      'UNKNOWN_SERVER_ERROR',
    ]);
    const [notThere] = results;
    assert.ok(notThere?.status === 'rejected');
    assert.match(notThere.reason.message, /^Cannot put partition 2 of topic "orders" at broker 1 in "\/a": .*will put/);
    assert.deepEqual(
      new Map(asked(fake, 'AlterReplicaLogDirs').map(({ nodeId, message }) => [nodeId, message['dirs']])),
      new Map([
        [
          1,
          [
            { path: '/a', topics: [{ name: 'orders', partitions: [2, 1] }] },
            { path: '/b', topics: [{ name: 'orders', partitions: [0, 3] }] },
          ],
        ],
        [2, [{ path: '/a', topics: [{ name: 'orders', partitions: [0] }] }]],
      ]),
    );
    assert.equal(fake.count('DescribeLogDirs'), 0);
    const twice = { ...replica(0, 1), path: '/b' };
    await assert.rejects(admin.alterReplicaLogDirs([twice, twice]), {
      code: 'INVALID_ARGUMENT',
      message: /partition 0 of topic "orders" at broker 1 given twice/,
    });
  });

  it('waits, if asked, until the copy has taken the place of the replica', async () => {
    let places = [logDir('/a', [{ partitionIndex: 0 }]), logDir('/b', [{ partitionIndex: 0, isFutureKey: true }])];
    const { fake, admin } = adminOver(({ api }) => {
      if (api === 'Metadata') return {};
      if (api === 'DescribeLogDirs') return { results: places };
      return { results: [{ topicName: 'orders', partitions: [{ partitionIndex: 0, errorCode: 0 }] }] };
    });
    const item = { ...replica(0, 1), path: '/b' };
    const late = errorOf(admin.alterReplicaLogDirs(item, { wait: true, timeoutMs: 3000 }));
    let ended = false;
    const pending = admin.alterReplicaLogDirs(item, { wait: true }).then(() => (ended = true));
    await fake.clock.advance(5000);
    const error = await late;
    assert.ok(isKafkaError(error, 'OPERATION_TIMEOUT'));
    assert.match(error.message, /in "\/b": not done in the time .*; the copying goes on$/);
    assert.equal(ended, false);
    places = [logDir('/a', []), logDir('/b', [{ partitionIndex: 0 }])];
    await fake.clock.advance(2000);
    assert.equal(await pending, true);
  });
});
