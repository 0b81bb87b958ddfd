import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  acknowledgeTypes,
  SharePartitionMachine,
  type AcquiredRange,
  type Acquisition,
  type ReadBatch,
  type ShareLimits,
} from '../../../../src/testing/share-groups/share-partition-machine.ts';
import type { SavedBatch } from '../../../../src/testing/share-groups/share-partition-state.ts';
import { seededRandom } from '../../../support/seeded-random.ts';

const { accept, release, reject, renew, gap } = acknowledgeTypes;
const limits: ShareLimits = { deliveryCountLimit: 5, maxRecordLocks: 100, lockDurationMs: 1000, mayRenew: true };

/** A share partition over a log of batches that a test lays out. */
class Bench {
  machine: SharePartitionMachine;
  readonly batches: ReadBatch[] = [];
  limits = limits;
  nowMs = 0;

  constructor(startOffset = 0n) {
    this.machine = new SharePartitionMachine(startOffset);
  }

  append(count: number, isAborted = false): void {
    const baseOffset = (this.batches.at(-1)?.lastOffset ?? -1n) + 1n;
    this.batches.push({ baseOffset, lastOffset: baseOffset + BigInt(count) - 1n, isAborted });
  }

  acquire(memberId: string, more: Partial<Acquisition> = {}): string {
    return text(this.acquired(memberId, more));
  }

  acquired(memberId: string, more: Partial<Acquisition> = {}): AcquiredRange[] {
    const { fetchOffset } = this.machine;
    const batches = this.batches.filter(({ lastOffset }) => lastOffset >= fetchOffset);
    return this.machine.acquire(
      { memberId, mode: 'batch-optimized', maxRecords: 500, batchSize: 500, fetchOffset, batches, ...more },
      this.limits,
      this.nowMs,
    );
  }

  acknowledge(memberId: string, first: number, last: number, ...types: number[]) {
    const acknowledgement = { firstOffset: BigInt(first), lastOffset: BigInt(last), types };
    const problem = this.machine.acknowledge(memberId, [acknowledgement], this.limits, this.nowMs);
    this.machine.takeWrite();
    return problem;
  }

  advance(ms: number): void {
    this.nowMs += ms;
    this.machine.tick(this.nowMs, this.limits);
    this.machine.takeWrite();
  }
}

function text(ranges: readonly AcquiredRange[]): string {
  return ranges.map(({ firstOffset, lastOffset, deliveryCount: n }) => `${firstOffset}-${lastOffset}x${n}`).join(' ');
}

