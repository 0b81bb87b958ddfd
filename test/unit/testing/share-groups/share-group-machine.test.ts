import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brokerErrorByNumber } from '../../../../src/errors/broker-error-codes.ts';
import { ShareGroupMachine } from '../../../../src/testing/share-groups/share-group-machine.ts';
import type { ShareHeartbeat } from '../../../../src/testing/share-groups/share-group-messages.ts';
import { loadShareGroup, recordShareGroup } from '../../../../src/testing/share-groups/share-group-record.ts';

/** A share group under test, on a topic of four partitions. */
class Bench {
  readonly topics = new Map([['t', 4]]);
  readonly initialized = new Set<string>();
  nowMs = 0;
  settings = { heartbeatIntervalMs: 5000, sessionTimeoutMs: 45_000, assignmentIntervalMs: 0, maxSize: 3 };
  readonly world = {
    byName: (name: string) => this.#view(name),
    byId: (id: string) => this.#view(id.slice(3)),
    names: () => [...this.topics.keys()],
    isInitialized: (key: string) => this.initialized.has(key),
  };
  readonly group = this.make();

  make(): ShareGroupMachine {
    return new ShareGroupMachine('g', this.world, () => this.settings);
  }

  #view(name: string) {
    const partitionCount = this.topics.get(name);
    return partitionCount === undefined ? undefined : { name, topicId: `id-${name}`, partitionCount };
  }

  beat(memberId: string, memberEpoch: number, more: Partial<ShareHeartbeat> = {}) {
    const who = { memberId, memberEpoch, rackId: null, topicNames: null, clientId: 'c', clientHost: 'h' };
    const { errorCode, assignment, ...rest } = this.group.heartbeat({ ...who, ...more }, this.nowMs);
    const error = brokerErrorByNumber(errorCode)?.name ?? String(errorCode);
    return { ...rest, error, assignment: assignment?.toSorted() ?? null };
  }

  join(memberId: string, topicNames: readonly string[] = ['t']) {
    return this.beat(memberId, 0, { topicNames });
  }

  makeReady(): void {
    for (const key of this.group.uninitialized()) this.initialized.add(key);
  }

  advance(ms: number): void {
    this.nowMs += ms;
    this.group.tick(this.nowMs);
  }
}

const everything = ['id-t:0', 'id-t:1', 'id-t:2', 'id-t:3'];

describe('ShareGroupMachine', () => {
  it('ShareGroupMachine gives partitions out once they are ready, in an epoch of their own', () => {
    const bench = new Bench();
    const joined = bench.join('a');
    assert.deepEqual([joined.memberEpoch, joined.assignment, joined.heartbeatIntervalMs], [2, [], 5000]);
    assert.deepEqual(bench.group.uninitialized(), everything);
    assert.deepEqual([bench.beat('a', 2).memberEpoch, bench.beat('a', 2).assignment], [2, null]);
    bench.makeReady();
    assert.deepEqual([bench.beat('a', 2).assignment, bench.group.groupEpoch], [everything, 3]);
    assert.equal(bench.beat('a', 3).assignment, null);
    assert.equal(bench.group.groupEpoch, 3);
  });

  it('ShareGroupMachine removes a member whose session is over, and gives its partitions to the others', () => {
    const bench = new Bench();
    bench.join('a');
    bench.makeReady();
    bench.beat('a', 2);
    bench.join('b');
    bench.advance(44_000);
    assert.equal(bench.beat('b', 4).assignment, null);
    assert.equal(bench.group.member('b')?.assigned.size, 2);
    assert.equal(bench.group.nextDeadlineMs(), 45_000);
    bench.advance(1000);
    assert.deepEqual(
      bench.group.members.map(({ memberId }) => memberId),
      ['b'],
    );
    assert.deepEqual(bench.beat('b', 4), {
      error: 'NONE',
      memberId: 'b',
      memberEpoch: 5,
      heartbeatIntervalMs: 5000,
      assignment: everything,
    });
    assert.equal(bench.beat('a', 4).error, 'UNKNOWN_MEMBER_ID');
    bench.advance(45_000);
    assert.equal(bench.group.state, 'Empty');
    assert.equal(bench.group.nextDeadlineMs(), undefined);
  });

  it('ShareGroupMachine waits between two assignments', () => {
    const bench = new Bench();
    bench.settings.assignmentIntervalMs = 1000;
    bench.join('a');
    bench.makeReady();
    bench.advance(999);
    assert.deepEqual([bench.beat('a', 2).memberEpoch, bench.group.groupEpoch], [2, 3]);
    assert.deepEqual([bench.beat('a', 2).memberEpoch, bench.group.groupEpoch], [2, 3]);
    bench.advance(1);
    assert.deepEqual([bench.beat('a', 2).assignment, bench.group.groupEpoch], [everything, 3]);
  });

  it('ShareGroupMachine takes no more members than its limit, but lets those in it come back', () => {
    const bench = new Bench();
    for (const memberId of ['a', 'b', 'c']) assert.equal(bench.join(memberId).error, 'NONE');
    assert.equal(bench.join('d').error, 'GROUP_MAX_SIZE_REACHED');
    assert.equal(bench.join('a').error, 'NONE');
    bench.beat('c', -1);
    assert.equal(bench.join('d').error, 'NONE');
  });

  it('ShareGroupMachine follows topics that come, grow and go', () => {
    const bench = new Bench();
    bench.join('a', ['t', 'later']);
    bench.makeReady();
    bench.beat('a', 2);
    bench.topics.set('later', 1);
    bench.topics.set('t', 5);
    bench.beat('a', 3);
    bench.makeReady();
    assert.deepEqual(bench.beat('a', 4).assignment, ['id-later:0', ...everything, 'id-t:4']);
    bench.topics.delete('t');
    assert.deepEqual(bench.beat('a', 5).assignment, ['id-later:0']);
    assert.deepEqual([...bench.group.target('a')], ['id-later:0']);
  });

  it('ShareGroupMachine goes on from what was written down, with a whole session for each member', () => {
    const bench = new Bench();
    bench.join('a');
    bench.makeReady();
    bench.beat('a', 2);
    bench.join('b');
    const record = JSON.parse(JSON.stringify(recordShareGroup(bench.group))) as ReturnType<typeof recordShareGroup>;
    const next = bench.make();
    loadShareGroup(next, record, 10_000);
    assert.deepEqual(recordShareGroup(next), record);
    assert.equal(next.nextDeadlineMs(), 55_000);
    const answer = next.heartbeat(
      { memberId: 'a', memberEpoch: 3, rackId: null, topicNames: null, clientId: 'c', clientHost: 'h' },
      10_000,
    );
    assert.deepEqual([answer.errorCode, answer.memberEpoch, answer.assignment?.length], [0, 4, 2]);
    assert.equal(next.groupEpoch, 4);
  });
});
