import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MetadataMachine } from '../../../src/cluster/metadata-machine.ts';
import { allowedTries } from './fake-brokers.ts';

const times = { initialMs: 100, maxMs: 1000, maxAgeMs: 300_000, rebootstrapAfterMs: 300_000 };
const good = { kind: 'answered', settled: true, changed: true } as const;

describe('MetadataMachine', () => {
  it('wants nothing before anybody asks', () => {
    const machine = new MetadataMachine(times);
    assert.equal(machine.nextDeadlineMs(), undefined);
    assert.equal(machine.takeOrder(1_000_000), undefined);
  });

  it('has one refresh under way at a time', () => {
    const machine = new MetadataMachine(times);
    machine.handleStale();
    assert.deepEqual(machine.takeOrder(0), { topics: 'known', rebootstrap: false });
    machine.handleStale();
    machine.handleNewTopics(['a']);
    assert.equal(machine.takeOrder(10_000), undefined);
    machine.handleEnded(good, 10_000, 0.5);
    assert.deepEqual(machine.takeOrder(10_000), { topics: ['a'], rebootstrap: false });
  });

  it('refreshes what is old', () => {
    const machine = new MetadataMachine(times);
    machine.handleStale();
    machine.takeOrder(0);
    machine.handleEnded(good, 5, 0.5);
    assert.equal(machine.nextDeadlineMs(), 300_005);
    assert.equal(machine.takeOrder(300_004), undefined);
    assert.equal(machine.takeOrder(300_005)?.topics, 'known');
  });

  it('does not let new topics knock more often while nothing answers', () => {
    const machine = new MetadataMachine(times);
    machine.handleNewTopics(['a']);
    machine.takeOrder(0);
    machine.handleEnded({ kind: 'failed' }, 0, 0.5);
    machine.handleNewTopics(['b']);
    assert.equal(machine.takeOrder(99), undefined);
    assert.equal(machine.takeOrder(100)?.topics, 'known');
  });

  it('turns to the bootstrap servers when told to, and when nothing has answered for long', () => {
    const machine = new MetadataMachine(times);
    machine.handleStale();
    machine.takeOrder(0);
    machine.handleEnded({ kind: 'rebootstrapRequired' }, 0, 0.5);
    assert.equal(machine.takeOrder(100)?.rebootstrap, true);
    machine.handleEnded({ kind: 'failed' }, 100, 0.5);
    assert.equal(machine.takeOrder(1000)?.rebootstrap, false);
    machine.handleEnded({ kind: 'failed' }, 299_999, 0.5);
    assert.equal(machine.takeOrder(302_000)?.rebootstrap, true);
    machine.handleEnded(good, 302_000, 0.5);
    machine.handleStale();
    assert.equal(machine.takeOrder(303_000)?.rebootstrap, false);
  });

  it('never takes more orders in a row that do not help than the back-off allows', () => {
    const outcome = fc.constantFrom(
      { kind: 'failed' } as const,
      { kind: 'rebootstrapRequired' } as const,
      { kind: 'answered', settled: false, changed: false } as const,
      { kind: 'answered', settled: true, changed: false } as const,
    );
    fc.assert(
      fc.property(fc.array(outcome, { minLength: 60, maxLength: 60 }), (outcomes) => {
        const machine = new MetadataMachine(times);
        let orders = 0;
        for (let nowMs = 0; nowMs <= 10_000; nowMs += 10) {
          machine.handleStale();
          if (machine.takeOrder(nowMs) === undefined) continue;
          machine.handleEnded(outcomes[orders++] ?? { kind: 'failed' }, nowMs, 0.5);
        }
        assert.ok(orders <= allowedTries(10_000), `${orders} orders`);
      }),
    );
  });
});
