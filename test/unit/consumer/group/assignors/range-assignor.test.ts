import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { AssignablePartition, MemberSubscription } from '../../../../../src/consumer/group/assignors/assignor.ts';
import { assignRange } from '../../../../../src/consumer/group/assignors/range-assignor.ts';

/** These topics, with so many partitions each. */
function sized(...topics: readonly (readonly [string, number])[]): Map<string, AssignablePartition[]> {
  return new Map(
    topics.map(([topic, count]) => [
      topic,
      Array.from({ length: count }, (_, partition) => ({ partition, racks: [] })),
    ]),
  );
}

function member(
  memberId: string,
  topics: readonly string[],
  groupInstanceId: string | null = null,
): MemberSubscription {
  return { memberId, topics, groupInstanceId, userData: null, ownedPartitions: [], generationId: -1, rackId: null };
}

function shown(assignments: ReturnType<typeof assignRange>): Record<string, string> {
  return Object.fromEntries(
    [...assignments].map(([id, partitions]) => [
      id,
      partitions.map(({ topic, partition }) => `${topic}${partition}`).join(' '),
    ]),
  );
}

describe('assignRange', () => {
  it('gives consecutive ranges, one more to the first where it does not divide', () => {
    const members = [member('c', ['t']), member('a', ['t']), member('b', ['t'])];
    assert.deepEqual(shown(assignRange(sized(['t', 7]), members)), { a: 't0 t1 t2', b: 't3 t4', c: 't5 t6' });
  });

  it('gives nothing to members beyond the number of partitions', () => {
    const members = [member('a', ['t']), member('b', ['t']), member('c', ['t'])];
    assert.deepEqual(shown(assignRange(sized(['t', 2]), members)), { a: 't0', b: 't1', c: '' });
  });

  it('counts each topic for itself, among those who subscribed to it', () => {
    const members = [member('a', ['t', 'u']), member('b', ['u']), member('c', ['t'])];
    assert.deepEqual(shown(assignRange(sized(['t', 3], ['u', 3]), members)), { a: 't0 t1 u0 u1', b: 'u2', c: 't2' });
  });

  it('puts static members first, by instance id, as Java does', () => {
    const members = [member('a', ['t']), member('z', ['t'], 'i-2'), member('y', ['t'], 'i-1')];
    assert.deepEqual(shown(assignRange(sized(['t', 3]), members)), { a: 't2', z: 't1', y: 't0' });
  });

  it('compares member ids by UTF-16 code units, as Java does', () => {
    const members = [member('\uffee', ['t']), member('\u{1f600}', ['t']), member('Z', ['t']), member('a', ['t'])];
    assert.deepEqual(shown(assignRange(sized(['t', 4]), members)), {
      Z: 't0',
      a: 't1',
      '\u{1f600}': 't2',
      '\uffee': 't3',
    });
  });

  it('leaves out a topic that is not known, and a member that comes twice', () => {
    const members = [member('a', ['t', 'gone']), member('a', ['t', 'gone'])];
    assert.deepEqual(shown(assignRange(sized(['t', 2]), members)), { a: 't0 t1' });
  });

  it('gives every partition to exactly one of its subscribers, with at most one between the largest and smallest share', () => {
    const topics = ['t', 'u', 'v'];
    const subscriptions = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(
        subscriptions,
        fc.array(fc.subarray(topics), { minLength: 6, maxLength: 6 }),
        fc.nat(20),
        (ids, wanted, count) => {
          const members = ids.map((id, index) => member(id, wanted[index] ?? []));
          const assignments = assignRange(sized(['t', count], ['u', count], ['v', count]), members);
          for (const topic of topics) {
            const readers = members.filter((one) => one.topics.includes(topic));
            const shares = readers.map(({ memberId }) =>
              (assignments.get(memberId) ?? []).filter((item) => item.topic === topic),
            );
            const all = shares
              .flat()
              .map(({ partition }) => partition)
              .sort((a, b) => a - b);
            assert.deepEqual(
              all,
              readers.length === 0 ? [] : Array.from({ length: count }, (_, partition) => partition),
            );
            const sizes = shares.map((share) => share.length);
            assert.ok(sizes.length === 0 || Math.max(...sizes) - Math.min(...sizes) <= 1);
          }
        },
      ),
    );
  });
});
