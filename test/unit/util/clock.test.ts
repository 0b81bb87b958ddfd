import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { systemClock } from '../../../src/util/clock.ts';

describe('systemClock', () => {
  it('goes on while a test has replaced the global timers', async () => {
    mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    try {
      await new Promise<void>((resolve) => systemClock.setTimer(resolve, 1));
      assert.ok(systemClock.wallMs() > 1_600_000_000_000);
    } finally {
      mock.timers.reset();
    }
  });

  it('takes delays that Node would refuse', async () => {
    await new Promise<void>((resolve) => systemClock.setTimer(resolve, -5));
    const timer = systemClock.setTimer(() => assert.fail('fired at once'), 2 ** 40);
    await new Promise((resolve) => setTimeout(resolve, 5));
    systemClock.clearTimer(timer);
  });
});
