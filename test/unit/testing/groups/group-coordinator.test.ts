import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brokerErrorByNumber } from '../../../../src/errors/broker-error-codes.ts';
import { GroupCoordinator } from '../../../../src/testing/groups/group-coordinator.ts';
import { OffsetCoordinator } from '../../../../src/testing/groups/offset-coordinator.ts';
import { BrokerState } from '../../../../src/testing/state/broker-state.ts';
import { ClusterState } from '../../../../src/testing/state/cluster-state.ts';
import { lead } from '../../../../src/testing/state/leadership.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { seededRandom } from '../../../support/seeded-random.ts';

const day = 24 * 3_600_000;
const nameOf = (code: number | undefined): string => brokerErrorByNumber(code ?? 0)?.name ?? String(code);

/** Two brokers with one topic, and a group of one member if asked for. */
class Bench {
  readonly clock = new FakeClock();
  readonly cluster = new ClusterState({
    clusterId: 'c',
    clock: this.clock,
    random: seededRandom(1),
    brokers: [new BrokerState(1, null), new BrokerState(2, null)],
    features: new Map(),
    configs: new Map([
      ['group.initial.rebalance.delay.ms', '0'],
      ['offsets.topic.replication.factor', '2'],
    ]),
  });
  readonly coordinator = this.cluster.service(GroupCoordinator);
  readonly offsets = this.cluster.service(OffsetCoordinator);

  constructor() {
    this.cluster.createTopic({ name: 't', partitions: 1, replicationFactor: 1 });
  }

  get home() {
    return this.cluster.coordinatorPartition('group', 'g');
  }

  get broker(): BrokerState {
    const broker = this.cluster.brokers.get(this.home.leaderId);
    if (broker === undefined) throw new Error('no coordinator');
    return broker;
  }

  join(memberId = '') {
    return this.coordinator.join(
      'g',
      {
        memberId,
        groupInstanceId: null,
        clientId: 'c',
        clientHost: 'h',
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: Buffer.from([0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) }],
        sessionTimeoutMs: 10_000,
        rebalanceTimeoutMs: 10_000,
        requiresMemberId: false,
        canSkipAssignment: false,
      },
      this.broker,
    );
  }

  async stableMember(): Promise<string> {
    const joining = this.join();
    await this.clock.advance(0);
    const memberId = (await joining)?.memberId ?? '';
    await this.sync(memberId, 1);
    return memberId;
  }

  sync(memberId: string, generationId: number) {
    const assignments = [{ memberId, assignment: Buffer.from('part') }];
    const fields = { groupInstanceId: null, protocolType: null, protocolName: null };
    return this.coordinator.sync('g', { memberId, generationId, assignments, ...fields }, this.broker);
  }

  beat(memberId: string, generationId = 1): string {
    return nameOf(this.coordinator.heartbeat('g', { memberId, groupInstanceId: null }, generationId, this.broker));
  }

  commit(offset: bigint, retentionMs = -1n, membership = { memberId: '', generationId: -1 }) {
    const committer = { groupId: 'g', groupInstanceId: null, version: 8, ...membership };
    const topicId = this.cluster.topics.get('t')?.topicId ?? '';
    const commit = { topic: 't', topicId, partition: 0, offset, leaderEpoch: 0, metadata: '' };
    return this.offsets.commit(committer, [commit], retentionMs);
  }

  committed(): bigint {
    return this.offsets.fetch('g', 't', this.cluster.topics.get('t')?.topicId ?? '', 0, false).offset;
  }

  states(): string[] {
    return this.coordinator.list(this.broker).map(({ groupState }) => groupState);
  }

  move(): void {
    lead(this.cluster, this.home, this.home.leaderId === 1 ? 2 : 1);
  }
}

