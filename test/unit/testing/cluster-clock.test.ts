import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClusterClock } from '../../../src/testing/cluster-clock.ts';
import { TestClock } from '../../../src/testing/index.ts';

describe('ClusterClock', () => {
  it('passes time and timers on until its cluster ends, and then clears them', async () => {
    const outer = new TestClock(100);
    const clock = new ClusterClock(outer);
    const fired: string[] = [];
    clock.setTimer(() => fired.push('fired'), 1);
    clock.clearTimer(clock.setTimer(() => fired.push('cleared'), 1));
    clock.setTimer(() => fired.push('too late'), 10);
    await outer.advance(5);
    assert.deepEqual([fired, clock.nowMs(), clock.wallMs()], [['fired'], 5, 105]);
    clock.end();
    assert.equal(outer.pendingTimers, 0);
    clock.setTimer(() => fired.push('after the end'), 0);
    await outer.advance(60);
    assert.deepEqual(fired, ['fired']);
  });
});
