import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { brokerErrorCodes } from '../../../../src/errors/broker-error-codes.ts';
import { LogStorage } from '../../../../src/testing/log/log-storage.ts';
import { PartitionLog, type AppendOptions } from '../../../../src/testing/log/partition-log.ts';
import { batchOf, headersIn, recordsIn } from './batches.ts';

const now: AppendOptions = { leaderEpoch: 0, nowMs: 5_000 };
const everything = { maxBytes: 1_000_000, minOneBatch: true, until: 'highWatermark' } as const;
const committed = { ...everything, until: 'lastStableOffset' } as const;

function marker(type: 'commit' | 'abort', producerId: bigint): Parameters<PartitionLog['appendMarker']>[0] {
  return { type, producerId, producerEpoch: 0, coordinatorEpoch: 3, leaderEpoch: 0, nowMs: 6_000 };
}

describe('PartitionLog', () => {
  it('gives records offsets in order, and hands out the stored batches themselves', () => {
    const log = new PartitionLog();
    assert.equal(log.endOffset, 0n);
    log.append(batchOf({ keys: ['a', 'b'] }), now);
    const second = log.append(batchOf({ keys: ['c'] }), { ...now, leaderEpoch: 7 });
    assert.deepEqual(second, { kind: 'appended', baseOffset: 2n, lastOffset: 2n, logAppendTimeMs: -1 });
    const { records, endOffset } = log.read(0n, everything);
    assert.deepEqual(recordsIn(records), [
      [0n, 'a', 'v'],
      [1n, 'b', 'v'],
      [2n, 'c', 'v'],
    ]);
    assert.deepEqual(
      headersIn(records).map(({ partitionLeaderEpoch }) => partitionLeaderEpoch),
      [0, 7],
    );
    assert.equal(endOffset, 3n);
    const again = log.read(0n, everything).records;
    assert.equal(again.buffer, records.buffer, 'the bytes were copied');
    assert.deepEqual(recordsIn(log.read(1n, everything).records)[0], [0n, 'a', 'v'], 'the batch that holds the offset');
    assert.equal(log.read(3n, everything).records.length, 0);
  });

  it('keeps what was handed out as it was while the log grows', () => {
    const log = new PartitionLog();
    log.append(batchOf({ keys: ['first'] }), now);
    const before = log.read(0n, everything).records;
    const copy = Buffer.from(before);
    for (let count = 0; count < 2_000; count++)
      log.append(batchOf({ keys: [`k${count}`], value: 'x'.repeat(100) }), now);
    assert.deepEqual(before, copy);
  });

  it('finds every offset, however the batches lie in segments', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ count: fc.integer({ min: 1, max: 30 }), size: fc.integer({ min: 0, max: 3_000 }) }), {
          minLength: 1,
          maxLength: 40,
        }),
        fc.integer({ min: 200, max: 20_000 }),
        (batches, segmentBytes) => {
          const log = new PartitionLog();
          for (const { count, size } of batches)
            log.append(batchOf({ keys: Array.from({ length: count }, () => 'k'), value: 'x'.repeat(size) }), {
              ...now,
              segmentBytes,
            });
          for (let offset = 0n; offset < log.endOffset; offset++) {
            const first = headersIn(log.read(offset, { ...everything, maxBytes: 1 }).records)[0];
            assert.ok(first !== undefined && first.baseOffset <= offset);
            assert.ok(first.baseOffset + BigInt(first.lastOffsetDelta) >= offset);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it('cuts a read off at the limit, but gives the first batch whole where that is asked for', () => {
    const log = new PartitionLog();
    const batch = batchOf();
    for (let count = 0; count < 3; count++) log.append(batchOf(), now);
    assert.equal(log.read(0n, { ...everything, maxBytes: 1 }).records.length, batch.length);
    assert.equal(log.read(0n, { ...everything, maxBytes: 1, minOneBatch: false }).records.length, 0);
    assert.equal(log.read(0n, { ...everything, maxBytes: batch.length + 5 }).records.length, batch.length + 5);
  });

  it('stamps the time of the broker where it is told to', () => {
    const log = new PartitionLog();
    const result = log.append(batchOf({ keys: ['a', 'b'], timeMs: 1 }), { ...now, logAppendTimeMs: 4_242 });
    assert.equal(result.kind === 'appended' && result.logAppendTimeMs, 4_242);
    const [header] = headersIn(log.read(0n, everything).records);
    assert.deepEqual([header?.timestampType, header?.maxTimestamp], ['logAppend', 4_242]);
  });

  it('shows consumers what all replicas have, and no more', () => {
    const log = new PartitionLog();
    log.append(batchOf(), now);
    log.replicateTo(1n);
    log.append(batchOf(), now);
    assert.deepEqual([log.highWatermark, log.endOffset], [1n, 2n]);
    assert.equal(headersIn(log.read(0n, everything).records).length, 1);
    assert.equal(headersIn(log.read(0n, { ...everything, until: 'endOffset' }).records).length, 2);
    assert.equal(log.availableBytes(1n, 'highWatermark', 1_000), 0);
    log.replicateTo(undefined);
    assert.equal(log.highWatermark, 2n);
    assert.equal(log.availableBytes(1n, 'highWatermark', 1_000), batchOf().length);
  });

  it('holds readers of committed records before an open transaction', () => {
    const log = new PartitionLog();
    log.append(batchOf(), now);
    log.append(batchOf({ keys: ['a', 'b'], producerId: 5n, transactional: true }), now);
    log.append(batchOf({ producerId: 6n, transactional: true }), now);
    assert.equal(log.lastStableOffset, 1n);
    assert.equal(recordsIn(log.read(0n, committed).records).length, 1);
    assert.equal(log.appendMarker(marker('abort', 5n)), 4n);
    assert.equal(log.lastStableOffset, 3n, 'the other one is still open');
    log.appendMarker(marker('commit', 6n));
    assert.equal(log.lastStableOffset, 6n);
    assert.deepEqual(log.abortedWithin(0n, 6n), [{ producerId: 5n, firstOffset: 1n, lastOffset: 4n }]);
    assert.deepEqual(log.abortedWithin(5n, 6n), []);
    assert.deepEqual(log.abortedWithin(0n, 1n), []);
    assert.deepEqual(log.abortedWithin(4n, 5n).length, 1, 'its marker is among what is read');
  });

  it('holds them until the marker is everywhere, too', () => {
    const log = new PartitionLog();
    log.append(batchOf({ producerId: 5n, transactional: true }), now);
    log.replicateTo(1n);
    log.appendMarker(marker('commit', 5n));
    assert.equal(log.lastStableOffset, 0n);
    log.replicateTo(2n);
    assert.equal(log.lastStableOffset, 2n);
  });

  it('answers a repeated batch with its place, and appends nothing', () => {
    const log = new PartitionLog();
    const batch = { keys: ['a', 'b'], producerId: 5n };
    log.append(batchOf(batch), now);
    log.append(batchOf({ ...batch, baseSequence: 2 }), now);
    const { kind, baseOffset } = log.append(batchOf(batch), now) as { kind: string; baseOffset: bigint };
    assert.deepEqual([kind, baseOffset, log.endOffset], ['duplicate', 0n, 4n]);
    const refused = log.append(batchOf({ ...batch, baseSequence: 5 }), now);
    assert.equal(refused.kind === 'refused' && refused.errorCode, brokerErrorCodes.OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert.equal(log.endOffset, 4n);
  });

  it('forgets a producer that has not written for a while', () => {
    const log = new PartitionLog();
    log.append(batchOf({ producerId: 5n, baseSequence: 3 }), { ...now, producerExpiryMs: 1_000 });
    const late = { ...now, nowMs: now.nowMs + 1_001, producerExpiryMs: 1_000 };
    assert.equal(log.append(batchOf({ producerId: 5n, baseSequence: 9 }), late).kind, 'appended');
    assert.equal(log.append(batchOf({ producerId: 5n, baseSequence: 12 }), late).kind, 'refused');
  });

  it('begins later when old records are deleted, and gives whole segments back', () => {
    const storage = new LogStorage();
    const log = new PartitionLog({ storage });
    for (let count = 0; count < 100; count++)
      log.append(batchOf({ keys: ['a', 'b'], value: 'x'.repeat(100) }), { ...now, segmentBytes: 1_000 });
    const before = storage.usedBytes;
    log.deleteBefore(151n);
    assert.equal(log.startOffset, 151n);
    assert.ok(storage.usedBytes < before * 0.6);
    assert.equal(headersIn(log.read(151n, everything).records)[0]?.baseOffset, 150n);
    log.deleteBefore(200n);
    assert.deepEqual([log.startOffset, log.endOffset, log.sizeBytes], [200n, 200n, 0]);
    assert.equal(log.append(batchOf(), now).kind, 'appended');
    assert.deepEqual(recordsIn(log.read(200n, everything).records), [[200n, 'k', 'v']]);
  });

  it('forgets what it knew of records that are cut off', () => {
    const log = new PartitionLog();
    log.append(batchOf({ producerId: 5n, transactional: true }), now);
    log.append(batchOf({ keys: ['a', 'b'] }), { ...now, leaderEpoch: 1 });
    log.appendMarker({ ...marker('abort', 5n), leaderEpoch: 2 });
    log.truncateTo(2n);
    assert.deepEqual([log.endOffset, log.highWatermark, log.lastStableOffset], [1n, 1n, 0n], 'a batch goes as a whole');
    assert.deepEqual(log.abortedWithin(0n, 10n), []);
    assert.deepEqual(log.epochs.all(), [{ epoch: 0, startOffset: 0n }]);
    assert.equal(log.append(batchOf({ producerId: 5n, baseSequence: 1, transactional: true }), now).kind, 'appended');
    log.truncateTo(0n);
    assert.deepEqual([log.endOffset, log.sizeBytes], [0n, 0]);
    assert.equal(log.append(batchOf(), now).kind, 'appended');
  });
});
