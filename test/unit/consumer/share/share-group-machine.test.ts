import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ShareGroupMachine } from '../../../../src/consumer/share/share-group-machine.ts';
import type { ShareGroupEffect, ShareHeartbeatAnswer } from '../../../../src/consumer/share/share-group-messages.ts';
import { brokerErrorCodes as codes } from '../../../../src/errors/broker-error-codes.ts';

const [p0, p1] = [
  { topic: 't', topicId: 'id', partition: 0 },
  { topic: 't', topicId: 'id', partition: 1 },
] as const;

function joining(): ShareGroupMachine {
  const subject = new ShareGroupMachine({
    groupId: 'g',
    retryBackoff: { initialMs: 100, maxMs: 1000 },
    random: () => 0.5,
  });
  subject.handle({ kind: 'subscribed' }, 0);
  return subject;
}

function sent(subject: ShareGroupMachine): Extract<ShareGroupEffect, { kind: 'sendHeartbeat' }> {
  const effect = subject.takeEffects().findLast((each) => each.kind === 'sendHeartbeat');
  assert.ok(effect?.kind === 'sendHeartbeat', 'a heartbeat is sent');
  return effect;
}

function answer(subject: ShareGroupMachine, nowMs: number, change: Partial<ShareHeartbeatAnswer> = {}): void {
  const { attempt } = sent(subject);
  const base = { errorCode: 0, errorMessage: null, memberEpoch: 1, heartbeatIntervalMs: 5000, hasTopics: true };
  subject.handle({ kind: 'heartbeatAnswered', attempt, answer: { ...base, assignment: undefined, ...change } }, nowMs);
}

function reading(): ShareGroupMachine {
  const subject = joining();
  answer(subject, 0, { assignment: [p0, p1] });
  subject.takeEffects();
  return subject;
}

function kindsOf(subject: ShareGroupMachine): string[] {
  return subject.takeEffects().map(({ kind }) => kind);
}

