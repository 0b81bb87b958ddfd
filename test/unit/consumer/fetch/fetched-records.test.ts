import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gunzipSync, gzipSync } from 'node:zlib';
import { ownMemory } from '../../../../src/compression/own-memory.ts';
import type { Decompressor } from '../../../../src/consumer/fetch/decompressor.ts';
import { FetchedRecords } from '../../../../src/consumer/fetch/fetched-records.ts';
import { FrameLease } from '../../../../src/consumer/fetch/frame-lease.ts';
import type { ConsumerRecord } from '../../../../src/consumer/consumer-record.ts';
import { LazyRecords } from '../../../../src/consumer/record-list.ts';
import { BatchBuilder } from '../../../../src/protocol/records/index.ts';
import type { HeapCounterweight } from '../../../../src/util/heap-counterweight.ts';
import { canFreeMemory } from '../../../../src/util/free-memory.ts';
import { heapGrowthOf, type HeapGrowth } from '../../../support/heap-growth.ts';
import { plainClosing } from '../../../support/records/sample-batch.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** A batch whose records are told by their numbers. */
function batch(count: number, valueBytes: number, baseOffset = 0n): Buffer {
  const builder = new BatchBuilder({ initialBytes: 1024, maxBytes: 1 << 30 });
  for (let index = 0; index < count; index++) {
    const value = Buffer.alloc(valueBytes, `v${index} `);
    builder.append(1_700_000_000_000, `k${index}`, value, [{ key: 'h', value: Buffer.from(`h${index}`) }]);
  }
  return Buffer.from(builder.close({ ...plainClosing, baseOffset }));
}

const firstRecordAt = 61;

/** The same with gzip. */
function compressed(baseOffset: bigint, count = 10, valueBytes = 100): Buffer {
  const body = batch(count, valueBytes).subarray(firstRecordAt);
  const builder = new BatchBuilder({ initialBytes: 1024, maxBytes: 1 << 30 });
  for (let index = 0; index < count; index++) builder.append(1_700_000_000_000, null, 'v', undefined);
  return Buffer.from(builder.close({ ...plainClosing, baseOffset, compression: 'gzip', compressed: gzipSync(body) }));
}

const above = (bytes: number) => (growth: HeapGrowth) => growth.most > bytes;
const below = (bytes: number) => (growth: HeapGrowth) => growth.median < bytes;

const none: Decompressor = { decompress: () => assert.fail('nothing is compressed'), isAside: () => false };

function fetched(
  records: Buffer,
  lease: FrameLease | undefined,
  from = 0n,
  areBytes = true,
  decompressor: Decompressor = none,
  counterweight?: Pick<HeapCounterweight, 'add'>,
): FetchedRecords {
  return new FetchedRecords(
    {
      state: { topic: 'orders', partition: 0 },
      records,
      highWatermark: 0n,
      aborted: undefined,
      checkCrcs: true,
      decompressor,
      deserializers: { areBytes, key: (bytes) => bytes, value: (bytes) => bytes },
      lease,
      counterweight,
    },
    from,
  );
}

/** Counts how often the memory was given back, and spoils it then, as the next answer would. */
function countingLease(frame: Buffer): { readonly lease: FrameLease; count: number } {
  const counting = {
    count: 0,
    lease: new FrameLease(() => {
      counting.count++;
      frame.fill(0xff);
    }),
  };
  return counting;
}

function readAll(source: FetchedRecords, limit: number): ConsumerRecord<unknown, unknown>[] {
  const all: ConsumerRecord<unknown, unknown>[] = [];
  for (;;) {
    const some = new LazyRecords();
    const outcome = source.read(some, limit);
    all.push(...some);
    if (outcome === 'end') return all;
    assert.equal(outcome, 'more');
  }
}

/** They are those of batches of so many, with values of 100 bytes, from offset 0 on. */
function assertBatchesOf(count: number, records: readonly ConsumerRecord<unknown, unknown>[]): void {
  for (const [index, record] of records.entries()) {
    const number = index % count;
    assert.equal(record.offset, BigInt(index));
    assert.equal(String(record.key), `k${number}`);
    assert.deepEqual(record.value, Buffer.alloc(100, `v${number} `));
    assert.equal(record.headers.getString('h'), `h${number}`);
  }
}

