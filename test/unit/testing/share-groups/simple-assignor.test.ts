import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assignSimply, type SharingMember } from '../../../../src/testing/share-groups/simple-assignor.ts';
import { seededRandom } from '../../../support/seeded-random.ts';

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

/** Topics `t0`, `t1` … of these sizes. */
function viewOf(sizes: readonly number[]) {
  const views = sizes.map((partitionCount, at) => ({ name: `t${at}`, topicId: `id${at}`, partitionCount }));
  return {
    byName: (name: string) => views.find((view) => view.name === name),
    byId: (topicId: string) => views.find((view) => view.topicId === topicId),
    names: () => views.map(({ name }) => name),
  };
}

const none: ReadonlySet<string> = new Set();
const all = (): boolean => true;

function membersOf(count: number, topics: readonly string[]): SharingMember[] {
  return Array.from({ length: count }, (_, at) => ({ memberId: `m${at}`, topics, target: none }));
}

function sizes(targets: ReadonlyMap<string, ReadonlySet<string>>): number[] {
  return [...targets.values()].map(({ size }) => size).sort((a, b) => a - b);
}

/** How many members each partition has. */
function holders(targets: ReadonlyMap<string, ReadonlySet<string>>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const keys of targets.values()) for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

describe('assignSimply', () => {
  it('assignSimply gives each partition to one member while there are more partitions, and to several where there are more members', () => {
    assert.deepEqual(sizes(assignSimply(membersOf(3, ['t0']), viewOf([5]), all)), [1, 2, 2]);
    assert.deepEqual(sizes(assignSimply(membersOf(4, ['t0']), viewOf([3]), all)), [1, 1, 2, 2]);
    assert.deepEqual(sizes(assignSimply(membersOf(7, ['t0']), viewOf([3]), all)), [1, 1, 1, 1, 1, 2, 2]);
    assert.deepEqual(sizes(assignSimply([], viewOf([3]), all)), []);
    assert.deepEqual(sizes(assignSimply(membersOf(2, []), viewOf([3]), all)), [0, 0]);
  });

  it('assignSimply gives nobody what is not ready', () => {
    const targets = assignSimply(membersOf(2, ['t0']), viewOf([4]), (key) => key !== 'id0:2');
    assert.deepEqual([...holders(targets).keys()].sort(), ['id0:0', 'id0:1', 'id0:3']);
  });

  it('assignSimply shares each topic by itself where subscriptions differ', () => {
    const [a, b] = [
      { memberId: 'a', topics: ['t0', 't1'], target: none },
      { memberId: 'b', topics: ['t0'], target: none },
    ];
    const targets = assignSimply([a, b], viewOf([4, 3]), all);
    const of = (memberId: string, topicId: string): number =>
      [...(targets.get(memberId) ?? [])].filter((key) => key.startsWith(topicId)).length;
    assert.deepEqual([of('a', 'id0'), of('b', 'id0'), of('a', 'id1'), of('b', 'id1')], [2, 2, 3, 0]);
  });

  it(`assignSimply is even, complete and sticky whoever comes and goes (SEED=${seed})`, () => {
    const random = seededRandom(seed);
    const below = (end: number): number => Math.floor(random() * end);
    for (let round = 0; round < 200; round++) {
      const view = viewOf([1 + below(6), 1 + below(6)]);
      const total = (view.byName('t0')?.partitionCount ?? 0) + (view.byName('t1')?.partitionCount ?? 0);
      let members = membersOf(1 + below(9), ['t0', 't1']);
      for (let step = 0; step < 8; step++) {
        const targets = assignSimply(members, view, all);
        const width = Math.ceil(members.length / total);
        const counts = [...holders(targets).values()];
        assert.equal(counts.length, total, 'every partition has somebody');
        assert.deepEqual([...new Set(counts)], [width], 'equally many members each');
        const [least = 0] = sizes(targets);
        assert.ok((sizes(targets).at(-1) ?? 0) - least <= 1, 'members have equally many');
        const settled = members.map((member) => ({ ...member, target: targets.get(member.memberId) ?? none }));
        assert.deepEqual(assignSimply(settled.toReversed(), view, all), targets, 'nothing moves where nothing changes');
        members = settled.filter(() => settled.length === 1 || random() > 0.2);
        if (members.length === 0) members = settled.slice(0, 1);
        if (random() < 0.6) members.push({ memberId: `n${round}-${step}`, topics: ['t0', 't1'], target: none });
      }
    }
  });
});
