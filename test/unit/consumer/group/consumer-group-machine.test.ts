import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConsumerGroupMachine } from '../../../../src/consumer/group/consumer-group-machine.ts';
import type { ConsumerGroupEffect, HeartbeatAnswer } from '../../../../src/consumer/group/consumer-group-messages.ts';
import { brokerErrorCodes as codes } from '../../../../src/errors/broker-error-codes.ts';

const [p0, p1] = [
  { topic: 't', partition: 0 },
  { topic: 't', partition: 1 },
] as const;

function joining(groupInstanceId: string | null = null): ConsumerGroupMachine {
  const subject = new ConsumerGroupMachine({
    groupId: 'g',
    groupInstanceId,
    sessionTimeoutMs: 45_000,
    maxPollIntervalMs: 300_000,
    retryBackoff: { initialMs: 100, maxMs: 1000 },
    random: () => 0.5,
  });
  subject.handle({ kind: 'subscribed' }, 0);
  subject.handle({ kind: 'readerCame' }, 0);
  return subject;
}

function sent(subject: ConsumerGroupMachine): Extract<ConsumerGroupEffect, { kind: 'sendHeartbeat' }> {
  const effect = subject.takeEffects().findLast((each) => each.kind === 'sendHeartbeat');
  assert.ok(effect?.kind === 'sendHeartbeat', 'a heartbeat is sent');
  return effect;
}

function answer(subject: ConsumerGroupMachine, nowMs: number, change: Partial<HeartbeatAnswer> = {}): void {
  const { attempt } = sent(subject);
  const base = { errorCode: 0, errorMessage: null, memberEpoch: 1, heartbeatIntervalMs: 5000, assignment: undefined };
  subject.handle({ kind: 'heartbeatAnswered', attempt, answer: { ...base, ...change } }, nowMs);
}

/** A member that reads these partitions, and has told so. */
function reading(groupInstanceId: string | null = null): ConsumerGroupMachine {
  const subject = joining(groupInstanceId);
  answer(subject, 0, { assignment: [p0, p1] });
  subject.handle({ kind: 'taskDone' }, 0);
  answer(subject, 0);
  return subject;
}

describe('ConsumerGroupMachine', () => {
  it('joins with epoch 0 and everything there is to tell', () => {
    const { epoch, isFull, withSubscription, owned } = sent(joining());
    assert.deepEqual(
      { epoch, isFull, withSubscription, owned },
      { epoch: 0, isFull: true, withSubscription: true, owned: [] },
    );
  });

  it('beats at the interval that the broker says, and then tells only what has changed', () => {
    const subject = reading();
    assert.equal(subject.nextDeadlineMs(), 5000);
    subject.tick(5000);
    const { epoch, isFull, withSubscription, owned } = sent(subject);
    assert.deepEqual([epoch, isFull, withSubscription, owned], [1, false, false, undefined]);
  });

  it('tells everything again after a heartbeat without an answer', () => {
    const subject = reading();
    subject.tick(5000);
    const { attempt } = sent(subject);
    subject.handle({ kind: 'requestFailed', attempt, error: new Error('cut'), fatal: false }, 5000);
    subject.tick(5100);
    const { isFull, owned } = sent(subject);
    assert.deepEqual([isFull, owned], [true, [p0, p1]]);
  });

  it('tells at once what it has given up, and of a subscription that changed', () => {
    const subject = reading();
    subject.tick(5000);
    answer(subject, 5000, { memberEpoch: 2, assignment: [p1] });
    subject.takeEffects();
    subject.handle({ kind: 'taskDone' }, 5001);
    assert.deepEqual(sent(subject).owned, [p1]);
    const other = reading();
    other.handle({ kind: 'subscribed' }, 1);
    assert.equal(sent(other).withSubscription, true);
  });

  it('takes up nothing of what it was given for another subscription until its new one is answered', () => {
    const subject = joining();
    const tasks = (): unknown[] => subject.takeEffects().filter(({ kind }) => kind === 'runTask');
    const { attempt } = sent(subject);
    subject.handle({ kind: 'readerLeft' }, 0);
    const given = { errorCode: 0, errorMessage: null, memberEpoch: 1, heartbeatIntervalMs: 5000, assignment: [p0, p1] };
    subject.handle({ kind: 'heartbeatAnswered', attempt, answer: given }, 0);
    subject.tick(5000);
    const beforeChange = sent(subject).attempt;
    subject.handle({ kind: 'subscribed' }, 5000);
    subject.handle({ kind: 'readerCame' }, 5000);
    assert.deepEqual(tasks(), []);
    // The answer to what was sent before says nothing of it; the next one is lost.
    subject.handle(
      { kind: 'heartbeatAnswered', attempt: beforeChange, answer: { ...given, assignment: undefined } },
      5001,
    );
    const lost = sent(subject);
    assert.equal(lost.withSubscription, true);
    subject.handle({ kind: 'requestFailed', attempt: lost.attempt, error: new Error('cut'), fatal: false }, 5001);
    subject.handle({ kind: 'readerLeft' }, 5002);
    subject.handle({ kind: 'readerCame' }, 5002);
    assert.deepEqual(tasks(), []);
    subject.tick(6000);
    answer(subject, 6000, { assignment: [p1] });
    assert.deepEqual(tasks(), [{ kind: 'runTask', task: { kind: 'assign', partitions: [p1] } }]);
  });

  for (const [who, mode, epoch] of [
    ['dynamic', 'default', -1],
    ['dynamic', 'leave', -1],
    ['dynamic', 'remain', undefined],
    ['static', 'default', -2],
    ['static', 'leave', -1],
    ['static', 'remain', -2],
  ] as const) {
    it(`leaves as a ${who} member, mode ${mode}, with ${epoch === undefined ? 'no word' : `epoch ${epoch}`}`, () => {
      const subject = reading(who === 'static' ? 'i' : null);
      subject.takeEffects();
      subject.handle({ kind: 'leave', reason: 'test', mode }, 0);
      // Who comes back is not said to have left.
      const told = epoch === -1 ? [{ kind: 'left', reason: 'test' }] : [];
      assert.deepEqual(subject.takeEffects(), epoch === undefined ? [] : [{ kind: 'sendLeave', epoch }, ...told]);
    });
  }

  it('waits for its instance id no longer than a session may last', () => {
    const subject = joining('i');
    let nowMs = 0;
    while (subject.stateName === 'joining') {
      answer(subject, nowMs, { errorCode: codes.UNRELEASED_INSTANCE_ID });
      if (subject.stateName === 'joining') subject.tick((nowMs = subject.nextDeadlineMs() ?? NaN));
    }
    assert.equal(subject.stateName, 'failed');
    assert.ok(nowMs >= 70_000 && nowMs < 72_000, `after ${nowMs} ms`);
  });

  it('leaves when no reader comes within maxPollIntervalMs, and joins again at the next read', () => {
    const subject = reading();
    subject.handle({ kind: 'readerLeft' }, 1000);
    subject.takeEffects();
    subject.tick(301_000);
    const kinds = subject.takeEffects().map(({ kind }) => kind);
    assert.deepEqual(kinds, ['sendLeave', 'left', 'endAssignment']);
    subject.handle({ kind: 'readerCame' }, 400_000);
    assert.deepEqual(subject.takeEffects(), [{ kind: 'runTask', task: { kind: 'lose', partitions: [p0, p1] } }]);
    subject.handle({ kind: 'taskDone' }, 400_000);
    assert.equal(sent(subject).epoch, 0);
  });
});
