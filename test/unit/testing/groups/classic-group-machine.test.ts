import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brokerErrorByNumber } from '../../../../src/errors/broker-error-codes.ts';
import { ClassicGroupMachine } from '../../../../src/testing/groups/classic-group-machine.ts';
import type { ClassicEffect, ClassicJoin } from '../../../../src/testing/groups/classic-group-messages.ts';
import { seededRuns } from '../../../support/seeded-runs.ts';

const settings = { initialRebalanceDelayMs: 3000, maxSize: 3 };
const nameOf = (code: number): string => brokerErrorByNumber(code)?.name ?? String(code);

/** A group under test, with its effects by request. */
class Bench {
  readonly group = new ClassicGroupMachine('g', settings);
  readonly answers = new Map<number, ClassicEffect>();
  nowMs = 0;
  #requestId = 0;

  join(memberId: string, more: Partial<ClassicJoin> = {}): number {
    const requestId = ++this.#requestId;
    this.group.join(
      {
        requestId,
        memberId,
        newMemberId: `m${requestId}`,
        groupInstanceId: null,
        clientId: 'c',
        clientHost: 'h',
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: Buffer.from('x') }],
        sessionTimeoutMs: 10_000,
        rebalanceTimeoutMs: 30_000,
        requiresMemberId: false,
        canSkipAssignment: true,
        ...more,
      },
      this.nowMs,
    );
    this.take();
    return requestId;
  }

  sync(memberId: string, assignments: Record<string, string> = {}, generationId = this.group.generationId): number {
    const requestId = ++this.#requestId;
    this.group.sync(
      {
        requestId,
        memberId,
        generationId,
        groupInstanceId: null,
        protocolType: null,
        protocolName: null,
        assignments: Object.entries(assignments).map(([id, text]) => ({ memberId: id, assignment: Buffer.from(text) })),
      },
      this.nowMs,
    );
    this.take();
    return requestId;
  }

  beat(memberId: string, generationId = this.group.generationId): string {
    return nameOf(this.group.heartbeat({ memberId, groupInstanceId: null }, generationId, this.nowMs));
  }

  leave(memberId: string): number[] {
    const codes = this.group.leave([{ memberId, groupInstanceId: null }], this.nowMs);
    this.take();
    return codes;
  }

  advance(ms: number): void {
    const end = this.nowMs + ms;
    for (
      let next = this.group.nextDeadlineMs();
      next !== undefined && next <= end;
      next = this.group.nextDeadlineMs()
    ) {
      this.nowMs = Math.max(this.nowMs, next);
      this.group.tick(this.nowMs);
      this.take();
    }
    this.nowMs = end;
  }

  take(): void {
    for (const effect of this.group.takeEffects()) {
      assert.equal(this.answers.has(effect.requestId), false, `request ${effect.requestId} is answered twice`);
      this.answers.set(effect.requestId, effect);
    }
  }

  joined(requestId: number) {
    const effect = this.answers.get(requestId);
    return effect?.kind === 'join' ? effect.answer : undefined;
  }

  synced(requestId: number) {
    const effect = this.answers.get(requestId);
    return effect?.kind === 'sync' ? effect.answer : undefined;
  }
}

/** A stable group of these many members, `m1` leading. */
function stable(size: number): Bench {
  const bench = new Bench();
  const joins = Array.from({ length: size }, () => bench.join(''));
  bench.advance(6000);
  const ids = joins.map((join) => bench.joined(join)?.memberId ?? '');
  for (const id of ids.toReversed()) bench.sync(id, Object.fromEntries(ids.map((each) => [each, `part of ${each}`])));
  assert.equal(bench.group.state, 'Stable');
  return bench;
}

