import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { backoffMs } from '../../../src/util/backoff.ts';

describe('backoffMs', () => {
  const policy = { initialMs: 100, maxMs: 1000 };

  it('doubles with each failure up to the maximum', () => {
    const middle = [1, 2, 3, 4, 5, 50].map((failures) => backoffMs(policy, failures, 0.5));
    assert.deepEqual(middle, [100, 200, 400, 800, 1000, 1000]);
  });

  it('spreads by 20 percent to either side', () => {
    assert.equal(backoffMs(policy, 1, 0), 80);
    assert.ok(Math.abs(backoffMs(policy, 1, 0.999_999) - 120) < 0.01);
  });

  it('takes no failure as the first', () => {
    assert.equal(backoffMs(policy, 0, 0.5), 100);
  });
});
