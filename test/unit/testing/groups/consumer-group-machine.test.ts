import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brokerErrorByNumber } from '../../../../src/errors/broker-error-codes.ts';
import { ConsumerGroupMachine } from '../../../../src/testing/groups/consumer-group-machine.ts';
import type { ConsumerHeartbeat } from '../../../../src/testing/groups/consumer-group-messages.ts';
import { seededRuns } from '../../../support/seeded-runs.ts';

const nameOf = (code: number): string => brokerErrorByNumber(code)?.name ?? String(code);

/** A group under test, on topics of its own. */
class Bench {
  readonly topics = new Map([['t', 6]]);
  nowMs = 0;
  settings = {
    heartbeatIntervalMs: 5000,
    sessionTimeoutMs: 45_000,
    assignmentIntervalMs: 0,
    maxSize: 4,
    assignors: ['uniform', 'range'],
  };
  readonly group = new ConsumerGroupMachine(
    'g',
    {
      byName: (name) => this.#view(name),
      byId: (id) => this.#view(id.slice(3)),
      names: () => [...this.topics.keys()],
    },
    () => this.settings,
  );

  #view(name: string) {
    const partitionCount = this.topics.get(name);
    return partitionCount === undefined ? undefined : { name, topicId: `id-${name}`, partitionCount };
  }

  beat(memberId: string, memberEpoch: number, more: Partial<ConsumerHeartbeat> = {}) {
    const answer = this.group.heartbeat(
      {
        memberId,
        memberEpoch,
        instanceId: null,
        rackId: null,
        rebalanceTimeoutMs: -1,
        topicNames: null,
        topicRegex: null,
        serverAssignor: null,
        owned: null,
        clientId: 'c',
        clientHost: 'h',
        ...more,
      },
      this.nowMs,
    );
    return { ...answer, error: nameOf(answer.errorCode) };
  }

  join(memberId: string, more: Partial<ConsumerHeartbeat> = {}) {
    return this.beat(memberId, 0, { rebalanceTimeoutMs: 20_000, topicNames: ['t'], owned: new Set(), ...more });
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
    }
    this.nowMs = end;
  }
}

describe('ConsumerGroupMachine', () => {
  it('ConsumerGroupMachine removes a member whose session is over, and gives its partitions to the others', () => {
    const bench = new Bench();
    bench.join('a');
    bench.join('b');
    bench.advance(44_000);
    bench.beat('a', 2);
    bench.advance(1000);
    assert.equal(bench.beat('b', 3).error, 'UNKNOWN_MEMBER_ID');
    assert.equal(bench.beat('a', 2, { owned: new Set(['id-t:0']) }).assignment?.length, 6);
  });

  it('ConsumerGroupMachine removes a member that does not give up its partitions within the rebalance timeout', () => {
    const bench = new Bench();
    bench.join('a');
    bench.join('b');
    assert.equal(bench.beat('a', 2).assignment?.length, 3);
    bench.advance(19_999);
    assert.equal(bench.beat('a', 2).error, 'NONE');
    bench.advance(1);
    assert.equal(bench.beat('a', 2).error, 'UNKNOWN_MEMBER_ID');
    assert.equal(bench.beat('b', 3).assignment?.length, 6);
  });

  it('ConsumerGroupMachine waits between two assignments as long as it is told', () => {
    const bench = new Bench();
    bench.settings = { ...bench.settings, assignmentIntervalMs: 1000 };
    bench.join('a');
    assert.equal(bench.join('b').memberEpoch, 2);
    assert.equal(bench.group.state, 'Assigning');
    bench.advance(999);
    assert.equal(bench.beat('b', 2).memberEpoch, 2);
    bench.advance(1);
    assert.equal(bench.group.assignmentEpoch, 2, 'a heartbeat has it assigned');
    assert.equal(bench.beat('b', 2).memberEpoch, 3);
    assert.equal(bench.group.assignmentEpoch, 3);
  });

  it('ConsumerGroupMachine assigns partitions and topics that come later', () => {
    const bench = new Bench();
    bench.join('a', { topicNames: ['later'], topicRegex: 't.*' });
    bench.topics.set('t', 8);
    assert.equal(bench.beat('a', 2).assignment?.length, 8);
    bench.topics.set('later', 1);
    bench.topics.set('tt', 2);
    bench.topics.set('other', 5);
    assert.equal(bench.beat('a', 3).assignment?.length, 11);
    bench.topics.delete('tt');
    assert.equal(bench.beat('a', 4, { owned: new Set() }).assignment?.length, 9);
  });

  it('ConsumerGroupMachine keeps the place of a static member that is away, until its session is over', () => {
    const bench = new Bench();
    bench.join('a', { instanceId: 'i' });
    bench.beat('a', -2, { instanceId: 'i' });
    assert.equal(bench.join('b').assignment?.length, 0);
    bench.advance(45_000);
    bench.join('b');
    assert.equal(bench.group.members.length, 1);
    assert.equal(bench.join('b').assignment?.length, 6);
  });

  it('ConsumerGroupMachine takes no more members than it may have', () => {
    const bench = new Bench();
    for (const id of ['a', 'b', 'c', 'd']) assert.equal(bench.join(id).error, 'NONE');
    assert.equal(bench.join('e').error, 'GROUP_MAX_SIZE_REACHED');
    assert.equal(bench.join('d').error, 'NONE');
  });

  it('ConsumerGroupMachine gives no partition to two members, whatever happens in which order, and all in the end', () => {
    seededRuns(150, randomRun);
  });
});

