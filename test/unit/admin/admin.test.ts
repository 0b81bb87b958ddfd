import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Admin } from '../../../src/admin/admin.ts';
import type { ListedOffset } from '../../../src/admin/partitions.ts';
import { AdminError, type SettledItem } from '../../../src/errors/admin-error.ts';
import { brokerErrorCodes } from '../../../src/errors/broker-error-codes.ts';
import { isKafkaError, type KafkaError } from '../../../src/errors/kafka-error.ts';
import {
  allowedTries,
  clusterOver,
  FakeBrokers,
  metadataAnswer,
  refused,
  type SeenRequest,
} from '../cluster/fake-brokers.ts';

interface AskedTopic {
  readonly name: string;
  readonly partitions: readonly { readonly partitionIndex: number; readonly timestamp: bigint }[];
}

/** Brokers 1 and 2, topic orders with three partitions; `codes` says how a broker answers for a partition. */
function withPartitions(
  leaders: () => readonly (readonly [number, number])[],
  code: (nodeId: number | undefined, partition: number) => number,
): { fake: FakeBrokers; admin: Admin } {
  const fake = new FakeBrokers();
  fake.answer = (request) => {
    if (request.api === 'Metadata') return metadataAnswer(request, { orders: { leaders: leaders() } });
    const topics = request.message['topics'] as readonly AskedTopic[];
    return {
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, timestamp }) => ({
          partitionIndex,
          errorCode: code(request.nodeId, partitionIndex),
          timestamp: -1n,
          offset: BigInt(partitionIndex * 10) - timestamp,
          leaderEpoch: 0,
        })),
      })),
    };
  };
  const { cluster } = clusterOver(fake);
  return { fake, admin: new Admin(cluster) };
}

const query = (partition: number, at: 'earliest' | 'latest' = 'latest') => ({ topic: 'orders', partition, at });
const asked = (fake: FakeBrokers, api: string): SeenRequest[] => fake.requests.filter((request) => request.api === api);

function codesOf(results: readonly SettledItem<unknown>[]): string[] {
  return results.map((result) => (result.status === 'fulfilled' ? 'ok' : result.reason.code));
}