describe('FetchedRecords', () => {
  it('gives the memory back once all is read, and what it handed out stays what it was', () => {
    const frame = Buffer.concat([batch(10, 100), batch(10, 100, 10n)]);
    const counting = countingLease(frame);
    const records = readAll(fetched(frame, counting.lease), 3);
    assert.equal(counting.count, 1);
    assert.equal(records.length, 20);
    assertBatchesOf(10, records);
    for (const [index, record] of records.entries())
      assert.deepEqual(record.detach().valueBytes, Buffer.alloc(100, `v${index % 10} `));
  });

  for (const [what, isLookedAt, areBytes, objectBytes] of [
    ['the objects of records that somebody looks at', true, true, 190],
    ['no objects of records that nobody looks at', false, true, 0],
    ['no objects of records that a deserializer was not asked for', false, false, 0],
  ] as const) {
    it(`counts ${what}, for the balance on the heap`, () => {
      const added: (readonly [outside: number, inside: number])[] = [];
      const counterweight = { add: (outside: number, inside: number) => void added.push([outside, inside]) };
      const frame = batch(20, 1000);
      const source = fetched(frame, countingLease(frame).lease, 0n, areBytes, none, counterweight);
      for (const limit of [12, 12, 12]) {
        const some = new LazyRecords();
        assert.equal(typeof source.read(some, limit), 'string');
        if (isLookedAt) some.at(0);
      }
      assert.deepEqual(
        added.map((each) => each[1]),
        [12 * objectBytes, 8 * objectBytes],
      );
      const outside = added.reduce((sum, [bytes]) => sum + bytes, 0);
      assert.equal(outside, (frame.length - firstRecordAt) / 2);
    });
  }

  it('keeps nothing of what it has handed out', async () => {
    const frame = batch(200, 1000);
    const source = fetched(frame, countingLease(frame).lease);
    const handedOut = (): WeakRef<object>[] => {
      const some = new LazyRecords();
      assert.equal(source.read(some, 150), 'more');
      return Array.from(some, ({ valueBytes }) => new WeakRef(valueBytes?.buffer ?? frame));
    };
    const memory = handedOut();
    await nextTurn();
    collectGarbage();
    assert.equal(memory.length, 150);
    assert.ok(memory.every((each) => each.deref() === undefined));
    assert.equal(readAll(source, 500).length, 50);
  });

  it('needs no balance on the heap where a deserializer has made something there', () => {
    const frame = batch(20, 1000);
    const counterweight = { add: () => assert.fail('there was something on the heap') };
    const source = fetched(frame, countingLease(frame).lease, 0n, false, none, counterweight);
    assert.equal(readAll(source, 7).length, 20);
  });

  it('skips what lies before the position, with the bytes of the right records', () => {
    const frame = batch(10, 50);
    const counting = countingLease(frame);
    const records = readAll(fetched(frame, counting.lease, 7n), 500);
    assert.equal(counting.count, 1);
    assert.deepEqual(
      records.map(({ key }) => String(key)),
      ['k7', 'k8', 'k9'],
    );
  });

  it('copies records in pieces of some ten thousand bytes, so that one that is kept does not keep many', () => {
    const frame = batch(300, 1000);
    const counting = countingLease(frame);
    const records = readAll(fetched(frame, counting.lease), 500);
    assert.equal(counting.count, 1);
    const memories = new Set(records.map(({ valueBytes }) => valueBytes?.buffer));
    assert.equal(memories.size, 4);
    for (const memory of memories) assert.ok((memory?.byteLength ?? 0) < 128 * 1024, `${memory?.byteLength} bytes`);
    assert.deepEqual(records[299]?.value, Buffer.alloc(1000, 'v299 '));
    assert.deepEqual(
      records.map(({ offset }) => offset),
      records.map((_, index) => BigInt(index)),
    );
  });

  for (const [what, valueBytes, isAhead, expected] of [
    ['several times as many as wanted of small records, where that is allowed', 100, true, 780],
    ['no more than there is room for of tiny ones', 1, true, 1020],
    ['as many as wanted of large ones', 20_000, true, 10],
    ['as many as wanted where more is not allowed', 100, false, 10],
  ] as const) {
    it(`reads ${what}`, () => {
      const frame = batch(1100, valueBytes);
      const source = fetched(frame, countingLease(frame).lease);
      const records = new LazyRecords();
      assert.equal(source.read(records, 10, isAhead), 'more');
      assert.equal(records.length % 10, 0);
      assert.ok(Math.abs(records.length - expected) <= expected / 10, `${records.length} records`);
      assert.equal(source.nextOffset, BigInt(records.length));
    });
  }

  it('keeps the memory of large records, which are views of it', () => {
    const valueBytes = 1100 * 1024;
    const frame = batch(3, valueBytes);
    const counting = countingLease(frame);
    const records = readAll(fetched(frame, counting.lease), 500);
    assert.equal(counting.count, 0);
    assert.equal((records[0]?.value as Buffer).buffer, frame.buffer);
    assert.deepEqual(records[2]?.value, Buffer.alloc(valueBytes, 'v2 '));
  });

  it('gives nothing back before the last partition of the answer is read', () => {
    const frame = batch(4, 100);
    const counting = countingLease(frame);
    const [first, second] = [fetched(frame, counting.lease), fetched(frame, counting.lease)];
    readAll(first, 500);
    assert.equal(first.read(new LazyRecords(), 500), 'end');
    assert.equal(counting.count, 0, 'who asks once more after the end is not done for somebody else');
    assert.equal(readAll(second, 500).length, 4);
    assert.equal(counting.count, 1);
  });

  it('gives nothing back where a batch is corrupt', () => {
    const frame = Buffer.concat([batch(2, 100), batch(2, 100, 2n)]);
    frame[frame.length - 5] = 0x55;
    const counting = countingLease(frame);
    const source = fetched(frame, counting.lease);
    const records = new LazyRecords();
    assert.throws(() => source.read(records, 500), { code: 'CORRUPT_BATCH' });
    assert.equal(records.length, 2);
    assert.equal(String(records.at(1)?.key), 'k1');
    assert.equal(counting.count, 0);
  });

  // Each bound lies far from what the other rule would take: a megabyte for the large values, 90 KB more for the small ones.
  for (const [how, valueBytes, areBytes, isWithin] of [
    ['half as much of the heap as is fetched, of large values that stay bytes', 4000, true, above(800_000)],
    ['little of the heap for large values that something is made of', 4000, false, below(200_000)],
    ['little of the heap for small values, whose objects weigh as much', 350, true, below(80_000)],
  ] as const) {
    it(`takes ${how}`, () => {
      const frame = batch(500, valueBytes);
      const growth = heapGrowthOf(() => {
        const source = fetched(frame, new FrameLease(() => undefined), 0n, areBytes);
        const records = new LazyRecords();
        assert.equal(source.read(records, 500), 'more');
        records.at(0);
        assert.equal(source.read(new LazyRecords(), 500), 'end');
      });
      assert.ok(isWithin(growth), inspect(growth));
    });
  }
});

