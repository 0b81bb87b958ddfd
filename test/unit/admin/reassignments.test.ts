import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Admin } from '../../../src/admin/admin.ts';
import type { ClientOptions } from '../../../src/cluster/options.ts';
import { isKafkaError } from '../../../src/errors/kafka-error.ts';
import { allowedTries, refused, type FakeBrokers } from '../cluster/fake-brokers.ts';
import { adminOver, asked, codesOf, errorOf } from './fake-admin.ts';

const orders = (partition: number, replicas: number[] | null) => ({ topic: 'orders', partition, replicas });

interface Moving {
  readonly partitionIndex: number;
  readonly replicas: readonly number[];
  readonly addingReplicas: readonly number[];
  readonly removingReplicas: readonly number[];
}

/** From broker 1 to broker 2. */
const toBroker2 = (partitionIndex: number): Moving => ({
  partitionIndex,
  replicas: [2, 1],
  addingReplicas: [2],
  removingReplicas: [1],
});

/** Partitions of the topic orders, all taken by the controller; the test says which move, and where they are. */
class MovingPartitions {
  moving: readonly Moving[] = [];
  /** The replicas of each partition. */
  held: readonly (readonly number[])[] = [[1], [1]];
  readonly fake: FakeBrokers;
  readonly admin: Admin;

  constructor(options: Partial<ClientOptions> = {}) {
    const { fake, admin } = adminOver(({ api, message }) => {
      if (api === 'ListPartitionReassignments') return { topics: [{ name: 'orders', partitions: this.moving }] };
      if (api === 'Metadata') return this.#metadata(message['topics'] as readonly { name: string }[]);
      const topics = message['topics'] as readonly {
        name: string;
        partitions: readonly { partitionIndex: number }[];
      }[];
      return {
        responses: topics.map(({ name, partitions }) => ({
          name,
          partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorMessage: null })),
        })),
      };
    }, options);
    this.fake = fake;
    this.admin = admin;
  }

  #metadata(topics: readonly { name: string }[]): Record<string, unknown> {
    const partitions = this.held.map((replicaNodes, partitionIndex) => ({ partitionIndex, leaderId: 1, replicaNodes }));
    return {
      controllerId: 1,
      brokers: [1, 2].map((nodeId) => ({ nodeId, host: 'kafka', port: 9000 + nodeId })),
      topics: topics.map(({ name }) => ({ name, partitions })),
    };
  }
}