describe('GroupCoordinator', () => {
  it('GroupCoordinator keeps stable members when it moves to another broker, and asks elsewhere there no more', async () => {
    const bench = new Bench();
    const memberId = await bench.stableMember();
    const former = bench.broker;
    bench.move();
    assert.equal(nameOf(bench.coordinator.refusal('g', former)), 'NOT_COORDINATOR');
    assert.equal(bench.beat(memberId), 'NONE');
    assert.equal((await bench.sync(memberId, 1))?.assignment.toString(), 'part');
    await bench.clock.advance(10_000);
    assert.equal(bench.beat(memberId), 'UNKNOWN_MEMBER_ID');
  });

  it('GroupCoordinator tells members who wait that it has moved, and forgets what was not agreed on', async () => {
    const bench = new Bench();
    const memberId = await bench.stableMember();
    const second = bench.join();
    bench.move();
    assert.equal(nameOf((await second)?.errorCode), 'NOT_COORDINATOR');
    assert.equal(bench.beat(memberId), 'NONE');
  });

  it('GroupCoordinator lets no session end while nobody coordinates', async () => {
    const bench = new Bench();
    const memberId = await bench.stableMember();
    const { leaderId } = bench.home;
    lead(bench.cluster, bench.home, -1);
    await bench.clock.advance(60_000);
    lead(bench.cluster, bench.home, leaderId);
    assert.equal(bench.beat(memberId), 'NONE');
  });

  it('GroupCoordinator drops offsets and the group when it was empty for as long as they are kept', async () => {
    const bench = new Bench();
    const memberId = await bench.stableMember();
    bench.commit(5n, -1n, { memberId, generationId: 1 });
    await bench.clock.advance(10_000);
    assert.deepEqual(bench.states(), ['Empty']);
    await bench.clock.advance(7 * day - 700_000);
    assert.equal(bench.committed(), 5n);
    await bench.clock.advance(1_400_000);
    assert.equal(bench.committed(), -1n);
    assert.deepEqual(bench.states(), []);
  });

  it('GroupCoordinator drops the offsets of a group without members by the time of the commit, or what the commit said', async () => {
    const bench = new Bench();
    bench.commit(5n, 3_600_000n);
    await bench.clock.advance(3_000_000);
    assert.equal(bench.committed(), 5n);
    await bench.clock.advance(1_200_000);
    assert.equal(bench.committed(), -1n);
    bench.commit(6n);
    await bench.clock.advance(6 * day);
    bench.commit(7n);
    await bench.clock.advance(2 * day);
    assert.equal(bench.committed(), 7n);
  });

  it('GroupCoordinator drops the offsets of a topic that is deleted, and keeps those of its namesake', () => {
    const bench = new Bench();
    bench.commit(5n);
    const topic = bench.cluster.topics.get('t');
    assert.ok(topic);
    bench.cluster.deleteTopic(topic);
    bench.cluster.createTopic({ name: 't', partitions: 1, replicationFactor: 1 });
    assert.equal(bench.committed(), -1n);
    bench.commit(6n);
    bench.cluster.changed.notify();
    assert.equal(bench.committed(), 6n);
  });

  it('GroupCoordinator goes on from a snapshot: members, assignments, offsets, and those of open transactions', async () => {
    const bench = new Bench();
    const memberId = await bench.stableMember();
    const topicId = bench.cluster.topics.get('t')?.topicId ?? '';
    bench.commit(5n, -1n, { memberId, generationId: 1 });
    const committer = { groupId: 'g', groupInstanceId: null, version: 5, memberId, generationId: 1 };
    const commit = { topic: 't', topicId, partition: 0, offset: 9n, leaderEpoch: 0, metadata: '' };
    bench.offsets.commitInTransaction(committer, 77n, [commit]);
    const beat = { memberId: 'm', memberEpoch: 0, instanceId: null, rackId: null, rebalanceTimeoutMs: 1000 };
    const rest = { topicNames: ['t'], topicRegex: null, serverAssignor: null, owned: new Set<string>() };
    const newBroker = bench.cluster.coordinator('group', 'new');
    assert.ok(newBroker);
    bench.coordinator.consumerHeartbeat('new', { ...beat, ...rest, clientId: 'c', clientHost: 'h' }, newBroker);
    const snapshot = JSON.parse(JSON.stringify(bench.coordinator.snapshot())) as ReturnType<
      GroupCoordinator['snapshot']
    >;

    const later = new Bench(); // the same seed makes the same ids
    later.coordinator.restore(snapshot);
    assert.equal(later.beat(memberId), 'NONE');
    assert.equal((await later.sync(memberId, 1))?.assignment.toString(), 'part');
    assert.equal(later.committed(), 5n);
    later.coordinator.completeTransaction(77n, true);
    assert.equal(later.committed(), 9n);
    assert.equal(later.coordinator.consumerGroup('new')?.member('m')?.assigned.size, 1);
    assert.deepEqual(
      later.coordinator.snapshot().groups.map(({ groupId }) => groupId),
      ['g', 'new'],
    );
  });
});
