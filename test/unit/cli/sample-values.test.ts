import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { sampleValues } from '../../../src/cli/sample-values.ts';

describe('sampleValues', () => {
  for (const bytes of [5, 24, 100, 1024, 100_000, 1_000_000]) {
    it(`makes values of ${bytes} bytes, of which no two are equal`, () => {
      const values = sampleValues(bytes);
      assert.ok(values.every(({ length }) => length === bytes));
      assert.equal(new Set(values.map((value) => value.toString())).size, values.length);
      assert.ok(values.length >= 16 && values.length * bytes <= 16_000_000);
    });
  }

  it('makes JSON that compresses as the guide says', () => {
    for (const bytes of [100, 1024, 10_000]) {
      const values = sampleValues(bytes).slice(0, Math.ceil(500_000 / bytes));
      for (const value of values) JSON.parse(value.toString());
      const ratio = (values.length * bytes) / gzipSync(Buffer.concat(values)).length;
      assert.ok(ratio > 2.4 && ratio < 3.1, `${bytes} bytes: ${ratio}`);
    }
  });

  it('makes what there is room for', () => {
    assert.deepEqual(
      sampleValues(1)
        .slice(0, 12)
        .map((value) => value.toString()),
      ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '0', '1'],
    );
  });
});
