import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIsoDurationMs } from '../../../src/util/iso-duration.ts';

describe('parseIsoDurationMs', () => {
  it('reads days, hours, minutes and seconds', () => {
    assert.equal(parseIsoDurationMs('PT1H'), 3_600_000);
    assert.equal(parseIsoDurationMs('P1DT2H3M4.5S'), 93_784_500);
    assert.equal(parseIsoDurationMs('pt0,5s'), 500);
    assert.equal(parseIsoDurationMs('P0D'), 0);
  });

  it('refuses what is none', () => {
    for (const text of ['', 'P', 'PT', 'P1DT', '1H', 'PT1', 'PT-1H', 'P1Y', 'P1M', 'PT1.S', ' PT1H'])
      assert.equal(parseIsoDurationMs(text), undefined, text);
  });
});
