import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  VarintReader,
  varintSize,
  varlongSize,
  writeVarint,
  writeVarlong,
} from '../../../../src/protocol/records/varint.ts';

const int32Limits = [0, -1, 1, 63, 64, -64, -65, 8_191, 8_192, 2 ** 20, 2 ** 27 - 1, 2 ** 27, 2 ** 31 - 1, -(2 ** 31)];
const int64Limits = [
  0n,
  -1n,
  2n ** 48n - 1n,
  2n ** 48n,
  2n ** 53n + 1n,
  -(2n ** 53n) - 1n,
  2n ** 55n,
  2n ** 63n - 1n,
  -(2n ** 63n),
];

describe('VarintReader', () => {
  it('VarintReader.varint reads every int32 that writeVarint writes, of the size that varintSize tells', () => {
    const check = (value: number): void => {
      const bytes = Buffer.alloc(8);
      const end = writeVarint(bytes, 1, value);
      assert.equal(end - 1, varintSize(value));
      const reader = new VarintReader(bytes, 1);
      assert.equal(reader.varint(), value);
      assert.equal(reader.position, end);
    };
    int32Limits.forEach(check);
    fc.assert(fc.property(fc.integer(), check), { numRuns: 2_000 });
  });

  it('VarintReader.varlong reads every int64 that writeVarlong writes, of the size that varlongSize tells', () => {
    const check = (value: bigint): void => {
      const bytes = Buffer.alloc(12);
      const end = writeVarlong(bytes, 1, value);
      assert.equal(end - 1, varlongSize(value));
      const reader = new VarintReader(bytes, 1);
      const read = reader.varlong();
      assert.equal(read, Number(value));
      if (!Number.isSafeInteger(read)) assert.equal(reader.exact, value);
      assert.equal(reader.position, end);
    };
    int64Limits.forEach(check);
    fc.assert(fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), check), { numRuns: 2_000 });
    fc.assert(fc.property(fc.bigInt({ min: -(2n ** 52n), max: 2n ** 52n }), check), { numRuns: 2_000 });
  });

  it('VarintReader fails at a varint that is cut off or too long, and does not move', () => {
    for (const bytes of [[], [128], [128, 128, 128, 128], [128, 128, 128, 128, 16], [255, 255, 255, 255, 255, 1]]) {
      const reader = new VarintReader(Buffer.from(bytes), 0);
      assert.deepEqual([reader.varint(), reader.failed, reader.position], [NaN, true, 0]);
    }
    for (const bytes of [[], [128], Array(9).fill(255), [...Array<number>(9).fill(255), 2], Array(11).fill(128)]) {
      const reader = new VarintReader(Buffer.from(bytes as number[]), 0);
      assert.deepEqual([reader.varlong(), reader.failed, reader.position], [NaN, true, 0]);
    }
  });
});
