import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LogStorage } from '../../../../src/testing/log/log-storage.ts';
import { PartitionLog, type AppendOptions } from '../../../../src/testing/log/partition-log.ts';
import { batchOf } from './batches.ts';

const now: AppendOptions = { leaderEpoch: 0, nowMs: 5_000, segmentBytes: 10_000 };
const kilobyte = 'x'.repeat(1_000);

function fill(log: PartitionLog, kilobytes: number): void {
  for (let count = 0; count < kilobytes; count++) log.append(batchOf({ value: kilobyte }), now);
}

describe('LogStorage', () => {
  it('keeps all logs together below the limit, the oldest going first', () => {
    const storage = new LogStorage(200_000);
    const dropped: string[] = [];
    const logs = ['old', 'young'].map((name) => new PartitionLog({ storage, dropped: () => dropped.push(name) }));
    const [old, young] = logs;
    assert.ok(old !== undefined && young !== undefined);
    fill(old, 100);
    fill(young, 50);
    assert.equal(dropped.length, 0);
    fill(young, 500);
    assert.ok(storage.usedBytes <= 200_000 + 20_000, `${storage.usedBytes} bytes`);
    assert.equal(old.sizeBytes, 0, 'the old log went before the young one');
    assert.equal(old.startOffset, old.endOffset);
    assert.ok(young.startOffset > 0n && young.sizeBytes > 100_000);
    assert.equal(dropped[0], 'old');
    assert.equal(dropped.at(-1), 'young');
  });

  it('takes from compacted topics only when nothing else is left', () => {
    const storage = new LogStorage(100_000);
    const compacted = new PartitionLog({ storage, mayDelete: () => false });
    const other = new PartitionLog({ storage });
    fill(compacted, 50);
    fill(other, 500);
    assert.equal(compacted.startOffset, 0n);
    fill(compacted, 300);
    assert.ok(compacted.startOffset > 0n);
    assert.ok(storage.usedBytes <= 120_000, `${storage.usedBytes} bytes`);
  });

  it('never takes what is not yet on all replicas', () => {
    const storage = new LogStorage(50_000);
    const log = new PartitionLog({ storage });
    log.replicateTo(0n);
    fill(log, 200);
    assert.equal(log.startOffset, 0n);
    log.replicateTo(undefined);
    fill(log, 1);
    assert.ok(log.startOffset > 0n);
  });

  it('counts nothing of logs that are closed', () => {
    const storage = new LogStorage();
    const log = new PartitionLog({ storage });
    fill(log, 100);
    assert.ok(storage.usedBytes > 100_000);
    log.close();
    assert.equal(storage.usedBytes, 0);
  });
});