describe(
  'FetchedRecords of batches that were decompressed',
  { skip: !canFreeMemory && 'this Node cannot free memory' },
  () => {
    /** Decompresses at once, and shows the memory of what came out. */
    function watching(memories: ArrayBufferLike[]): Decompressor {
      return {
        decompress(_, body) {
          const content = gunzipSync(body);
          const own = ownMemory(Buffer.allocUnsafeSlow(content.length).fill(content));
          memories.push(own.buffer);
          return own;
        },
        isAside: () => false,
      };
    }

    it('free the memory of each as soon as all of it is handed out, which stays what it was', () => {
      const memories: ArrayBufferLike[] = [];
      const frame = Buffer.concat([compressed(0n, 1000), compressed(1000n, 1000)]);
      const source = fetched(frame, undefined, 0n, true, watching(memories));
      const [first, second] = [new LazyRecords(), new LazyRecords()];
      assert.equal(source.read(first, 999), 'more');
      assert.ok((memories[0]?.byteLength ?? 0) > 100_000, 'one is still to be read');
      assert.equal(source.read(second, 2), 'more');
      assert.equal(memories[0]?.byteLength, 0);
      assert.equal(memories.length, 2);
      const records = [...first, ...second, ...readAll(source, 500)];
      assert.equal(memories[1]?.byteLength, 0);
      assert.equal(records.length, 2000);
      assertBatchesOf(1000, records);
    });

    it('leave large records where they are', () => {
      const memories: ArrayBufferLike[] = [];
      const valueBytes = 1100 * 1024;
      const records = readAll(fetched(compressed(0n, 3, valueBytes), undefined, 0n, true, watching(memories)), 500);
      for (const [index, { value }] of records.entries()) {
        assert.equal((value as Buffer).buffer, memories[0]);
        assert.deepEqual(value, Buffer.alloc(valueBytes, `v${index} `));
      }
      assert.equal(records.length, 3);
    });

    it('leave what others may have a part of', () => {
      const shared = Buffer.alloc(1_000_000);
      const decompressor: Decompressor = {
        decompress(_, body) {
          const size = gunzipSync(body).copy(shared, 1000);
          return shared.subarray(1000, 1000 + size);
        },
        isAside: () => false,
      };
      const records = readAll(fetched(compressed(0n, 1000), undefined, 0n, true, decompressor), 500);
      assert.equal(records[999]?.valueBytes?.buffer, shared.buffer);
      assert.equal(shared.length, 1_000_000);
    });
  },
);

