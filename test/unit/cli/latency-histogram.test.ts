import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LatencyHistogram } from '../../../src/cli/latency-histogram.ts';

describe('LatencyHistogram', () => {
  it('has nothing to tell of nothing', () => {
    assert.equal(new LatencyHistogram().summary(), undefined);
  });

  it('tells quantiles within 1.6 % from above, and the maximum exactly, from microseconds to minutes', () => {
    for (const scale of [0.001, 0.01, 0.1, 1, 10, 100]) {
      const histogram = new LatencyHistogram();
      for (let rank = 1; rank <= 1000; rank++) histogram.add(rank * scale);
      const summary = histogram.summary();
      for (const [name, rank] of [
        ['p50', 500],
        ['p95', 950],
        ['p99', 990],
        ['p999', 999],
      ] as const) {
        const told = summary?.[name] ?? 0;
        const real = rank * scale;
        assert.ok(told >= real - 1e-9 && told <= real * 1.016 + 1e-9, `${name} of ${scale}: ${told} for ${real}`);
      }
      assert.equal(summary?.max, 1000 * scale);
    }
  });

  it('counts one latency for many', () => {
    const histogram = new LatencyHistogram();
    histogram.add(5, 999);
    histogram.add(50, 1);
    assert.deepEqual(histogram.summary(), { p50: 5.055, p95: 5.055, p99: 5.055, p999: 5.055, max: 50 });
    histogram.add(50, 9);
    assert.equal(histogram.summary()?.p999, 50);
  });

  it('is told more than the longest, and less than nothing', () => {
    const histogram = new LatencyHistogram();
    histogram.add(-1);
    assert.deepEqual(histogram.summary(), { p50: 0, p95: 0, p99: 0, p999: 0, max: 0 });
    histogram.add(1e9, 99);
    assert.equal(histogram.summary()?.max, 1e9);
    assert.ok((histogram.summary()?.p50 ?? 0) >= 2_147_483);
  });
});
