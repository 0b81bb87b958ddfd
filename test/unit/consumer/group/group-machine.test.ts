import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RebalanceProtocol } from '../../../../src/consumer/group/assignors/assignor.ts';
import { GroupMachine } from '../../../../src/consumer/group/group-machine.ts';
import type { GroupEffect, GroupInput, JoinAnswer } from '../../../../src/consumer/group/group-messages.ts';
import type { ReaderTask } from '../../../../src/consumer/group/holding.ts';
import { brokerErrorCodes as codes } from '../../../../src/errors/broker-error-codes.ts';

const t0 = { topic: 't', partition: 0 };

function machine(options: { groupInstanceId?: string; rebalanceProtocol?: RebalanceProtocol } = {}): GroupMachine {
  return new GroupMachine({
    groupId: 'g',
    groupInstanceId: options.groupInstanceId ?? null,
    rebalanceProtocol: options.rebalanceProtocol ?? 'eager',
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
    subject.handle({ kind: 'subscribed', topics: ['t'] }, 0);
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
    subject.handle({ kind: 'taskDone' }, 0);
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
    subject.handle({ kind: 'leave', reason: 'test', mode: 'default' }, 0);
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
  { kind: 'subscribed', topics: ['t'] },
  { kind: 'readerCame' },
  { kind: 'readerLeft' },
  { kind: 'joinAnswered', attempt: 99, answer: joinAnswer() },
  { kind: 'assignmentComputed', attempt: 99, assignments: [] },
  { kind: 'syncAnswered', attempt: 99, errorCode: 0, partitions: [] },
  { kind: 'heartbeatAnswered', attempt: 99, errorCode: codes.UNKNOWN_MEMBER_ID },
  { kind: 'requestFailed', attempt: 99, error: new Error('test'), fatal: true },
  { kind: 'taskDone' },
  { kind: 'expired', reason: 'test' },
  { kind: 'rejoin', reason: 'test' },
  { kind: 'disowned', generationId: 99, errorCode: codes.UNKNOWN_MEMBER_ID },
  { kind: 'leave', reason: 'test', mode: 'default' },
];

/** What each input does in each state, where it does something. All pairs that are not named here must do nothing. */
const reactions: Readonly<Record<string, Readonly<Record<string, readonly GroupEffect['kind'][]>>>> = {
  idle: {},
  joining: {},
  backingOff: {},
  assigning: { expired: ['sendLeave', 'left'], leave: ['sendLeave', 'left'] },
  syncing: { expired: ['sendLeave', 'left'], leave: ['sendLeave', 'left'] },
  assigned: {
    subscribed: ['sendJoin'],
    readerCame: ['runTask'],
    rejoin: ['sendJoin'],
    expired: ['sendLeave', 'left', 'endAssignment'],
    leave: ['sendLeave', 'left'],
  },
  installing: { expired: ['sendLeave', 'left', 'endAssignment'], leave: ['sendLeave', 'left'] },
  reading: {
    subscribed: ['runTask'],
    rejoin: ['runTask'],
    expired: ['sendLeave', 'left', 'endAssignment'],
    leave: ['sendLeave', 'left'],
  },
  givingUp: {
    taskDone: ['sendJoin'],
    expired: ['sendLeave', 'left', 'endAssignment'],
    leave: ['sendLeave', 'left'],
  },
  lost: { readerCame: ['runTask'] },
  announcingLoss: { taskDone: ['sendJoin'] },
  left: {},
  failed: { taskDone: ['fail'] },
};

function taskOf(effects: readonly GroupEffect[]): ReaderTask | undefined {
  const effect = effects.find((each) => each.kind === 'runTask');
  return effect?.kind === 'runTask' ? effect.task : undefined;
}

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
    subject.handle({ kind: 'subscribed', topics: ['t'] }, 0);
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
    assert.deepEqual(taskOf(expectEffects(subject, ['runTask'])), { kind: 'revoke', partitions: [t0] });
    assert.equal(subject.generationId, 1, 'commits of the generation still count');
    subject.handle({ kind: 'taskDone' }, 6002);
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
      assert.deepEqual(taskOf(expectEffects(subject, ['runTask'])), { kind: 'lose', partitions: [t0] });
      subject.handle({ kind: 'taskDone' }, 3003);
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
    assert.equal(taskOf(expectEffects(subject, ['runTask']))?.kind, 'lose');
    subject.handle({ kind: 'taskDone' }, 400_001);
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
    subject.handle({ kind: 'subscribed', topics: ['t'] }, 0);
    subject.handle({ kind: 'readerCame' }, 0);
    const join = attemptOf(subject.takeEffects());
    subject.handle({ kind: 'joinAnswered', attempt: join, answer: joinAnswer() }, 0);
    subject.takeEffects();
    subject.handle({ kind: 'leave', reason: 'test', mode: 'default' }, 0);
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
    subject.handle({ kind: 'subscribed', topics: ['t'] }, 0);
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
    subject.handle({ kind: 'taskDone' }, 0);
    assert.equal(taskOf(expectEffects(subject, ['endAssignment', 'runTask']))?.kind, 'lose');
  });

  it('rejoins without a second listener when membership is lost while partitions are given up', () => {
    const subject = steps.givingUp();
    subject.takeEffects();
    subject.handle({ kind: 'disowned', generationId: 1, errorCode: codes.UNKNOWN_MEMBER_ID }, 0);
    expectEffects(subject, ['left', 'endAssignment']);
    subject.handle({ kind: 'taskDone' }, 0);
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

  it('tells the listener of a loss before the read ends with the error that made it', () => {
    const subject = steps.reading();
    subject.takeEffects();
    subject.handle({ kind: 'disowned', generationId: 1, errorCode: codes.FENCED_INSTANCE_ID }, 0);
    assert.equal(taskOf(expectEffects(subject, ['endAssignment', 'runTask']))?.kind, 'lose');
    subject.handle({ kind: 'taskDone' }, 0);
    const [fail] = expectEffects(subject, ['fail']);
    assert.match(fail?.kind === 'fail' ? fail.error.message : '', /FENCED_INSTANCE_ID/);
  });

  it('leaves as a static member, and stays as a dynamic one, where it is told to (KIP-1092)', () => {
    for (const [groupInstanceId, mode, kinds] of [
      ['i-1', 'leave', ['sendLeave', 'left']],
      ['i-1', 'default', []],
      [undefined, 'remain', []],
    ] as const) {
      const subject = machine(groupInstanceId === undefined ? {} : { groupInstanceId });
      subject.handle({ kind: 'subscribed', topics: ['t'] }, 0);
      subject.handle({ kind: 'readerCame' }, 0);
      subject.handle({ kind: 'joinAnswered', attempt: attemptOf(subject.takeEffects()), answer: joinAnswer() }, 0);
      subject.takeEffects();
      subject.handle({ kind: 'leave', reason: 'test', mode }, 0);
      expectEffects(subject, kinds);
    }
  });
});

