import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseOffsetReset } from '../../../src/consumer/auto-offset-reset.ts';

describe('parseOffsetReset', () => {
  it('reads durations as Kafka writes them (KIP-1106), and as milliseconds', () => {
    const durations: readonly [string, number][] = [
      ['PT1H', 3_600_000],
      ['P2D', 172_800_000],
      ['P1DT1H1M1.5S', 90_061_500],
      ['PT0S', 0],
      ['pt10m', 600_000],
    ];
    for (const [text, byDurationMs] of durations)
      assert.deepEqual(parseOffsetReset(`by_duration:${text}`), { byDurationMs }, text);
    assert.deepEqual(parseOffsetReset({ byDurationMs: 5 }), { byDurationMs: 5 });
    for (const plain of ['earliest', 'latest', 'none'] as const) assert.equal(parseOffsetReset(plain), plain);
  });

  it('refuses everything else', () => {
    const wrong = [
      '',
      'first',
      'by_duration',
      'by_duration:',
      'by_duration:P',
      'by_duration:PT',
      'by_duration:-PT1H',
      'by_duration:PT-1H',
      'by_duration:1h',
      'by_duration:P1Y',
    ];
    for (const each of [
      ...wrong,
      5,
      null,
      {},
      { byDurationMs: -1 },
      { byDurationMs: NaN },
      { byDurationMs: 1, more: 2 },
    ])
      assert.equal(parseOffsetReset(each), undefined, JSON.stringify(each));
  });
});
