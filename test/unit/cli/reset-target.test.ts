import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CliError } from '../../../src/cli/cli-error.ts';
import { parseResetTarget } from '../../../src/cli/reset-target.ts';

const nowMs = Date.parse('2026-11-22T10:00:00Z');
const minuteMs = 60_000;

describe('parseResetTarget', () => {
  it('reads places, offsets, times and durations', () => {
    assert.deepEqual(parseResetTarget('earliest', nowMs), { kind: 'place', at: 'earliest' });
    assert.deepEqual(parseResetTarget('latest', nowMs), { kind: 'place', at: 'latest' });
    assert.deepEqual(parseResetTarget('9007199254740993', nowMs), { kind: 'offset', offset: 9_007_199_254_740_993n });
    const times: readonly (readonly [string, number])[] = [
      ['2026-11-22T09:00:00Z', nowMs - 60 * minuteMs],
      ['2026-11-22T10:00:00.250+01:00', nowMs - 60 * minuteMs + 250],
      ['2026-11-22T09:59Z', nowMs - minuteMs],
      ['-PT1H', nowMs - 60 * minuteMs],
      ['-P1DT2H3M4.5S', nowMs - (26 * 60 + 3) * minuteMs - 4500],
      ['-PT1M', nowMs - minuteMs],
      ['-P999999D', 0],
    ];
    for (const [text, at] of times) assert.deepEqual(parseResetTarget(text, nowMs), { kind: 'place', at }, text);
  });

  it('refuses what could mean several things, or nothing', () => {
    const wrong = [
      'soon',
      '',
      '-1',
      'PT1H',
      '-P1M',
      '-P1Y',
      '-P',
      '-PT',
      '-P1DT',
      '1.5',
      '2026-11-22',
      '2026-13-01T00:00Z',
    ];
    for (const text of wrong)
      assert.throws(
        () => parseResetTarget(text, nowMs),
        { name: 'CliError', message: /^Cannot reset to ".*-PT1H$/ },
        text,
      );
    assert.throws(
      () => parseResetTarget('2026-11-22T10:00', nowMs),
      (error: unknown) => {
        return error instanceof CliError && error.message.includes('such as 2026-11-22T10:00Z');
      },
    );
  });
});
