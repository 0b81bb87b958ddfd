import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  GroupMachine,
  type GroupEffect,
  type GroupInput,
  type JoinAnswer,
} from '../../../../src/consumer/group/group-machine.ts';
import { brokerErrorCodes as codes } from '../../../../src/errors/broker-error-codes.ts';

const t0 = { topic: 't', partition: 0 };

function machine(options: { groupInstanceId?: string } = {}): GroupMachine {
  return new GroupMachine({
    groupId: 'g',
    groupInstanceId: options.groupInstanceId ?? null,
    sessionTimeoutMs: 45_000,
    heartbeatIntervalMs: 3000,
    maxPollIntervalMs: 300_000,
    retryBackoff: { initialMs: 100, maxMs: 1000 },
    random: () => 0.5,
  });
}

function joinAnswer(change: Partial<JoinAnswer> = {}): JoinAnswer {
  const base = {
    errorCode: 0,
    memberId: 'm-1',
    generationId: 1,
    protocolName: 'range',
    leader: 'm-2',
    skipAssignment: false,
  };
  return { ...base, members: [], ...change };
}

type Attempt = Extract<GroupEffect, { readonly attempt: number }>;

/** Takes the effects, which must be of these kinds, and gives the last one that is a request. */
function expectEffects(subject: GroupMachine, kinds: readonly GroupEffect['kind'][]): GroupEffect[] {
  const effects = subject.takeEffects();
  assert.deepEqual(
    effects.map((effect) => effect.kind),
    kinds,
  );
  return effects;
}

function attemptOf(effects: readonly GroupEffect[]): number {
  const request = effects.filter((effect): effect is Attempt => 'attempt' in effect).at(-1);
  assert.ok(request);
  return request.attempt;
}

const steps = {
  idle: (): GroupMachine => machine(),
  joining: (): GroupMachine => {
    const subject = machine();
    subject.handle({ kind: 'subscribed' }, 0);
    subject.handle({ kind: 'readerCame' }, 0);
    return subject;
  },
  backingOff: (): GroupMachine => {
    const subject = steps.joining();
    const attempt = attemptOf(subject.takeEffects());
    subject.handle(
      { kind: 'joinAnswered', attempt, answer: joinAnswer({ errorCode: codes.COORDINATOR_LOAD_IN_PROGRESS }) },
      0,
    );
    return subject;
  },
  assigning: (): GroupMachine => {
    const subject = steps.joining();
    const attempt = attemptOf(subject.takeEffects());
    subject.handle({ kind: 'joinAnswered', attempt, answer: joinAnswer({ leader: 'm-1' }) }, 0);
    return subject;
  },
  syncing: (): GroupMachine => {
    const subject = steps.joining();
    const attempt = attemptOf(subject.takeEffects());
    subject.handle({ kind: 'joinAnswered', attempt, answer: joinAnswer() }, 0);
    return subject;
  },
  /** Assigned, the listener has yet to run: no reader waits. */
  assigned: (): GroupMachine => {
    const subject = steps.syncing();
    const attempt = attemptOf(subject.takeEffects());
    subject.handle({ kind: 'readerLeft' }, 0);
    subject.handle({ kind: 'syncAnswered', attempt, errorCode: 0, partitions: [t0] }, 0);
    return subject;
  },
  installing: (): GroupMachine => {
    const subject = steps.assigned();
    subject.takeEffects();
    subject.handle({ kind: 'readerCame' }, 0);
    return subject;
  },
  reading: (): GroupMachine => {
    const subject = steps.installing();
    subject.takeEffects();
    subject.handle({ kind: 'installed' }, 0);
    return subject;
  },
  givingUp: (): GroupMachine => {
    const subject = steps.reading();
    subject.handle({ kind: 'rejoin', reason: 'test' }, 0);
    return subject;
  },
  /** Lost while the user works: nobody waits. */
  lost: (): GroupMachine => {
    const subject = steps.reading();
    subject.handle({ kind: 'readerLeft' }, 0);
    subject.handle({ kind: 'disowned', generationId: 1, errorCode: codes.UNKNOWN_MEMBER_ID }, 0);
    return subject;
  },
  announcingLoss: (): GroupMachine => {
    const subject = steps.lost();
    subject.takeEffects();
    subject.handle({ kind: 'readerCame' }, 0);
    return subject;
  },
  left: (): GroupMachine => {
    const subject = steps.reading();
    subject.handle({ kind: 'leave', reason: 'test' }, 0);
    return subject;
  },
  failed: (): GroupMachine => {
    const subject = steps.reading();
    subject.handle({ kind: 'disowned', generationId: 1, errorCode: codes.FENCED_INSTANCE_ID }, 0);
    return subject;
  },
};