describe('GroupMachine with cooperative rebalances', () => {
  const [p0, p1, p2] = [t0, { topic: 't', partition: 1 }, { topic: 't', partition: 2 }] as const;

  /** A member whose reader waits, at the end of a join; answers its effects. */
  function settle(subject: GroupMachine, generationId: number, partitions: readonly (typeof t0)[]): GroupEffect[] {
    const join = attemptOf(subject.takeEffects());
    subject.handle({ kind: 'joinAnswered', attempt: join, answer: joinAnswer({ generationId }) }, 0);
    const attempt = attemptOf(subject.takeEffects());
    subject.handle({ kind: 'syncAnswered', attempt, errorCode: 0, partitions }, 0);
    return subject.takeEffects();
  }

  function reading(): GroupMachine {
    const subject = machine({ rebalanceProtocol: 'cooperative' });
    subject.handle({ kind: 'subscribed', topics: ['t'] }, 0);
    subject.handle({ kind: 'readerCame' }, 0);
    assert.deepEqual(taskOf(settle(subject, 1, [p0, p1])), { kind: 'assign', partitions: [p0, p1] });
    subject.handle({ kind: 'taskDone' }, 0);
    expectEffects(subject, []);
    return subject;
  }

  it('joins again with what it holds, without its reader and without giving anything up', () => {
    const subject = reading();
    subject.handle({ kind: 'readerLeft' }, 0);
    subject.handle({ kind: 'rejoin', reason: 'test' }, 0);
    const [join] = expectEffects(subject, ['sendJoin']);
    assert.ok(join?.kind === 'sendJoin');
    assert.deepEqual([join.owned, join.generationId], [[p0, p1], 1]);
    assert.equal(subject.generationId, 1, 'its commits go on');
  });

  it('gives up only what goes, hears of what comes, and then joins once more', () => {
    const subject = reading();
    subject.handle({ kind: 'rejoin', reason: 'test' }, 0);
    assert.deepEqual(taskOf(settle(subject, 2, [p1, p2])), { kind: 'revoke', partitions: [p0] });
    subject.handle({ kind: 'taskDone' }, 0);
    assert.deepEqual(taskOf(expectEffects(subject, ['runTask'])), { kind: 'assign', partitions: [p2] });
    subject.handle({ kind: 'taskDone' }, 0);
    const [join] = expectEffects(subject, ['sendJoin']);
    assert.deepEqual(join?.kind === 'sendJoin' && join.owned, [p1, p2]);
  });

  it('tells the listener of nothing but what is new where nothing goes', () => {
    const subject = reading();
    subject.handle({ kind: 'rejoin', reason: 'test' }, 0);
    assert.deepEqual(taskOf(settle(subject, 2, [p0, p1, p2])), { kind: 'assign', partitions: [p2] });
    subject.handle({ kind: 'taskDone' }, 0);
    expectEffects(subject, []);
  });

  it('gives partitions of topics that it does not want any more up before it joins', () => {
    const subject = reading();
    subject.handle({ kind: 'readerLeft' }, 0);
    subject.handle({ kind: 'subscribed', topics: ['u'] }, 0);
    expectEffects(subject, []);
    subject.handle({ kind: 'readerCame' }, 0);
    assert.deepEqual(taskOf(expectEffects(subject, ['runTask'])), { kind: 'revoke', partitions: [p0, p1] });
    subject.handle({ kind: 'taskDone' }, 0);
    const [join] = expectEffects(subject, ['sendJoin']);
    assert.deepEqual(join?.kind === 'sendJoin' && join.owned, []);
  });

  it('loses everything when the coordinator does not know it while it joins', () => {
    const subject = reading();
    subject.handle({ kind: 'readerLeft' }, 0);
    subject.handle({ kind: 'rejoin', reason: 'test' }, 0);
    const attempt = attemptOf(subject.takeEffects());
    subject.handle({ kind: 'joinAnswered', attempt, answer: joinAnswer({ errorCode: codes.UNKNOWN_MEMBER_ID }) }, 0);
    expectEffects(subject, ['left', 'endAssignment']);
    assert.equal(subject.generationId, -1);
    subject.handle({ kind: 'readerCame' }, 0);
    assert.deepEqual(taskOf(expectEffects(subject, ['runTask'])), { kind: 'lose', partitions: [p0, p1] });
  });

  it('keeps what it holds when its sync comes too late, with the generation that gave it', () => {
    const subject = reading();
    subject.handle({ kind: 'rejoin', reason: 'test' }, 0);
    const join = attemptOf(subject.takeEffects());
    subject.handle({ kind: 'joinAnswered', attempt: join, answer: joinAnswer({ generationId: 2 }) }, 0);
    const attempt = attemptOf(subject.takeEffects());
    subject.handle({ kind: 'syncAnswered', attempt, errorCode: codes.REBALANCE_IN_PROGRESS, partitions: [] }, 0);
    const [again] = expectEffects(subject, ['sendJoin']);
    assert.ok(again?.kind === 'sendJoin');
    assert.deepEqual([again.owned, again.generationId], [[p0, p1], 1]);
  });
});