describe('ClassicGroupMachine', () => {
  it('ClassicGroupMachine gives the first members the initial delay, once more for each round in which one comes', () => {
    const bench = new Bench();
    const first = bench.join('');
    bench.advance(2999);
    const second = bench.join('');
    bench.advance(1);
    assert.equal(bench.joined(first), undefined);
    bench.advance(2999);
    assert.equal(bench.joined(first), undefined);
    bench.advance(1);
    assert.equal(bench.joined(first)?.members.length, 2);
    assert.equal(bench.joined(second)?.generationId, 1);
  });

  it('ClassicGroupMachine removes a member whose session is over and calls the others together', () => {
    const bench = stable(2);
    bench.advance(9000);
    assert.equal(bench.beat('m1'), 'NONE');
    bench.advance(1000);
    assert.equal(bench.beat('m1'), 'REBALANCE_IN_PROGRESS');
    assert.equal(bench.beat('m2'), 'UNKNOWN_MEMBER_ID');
    const join = bench.join('m1');
    assert.equal(bench.joined(join)?.generationId, 2);
  });

  it('ClassicGroupMachine goes on without members who do not rejoin within the rebalance timeout', () => {
    const bench = stable(3);
    const join = bench.join('m1');
    for (let second = 0; second < 29; second++) {
      bench.advance(1000);
      assert.equal(bench.beat('m2'), 'REBALANCE_IN_PROGRESS');
      assert.equal(bench.beat('m3'), 'REBALANCE_IN_PROGRESS');
    }
    assert.equal(bench.joined(join), undefined);
    bench.advance(1000);
    assert.deepEqual(
      bench.joined(join)?.members.map(({ memberId }) => memberId),
      ['m1'],
    );
    assert.equal(bench.beat('m2'), 'UNKNOWN_MEMBER_ID');
  });

  it('ClassicGroupMachine removes members whose sync does not come', () => {
    const bench = stable(2);
    const begun = bench.join('m1');
    bench.join('m2');
    assert.equal(bench.joined(begun)?.generationId, 2);
    const waiting = bench.sync('m2');
    for (let second = 0; second < 30; second++) {
      bench.beat('m1');
      bench.advance(1000);
    }
    assert.equal(nameOf(bench.synced(waiting)?.errorCode ?? 0), 'REBALANCE_IN_PROGRESS');
    assert.equal(bench.beat('m1'), 'UNKNOWN_MEMBER_ID');
    const rejoined = bench.join('m2');
    assert.equal(bench.joined(rejoined)?.leader, 'm2');
  });

  it('ClassicGroupMachine forgets an id that was given out and not used when its session is over', () => {
    const bench = stable(1);
    const given = bench.join('', { requiresMemberId: true });
    assert.equal(nameOf(bench.joined(given)?.errorCode ?? 0), 'MEMBER_ID_REQUIRED');
    const join = bench.join('m1');
    assert.equal(bench.joined(join), undefined, 'the group waits for whoever got the id');
    bench.advance(10_000);
    assert.equal(bench.joined(join)?.members.length, 1);
  });

  it('ClassicGroupMachine takes no more members than it may have', () => {
    const bench = stable(3);
    const refused = bench.join('');
    assert.equal(nameOf(bench.joined(refused)?.errorCode ?? 0), 'GROUP_MAX_SIZE_REACHED');
    assert.equal(bench.beat('m1'), 'NONE');
  });

  it('ClassicGroupMachine tells all who wait when the group moves to another coordinator', () => {
    const bench = stable(2);
    const join = bench.join('m1');
    bench.group.end(16);
    bench.take();
    assert.equal(nameOf(bench.joined(join)?.errorCode ?? 0), 'NOT_COORDINATOR');
    assert.equal(bench.group.nextDeadlineMs(), undefined);
  });

  it('ClassicGroupMachine answers every request once and gives no partition to two members, whatever happens in which order', () => {
    seededRuns(150, randomRun);
  });
});

interface Actor {
  memberId: string;
  generationId: number;
  /** What it believes to own, in its generation. */
  owns: string;
  join: number | undefined;
  sync: number | undefined;
  instance: string | null;
}

/** Members that come, go, fall silent, repeat themselves and come back, in any order. */
function randomRun(random: () => number): void {
  const bench = new Bench();
  const actors: Actor[] = [];
  const requests: number[] = [];
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
  const absorb = (): void => {
    for (const actor of actors) {
      const joined = actor.join === undefined ? undefined : bench.answers.get(actor.join);
      if (joined?.kind === 'join') {
        actor.join = undefined;
        if (joined.answer.errorCode === 0 || nameOf(joined.answer.errorCode) === 'MEMBER_ID_REQUIRED') {
          actor.memberId = joined.answer.memberId;
          actor.generationId = joined.answer.generationId;
        } else if (nameOf(joined.answer.errorCode) === 'UNKNOWN_MEMBER_ID') actor.memberId = '';
        actor.owns = '';
      }
      const synced = actor.sync === undefined ? undefined : bench.answers.get(actor.sync);
      if (synced?.kind === 'sync') {
        actor.sync = undefined;
        actor.owns = synced.answer.errorCode === 0 ? synced.answer.assignment.toString() : '';
      }
    }
    const { generationId } = bench.group;
    const owned = actors
      .filter(
        (actor) => actor.generationId === generationId && actor.owns !== '' && bench.beat(actor.memberId) === 'NONE',
      )
      .filter((actor) => bench.group.roster.members.has(actor.memberId))
      .map(({ owns }) => owns);
    assert.equal(new Set(owned).size, owned.length, `a partition has two owners: ${owned.join()}`);
  };
  for (let step = 0; step < 60; step++) {
    const actor = pick(actors);
    const dice = random();
    if (actors.length < 2 || dice < 0.1) {
      const instance = random() < 0.3 ? `i${Math.floor(random() * 2)}` : null;
      actors.push({ memberId: '', generationId: -1, owns: '', join: undefined, sync: undefined, instance });
    } else if (actor === undefined) continue;
    else if (dice < 0.4) {
      const requiresMemberId = random() < 0.5;
      actor.join = bench.join(actor.memberId, { groupInstanceId: actor.instance, requiresMemberId });
      requests.push(actor.join);
    } else if (dice < 0.75) {
      const plan = Object.fromEntries(bench.group.members.map(({ memberId }, at) => [memberId, `p${at}`]));
      actor.sync = bench.sync(actor.memberId, plan, actor.generationId);
      requests.push(actor.sync);
    } else if (dice < 0.8) bench.leave(actor.memberId);
    else bench.advance(Math.floor(random() * 12_000));
    absorb();
  }
  // Then everybody is silent: sessions end, and nobody may be left waiting.
  bench.advance(3_600_000);
  const unanswered = requests.filter((request) => !bench.answers.has(request));
  assert.deepEqual(unanswered, []);
}