describe('Admin.alterPartitionReassignments', () => {
  it('asks the controller once, null for what is cancelled, and keeps the order of the items', async () => {
    const { fake, admin } = adminOver(({ api }) =>
      api === 'Metadata'
        ? {}
        : {
            responses: [
              { name: 'b', partitions: [{ partitionIndex: 0, errorCode: 39, errorMessage: 'No broker 9.' }] },
              {
                name: 'orders',
                partitions: [
                  { partitionIndex: 1, errorMessage: null },
                  { partitionIndex: 0, errorCode: 85, errorMessage: null },
                ],
              },
            ],
          },
    );
    const results = await admin.alterPartitionReassignments(
      [orders(0, null), { topic: 'b', partition: 0, replicas: [9] }, orders(1, [2, 1]), orders(2, [1])],
      { settled: true },
    );
    assert.deepEqual(codesOf(results), [
      'NO_REASSIGNMENT_IN_PROGRESS',
      'INVALID_REPLICA_ASSIGNMENT',
      'ok',
      'UNKNOWN_SERVER_ERROR',
    ]);
    const [, refusal] = results;
    assert.ok(refusal?.status === 'rejected');
    assert.match(refusal.reason.message, /^Cannot move partition 0 of topic "b" to broker 9: No broker 9 \(INVALID_/);
    const [request, ...others] = asked(fake, 'AlterPartitionReassignments');
    assert.equal(others.length, 0);
    assert.equal(request?.nodeId, 1);
    assert.deepEqual(request.message['topics'], [
      {
        name: 'orders',
        partitions: [
          { partitionIndex: 0, replicas: null },
          { partitionIndex: 1, replicas: [2, 1] },
          { partitionIndex: 2, replicas: [1] },
        ],
      },
      { name: 'b', partitions: [{ partitionIndex: 0, replicas: [9] }] },
    ]);
    assert.equal(fake.count('ListPartitionReassignments'), 0);
  });

  it('refuses another number of replicas where that is asked for, and needs brokers that can', async () => {
    const { fake, admin } = new MovingPartitions();
    await admin.alterPartitionReassignments(orders(0, [2]), { allowReplicationFactorChange: false });
    await admin.alterPartitionReassignments(orders(0, [2]), { allowReplicationFactorChange: true });
    fake.maxVersions.set('45', 0);
    await admin.alterPartitionReassignments(orders(0, [2]));
    assert.deepEqual(
      asked(fake, 'AlterPartitionReassignments').map(({ version, message }) => [
        version,
        message['allowReplicationFactorChange'],
      ]),
      [
        [1, false],
        [1, undefined],
        [0, undefined],
      ],
    );
    await assert.rejects(admin.alterPartitionReassignments(orders(0, [2]), { allowReplicationFactorChange: false }), {
      code: 'UNSUPPORTED_VERSION',
    });
  });

  it('takes a cancellation for done whose first answer was lost', async () => {
    let tries = 0;
    const { fake, admin } = adminOver(({ api }) => {
      if (api === 'Metadata') return {};
      if (tries++ === 0) return Object.assign(refused('x'), { sent: true });
      const partitions = [0, 1].map((partitionIndex) => ({ partitionIndex, errorCode: 85, errorMessage: null }));
      return { responses: [{ name: 'orders', partitions }] };
    });
    const pending = admin.alterPartitionReassignments([orders(0, null), orders(1, [1])], { settled: true });
    await fake.clock.advance(1000);
    assert.deepEqual(codesOf(await pending), ['ok', 'NO_REASSIGNMENT_IN_PROGRESS']);
    await assert.rejects(admin.alterPartitionReassignments(orders(0, null)), { code: 'NO_REASSIGNMENT_IN_PROGRESS' });
  });

  it('refuses a partition that is given twice, before any request', async () => {
    const { fake, admin } = new MovingPartitions();
    await assert.rejects(admin.alterPartitionReassignments([orders(0, [1]), orders(0, null)]), {
      code: 'INVALID_ARGUMENT',
      message: /^Cannot alter partition reassignments: partition 0 of topic "orders" given twice/,
    });
    assert.equal(fake.requests.length, 0);
  });

  it('tells topics apart whose long names differ at the end only', async () => {
    const { admin } = new MovingPartitions();
    const longName = 'shop.'.repeat(20);
    await admin.alterPartitionReassignments([
      { topic: `${longName}orders`, partition: 0, replicas: [1] },
      { topic: `${longName}payments`, partition: 0, replicas: [1] },
    ]);
  });

  it('waits, if asked, until the move is over and the metadata show it', async () => {
    const cluster = new MovingPartitions();
    cluster.moving = [toBroker2(0), toBroker2(1)];
    cluster.held = [
      [2, 1],
      [2, 1],
    ];
    let ended = false;
    const pending = cluster.admin
      .alterPartitionReassignments([orders(0, [2]), orders(1, [2])], { wait: true })
      .then(() => (ended = true));
    await cluster.fake.clock.advance(5000);
    assert.equal(ended, false);
    cluster.moving = [toBroker2(1)];
    cluster.held = [[2], [2, 1]];
    await cluster.fake.clock.advance(5000);
    assert.equal(ended, false);
    cluster.moving = [];
    await cluster.fake.clock.advance(2000);
    assert.equal(ended, false, 'the metadata still have broker 1');
    cluster.held = [[2], [2]];
    await cluster.fake.clock.advance(2000);
    assert.equal(await pending, true);
    const looks = asked(cluster.fake, 'ListPartitionReassignments');
    assert.ok(looks.length >= 10 && looks.length <= allowedTries(14_000) + 1, `${looks.length} looks`);
    // Of the one that is done nobody asks any more.
    assert.deepEqual(looks.at(-1)?.message['topics'], [{ name: 'orders', partitionIndexes: [1] }]);
  });

  it('waits for a cancelled move until it is over', async () => {
    const cluster = new MovingPartitions();
    cluster.moving = [toBroker2(0)];
    const pending = cluster.admin.alterPartitionReassignments(orders(0, null), { wait: true });
    await cluster.fake.clock.advance(3000);
    assert.ok(cluster.fake.count('ListPartitionReassignments') > 2);
    cluster.moving = [];
    await cluster.fake.clock.advance(2000);
    await pending;
  });

  it('goes on waiting however few retries a failed request may have', async () => {
    const cluster = new MovingPartitions({ retries: 0 });
    cluster.moving = [toBroker2(0)];
    const pending = cluster.admin.alterPartitionReassignments(orders(0, [2]), { wait: true });
    await cluster.fake.clock.advance(10_000);
    cluster.moving = [];
    cluster.held = [[2]];
    await cluster.fake.clock.advance(2000);
    await pending;
  });

  it('tells who waits that another reassignment has taken the place of this one', async () => {
    const cluster = new MovingPartitions();
    cluster.moving = [{ partitionIndex: 0, replicas: [1, 3], addingReplicas: [3], removingReplicas: [] }];
    const error = await errorOf(cluster.admin.alterPartitionReassignments(orders(0, [2]), { wait: true }));
    assert.ok(isKafkaError(error, 'REASSIGNMENT_IN_PROGRESS'));
    assert.match(error.message, /^Cannot move partition 0 of topic "orders" to broker 2: .*to brokers 1, 3 /);
  });

  it('tells who waits that the move has ended otherwise, long before the time is over', async () => {
    const cluster = new MovingPartitions();
    const pending = errorOf(cluster.admin.alterPartitionReassignments(orders(0, [2, 1]), { wait: true }));
    const gone = errorOf(cluster.admin.alterPartitionReassignments(orders(7, [2]), { wait: true }));
    await cluster.fake.clock.advance(10_000);
    const error = await pending;
    assert.ok(isKafkaError(error, 'NO_REASSIGNMENT_IN_PROGRESS'), String(error));
    assert.match(error.message, /the move has ended, and broker 1 holds it; it may have been cancelled/);
    assert.ok(isKafkaError(await gone, 'UNKNOWN_TOPIC_OR_PARTITION'));
  });

  it('tells at the end of the time what is done and what goes on', async () => {
    const cluster = new MovingPartitions();
    cluster.moving = [toBroker2(0)];
    cluster.held = [[2, 1], [2]];
    const pending = cluster.admin.alterPartitionReassignments([orders(0, [2]), orders(1, [2])], {
      wait: true,
      settled: true,
      timeoutMs: 5000,
    });
    await cluster.fake.clock.advance(5000);
    const results = await pending;
    assert.deepEqual(codesOf(results), ['OPERATION_TIMEOUT', 'ok']);
    assert.ok(results[0]?.status === 'rejected');
    assert.match(results[0].reason.message, /to broker 2: not done in the time .*; the copying to broker 2 goes on$/);
  });

  it('a signal ends the wait with its reason, and the closing of the client with CLOSED', async () => {
    const cluster = new MovingPartitions();
    cluster.moving = [toBroker2(0)];
    const stop = new AbortController();
    const aborted = errorOf(
      cluster.admin.alterPartitionReassignments(orders(0, [2]), { wait: true, signal: stop.signal }),
    );
    const closed = errorOf(cluster.admin.alterPartitionReassignments(orders(0, [2]), { wait: true }));
    await cluster.fake.clock.advance(3000);
    stop.abort(new Error('enough'));
    assert.equal((await aborted).message, 'enough');
    await cluster.admin.close();
    const looks = cluster.fake.count('ListPartitionReassignments');
    await cluster.fake.clock.advance(3000);
    assert.ok(isKafkaError(await closed, 'CLOSED'));
    assert.equal(cluster.fake.count('ListPartitionReassignments'), looks);
  });
});

describe('Admin.listPartitionReassignments', () => {
  it('asks the controller for all, or for those given, and sorts what it answers', async () => {
    const { fake, admin } = adminOver(({ api }) =>
      api === 'Metadata'
        ? {}
        : {
            topics: [
              { name: 'orders', partitions: [toBroker2(1), toBroker2(0)] },
              { name: 'a', partitions: [toBroker2(3)] },
            ],
          },
    );
    const found = await admin.listPartitionReassignments();
    const move = { replicas: [2, 1], addingReplicas: [2], removingReplicas: [1] };
    assert.deepEqual(found, [
      { topic: 'a', partition: 3, ...move },
      { topic: 'orders', partition: 0, ...move },
      { topic: 'orders', partition: 1, ...move },
    ]);
    await admin.listPartitionReassignments([orders(1, null), orders(1, null), orders(0, null)]);
    await admin.listPartitionReassignments({ topic: 'a', partition: 3 });
    assert.deepEqual(
      asked(fake, 'ListPartitionReassignments').map(({ nodeId, message }) => [nodeId, message['topics']]),
      [
        [1, null],
        [1, [{ name: 'orders', partitionIndexes: [1, 0] }]],
        [1, [{ name: 'a', partitionIndexes: [3] }]],
      ],
    );
    assert.deepEqual(await admin.listPartitionReassignments([]), []);
    assert.equal(fake.count('ListPartitionReassignments'), 3);
  });

  it("rejects with the controller's own words", async () => {
    const { admin } = adminOver(({ api }) => (api === 'Metadata' ? {} : { errorCode: 31, errorMessage: 'Not you.' }));
    await assert.rejects(admin.listPartitionReassignments(), {
      code: 'CLUSTER_AUTHORIZATION_FAILED',
      message: /^Cannot list partition reassignments: Not you \(/,
    });
  });
});
