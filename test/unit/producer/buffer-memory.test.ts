import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BufferMemory } from '../../../src/producer/buffer-memory.ts';
import type { BatchBuilder } from '../../../src/protocol/records/index.ts';

const value = Buffer.alloc(100, 'v');

function fill(builder: BatchBuilder, records: number): BatchBuilder {
  for (let record = 0; record < records; record++) assert.ok(builder.append(1, null, value, undefined));
  return builder;
}

describe('BufferMemory', () => {
  it('BufferMemory allocates nothing more once there was enough for what is open at a time, however sizes vary', (t) => {
    const memory = new BufferMemory(1_000_000, 100_000);
    const allocate = t.mock.method(Buffer, 'allocUnsafeSlow');
    // As a partition is written to whose batches are now small, now large: each takes the last one's size for its own.
    const sizes = [10, 500, 40, 900, 3, 120, 700, 60];
    const send = (): void => {
      let expectedBytes = 0;
      for (const size of sizes) {
        const builder = fill(memory.builder(expectedBytes, 100_000), size);
        expectedBytes = builder.sizeBytes;
        builder.release();
      }
    };
    send();
    const first = allocate.mock.callCount();
    for (let round = 0; round < 50; round++) send();
    assert.equal(allocate.mock.callCount(), first);
    // From 4 KiB to 100,000 bytes, one of each size.
    assert.equal(first, 6);
    assert.equal(memory.readyBytes, 4096 + 8192 + 16_384 + 32_768 + 65_536 + 100_004);
  });

  it('BufferMemory gives a buffer to one at a time, and the next larger one rather than a new one', () => {
    const memory = new BufferMemory(1_000_000, 100_000);
    const [a, b] = [memory.allocate(5000), memory.allocate(5000)];
    assert.notEqual(a, b);
    assert.deepEqual([a.length, b.length], [8192, 8192]);
    memory.recycle(a);
    assert.equal(memory.allocate(3000), a);
    assert.notEqual(memory.allocate(3000), a);
    memory.recycle(b);
    assert.notEqual(memory.allocate(100_000), b);
    assert.equal(memory.allocate(8192), b);
  });

  it('BufferMemory uses the buffers of records again that are larger than a batch, for those of about their size', () => {
    const memory = new BufferMemory(4_000_000, 100_000);
    const [a, b] = [memory.allocate(1_000_000), memory.allocate(200_000)];
    assert.ok(a.length < 1_070_000 && b.length < 270_000, `${a.length} and ${b.length} bytes`);
    memory.recycle(a);
    memory.recycle(b);
    assert.equal(memory.readyBytes, a.length + b.length);
    assert.notEqual(memory.allocate(300_000), a, 'which would count as more than that is worth');
    assert.equal(memory.allocate(1_000_200), a);
    assert.notEqual(memory.allocate(1_000_200), a);
    assert.equal(memory.allocate(150_000), b);
    assert.equal(memory.readyBytes, 0);
  });

  it('BufferMemory keeps no buffers beyond its limit, large ones neither', () => {
    const large = new BufferMemory(1_000_000, 8192);
    const [first, second] = [large.allocate(600_000), large.allocate(600_000)];
    large.recycle(first);
    large.recycle(second);
    assert.equal(large.readyBytes, first.length);
    large.take(500_000);
    assert.equal(large.readyBytes, 0);
    assert.notEqual(large.allocate(600_000), first);
    const memory = new BufferMemory(10_000, 8192);
    const [a, b] = [memory.allocate(8000), memory.allocate(4000)];
    memory.recycle(a);
    memory.recycle(b);
    assert.equal(memory.readyBytes, a.length);
    // What records take goes before what only lies ready.
    memory.take(5000);
    assert.equal(memory.readyBytes, 0);
    memory.recycle(b);
    assert.equal(memory.readyBytes, b.length);
  });
});
