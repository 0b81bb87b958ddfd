import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { closingLine, countEvents } from '../../../tools/test/counts.ts';
import type { TestEvent } from '../../../tools/test/counts.ts';

const event = (facts: Partial<TestEvent>): TestEvent => ({
  passed: true,
  name: 'a test',
  nesting: 0,
  isSuite: false,
  ...facts,
});

describe('countEvents', () => {
  it('counts tests and not the suites around them', () => {
    const counts = countEvents('a.test.ts', [event({ nesting: 1 }), event({ nesting: 1 }), event({ isSuite: true })]);
    assert.equal(counts.passed, 2);
  });

  it('counts a failed test once, not again for its suite', () => {
    const counts = countEvents('a.test.ts', [
      event({ passed: false, nesting: 1, failureType: 'testCodeFailure', error: 'boom' }),
      event({ passed: false, isSuite: true, failureType: 'subtestsFailed' }),
    ]);
    assert.deepEqual(counts.failures, [{ where: 'a.test.ts:1 a test', what: 'boom' }]);
  });

  it('counts a suite whose hook failed', () => {
    const counts = countEvents('a.test.ts', [event({ passed: false, isSuite: true, failureType: 'hookFailed' })]);
    assert.equal(counts.failures.length, 1);
  });

  it('lists a suite that was skipped as a whole, with its reason', () => {
    const counts = countEvents('a.test.ts', [event({ isSuite: true, skip: 'no Kafka', line: 7 })]);
    assert.deepEqual(counts.skips, [{ where: 'a.test.ts:7 a test', reason: 'no Kafka' }]);
    assert.equal(counts.passed, 0);
  });
});

describe('closingLine', () => {
  it('has the form that ends every run', () => {
    const failures = [{ where: 'x', what: 'y' }];
    assert.equal(closingLine({ passed: 3, failures, skips: [], unsteady: [] }), '3 passed, 1 failed, 0 skipped');
  });
});
