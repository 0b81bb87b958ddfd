import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KafkaError, NetworkError, UsageError } from '../../../../src/errors/kafka-error.ts';
import { MemberDriver, type MemberHooks } from '../../../../src/consumer/group/member-driver.ts';
import type { RequestFailed } from '../../../../src/consumer/group/reading-messages.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

type Input = { readonly kind: 'answered'; readonly refused?: Error } | { readonly kind: 'left' };

/** A driver with a machine that writes down what it hears, and wants to hear of the time 100 ms after that. */
function setUp(hooks: Partial<MemberHooks<Input, string>> = {}): {
  clock: FakeClock;
  driver: MemberDriver<Input, string>;
  heard: unknown[];
} {
  const clock = new FakeClock();
  const heard: unknown[] = [];
  const effects: string[] = [];
  let dueMs = 0;
  const hear = (what: unknown, nowMs: number): void => {
    heard.push(what);
    effects.push(`effect ${heard.length}`);
    dueMs = nowMs + 100;
  };
  const machine = {
    handle: (input: Input | RequestFailed, nowMs: number) => hear(input, nowMs),
    tick: (nowMs: number) => hear(`tick at ${nowMs}`, nowMs),
    takeEffects: () => effects.splice(0),
    nextDeadlineMs: () => dueMs,
  };
  const driver = new MemberDriver<Input, string>(clock, machine, {
    perform: (effect) => heard.push(effect),
    refusal: (input) => (input.kind === 'answered' ? input.refused : undefined),
    ...hooks,
  });
  return { clock, driver, heard };
}

describe('MemberDriver', () => {
  it('has done what an input brings, and tells the machine when its deadline has come', async () => {
    const { clock, driver, heard } = setUp({ onPerformed: () => heard.push('performed') });
    driver.handle({ kind: 'answered' });
    assert.deepEqual(heard.splice(0), [{ kind: 'answered' }, 'effect 1', 'performed']);
    await clock.advance(99);
    assert.deepEqual(heard, []);
    await clock.advance(1);
    assert.deepEqual(heard.slice(0, 3), ['tick at 100', 'effect 1', 'performed']);
  });

  it('lets the machine hear what went unnoticed before time passes for it', async () => {
    const { clock, driver, heard } = setUp({ beforeTick: () => ({ kind: 'left' }) });
    driver.handle({ kind: 'answered' });
    heard.length = 0;
    await clock.advance(100);
    assert.deepEqual(heard.slice(0, 2), [{ kind: 'left' }, 'tick at 100']);
  });

  it('sets no timer with each input: a reader comes and goes a hundred thousand times a second', async (t) => {
    const { clock, driver, heard } = setUp();
    const set = t.mock.method(clock, 'setTimer');
    driver.handle({ kind: 'answered' });
    await clock.advance(50);
    for (let turn = 0; turn < 10; turn++) driver.handle({ kind: 'answered' });
    assert.equal(set.mock.callCount(), 1);
    heard.length = 0;
    // It may come early, which does no harm, and not late.
    await clock.advance(100);
    assert.equal(heard[0], 'tick at 100');
    assert.equal(set.mock.callCount(), 2);
  });

  it('lets no time pass after the end', async () => {
    const { clock, driver, heard } = setUp();
    driver.end({ kind: 'left' });
    assert.deepEqual(heard.splice(0), [{ kind: 'left' }, 'effect 1']);
    await clock.advance(1000);
    assert.deepEqual(heard, []);
  });

  it('makes an input of a request that failed, fatal where trying again is of no use', async () => {
    const failures: readonly (readonly [Error, boolean])[] = [
      [new UsageError('wrong', { code: 'INVALID_ARGUMENT' }), true],
      [new KafkaError('refused', { code: 'GROUP_AUTHORIZATION_FAILED' }), true],
      [new KafkaError('not now', { code: 'NOT_COORDINATOR', retriable: true }), false],
      [new NetworkError('cut', { code: 'CONNECTION_CLOSED' }), false],
      [new Error('who knows'), false],
    ];
    for (const [error, fatal] of failures) {
      const { driver, heard } = setUp();
      await driver.request(7, () => Promise.reject(error));
      assert.deepEqual(heard[0], { kind: 'requestFailed', attempt: 7, error, fatal });
      assert.equal(driver.lastFailure, error);
    }
  });

  it('remembers the last failure until an answer is good', async () => {
    const { driver, heard } = setUp();
    assert.equal(driver.lastFailure, undefined);
    const refused = new Error('refused');
    await driver.request(1, () => Promise.resolve({ kind: 'answered', refused }));
    assert.equal(driver.lastFailure, refused);
    assert.deepEqual(heard[0], { kind: 'answered', refused });
    await driver.request(2, () => Promise.resolve({ kind: 'answered' }));
    assert.equal(driver.lastFailure, undefined);
  });
});
