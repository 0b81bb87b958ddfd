import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  RoundRobinPartition,
  StickyPartition,
  type PartitionView,
  type StickyOptions,
} from '../../../src/producer/partitioner-machine.ts';
import { seededRandom } from '../../support/seeded-random.ts';

/** Partitions that are all available and idle, except for what is given. */
function view(given: Partial<PartitionView> = {}): PartitionView {
  return { isAvailable: () => true, isNear: () => false, waitingBytes: () => 0, ...given };
}

const only =
  (...partitions: number[]) =>
  (partition: number): boolean =>
    partitions.includes(partition);

function make(options: Partial<StickyOptions> = {}): StickyPartition {
  return new StickyPartition({ stickyBytes: 1, adaptive: true, rackAware: false, random: () => 0, ...options });
}

/** How many turns each partition gets out of so many. */
function turns(sticky: StickyPartition, count: number, partitions: PartitionView, of = 6000): number[] {
  const counts = Array.from({ length: count }, () => 0);
  for (let turn = 0; turn < of; turn++) {
    const partition = sticky.next(count, partitions);
    counts[partition] = (counts[partition] ?? 0) + 1;
    sticky.count(partition, 1);
  }
  return counts;
}

describe('StickyPartition', () => {
  it('StickyPartition stays until enough bytes went to the partition, then takes another', () => {
    const chances = [0.1, 0.6];
    const sticky = make({ stickyBytes: 100, random: () => chances.shift() ?? 0.9 });
    assert.equal(sticky.next(4, view()), 0);
    sticky.count(0, 99);
    assert.equal(sticky.next(4, view()), 0);
    sticky.count(3, 500);
    assert.equal(sticky.next(4, view()), 0, 'what went elsewhere does not count');
    sticky.count(0, 1);
    assert.equal(sticky.next(4, view()), 2);
  });

  it('StickyPartition takes another partition even if chance says the same, unless there is only one', () => {
    const sticky = make();
    assert.equal(sticky.next(3, view()), 0);
    sticky.count(0, 1);
    assert.equal(sticky.next(3, view()), 1);
    sticky.count(1, 1);
    assert.equal(sticky.next(1, view()), 0);
    sticky.count(0, 1);
    assert.equal(sticky.next(1, view()), 0);
  });

  it('StickyPartition avoids partitions that are not available, unless none is', () => {
    const sticky = make({ random: () => 0.5 });
    assert.equal(sticky.next(4, view({ isAvailable: only(2) })), 2);
    sticky.count(2, 1);
    assert.equal(sticky.next(4, view({ isAvailable: only(2) })), 2);
    assert.equal(make({ random: () => 0.5 }).next(4, view({ isAvailable: only() })), 2);
  });

  it('StickyPartition leaves a partition that is not available any more, but stays if it has nowhere to go', () => {
    const sticky = make({ stickyBytes: 1000 });
    assert.equal(sticky.next(3, view()), 0);
    sticky.count(0, 1);
    assert.equal(sticky.next(3, view({ isAvailable: only() })), 0);
    assert.equal(sticky.next(3, view({ isAvailable: only(2) })), 2);
  });

  it('StickyPartition uses partitions that a topic has gained', () => {
    const sticky = make({ random: seededRandom(7) });
    assert.ok(turns(sticky, 2, view()).every((count) => count > 2000));
    const counts = turns(sticky, 4, view());
    assert.ok(
      counts.every((count) => count > 1300 && count < 1700),
      counts.join(),
    );
  });

  it('StickyPartition spreads evenly over many records', () => {
    const counts = turns(make({ random: seededRandom(7) }), 6, view());
    for (const count of counts) assert.ok(count > 900 && count < 1100, counts.join());
  });

  it('StickyPartition gives fewer turns to partitions where more waits, and some to the slowest', () => {
    const waitingBytes = (partition: number): number => [100, 500, 200][partition] ?? 0;
    const counts = turns(make({ stickyBytes: 100, random: seededRandom(7) }), 3, view({ waitingBytes }), 600_000);
    // 1, 5 and 2 turns wait: chances of 5, 1 and 4 out of 10. A turn is 100 records of one byte.
    const shares = counts.map((count) => Math.round((count / 600_000) * 10));
    assert.deepEqual(shares, [5, 1, 4], counts.join());
  });

  it('StickyPartition does not ask how much waits if it is not adaptive', () => {
    const waitingBytes = (partition: number): number => partition * 1000;
    const counts = turns(make({ adaptive: false, random: seededRandom(7) }), 3, view({ waitingBytes }));
    for (const count of counts) assert.ok(count > 1800 && count < 2200, counts.join());
  });

  it('StickyPartition prefers partitions led in its rack as long as one is available', () => {
    const near = view({ isNear: only(1, 3) });
    const sticky = make({ rackAware: true, random: seededRandom(7) });
    const counts = turns(sticky, 4, near);
    assert.deepEqual([counts[0], counts[2]], [0, 0]);
    assert.ok((counts[1] ?? 0) > 2500 && (counts[3] ?? 0) > 2500, counts.join());
    const away = turns(sticky, 4, { ...near, isAvailable: only(0, 2) }, 100);
    assert.deepEqual([away[1], away[3]], [0, 0]);
    assert.ok(
      turns(make({ random: seededRandom(7) }), 4, near).every((count) => count > 1300),
      'without the option, any will do',
    );
  });
});

describe('RoundRobinPartition', () => {
  it('RoundRobinPartition takes each in turn, those not available left out', () => {
    const robin = new RoundRobinPartition();
    const next = (count: number, isAvailable = (_: number): boolean => true): number =>
      robin.next(count, view({ isAvailable }));
    assert.deepEqual(
      [1, 2, 3, 4].map(() => next(3)),
      [0, 1, 2, 0],
    );
    assert.deepEqual(
      [1, 2, 3].map(() => next(3, only(0, 2))),
      [2, 0, 2],
    );
    assert.deepEqual(
      [1, 2].map(() => next(3, only())),
      [0, 1],
    );
  });
});