describe('Admin fan-out', () => {
  it('sends one request to each leader and keeps the order of the items', async () => {
    const { fake, admin } = withPartitions(
      () => [
        [1, 0],
        [2, 0],
        [1, 0],
      ],
      () => 0,
    );
    const found = await admin.listOffsets([query(2), query(1), query(0)]);
    assert.deepEqual(
      found.map(({ partition, offset }) => [partition, offset]),
      [
        [2, 21n],
        [1, 11n],
        [0, 1n],
      ],
    );
    assert.deepEqual(
      asked(fake, 'ListOffsets')
        .map(({ nodeId }) => nodeId)
        .sort(),
      [1, 2],
    );
  });

  it('asks twice for a partition in two requests, since a broker refuses it twice in one', async () => {
    const { fake, admin } = withPartitions(
      () => [[1, 0]],
      () => 0,
    );
    const found = await admin.listOffsets([query(0, 'earliest'), query(0, 'latest')]);
    assert.deepEqual(
      found.map(({ offset }) => offset),
      [2n, 1n],
    );
    assert.equal(asked(fake, 'ListOffsets').length, 2);
  });

  it('follows a leader that has moved, and asks only for what was refused', async () => {
    let leaders: readonly (readonly [number, number])[] = [
      [1, 0],
      [1, 0],
    ];
    const { fake, admin } = withPartitions(
      () => leaders,
      (nodeId, partition) => {
        if (nodeId !== 1 || partition !== 1) return 0;
        leaders = [
          [1, 0],
          [2, 1],
        ];
        return brokerErrorCodes.NOT_LEADER_OR_FOLLOWER;
      },
    );
    const pending = admin.listOffsets([query(0), query(1)]);
    await fake.clock.advance(2000);
    assert.deepEqual(
      (await pending).map(({ offset }) => offset),
      [1n, 11n],
    );
    const requests = asked(fake, 'ListOffsets');
    assert.deepEqual(
      requests.map(({ nodeId }) => nodeId),
      [1, 2],
    );
    assert.deepEqual(
      (requests[1]?.message['topics'] as readonly AskedTopic[])[0]?.partitions.map(
        ({ partitionIndex }) => partitionIndex,
      ),
      [1],
    );
  });

  it('asks no more often than the back-off allows for what stays refused, and tells of each item', async () => {
    const { fake, admin } = withPartitions(
      () => [
        [1, 0],
        [1, 0],
      ],
      (_node, partition) => (partition === 1 ? brokerErrorCodes.NOT_LEADER_OR_FOLLOWER : 0),
    );
    const pending = admin.listOffsets([query(0), query(1)], { timeoutMs: 5000, settled: true });
    await fake.clock.advance(6000);
    assert.deepEqual(codesOf(await pending), ['ok', 'NOT_LEADER_OR_FOLLOWER']);
    const tries = asked(fake, 'ListOffsets').length;
    assert.ok(tries >= 3 && tries <= allowedTries(5000), `${tries} requests`);
    assert.ok(fake.count('Metadata') <= allowedTries(5000) + 1, `${fake.count('Metadata')} requests`);
  });

  it('tells of each item when one broker cannot be reached', async () => {
    const { fake, admin } = withPartitions(
      () => [
        [1, 0],
        [2, 0],
      ],
      () => 0,
    );
    fake.down.set('kafka:9002', refused('kafka:9002'));
    const pending = admin
      .listOffsets([query(1), query(0)], { timeoutMs: 3000 })
      .catch((error: unknown) => error as AdminError<ListedOffset>);
    await fake.clock.advance(3500);
    const error = await pending;
    assert.ok(error instanceof AdminError);
    assert.deepEqual(codesOf(error.results), ['OPERATION_TIMEOUT', 'ok']);
    assert.match(error.message, /^Cannot list offsets: 1 of 2 failed; the first with: /);
  });

  it('uses a connection of its own, so that a slow call does not hold up the others', async () => {
    const { fake, admin } = withPartitions(
      () => [[1, 0]],
      () => 0,
    );
    await admin.listOffsets(query(0));
    assert.deepEqual(
      asked(fake, 'ListOffsets').map(({ lane }) => lane),
      ['admin-1'],
    );
    await admin.close();
    assert.ok(fake.closedLanes.includes('admin-1'));
  });
});