/** One of each input; answers carry an attempt that is not under way. */
const inputs: readonly GroupInput[] = [
  { kind: 'subscribed' },
  { kind: 'readerCame' },
  { kind: 'readerLeft' },
  { kind: 'joinAnswered', attempt: 99, answer: joinAnswer() },
  { kind: 'assignmentComputed', attempt: 99, assignments: [] },
  { kind: 'syncAnswered', attempt: 99, errorCode: 0, partitions: [] },
  { kind: 'heartbeatAnswered', attempt: 99, errorCode: codes.UNKNOWN_MEMBER_ID },
  { kind: 'requestFailed', attempt: 99, error: new Error('test'), fatal: true },
  { kind: 'installed' },
  { kind: 'givenUp' },
  { kind: 'rejoin', reason: 'test' },
  { kind: 'disowned', generationId: 99, errorCode: codes.UNKNOWN_MEMBER_ID },
  { kind: 'leave', reason: 'test' },
];

/** What each input does in each state, where it does something. All pairs that are not named here must do nothing. */
const reactions: Readonly<Record<string, Readonly<Record<string, readonly GroupEffect['kind'][]>>>> = {
  idle: {},
  backingOff: {},
  assigning: { leave: ['sendLeave'] },
  syncing: { leave: ['sendLeave'] },
  assigned: { readerCame: ['install'], leave: ['sendLeave'] },
  installing: { leave: ['sendLeave'] },
  reading: { subscribed: ['giveUp'], rejoin: ['giveUp'], leave: ['sendLeave'] },
  givingUp: { givenUp: ['sendJoin'], leave: ['sendLeave'] },
  lost: { readerCame: ['giveUp'] },
  announcingLoss: { givenUp: ['sendJoin'] },
  left: {},
  failed: {},
};