describe('SharePartitionMachine', () => {
  it('ends a lock at its time, not before', () => {
    const bench = new Bench();
    bench.append(2);
    bench.acquire('a');
    assert.equal(bench.machine.nextDeadlineMs(), 1000);
    bench.advance(999);
    assert.equal(bench.acquire('b'), '');
    bench.advance(1);
    assert.equal(bench.machine.nextDeadlineMs(), undefined);
    assert.equal(bench.acquire('b'), '0-1x2');
    assert.equal(bench.acknowledge('a', 0, 1, accept), 'INVALID_RECORD_STATE');
  });

  it('holds what is renewed, record by record, and no longer than the lock lasts', () => {
    const bench = new Bench();
    bench.append(3);
    bench.acquire('a');
    bench.advance(900);
    assert.equal(bench.acknowledge('a', 1, 1, renew), undefined);
    bench.advance(100);
    assert.equal(bench.acquire('b'), '0-0x2 2-2x2');
    bench.advance(900);
    assert.equal(bench.machine.deliveryAt(1n)?.state, 'available');
    assert.equal(bench.machine.deliveryAt(0n)?.memberId, 'b');
  });

  it('gives a record up whose lock ended as often as it may be delivered', () => {
    const bench = new Bench();
    bench.limits = { ...limits, deliveryCountLimit: 2 };
    bench.append(1);
    bench.acquire('a');
    bench.advance(1000);
    assert.equal(bench.acquire('a'), '0-0x2');
    bench.advance(1000);
    assert.equal(bench.acquire('a'), '');
    assert.equal(bench.machine.startOffset, 1n);
  });

  it('keeps what a member holds when the log begins later, until its lock ends', () => {
    const bench = new Bench();
    bench.append(4);
    bench.acquire('a', { maxRecords: 4 });
    bench.machine.moveLogStart(2n);
    assert.equal(bench.machine.startOffset, 2n);
    assert.equal(bench.acknowledge('a', 0, 0, accept), undefined);
    assert.equal(bench.acknowledge('a', 0, 2, accept), undefined);
    bench.advance(1000);
    assert.equal(bench.machine.startOffset, 3n);
    assert.equal(bench.acquire('b'), '3-3x2');
  });

  it('gives up what was compacted away since it was delivered', () => {
    const bench = new Bench();
    for (let batch = 0; batch < 3; batch++) bench.append(2);
    bench.acquire('a', { batchSize: 1 });
    bench.acknowledge('a', 0, 5, release);
    bench.batches.splice(0, 1);
    assert.equal(bench.acquire('a', { batchSize: 1 }), '2-3x2 4-5x2');
    assert.equal(bench.machine.deliveryAt(0n)?.state, 'archived');
    bench.acknowledge('a', 2, 5, accept);
    assert.equal(bench.machine.startOffset, 6n);
  });

  it('passes over aborted batches for readers of committed records', () => {
    const bench = new Bench();
    bench.append(1, true);
    bench.append(2);
    bench.append(1, true);
    assert.equal(bench.acquire('a'), '1-2x1');
    bench.acknowledge('a', 1, 2, accept, gap);
    assert.equal(bench.machine.startOffset, 4n);
  });

  it('takes acknowledgements from nobody but who holds the record', () => {
    const bench = new Bench();
    bench.append(2);
    bench.acquire('a', { mode: 'record-limit', maxRecords: 1 });
    bench.acquire('b');
    assert.equal(bench.acknowledge('b', 0, 0, accept), 'INVALID_RECORD_STATE');
    assert.equal(bench.acknowledge('b', 0, 1, accept), 'INVALID_RECORD_STATE');
    assert.equal(bench.acknowledge('a', 1, 1, accept), 'INVALID_RECORD_STATE');
    assert.equal(bench.acknowledge('a', 0, 0, accept), undefined);
    assert.equal(bench.acknowledge('b', 1, 1, accept), undefined);
  });

  it('takes acknowledgements of a request together or not at all', () => {
    const bench = new Bench();
    bench.append(2);
    bench.acquire('a');
    const twice = [0, 0].map((offset) => ({
      firstOffset: BigInt(offset),
      lastOffset: BigInt(offset),
      types: [accept],
    }));
    assert.equal(bench.machine.acknowledge('a', twice, limits, 0), 'INVALID_RECORD_STATE');
    assert.equal(bench.machine.takeWrite(), undefined);
    assert.equal(bench.machine.deliveryAt(0n)?.state, 'acquired');
    assert.equal(bench.acknowledge('a', 0, 1, accept, reject), undefined);
  });

  it('forgets with its leader who holds what, and keeps what was written down', () => {
    const bench = new Bench();
    bench.append(6);
    bench.acquire('a');
    bench.machine.acknowledge('a', [{ firstOffset: 3n, lastOffset: 4n, types: [accept, release] }], limits, 0);
    const written = bench.machine.takeWrite();
    assert.deepEqual(written, {
      startOffset: 0n,
      batches: [
        { firstOffset: 3n, lastOffset: 3n, delivery: 'acknowledged', deliveryCount: 1 },
        { firstOffset: 4n, lastOffset: 4n, delivery: 'available', deliveryCount: 1 },
      ],
    });
    bench.acquire('b');
    bench.machine = new SharePartitionMachine(written.startOffset, written.batches);
    assert.equal(bench.acquire('c'), '0-2x1 4-4x2 5-5x1');
  });
});

interface Expected {
  count: number;
  isDone: boolean;
  holder: string | undefined;
  lockedUntilMs: number;
}

/** What must hold of each record, kept beside the machine in the plainest way. */
class Ledger {
  readonly records = new Map<bigint, Expected>();
  readonly #limit: () => number;

  constructor(limit: () => number) {
    this.#limit = limit;
  }

  of(offset: bigint): Expected {
    const known = this.records.get(offset);
    if (known !== undefined) return known;
    const made = { count: 0, isDone: false, holder: undefined, lockedUntilMs: Infinity };
    this.records.set(offset, made);
    return made;
  }