describe('FetchedRecords whose batches are decompressed ahead', () => {
  /** Works when it is told to, as a thread pool would in its own time. */
  class Pool implements Decompressor {
    readonly jobs: (() => void)[] = [];
    begun = 0;
    isBroken = false;

    decompress(_: string, body: Buffer): Promise<Buffer> {
      this.begun++;
      return new Promise((resolve, reject) =>
        this.jobs.push(() => (this.isBroken ? reject(new Error('broken')) : resolve(gunzipSync(body)))),
      );
    }

    isAside(name: string): boolean {
      return name === 'gzip';
    }

    async work(): Promise<void> {
      for (const job of this.jobs.splice(0)) job();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async function offsetsOf(source: FetchedRecords, pool: Pool, ahead: number): Promise<bigint[]> {
    const offsets: bigint[] = [];
    for (;;) {
      const some = new LazyRecords();
      const outcome = source.read(some, 500);
      offsets.push(...[...some].map(({ offset }) => offset));
      if (outcome === 'end') return offsets;
      source.decompressAhead(ahead);
      await pool.work();
    }
  }

  it('begins with so many as it is told to, and hands out the same records', async () => {
    const frame = Buffer.concat([0n, 10n, 20n, 30n, 40n].map((offset) => compressed(offset)));
    for (const ahead of [0, 1, 2, 9]) {
      const pool = new Pool();
      const source = fetched(frame, undefined, 3n, true, pool);
      assert.ok(source.read(new LazyRecords(), 500) instanceof Promise);
      assert.equal(source.decompressAhead(ahead), Math.min(ahead, 4));
      assert.equal(source.decompressAhead(ahead), Math.min(ahead, 4), 'these are there already');
      assert.equal(pool.begun, 1 + Math.min(ahead, 4));
      await pool.work();
      assert.deepEqual(
        await offsetsOf(source, pool, ahead),
        Array.from({ length: 47 }, (_, at) => BigInt(at + 3)),
      );
      assert.equal(pool.begun, 5, 'none twice');
    }
  });

  it('keeps the memory of the answer until the last of them is read', async () => {
    const frame = Buffer.concat([0n, 10n].map((offset) => compressed(offset)));
    const pool = new Pool();
    const counting = countingLease(frame);
    const source = fetched(frame, counting.lease, 0n, true, pool);
    assert.equal(source.decompressAhead(2), 2);
    assert.equal(counting.count, 0);
    assert.equal((await offsetsOf(source, pool, 2)).length, 20);
    assert.equal(counting.count, 1);
  });

  it('says what is wrong with a batch when it is due, not before', async () => {
    const frame = Buffer.concat([0n, 10n, 20n].map((offset) => compressed(offset)));
    const pool = new Pool();
    const source = fetched(frame, undefined, 0n, true, pool);
    frame[frame.length - 1] = (frame.at(-1) ?? 0) ^ 0xff;
    assert.equal(source.decompressAhead(9), 2);
    await pool.work();
    const [first, second] = [new LazyRecords(), new LazyRecords()];
    assert.equal(source.read(first, 10), 'more');
    pool.isBroken = true;
    assert.equal(source.decompressAhead(9), 1, 'and asks for it again in vain');
    assert.equal(source.read(second, 10), 'more');
    assert.equal(second.at(9)?.offset, 19n);
    assert.throws(() => source.read(new LazyRecords(), 10), { code: 'CORRUPT_BATCH', message: /CRC32C/ });
  });

  it('says when it is due that one could not be decompressed', async () => {
    const frame = Buffer.concat([0n, 10n].map((offset) => compressed(offset)));
    const pool = new Pool();
    const source = fetched(frame, undefined, 0n, true, pool);
    assert.ok(source.read(new LazyRecords(), 10) instanceof Promise);
    await pool.work();
    assert.equal(source.decompressAhead(1), 1);
    pool.isBroken = true;
    await pool.work();
    const some = new LazyRecords();
    assert.equal(source.read(some, 10), 'more');
    assert.equal(some.length, 10);
    assert.throws(() => source.read(new LazyRecords(), 10), { message: 'broken' });
  });

  it('leaves alone what is not compressed, and what lies behind it', () => {
    const pool = new Pool();
    const frame = Buffer.concat([compressed(0n), batch(10, 100, 10n), compressed(20n)]);
    assert.equal(fetched(frame, undefined, 0n, true, pool).decompressAhead(9), 1);
    assert.equal(fetched(batch(10, 100), undefined, 0n, true, pool).decompressAhead(9), 0);
    assert.equal(pool.begun, 1);
  });
});