describe('GroupMachine', () => {
  for (const [name, make] of Object.entries(steps)) {
    for (const input of inputs) {
      const expected = reactions[name]?.[input.kind] ?? [];
      it(`in ${name} answers ${input.kind} with ${expected.join(', ') || 'nothing'}`, () => {
        const subject = make();
        subject.takeEffects();
        subject.handle(input, 0);
        assert.deepEqual(
          subject.takeEffects().map((effect) => effect.kind),
          expected,
        );
        // Whatever happened, it happens once: the same moment again brings nothing new.
        subject.tick(0);
        assert.deepEqual(subject.takeEffects(), []);
      });
    }
  }

  it('joins only when a reader waits', () => {
    const subject = machine();
    subject.handle({ kind: 'subscribed' }, 0);
    expectEffects(subject, []);
    assert.equal(subject.needsReader, true);
    subject.handle({ kind: 'readerCame' }, 0);
    expectEffects(subject, ['sendJoin']);
  });

  it('joins again at once, with the id it was given, when told MEMBER_ID_REQUIRED', () => {
    const subject = steps.joining();
    const attempt = attemptOf(subject.takeEffects());
    subject.handle(
      { kind: 'joinAnswered', attempt, answer: joinAnswer({ errorCode: codes.MEMBER_ID_REQUIRED, memberId: 'm-9' }) },
      0,
    );
    const [join] = expectEffects(subject, ['sendJoin']);
    assert.equal(join?.kind === 'sendJoin' && join.memberId, 'm-9');
  });

  it('pauses when told MEMBER_ID_REQUIRED although it has an id', () => {
    const subject = steps.joining();
    for (let time = 0; time < 2; time++) {
      const attempt = attemptOf(subject.takeEffects());
      subject.handle({ kind: 'joinAnswered', attempt, answer: joinAnswer({ errorCode: codes.MEMBER_ID_REQUIRED }) }, 0);
    }
    expectEffects(subject, []);
    assert.equal(subject.nextDeadlineMs(), 100);
  });

  it('drops the answer to a join that was given up', () => {
    const subject = steps.joining();
    const attempt = attemptOf(subject.takeEffects());
    subject.handle({ kind: 'requestFailed', attempt, error: new Error('cut'), fatal: false }, 0);
    expectEffects(subject, ['forgetCoordinator']);
    subject.handle({ kind: 'joinAnswered', attempt, answer: joinAnswer() }, 0);
    expectEffects(subject, []);
    assert.equal(subject.stateName, 'backingOff');
  });

  it('as leader computes the assignment and sends it', () => {
    const subject = steps.assigning();
    const [compute] = expectEffects(subject, ['computeAssignment']);
    const assignments = [{ memberId: 'm-1', assignment: Buffer.from('x') }];
    subject.handle(
      { kind: 'assignmentComputed', attempt: attemptOf(compute === undefined ? [] : [compute]), assignments },
      0,
    );
    const [sync] = expectEffects(subject, ['sendSync']);
    assert.deepEqual(sync?.kind === 'sendSync' && sync.assignments, assignments);
  });

  it('as leader of a group that skips the assignment sends none (KIP-814)', () => {
    const subject = steps.joining();
    const attempt = attemptOf(subject.takeEffects());
    subject.handle({ kind: 'joinAnswered', attempt, answer: joinAnswer({ leader: 'm-1', skipAssignment: true }) }, 0);
    const [sync] = expectEffects(subject, ['sendSync']);
    assert.deepEqual(sync?.kind === 'sendSync' && sync.assignments, []);
  });

  it('sends heartbeats at their interval while the reader is away', () => {
    const subject = steps.reading();
    subject.takeEffects();
    subject.handle({ kind: 'readerLeft' }, 0);
    for (const nowMs of [3000, 6000, 9000]) {
      assert.equal(subject.nextDeadlineMs(), nowMs);
      subject.tick(nowMs);
      const attempt = attemptOf(expectEffects(subject, ['sendHeartbeat']));
      subject.handle({ kind: 'heartbeatAnswered', attempt, errorCode: 0 }, nowMs);
    }
  });

  it('gives partitions up only when the reader waits, and heartbeats until then', () => {
    const subject = steps.reading();
    subject.takeEffects();
    subject.handle({ kind: 'readerLeft' }, 0);
    subject.tick(3000);
    const attempt = attemptOf(expectEffects(subject, ['sendHeartbeat']));
    subject.handle({ kind: 'heartbeatAnswered', attempt, errorCode: codes.REBALANCE_IN_PROGRESS }, 3000);
    expectEffects(subject, []);
    assert.equal(subject.needsReader, true);
    subject.tick(6000);
    expectEffects(subject, ['sendHeartbeat']);
    subject.handle({ kind: 'readerCame' }, 6001);
    const [giveUp] = expectEffects(subject, ['giveUp']);
    assert.equal(giveUp?.kind === 'giveUp' && giveUp.lost, false);
    assert.equal(subject.generationId, 1, 'commits of the generation still count');
    subject.handle({ kind: 'givenUp' }, 6002);
    const [join] = expectEffects(subject, ['sendJoin']);
    assert.equal(join?.kind === 'sendJoin' && join.memberId, 'm-1');
  });

  for (const [name, memberId] of [
    ['UNKNOWN_MEMBER_ID', ''],
    ['ILLEGAL_GENERATION', 'm-1'],
  ] as const) {
    it(`loses its partitions at once when a heartbeat is answered ${name}, and rejoins once the listener has heard`, () => {
      const subject = steps.reading();
      subject.takeEffects();
      subject.handle({ kind: 'readerLeft' }, 0);
      subject.tick(3000);
      const attempt = attemptOf(subject.takeEffects());
      subject.handle({ kind: 'heartbeatAnswered', attempt, errorCode: codes[name] }, 3001);
      expectEffects(subject, ['heartbeatFailed', 'left', 'endAssignment']);
      assert.equal(subject.generationId, -1);
      subject.handle({ kind: 'readerCame' }, 3002);
      const [giveUp] = expectEffects(subject, ['giveUp']);
      assert.equal(giveUp?.kind === 'giveUp' && giveUp.lost, true);
      subject.handle({ kind: 'givenUp' }, 3003);
      const [join] = expectEffects(subject, ['sendJoin']);
      assert.equal(join?.kind === 'sendJoin' && join.memberId, memberId);
    });
  }

  it('keeps its partitions while the coordinator cannot be reached, and asks for it again', () => {
    const subject = steps.reading();
    subject.takeEffects();
    let nowMs = 3000;
    for (let failures = 1; failures <= 5; failures++) {
      subject.tick(nowMs);
      const attempt = attemptOf(subject.takeEffects());
      subject.handle({ kind: 'requestFailed', attempt, error: new Error('cut'), fatal: false }, nowMs);
      expectEffects(subject, ['heartbeatFailed', 'forgetCoordinator']);
      assert.equal(subject.stateName, 'stable');
      nowMs = subject.nextDeadlineMs() ?? NaN;
    }
    assert.equal(nowMs, 3000 + 100 + 200 + 400 + 800 + 1000);
  });

  it('leaves when no reader comes within maxPollIntervalMs, and rejoins at the next read', () => {
    const subject = steps.reading();
    subject.takeEffects();
    subject.handle({ kind: 'readerLeft' }, 1000);
    subject.tick(300_999);
    attemptOf(subject.takeEffects());
    subject.tick(301_000);
    const [leave] = expectEffects(subject, ['sendLeave', 'left', 'endAssignment']);
    assert.match(leave?.kind === 'sendLeave' ? leave.reason : '', /maxPollIntervalMs \(300000 ms\)/);
    assert.equal(subject.nextDeadlineMs(), undefined, 'no heartbeat goes on');
    subject.handle({ kind: 'readerCame' }, 400_000);
    expectEffects(subject, ['giveUp']);
    subject.handle({ kind: 'givenUp' }, 400_001);
    const [join] = expectEffects(subject, ['sendJoin']);
    assert.equal(join?.kind === 'sendJoin' && join.memberId, '');
  });

  it('never leaves for the time that a reader waits', () => {
    const subject = steps.reading();
    subject.takeEffects();
    assert.equal(subject.nextDeadlineMs(), 3000);
    subject.tick(1_000_000);
    assert.equal(subject.stateName, 'stable');
  });

  it('reports an event loop that stood still for longer than the session', () => {
    const subject = steps.reading();
    subject.takeEffects();
    subject.tick(3000 + 45_001);
    const [blocked] = expectEffects(subject, ['blocked', 'sendHeartbeat']);
    assert.equal(blocked?.kind === 'blocked' && blocked.durationMs, 45_001);
  });

  it('as a static member says nothing when it leaves (KIP-345)', () => {
    const subject = machine({ groupInstanceId: 'i-1' });
    subject.handle({ kind: 'subscribed' }, 0);
    subject.handle({ kind: 'readerCame' }, 0);
    const join = attemptOf(subject.takeEffects());
    subject.handle({ kind: 'joinAnswered', attempt: join, answer: joinAnswer() }, 0);
    subject.takeEffects();
    subject.handle({ kind: 'leave', reason: 'test' }, 0);
    expectEffects(subject, []);
    assert.equal(subject.stateName, 'left');
  });

  it('rejoins at once when the first sync finds the group rebalancing, and pauses from the second on', () => {
    const subject = steps.syncing();
    const pauses: (number | undefined)[] = [];
    let nowMs = 0;
    for (let round = 0; round < 4; round++) {
      const attempt = attemptOf(subject.takeEffects());
      subject.handle({ kind: 'syncAnswered', attempt, errorCode: codes.REBALANCE_IN_PROGRESS, partitions: [] }, nowMs);
      const deadlineMs = subject.stateName === 'backingOff' ? (subject.nextDeadlineMs() ?? NaN) : nowMs;
      pauses.push(deadlineMs - nowMs);
      nowMs = deadlineMs;
      subject.tick(nowMs);
      subject.handle({ kind: 'joinAnswered', attempt: attemptOf(subject.takeEffects()), answer: joinAnswer() }, nowMs);
    }
    assert.deepEqual(pauses, [0, 200, 400, 800]);
  });

  it('asks for a new generation once this one is reached, if the subscription changed while it joined', () => {
    const subject = steps.joining();
    const attempt = attemptOf(subject.takeEffects());
    subject.handle({ kind: 'subscribed' }, 0);
    expectEffects(subject, []);
    subject.handle({ kind: 'joinAnswered', attempt, answer: joinAnswer() }, 0);
    const sync = attemptOf(subject.takeEffects());
    subject.handle({ kind: 'syncAnswered', attempt: sync, errorCode: 0, partitions: [t0] }, 0);
    expectEffects(subject, ['joined', 'sendJoin']);
  });

  it('hears of a loss during the listener of the assignment only after it', () => {
    const subject = steps.installing();
    subject.takeEffects();
    subject.handle({ kind: 'disowned', generationId: 1, errorCode: codes.UNKNOWN_MEMBER_ID }, 0);
    expectEffects(subject, ['left', 'endAssignment']);
    subject.handle({ kind: 'installed' }, 0);
    expectEffects(subject, ['giveUp']);
  });

  it('rejoins without a second listener when membership is lost while partitions are given up', () => {
    const subject = steps.givingUp();
    subject.takeEffects();
    subject.handle({ kind: 'disowned', generationId: 1, errorCode: codes.UNKNOWN_MEMBER_ID }, 0);
    expectEffects(subject, ['left', 'endAssignment']);
    subject.handle({ kind: 'givenUp' }, 0);
    expectEffects(subject, ['sendJoin']);
  });

  for (const name of [
    'GROUP_AUTHORIZATION_FAILED',
    'FENCED_INSTANCE_ID',
    'INCONSISTENT_GROUP_PROTOCOL',
    'INVALID_SESSION_TIMEOUT',
  ] as const) {
    it(`fails for good when a join is answered ${name}`, () => {
      const subject = steps.joining();
      const attempt = attemptOf(subject.takeEffects());
      subject.handle({ kind: 'joinAnswered', attempt, answer: joinAnswer({ errorCode: codes[name] }) }, 0);
      const fail = expectEffects(subject, ['endAssignment', 'fail']).at(-1);
      assert.match(fail?.kind === 'fail' ? fail.error.message : '', new RegExp(`Cannot join group "g": .*${name}`));
      assert.equal(subject.nextDeadlineMs(), undefined);
    });
  }
});
