import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import Long from 'long';
import { parseInt64 } from '../../../src/util/int64.ts';

describe('parseInt64', () => {
  it('takes bigints, safe integers, texts and Longs', () => {
    assert.equal(parseInt64(-5n), -5n);
    assert.equal(parseInt64(-5), -5n);
    assert.equal(parseInt64('-5'), -5n);
    assert.equal(parseInt64(Long.fromString('-5')), -5n);
    assert.equal(parseInt64(Long.MAX_VALUE), 2n ** 63n - 1n);
    assert.equal(parseInt64(Long.MIN_VALUE), -(2n ** 63n));
    assert.equal(parseInt64('9223372036854775807'), 2n ** 63n - 1n);
  });

  it('takes nothing else', () => {
    const others = [
      2n ** 63n,
      -(2n ** 63n) - 1n,
      1.5,
      NaN,
      2 ** 53,
      '',
      ' 1',
      '0x10',
      '1.0',
      '9223372036854775808',
      null,
      undefined,
      {},
      { low: 1 },
      true,
    ];
    for (const other of others) assert.equal(parseInt64(other), undefined, typeof other);
  });
});
