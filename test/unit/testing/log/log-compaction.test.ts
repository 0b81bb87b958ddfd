import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compact, type CompactionRules, type DeleteHorizons } from '../../../../src/testing/log/log-compaction.ts';
import { PartitionLog, type AppendOptions } from '../../../../src/testing/log/partition-log.ts';
import { batchOf, headersIn, recordsIn, type TestBatch } from './batches.ts';

const rules: CompactionRules = {
  minCleanableDirtyRatio: 0,
  minCompactionLagMs: 0,
  maxCompactionLagMs: Infinity,
  deleteRetentionMs: 1_000,
};
const nowMs = 100_000;
const append: AppendOptions = { leaderEpoch: 0, nowMs: 5_000, segmentBytes: 300 };

/** Each batch in a segment of its own, and an active segment behind them. */
function logOf(...batches: TestBatch[]): PartitionLog {
  const log = new PartitionLog();
  for (const batch of batches) log.append(batchOf({ value: 'x'.repeat(250), ...batch }), append);
  log.append(batchOf({ keys: ['active'], value: 'x'.repeat(250) }), append);
  return log;
}

/** All records up to the end, read as a consumer does, from segment to segment. */
function everything(log: PartitionLog): [bigint, string | null, string | null][] {
  const found: [bigint, string | null, string | null][] = [];
  for (let offset = log.startOffset; offset < log.endOffset;) {
    const { records } = log.read(offset, { maxBytes: 1_000_000, minOneBatch: true, until: 'endOffset' });
    const last = headersIn(records).at(-1);
    assert.ok(last !== undefined, `nothing at ${offset}, before ${log.endOffset}`);
    found.push(...recordsIn(records));
    offset = last.baseOffset + BigInt(last.lastOffsetDelta) + 1n;
  }
  return found;
}

function keysAt(log: PartitionLog): string[] {
  return everything(log).map(([offset, key]) => `${offset}:${key}`);
}