describe('Admin topics', () => {
  function controller(answer: (request: SeenRequest) => Record<string, unknown> | KafkaError): {
    fake: FakeBrokers;
    admin: Admin;
  } {
    const fake = new FakeBrokers();
    fake.answer = (request) =>
      request.api === 'Metadata' ? metadataAnswer(request, { orders: { leaders: [[1, 0]] } }) : answer(request);
    return { fake, admin: new Admin(clusterOver(fake).cluster) };
  }

  it('createTopics says that an earlier try may have made the topic', async () => {
    let tries = 0;
    const { fake, admin } = controller(() =>
      tries++ === 0
        ? Object.assign(refused('x'), { sent: true })
        : { topics: [{ name: 'orders', errorCode: 36, errorMessage: 'Topic exists.' }] },
    );
    const pending = admin.createTopics({ topic: 'orders' }).catch((error: unknown) => error);
    await fake.clock.advance(1000);
    const error = await pending;
    assert.ok(isKafkaError(error, 'TOPIC_ALREADY_EXISTS'));
    assert.match(error.message, /an earlier try of this call may have created it/);
  });

  it('createTopics waits until every partition has a leader', async () => {
    let leader = -1;
    const fake = new FakeBrokers();
    fake.answer = (request) =>
      request.api === 'Metadata'
        ? metadataAnswer(request, { orders: { leaders: [[leader, 0]] } })
        : { topics: [{ name: 'orders', numPartitions: 1, replicationFactor: 1 }] };
    const admin = new Admin(clusterOver(fake).cluster);
    let made = false;
    const pending = admin.createTopics({ topic: 'orders' }).then(() => (made = true));
    await fake.clock.advance(2000);
    assert.equal(made, false);
    leader = 1;
    await fake.clock.advance(2000);
    assert.equal(await pending, true);
  });

  it('an item that the broker leaves out of its answer has failed', async () => {
    const { admin } = controller(() => ({ topics: [], responses: [] }));
    await assert.rejects(admin.createTopics({ topic: 'orders' }), /left it out of its answer/);
    await assert.rejects(admin.deleteTopics('orders'), /left it out of its answer/);
    await assert.rejects(admin.describeTopics('absent'), /UNKNOWN_TOPIC_OR_PARTITION/);
  });

  it('takes partitions for added that are there after an answer was lost', async () => {
    const { INVALID_PARTITIONS } = brokerErrorCodes;
    let lost = 0;
    const fake = new FakeBrokers();
    const admin = new Admin(clusterOver(fake).cluster);
    fake.answer = (request) => {
      if (request.api === 'Metadata')
        return metadataAnswer(request, {
          orders: {
            leaders: [
              [1, 0],
              [1, 0],
            ],
          },
        });
      if (lost-- > 0) return Object.assign(refused('x'), { sent: true });
      return { results: [{ name: 'orders', errorCode: INVALID_PARTITIONS, errorMessage: 'It has 2.' }] };
    };
    const growing = async (count: number, validateOnly = false): Promise<void> => {
      lost = 1;
      const pending = admin.createPartitions({ topic: 'orders', count }, { validateOnly });
      pending.catch(() => undefined);
      await fake.clock.advance(2000);
      await pending;
    };
    await growing(2);
    // Another number is not what was asked for, and nothing is added by a call that only checks, or by the first try.
    await assert.rejects(growing(3), { code: 'INVALID_PARTITIONS' });
    await assert.rejects(growing(2, true), { code: 'INVALID_PARTITIONS' });
    await assert.rejects(admin.createPartitions({ topic: 'orders', count: 2 }), { code: 'INVALID_PARTITIONS' });
  });

  it('resolves an empty array without a request', async () => {
    const { fake, admin } = controller(() => ({}));
    assert.deepEqual(await admin.createTopics([]), []);
    assert.deepEqual(await admin.deleteTopics([], { settled: true }), []);
    assert.equal(fake.requests.length, 0);
  });

  for (const [what, call] of [
    ['a topic without a name', (admin: Admin) => admin.createTopics({ topic: '' })],
    [
      'assignments beside partitions',
      (admin: Admin) => admin.createTopics({ topic: 'a', partitions: 1, assignments: [[1]] }),
    ],
    ['a negative time', (admin: Admin) => admin.listOffsets({ topic: 'a', partition: 0, at: -5 })],
    ['an offset that is no int64', (admin: Admin) => admin.deleteRecords({ topic: 'a', partition: 0, offset: 1.5 })],
    ['a broker that is no number', (admin: Admin) => admin.describeConfigs({ type: 'broker', name: 'one' })],
    ['an unknown resource', (admin: Admin) => admin.describeConfigs({ type: 'topics' as 'topic', name: 'one' })],
    [
      'a negative group offset',
      (admin: Admin) => admin.alterGroupOffsets('g', { topic: 'a', partition: 0, offset: -1 }),
    ],
    ['a misspelt option', (admin: Admin) => admin.createTopics({ topic: 'a' }, { ifNotExist: true } as object)],
    ['a time-out that is none', (admin: Admin) => admin.listTopics({ timeoutMs: -1 })],
  ] as const) {
    it(`refuses ${what} before any request`, async () => {
      const { fake, admin } = controller(() => ({}));
      await assert.rejects(call(admin), (error: unknown) => {
        assert.ok(isKafkaError(error));
        assert.match(error.code, /^(INVALID_ARGUMENT|INVALID_OPTION|UNKNOWN_OPTION)$/);
        assert.match(error.message, /^Cannot /);
        return true;
      });
      assert.equal(fake.requests.length, 0);
    });
  }

  const group = { groupId: 'g' } as never;
  const misnamed: readonly (readonly [call: (admin: Admin) => Promise<unknown>, told: RegExp])[] = [
    [
      (admin) => admin.createTopics({ topic: 'a', numPartitions: 3 } as object as never),
      /numPartitions; use partitions$/,
    ],
    [
      (admin) => admin.createTopics([{ topic: 'a' }, { topic: 'b', partitons: 3 } as never]),
      /did you mean partitions\?/,
    ],
    [(admin) => admin.createTopics({ topics: [{ topic: 'a' }] } as never), /one or a list of them/],
    [(admin) => admin.createTopics({ topic: 'a', xyzzy: 1 } as never), /its fields are topic, partitions, /],
    [(admin) => admin.createTopics('a' as never), /"a" given, where \{ topic, partitions, /],
    [
      (admin) => admin.createPartitions({ topic: 'a', partitions: 3 } as never),
      /use count: how many it shall have in all/,
    ],
    [(admin) => admin.createPartitions({ topic: 'a' } as never), /undefined given for count/],
    [(admin) => admin.createPartitions({ count: 3 } as never), /undefined given for topic/],
    [(admin) => admin.createTopics({ topic: 'a', partitions: '3' } as never), /"3" given for partitions/],
    [
      (admin) => admin.createTopics({ topic: 'a', assignments: [1] } as never),
      /a list with the ids of brokers for each partition was expected/,
    ],
    [
      (admin) => admin.createTopics({ topic: 'a', configs: { 'retention.ms': undefined } } as never),
      /undefined given for retention\.ms in configs, where text, a number or a boolean was expected/,
    ],
    [(admin) => admin.incrementalAlterConfigs({ type: 'topic', name: 'a', configs: {} } as never), /use set$/],
    [(admin) => admin.incrementalAlterConfigs({ type: 'group', set: { a: '1' } } as never), /name of the group/],
    [
      (admin) => admin.incrementalAlterConfigs({ type: 'topic', name: 'a', set: { a: undefined } } as never),
      /undefined given for a in set/,
    ],
    [
      (admin) => admin.incrementalAlterConfigs({ type: 'topic', name: 'a', subtract: { 'ssl.key': [] } } as never),
      /\(an object\) given for ssl\.key in subtract/,
    ],
    [(admin) => admin.incrementalAlterConfigs({ type: 'topic', name: 'a', append: 'b' } as never), /"b" given for app/],
    [(admin) => admin.incrementalAlterConfigs({ type: 'topic', name: 'a', set: null } as never), /null given for set/],
    [(admin) => admin.incrementalAlterConfigs({ type: 'topic', name: 'a', delete: 'b' } as never), /"b" given for del/],
    [
      (admin) => admin.describeConfigs(undefined as never),
      /undefined given, where \{ type: 'topic', name: 'orders' \}/,
    ],
    [(admin) => admin.describeConfigs([null] as never), /null given, where \{ type: 'topic'/],
    [(admin) => admin.describeConfigs({ type: 'topic' } as never), /a name was expected for name of the topic/],
    [
      (admin) => admin.describeConfigs({ type: 'brokerLogger', name: undefined } as never),
      /the broker's id was expected/,
    ],
    [(admin) => admin.listConfigResources({ types: ['topics'] } as never), /"topics" given, where one of "topic", /],
    [(admin) => admin.removeMembersFromGroup('g', {}), /needs a memberId or a groupInstanceId; to remove all/],
    [(admin) => admin.removeMembersFromGroup('g', [{ memberId: '' }]), /"" given, where the id of a member/],
    [(admin) => admin.removeMembersFromGroup('g', { groupInstanceId: 7 } as never), /7 given, .* for groupInstanceId/],
    [(admin) => admin.removeMembersFromGroup('g', undefined as never), /give 'all'/],
    [(admin) => admin.removeMembersFromGroup(group, 'all'), /where the id of a group was expected/],
    [
      (admin) => admin.deleteTopics({ topics: ['a'] } as never),
      /an object given, where the name of a topic was expected/,
    ],
    [
      (admin) => admin.describeTopics(['a', undefined] as never),
      /undefined given, where the name of a topic was expected/,
    ],
    [
      (admin) => admin.deleteRecords({ partition: 0, offset: 1 } as never),
      /the name of a topic was expected for topic/,
    ],
    [(admin) => admin.listOffsets({ topic: 'a' } as never), /undefined given for the partition of topic "a"/],
    [(admin) => admin.listOffsets({ topic: 'a', partition: -1 }), /-1 given for the partition of topic "a"/],
    [(admin) => admin.listOffsets('a' as never), /where \{ topic, partition \} was expected/],
    [(admin) => admin.describeProducers({ topic: 'a', partition: '0' } as never), /"0" given for the partition/],
    [(admin) => admin.abortTransaction({ topic: 'a' } as never), /undefined given for the partition/],
    [
      (admin) => admin.alterPartitionReassignments({ topic: 'a', partition: 0 } as never),
      /undefined given for the replicas .*or null to cancel/,
    ],
    [
      (admin) => admin.alterPartitionReassignments({ topic: 'a', partition: 0, replicas: [] }),
      /a list of 0 given for the replicas/,
    ],
    [
      (admin) => admin.alterPartitionReassignments({ topic: 'a', partition: 0, replicas: 2 } as never),
      /2 given for the replicas/,
    ],
    [
      (admin) => admin.alterPartitionReassignments({ topic: 'a', partition: 0, replicas: [1, -2] }),
      /-2 given, where the id of a broker was expected for the replicas of partition 0/,
    ],
    [
      (admin) => admin.alterPartitionReassignments({ topic: 'a', partition: 0, replicas: [1, 2, 1] }),
      /broker 1 given twice for the replicas of partition 0 of topic "a"/,
    ],
    [
      (admin) => admin.alterPartitionReassignments({ topic: 'a', partition: -1, replicas: [1] }),
      /-1 given for the partition of topic "a"/,
    ],
    [
      (admin) => admin.alterPartitionReassignments([{ topic: 'a', partitionAssignment: [] }] as never),
      /give \{ topic, partition, replicas \} for each/,
    ],
    [
      (admin) => admin.alterPartitionReassignments({ topic: 'a', partition: 0, targetReplicas: [1] } as never),
      /use replicas$/,
    ],
    [
      (admin) => admin.listPartitionReassignments([{ topic: 'a' }] as never),
      /undefined given for the partition of topic "a"/,
    ],
    [(admin) => admin.listPartitionReassignments({ timeoutMs: 5 } as never), /where the name of a topic was expected/],
    [
      (admin) => admin.electLeaders('prefered' as never),
      /"prefered" given, where one of "preferred", "unclean" was expected/,
    ],
    [
      (admin) => admin.electLeaders([{ topic: 'a', partition: 0 }] as never),
      /a list of 1 given, where one of "preferred"/,
    ],
    [
      (admin) => admin.electLeaders('unclean', [{ topic: 'a' }] as never),
      /undefined given for the partition of topic "a"/,
    ],
    [(admin) => admin.describeLogDirs(['1'] as never), /"1" given, where the id of a broker was expected/],
    [
      (admin) => admin.describeLogDirs({ timeoutMs: 5 } as never),
      /an object given, where the id of a broker was expected/,
    ],
    [
      (admin) => admin.alterReplicaLogDirs({ topic: 'a', partition: 0, brokerId: 1 } as never),
      /undefined given, where the absolute path .* for path/,
    ],
    [
      (admin) => admin.alterReplicaLogDirs({ topic: 'a', partition: 0, path: '/a' } as never),
      /for brokerId of partition 0 of topic "a"/,
    ],
    [
      (admin) => admin.alterReplicaLogDirs({ topic: 'a', partition: 0, brokerId: 1, logDir: '/a' } as never),
      /use path$/,
    ],
    [
      (admin) => admin.describeReplicaLogDirs({ topic: 'a', partition: 0 } as never),
      /the id of a broker was expected for brokerId/,
    ],
    [(admin) => admin.updateFeatures({ name: 'a', maxVersionLevel: 1 } as never), /use feature$/],
    [
      (admin) => admin.updateFeatures({ maxVersionLevel: 1 } as never),
      /the name of a feature was expected for feature/,
    ],
    [
      (admin) => admin.updateFeatures({ feature: 'a' } as never),
      /an integer from 0 to 32767 was expected for maxVersionLevel of feature "a"/,
    ],
    [(admin) => admin.updateFeatures({ feature: 'a', maxVersionLevel: 0 }), /level 0 given .* needs upgradeType/],
    [
      (admin) => admin.updateFeatures({ feature: 'a', maxVersionLevel: 1, upgradeType: 'SAFE' } as never),
      /one of "upgrade", "safe-downgrade", "unsafe-downgrade" was expected/,
    ],
    [(admin) => admin.unregisterBroker(-1), /-1 given, where the id of a broker was expected/],
    [(admin) => admin.describeGroups(group), /the id of a group was expected/],
    [(admin) => admin.deleteGroups([5] as never), /5 given, where the id of a group was expected/],
    [(admin) => admin.describeShareGroups(group), /the id of a group was expected/],
    [(admin) => admin.listGroupOffsets(group), /the id of a group was expected/],
    [(admin) => admin.listShareGroupOffsets(group), /the id of a group was expected/],
    [(admin) => admin.alterGroupOffsets(group, { topic: 'a', partition: 0, offset: 1 }), /the id of a group/],
    [(admin) => admin.alterGroupOffsets('g', { topic: 'a', offset: 1 } as never), /undefined given for the partition/],
    [(admin) => admin.deleteGroupOffsets(group, { topic: 'a', partition: 0 }), /the id of a group/],
    [(admin) => admin.deleteGroupOffsets('g', 'a' as never), /where \{ topic, partition \} was expected/],
    [(admin) => admin.alterShareGroupOffsets(group, { topic: 'a', partition: 0, startOffset: 1 }), /the id of a group/],
    [(admin) => admin.alterShareGroupOffsets('g', 'a' as never), /where \{ topic, partition \} was expected/],
    [(admin) => admin.deleteShareGroupOffsets(group, 'a'), /the id of a group/],
    [(admin) => admin.deleteShareGroupOffsets('g', { topic: 'a' } as never), /the name of a topic was expected/],
    [(admin) => admin.describeTransactions(5 as never), /5 given, where a transactional id was expected/],
    [(admin) => admin.fenceProducers([null] as never), /null given, where a transactional id was expected/],
  ];
  for (const [index, [call, told]] of misnamed.entries()) {
    it(`refuses what it does not know before any request, ${index + 1}: ${told.source}`, async () => {
      const { fake, admin } = controller(() => ({}));
      await assert.rejects(call(admin), { code: 'INVALID_ARGUMENT', message: told });
      assert.equal(fake.requests.length, 0);
    });
  }

  it('takes what other calls answer with', async () => {
    const { admin } = withPartitions(
      () => [[1, 0]],
      () => 0,
    );
    const found = await admin.listOffsets([query(0)]);
    assert.deepEqual(await admin.listOffsets(found), found);
  });
});
