import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TestClock } from '../../../src/testing/index.ts';

describe('TestClock', () => {
  it('stands still until it is moved', async () => {
    const clock = new TestClock(1000);
    let fired = 0;
    clock.setTimer(() => fired++, 10);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([clock.nowMs(), clock.wallMs(), fired, clock.pendingTimers], [0, 1000, 0, 1]);
    await clock.advance(10);
    assert.deepEqual([clock.nowMs(), clock.wallMs(), fired, clock.pendingTimers], [10, 1010, 1, 0]);
  });

  it('fires timers in the order in which they fall due, those set meanwhile included, each at its time', async () => {
    const clock = new TestClock();
    const fired: string[] = [];
    const note = (name: string) => () => fired.push(`${name}@${clock.nowMs()}`);
    clock.setTimer(note('late'), 30);
    clock.setTimer(note('first of two'), 20);
    clock.setTimer(note('second of two'), 20);
    clock.setTimer(() => {
      note('early')();
      clock.setTimer(note('nested'), 5);
    }, 10);
    clock.setTimer(note('beyond'), 31);
    await clock.advance(30);
    assert.deepEqual(fired, ['early@10', 'nested@15', 'first of two@20', 'second of two@20', 'late@30']);
    assert.equal(clock.pendingTimers, 1);
  });

  it('fires no timer that was cleared', async () => {
    const clock = new TestClock();
    clock.clearTimer(clock.setTimer(() => assert.fail('fired'), 1));
    await clock.advance(2);
  });

  it('does not go back', async () => {
    for (const ms of [-1, Number.NaN, Infinity])
      await assert.rejects(new TestClock().advance(ms), { code: 'INVALID_ARGUMENT', message: /Cannot advance/ });
  });
});