describe('compact', () => {
  it('keeps the last record of each key at its offset', async () => {
    const log = logOf({ keys: ['a', 'b', 'a'] }, { keys: ['c'] }, { keys: ['b'] });
    assert.equal(await compact(log, rules, new Map(), nowMs), true);
    assert.deepEqual(keysAt(log), ['2:a', '3:c', '4:b', '5:active']);
    assert.equal(log.startOffset, 0n);
    assert.deepEqual(
      headersIn(log.read(0n, { maxBytes: 9999, minOneBatch: true, until: 'endOffset' }).records)[0]?.lastOffsetDelta,
      2,
    );
  });

  it('leaves the segment alone that is written to', async () => {
    const log = logOf();
    log.append(batchOf({ keys: ['active'] }), { ...append, segmentBytes: 10_000 });
    assert.equal(await compact(log, rules, new Map(), nowMs), false);
    assert.deepEqual(keysAt(log), ['0:active', '1:active']);
  });

  it('keeps tombstones until their time is over', async () => {
    const log = logOf({ keys: ['a', 'b'] }, { keys: ['a'], value: null });
    const horizons: DeleteHorizons = new Map();
    await compact(log, rules, horizons, nowMs);
    assert.deepEqual(keysAt(log), ['1:b', '2:a', '3:active']);
    assert.equal(await compact(log, rules, horizons, nowMs + 999), false);
    assert.deepEqual(keysAt(log), ['1:b', '2:a', '3:active']);
    await compact(log, rules, horizons, nowMs + 1_000);
    assert.deepEqual(keysAt(log), ['1:b', '3:active']);
    assert.equal(horizons.size, 0);
  });

  it('drops what was aborted, and the marker later; keeps what was committed', async () => {
    const log = new PartitionLog();
    const value = 'x'.repeat(250);
    log.append(batchOf({ keys: ['a'], value }), append);
    log.append(batchOf({ keys: ['a'], value, producerId: 5n, transactional: true }), append);
    const marker = { producerId: 5n, producerEpoch: 0, coordinatorEpoch: 0, leaderEpoch: 0, nowMs: 5_000 };
    log.appendMarker({ ...marker, type: 'abort' });
    log.append(batchOf({ keys: ['b'], value, producerId: 5n, baseSequence: 1, transactional: true }), append);
    log.appendMarker({ ...marker, type: 'commit' });
    for (let count = 0; count < 2; count++) log.append(batchOf({ keys: ['end'], value }), append);
    const horizons: DeleteHorizons = new Map();
    const markers = (): number =>
      log.segments.flatMap((segment) => [...segment.headers()]).filter(({ isControl }) => isControl).length;
    await compact(log, rules, horizons, nowMs);
    assert.deepEqual(keysAt(log), ['0:a', '3:b', '5:end', '6:end']);
    assert.equal(markers(), 2);
    await compact(log, rules, horizons, nowMs + 2_000);
    assert.equal(markers(), 1, 'that of the abort is gone, that of the commit still explains a record');
  });

  it('stops before an open transaction', async () => {
    const log = new PartitionLog();
    const value = 'x'.repeat(250);
    log.append(batchOf({ keys: ['a'], value }), append);
    log.append(batchOf({ keys: ['b'], value, producerId: 5n, transactional: true }), append);
    for (const key of ['a', 'b', 'a']) log.append(batchOf({ keys: [key], value }), append);
    await compact(log, rules, new Map(), nowMs);
    assert.deepEqual(keysAt(log), ['0:a', '1:b', '2:a', '3:b', '4:a']);
  });

  it('remembers the sequence of a producer whose records are all gone', async () => {
    const log = logOf({ keys: ['a', 'a'], producerId: 5n }, { keys: ['a'] });
    await compact(log, rules, new Map(), nowMs);
    const [first] = log.segments.flatMap((segment) => [...segment.headers()]);
    assert.deepEqual(
      [first?.producerId, first?.baseOffset, first?.lastOffsetDelta, first?.recordCount],
      [5n, 0n, 1, 0],
    );
  });

  it('waits for enough dirt, and for records to be old enough', async () => {
    const log = logOf({ keys: ['a'] }, { keys: ['a'] });
    assert.equal(await compact(log, { ...rules, minCompactionLagMs: nowMs }, new Map(), nowMs), false);
    assert.equal(await compact(log, { ...rules, minCleanableDirtyRatio: 0.5 }, new Map(), nowMs), true);
    log.append(batchOf({ keys: ['tiny'] }), append);
    assert.equal(await compact(log, { ...rules, minCleanableDirtyRatio: 0.9 }, new Map(), nowMs), false);
    assert.equal(
      await compact(log, { ...rules, minCleanableDirtyRatio: 0.9, maxCompactionLagMs: 1 }, new Map(), nowMs),
      true,
    );
  });

  it('does nothing to a log that was cut meanwhile', async () => {
    const log = logOf({ keys: ['a'] }, { keys: ['a'] });
    const running = compact(log, rules, new Map(), nowMs);
    log.deleteBefore(1n);
    assert.equal(await running, false);
    assert.deepEqual(keysAt(log), ['1:a', '2:active']);
  });

  it('gives a reader the same last values as before, whatever was written', async () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd');
    const batch = fc.array(fc.tuple(key, fc.option(fc.string({ maxLength: 100 }))), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 20 }), async (batches) => {
        const log = new PartitionLog();
        for (const records of batches)
          log.append(
            batchOf({ keys: records.map(([each]) => each), values: records.map(([, value]) => value) }),
            append,
          );
        log.append(batchOf({ keys: ['end'], value: 'x'.repeat(300) }), append);
        const before = new Map(everything(log).map(([, each, value]) => [each, value]));
        const horizons: DeleteHorizons = new Map();
        for (const atMs of [nowMs, nowMs + 5_000]) await compact(log, rules, horizons, atMs);
        const after = everything(log);
        const live = new Map([...before].filter(([, value]) => value !== null));
        const known = new Map(after.map(([, each, value]) => [each, value]));
        for (const [each, value] of live) assert.equal(known.get(each), value);
        assert.ok(after.every(([, each]) => each === 'end' || live.has(each) || before.get(each) === null));
        assert.deepEqual(
          [...after].sort((a, b) => Number(a[0] - b[0])),
          after,
          'in the order of offsets',
        );
      }),
      { numRuns: 50 },
    );
  });
});