/** A client of the protocol: it takes up what it is given, and gives up at its own pace what it must. */
class Actor {
  epoch = 0;
  told: ReadonlySet<string> = new Set();
  owned: ReadonlySet<string> = new Set();
  readonly memberId: string;
  readonly instanceId: string | null;
  names: string[] = ['t'];
  /** Whether its new names had no answer yet: then it takes nothing up, since what it never had is given to others at once. */
  isChanging = false;

  constructor(memberId: string, instanceId: string | null) {
    this.memberId = memberId;
    this.instanceId = instanceId;
  }

  beat(bench: Bench, isAnswerLost: boolean): void {
    const { memberId, instanceId } = this;
    const full = { rebalanceTimeoutMs: 20_000, topicNames: this.names, owned: this.owned };
    const answer = bench.beat(memberId, this.epoch, { instanceId, ...full });
    if (isAnswerLost) return;
    this.isChanging = false;
    if (answer.errorCode !== 0) {
      // Fenced: nothing is owned any more.
      this.epoch = 0;
      this.owned = new Set();
      this.told = new Set();
      return;
    }
    this.epoch = answer.memberEpoch;
    this.told = new Set(answer.assignment ?? this.told);
    this.owned = new Set([...this.owned].filter((key) => this.told.has(key) || this.owned.has(key)));
  }

  want(names: string[]): void {
    this.names = names;
    this.isChanging = true;
  }

  /** Gives up what it must, then takes what it may. */
  follow(): void {
    this.owned = new Set([...this.told].filter((key) => !this.isChanging || this.owned.has(key)));
  }
}

function randomRun(random: () => number): void {
  const bench = new Bench();
  if (random() < 0.3) bench.settings = { ...bench.settings, assignmentIntervalMs: 1000 };
  if (random() < 0.5) bench.settings = { ...bench.settings, assignors: ['range'] };
  let actors: Actor[] = [];
  let count = 0;
  const pick = (): Actor | undefined => actors[Math.floor(random() * actors.length)];
  const check = (): void => {
    const seen = new Map<string, string>();
    for (const actor of actors) {
      const known = bench.group.member(actor.memberId);
      // Who was removed, and has not heard of it yet, still reads; it cannot commit any more.
      if (known === undefined || known.epoch !== actor.epoch) continue;
      for (const key of actor.owned) {
        assert.equal(seen.get(key), undefined, `${key} belongs to ${seen.get(key)} and ${actor.memberId}`);
        seen.set(key, actor.memberId);
      }
    }
  };
  for (let step = 0; step < 80; step++) {
    const dice = random();
    const actor = pick();
    if (actors.length < 2 || (dice < 0.08 && actors.length < 4)) {
      actors.push(new Actor(`m${++count}`, random() < 0.3 ? `i${count}` : null));
    } else if (actor === undefined) continue;
    else if (dice < 0.55) actor.beat(bench, random() < 0.1);
    else if (dice < 0.75) actor.follow();
    else if (dice < 0.8) {
      bench.beat(actor.memberId, -1, { instanceId: actor.instanceId });
      actors = actors.filter((each) => each !== actor);
    } else if (dice < 0.85) bench.topics.set('t', (bench.topics.get('t') ?? 0) + 1);
    else if (dice < 0.9) {
      bench.topics.set('u', 3);
      actor.want(random() < 0.5 ? ['t', 'u'] : ['u']);
    } else bench.advance(Math.floor(random() * 9000));
    check();
  }
  for (const actor of actors) actor.want(['t']);
  for (let round = 0; round < 20; round++) {
    for (const actor of actors) {
      actor.beat(bench, false);
      actor.follow();
    }
    check();
    bench.advance(1000);
  }
  const owned = actors.flatMap((actor) => [...actor.owned]);
  assert.equal(owned.length, bench.topics.get('t'), 'every partition has an owner in the end');
  assert.equal(bench.group.state, 'Stable');
  const sizes = actors.map((actor) => actor.owned.size);
  assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, `evenly: ${sizes.join()}`);
}