describe('ShareGroupMachine', () => {
  it('joins with epoch 0 and everything there is to tell', () => {
    const { epoch, isFull, withSubscription } = sent(joining());
    assert.deepEqual([epoch, isFull, withSubscription], [0, true, true]);
  });

  it('reads what it is given at once, and tells who it is in the group', () => {
    const subject = joining();
    answer(subject, 0, { memberEpoch: 3, assignment: [p0] });
    assert.deepEqual(subject.takeEffects(), [
      { kind: 'assign', partitions: [p0] },
      { kind: 'joined', epoch: 3, partitions: [p0] },
    ]);
    assert.equal(subject.epoch, 3);
  });

  it('beats at the interval that the broker says, and then tells only what has changed', () => {
    const subject = reading();
    assert.equal(subject.nextDeadlineMs(), 5000);
    subject.tick(4999);
    assert.deepEqual(subject.takeEffects(), []);
    subject.tick(5000);
    const { epoch, isFull, withSubscription } = sent(subject);
    assert.deepEqual([epoch, isFull, withSubscription], [1, false, false]);
    assert.equal(subject.nextDeadlineMs(), undefined, 'one at a time');
  });

  it('beats at least a moment apart, whatever a broker says', () => {
    for (const heartbeatIntervalMs of [0, -1]) {
      const subject = joining();
      answer(subject, 0, { heartbeatIntervalMs, assignment: [p0] });
      assert.equal(subject.nextDeadlineMs(), 100);
    }
  });

  it('asks soon again while topics are there and nothing is given yet, and less and less often', () => {
    const subject = joining();
    const pauses: number[] = [];
    for (let nowMs = 0, beats = 0; beats < 8; beats++) {
      answer(subject, nowMs, { assignment: beats === 0 ? [] : undefined });
      const nextMs = subject.nextDeadlineMs() ?? NaN;
      pauses.push(nextMs - nowMs);
      subject.tick((nowMs = nextMs));
    }
    assert.deepEqual(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    answer(subject, 20_000, { assignment: [p0] });
    assert.equal(subject.nextDeadlineMs(), 25_000);
  });

  it('waits at the usual pace for topics that do not exist', () => {
    const subject = joining();
    answer(subject, 0, { assignment: [], hasTopics: false });
    assert.equal(subject.nextDeadlineMs(), 5000);
  });

  it('tells everything again after a heartbeat without an answer, and looks for the coordinator', () => {
    const subject = reading();
    subject.tick(5000);
    const { attempt } = sent(subject);
    subject.handle({ kind: 'requestFailed', attempt, error: new Error('cut'), fatal: false }, 5000);
    assert.deepEqual(kindsOf(subject), ['heartbeatFailed', 'forgetCoordinator']);
    assert.equal(subject.nextDeadlineMs(), 5100);
    subject.tick(5100);
    const { epoch, isFull, withSubscription } = sent(subject);
    assert.deepEqual([epoch, isFull, withSubscription], [1, true, true]);
  });

  it('keeps reading what it has while the coordinator cannot be reached', () => {
    const subject = reading();
    subject.tick(5000);
    subject.handle(
      { kind: 'requestFailed', attempt: sent(subject).attempt, error: new Error('cut'), fatal: false },
      5000,
    );
    subject.takeEffects();
    assert.deepEqual(subject.assignment, [p0, p1]);
  });

  it('tells of other topics at once, after a heartbeat under way, or after the pause of a failure', () => {
    const atOnce = reading();
    atOnce.handle({ kind: 'subscribed' }, 1);
    const { isFull, withSubscription } = sent(atOnce);
    assert.deepEqual([isFull, withSubscription], [false, true]);

    const afterwards = reading();
    afterwards.tick(5000);
    const { attempt } = sent(afterwards);
    afterwards.handle({ kind: 'subscribed' }, 5001);
    assert.deepEqual(afterwards.takeEffects(), []);
    const good = { errorCode: 0, errorMessage: null, memberEpoch: 1, heartbeatIntervalMs: 5000, hasTopics: true };
    afterwards.handle({ kind: 'heartbeatAnswered', attempt, answer: { ...good, assignment: undefined } }, 5002);
    assert.equal(sent(afterwards).withSubscription, true);

    const paused = reading();
    paused.tick(5000);
    paused.handle(
      { kind: 'requestFailed', attempt: sent(paused).attempt, error: new Error('cut'), fatal: false },
      5000,
    );
    paused.takeEffects();
    paused.handle({ kind: 'subscribed' }, 5001);
    assert.deepEqual(paused.takeEffects(), []);
    assert.equal(paused.nextDeadlineMs(), 5100);
  });

  it('tells of an assignment only when it is another one, whatever its order', () => {
    const subject = reading();
    subject.tick(5000);
    answer(subject, 5000, { assignment: [p1, p0] });
    assert.deepEqual(subject.takeEffects(), []);
    subject.tick(10_000);
    answer(subject, 10_000, { assignment: [p1] });
    assert.deepEqual(subject.takeEffects(), [{ kind: 'assign', partitions: [p1] }]);
    subject.tick(15_000);
    answer(subject, 15_000, { assignment: [{ ...p1, topicId: 'created-again' }] });
    assert.deepEqual(kindsOf(subject), ['assign']);
  });

  it('takes in what has a name only later', () => {
    const subject = joining();
    answer(subject, 0, { assignment: [] });
    subject.takeEffects();
    subject.handle({ kind: 'assignmentResolved', partitions: [p0] }, 1);
    assert.deepEqual(subject.takeEffects(), [{ kind: 'assign', partitions: [p0] }]);
  });

  for (const name of ['UNKNOWN_MEMBER_ID', 'FENCED_MEMBER_EPOCH', 'GROUP_ID_NOT_FOUND'] as const) {
    it(`joins again at once with epoch 0 when its heartbeat is answered ${name}`, () => {
      const subject = reading();
      subject.tick(5000);
      answer(subject, 5010, { errorCode: codes[name] });
      const effects = subject.takeEffects();
      assert.deepEqual(
        effects.map(({ kind }) => kind),
        ['heartbeatFailed', 'lose', 'sendHeartbeat'],
      );
      const [, lost, beat] = effects;
      assert.ok(lost?.kind === 'lose' && beat?.kind === 'sendHeartbeat');
      assert.match(lost.reason, new RegExp(`${name}, 5010 ms after`));
      assert.deepEqual([beat.epoch, beat.isFull], [0, true]);
      assert.equal(subject.assignment, undefined);
      assert.equal(subject.epoch, -1);
    });
  }

  it('does not press a coordinator that drops it again while it joins', () => {
    const subject = joining();
    answer(subject, 0, { errorCode: codes.FENCED_MEMBER_EPOCH });
    assert.deepEqual(kindsOf(subject), ['heartbeatFailed']);
    assert.equal(subject.nextDeadlineMs(), 100);
  });

  for (const [name, forgets] of [
    ['NOT_COORDINATOR', true],
    ['COORDINATOR_NOT_AVAILABLE', true],
    ['COORDINATOR_LOAD_IN_PROGRESS', false],
    ['THROTTLING_QUOTA_EXCEEDED', false],
  ] as const) {
    it(`tries again later when it is answered ${name}`, () => {
      const subject = reading();
      subject.tick(5000);
      answer(subject, 5000, { errorCode: codes[name] });
      assert.deepEqual(kindsOf(subject), forgets ? ['heartbeatFailed', 'forgetCoordinator'] : ['heartbeatFailed']);
      assert.equal(subject.nextDeadlineMs(), 5100);
      assert.equal(subject.stateName, 'member');
    });
  }

  for (const name of [
    'GROUP_AUTHORIZATION_FAILED',
    'TOPIC_AUTHORIZATION_FAILED',
    'INVALID_REQUEST',
    'GROUP_MAX_SIZE_REACHED',
    'UNSUPPORTED_VERSION',
    'GROUP_ID_NOT_FOUND',
  ] as const) {
    it(`is finished when its join is answered ${name}`, () => {
      const subject = joining();
      answer(subject, 0, { errorCode: codes[name], errorMessage: 'The broker says so.' });
      const failed = subject.takeEffects().at(-1);
      assert.ok(failed?.kind === 'fail');
      assert.match(failed.error.message, /^Cannot join share group "g": The broker says so/);
      assert.equal((failed.error as { code?: string }).code, name);
      assert.equal(subject.nextDeadlineMs(), undefined);
      subject.handle({ kind: 'subscribed' }, 1);
      assert.deepEqual(subject.takeEffects(), []);
    });
  }

  it('says what to do where brokers have no share groups', () => {
    const subject = joining();
    answer(subject, 0, { errorCode: codes.UNSUPPORTED_VERSION });
    const failed = subject.takeEffects().at(-1);
    assert.ok(failed?.kind === 'fail');
    assert.match(failed.error.message, /Kafka 4\.2 or later.*share\.version/);
  });

  it('gives up its partitions when it fails', () => {
    const subject = reading();
    subject.tick(5000);
    answer(subject, 5000, { errorCode: codes.GROUP_AUTHORIZATION_FAILED });
    const effects = subject.takeEffects();
    assert.deepEqual(
      effects.map(({ kind }) => kind),
      ['heartbeatFailed', 'assign', 'fail'],
    );
    const failed = effects.at(-1);
    assert.ok(failed?.kind === 'fail');
    assert.match(failed.error.message, /^Cannot stay in share group "g"/);
  });

  it('leaves once, and is silent from then on', () => {
    const subject = reading();
    subject.tick(5000);
    const { attempt } = sent(subject);
    subject.handle({ kind: 'leave' }, 5001);
    assert.deepEqual(kindsOf(subject), ['sendLeave', 'assign']);
    assert.equal(subject.isUnderWay(attempt), false, 'a heartbeat that has not left yet must not bring it back');
    subject.handle({ kind: 'leave' }, 5002);
    subject.handle({ kind: 'subscribed' }, 5003);
    subject.handle({ kind: 'requestFailed', attempt, error: new Error('late'), fatal: false }, 5004);
    assert.deepEqual(subject.takeEffects(), []);
    assert.equal(subject.nextDeadlineMs(), undefined);
  });

  it('has nobody to say farewell to before anything was subscribed', () => {
    const subject = new ShareGroupMachine({
      groupId: 'g',
      retryBackoff: { initialMs: 100, maxMs: 1000 },
      random: () => 0.5,
    });
    assert.equal(subject.nextDeadlineMs(), undefined);
    subject.handle({ kind: 'leave' }, 0);
    assert.deepEqual(subject.takeEffects(), []);
  });

  it('leaves when nothing is subscribed any more, and joins again when something is', () => {
    const subject = reading();
    subject.handle({ kind: 'unsubscribed' }, 10);
    assert.deepEqual(kindsOf(subject), ['sendLeave', 'assign']);
    assert.deepEqual([subject.stateName, subject.nextDeadlineMs()], ['idle', undefined]);
    subject.handle({ kind: 'subscribed' }, 20);
    const { epoch, isFull } = sent(subject);
    assert.deepEqual([epoch, isFull], [0, true]);
  });

  it('does nothing with an answer to a heartbeat before the one under way', () => {
    const subject = reading();
    subject.tick(5000);
    const { attempt } = sent(subject);
    subject.handle({ kind: 'unsubscribed' }, 5001);
    subject.handle({ kind: 'subscribed' }, 5002);
    subject.takeEffects();
    const late = { errorCode: 0, errorMessage: null, memberEpoch: 1, heartbeatIntervalMs: 5000, hasTopics: true };
    subject.handle({ kind: 'heartbeatAnswered', attempt, answer: { ...late, assignment: [p0] } }, 5003);
    assert.deepEqual(subject.takeEffects(), []);
    assert.equal(subject.stateName, 'joining');
  });

  it('changes nothing when it is asked too early or twice what is due', () => {
    const subject = reading();
    subject.tick(5000);
    subject.tick(5000);
    assert.deepEqual(kindsOf(subject), ['sendHeartbeat']);
    subject.tick(6000);
    assert.deepEqual(subject.takeEffects(), []);
  });
});