  acquired(memberId: string, ranges: readonly AcquiredRange[], lockedUntilMs: number): void {
    for (const { firstOffset, lastOffset, deliveryCount } of ranges) {
      for (let offset = firstOffset; offset <= lastOffset; offset++) {
        const record = this.of(offset);
        assert.equal(record.holder, undefined, `${offset} is with two members`);
        assert.ok(!record.isDone, `${offset} was done with and came again`);
        assert.equal(deliveryCount, record.count + 1, `the deliveries of ${offset}`);
        assert.ok(deliveryCount <= this.#limit(), `${offset} came too often`);
        Object.assign(record, { count: deliveryCount, holder: memberId, lockedUntilMs });
      }
    }
  }

  freed(record: Expected, isDone: boolean): void {
    record.holder = undefined;
    record.lockedUntilMs = Infinity;
    record.isDone = isDone || record.count >= this.#limit();
  }

  held(memberId: string): bigint[] {
    return [...this.records].filter(([, { holder }]) => holder === memberId).map(([offset]) => offset);
  }
}

describe('SharePartitionMachine in random schedules', () => {
  const seeds = process.env['SEED'] === undefined ? 40 : 1;
  const seen = { again: 0, archived: 0, timedOut: 0, lost: 0 };
  for (let index = 0; index < seeds; index++) {
    const seed = Number(process.env['SEED'] ?? 1000 + index);
    it(`never gives a record to two members, nor too often, nor after it was done with: SEED=${seed}`, () => {
      randomSchedule(seed, seen);
    });
  }
  it('meets what it is about', () => {
    for (const [what, times] of Object.entries(seen)) assert.ok(times > 0, `nothing was ${what}`);
  });
});

/** How often what is to be tested happened. */
interface Seen {
  again: number;
  archived: number;
  timedOut: number;
  lost: number;
}

function randomSchedule(seed: number, seen: Seen): void {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const bench = new Bench();
  bench.limits = { ...limits, deliveryCountLimit: 2 + below(4), maxRecordLocks: 10 + below(60) };
  const ledger = new Ledger(() => bench.limits.deliveryCountLimit);
  const members = ['a', 'b', 'c'];
  let largest = 1;
  let saved = { startOffset: 0n, batches: [] as readonly SavedBatch[] };
  let start = 0n;
  const settle = (): void => {
    saved = bench.machine.takeWrite() ?? saved;
    assert.ok(bench.machine.startOffset >= start, 'the start goes back');
    start = bench.machine.startOffset;
    for (let offset = 0n; offset < start; offset++) assert.ok(ledger.of(offset).isDone, `${offset} was passed over`);
    assert.ok(bench.machine.inFlight < bench.limits.maxRecordLocks + largest, 'too many records in flight');
  };
  const acquire = (memberId: string): void => {
    const maxRecords = 1 + below(20);
    const mode = below(2) === 0 ? 'record-limit' : 'batch-optimized';
    const ranges = bench.acquired(memberId, { maxRecords, mode, batchSize: 1 + below(10) });
    const count = ranges.reduce((sum, each) => sum + Number(each.lastOffset - each.firstOffset) + 1, 0);
    if (mode === 'record-limit') assert.ok(count <= maxRecords, 'more than the limit of records');
    ledger.acquired(memberId, ranges, bench.nowMs + bench.limits.lockDurationMs);
    seen.again += ranges.filter(({ deliveryCount }) => deliveryCount > 1).length;
  };
  const acknowledge = (memberId: string, type: number): void => {
    const held = ledger.held(memberId).filter(() => below(3) > 0);
    const acknowledgements = held.map((offset) => ({ firstOffset: offset, lastOffset: offset, types: [type] }));
    assert.equal(bench.machine.acknowledge(memberId, acknowledgements, bench.limits, bench.nowMs), undefined);
    for (const offset of held) {
      const record = ledger.of(offset);
      if (type === renew) record.lockedUntilMs = bench.nowMs + bench.limits.lockDurationMs;
      else ledger.freed(record, type !== release);
    }
  };
  const advance = (ms: number): void => {
    bench.nowMs += ms;
    bench.machine.tick(bench.nowMs, bench.limits);
    for (const record of ledger.records.values()) {
      if (record.lockedUntilMs > bench.nowMs) continue;
      ledger.freed(record, false);
      seen.timedOut++;
      if (record.isDone) seen.archived++;
    }
  };
  const changeLeader = (): void => {
    bench.machine = new SharePartitionMachine(saved.startOffset, saved.batches);
    start = 0n;
    for (const [offset, record] of ledger.records) {
      const written = saved.batches.find((each) => offset >= each.firstOffset && offset <= each.lastOffset);
      const isDone = offset < saved.startOffset || (written !== undefined && written.delivery !== 'available');
      // What was written down as done with stays so; of the rest, only the deliveries that ended are known.
      assert.equal(isDone, record.isDone, `${offset} is ${isDone ? 'done with' : 'open'} behind a change of leader`);
      if (record.holder !== undefined) seen.lost++;
      Object.assign(record, { holder: undefined, lockedUntilMs: Infinity, count: written?.deliveryCount ?? 0 });
    }
  };
  for (let step = 0; step < 300; step++) {
    const memberId = members[below(members.length)] ?? 'a';
    const dice = below(100);
    if (dice < 20) {
      const count = 1 + below(12);
      largest = Math.max(largest, count);
      bench.append(count);
    } else if (dice < 50) acquire(memberId);
    else if (dice < 65) acknowledge(memberId, accept);
    else if (dice < 75) acknowledge(memberId, release);
    else if (dice < 80) acknowledge(memberId, reject);
    else if (dice < 85) acknowledge(memberId, renew);
    else if (dice < 95) advance(below(600));
    else if (dice < 98) {
      const held = ledger.held(memberId);
      bench.machine.release(memberId, bench.limits);
      for (const offset of held) ledger.freed(ledger.of(offset), false);
    } else changeLeader();
    settle();
  }
  const end = (bench.batches.at(-1)?.lastOffset ?? -1n) + 1n;
  for (let round = 0; bench.machine.startOffset < end; round++) {
    assert.ok(round < 5000, `stands still at ${bench.machine.startOffset} of ${end}`);
    advance(bench.limits.lockDurationMs);
    settle();
    acquire('a');
    for (const offset of ledger.held('a')) {
      const one = { firstOffset: offset, lastOffset: offset, types: [accept] };
      assert.equal(bench.machine.acknowledge('a', [one], bench.limits, bench.nowMs), undefined);
      ledger.freed(ledger.of(offset), true);
    }
    settle();
  }
}
