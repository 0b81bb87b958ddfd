import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { brokerErrorCodes as codes } from '../../../../src/errors/broker-error-codes.ts';
import { PARTITIONS, SimulatedShareGroup, SimulatedShareMember } from './simulated-share-group.ts';

const MEMBERS = 4;

type Step =
  | {
      readonly do: 'deliver' | 'cut' | 'cutAfterHearing' | 'drop' | 'fence' | 'subscribe' | 'unsubscribe';
      readonly who: number;
    }
  | { readonly do: 'outage'; readonly errorCode: number }
  | { readonly do: 'wait'; readonly ms: number };

const who = fc.nat(MEMBERS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('deliver' as const), who }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'cut' as const,
        'cutAfterHearing' as const,
        'drop' as const,
        'fence' as const,
        'subscribe' as const,
        'unsubscribe' as const,
      ),
      who,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('outage' as const),
      errorCode: fc.constantFrom(0, 0, codes.NOT_COORDINATOR, codes.COORDINATOR_LOAD_IN_PROGRESS),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(50, 700, 1000, 11_000) }) },
);

/** Who wants to be a member has a heartbeat under way or will have one; who does not, has neither. */
function checkAlive(member: SimulatedShareMember): void {
  const isAtIt = member.isUnderWay || member.machine.nextDeadlineMs() !== undefined;
  assert.equal(isAtIt, member.isSubscribed, `${member.memberId} is ${member.machine.stateName}`);
  if (!member.isSubscribed) assert.deepEqual(member.held, []);
}

describe('ShareGroupMachine under random schedules', () => {
  it('stays at it whatever happens, and once all is well reads exactly what the coordinator gave, and nobody else is in the group', () => {
    let epochs = 0;
    let losses = 0;
    let refusals = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 150 }), (steps) => {
        let nowMs = 0;
        const group = new SimulatedShareGroup();
        const members = Array.from(
          { length: MEMBERS },
          (_, index) => new SimulatedShareMember(`m-${index}`, group, () => nowMs),
        );
        const passTime = (ms: number): void => {
          nowMs += ms;
          group.tick(nowMs);
          for (const member of members) member.tick();
        };
        for (const member of members) member.subscribe(true);
        for (const action of steps) {
          if (action.do === 'wait') passTime(action.ms);
          else if (action.do === 'outage') group.outage = action.errorCode;
          else {
            const member = members[action.who];
            assert.ok(member);
            if (action.do === 'deliver') member.deliver();
            if (action.do === 'cut') member.cut(false);
            if (action.do === 'cutAfterHearing') member.cut(true);
            if (action.do === 'drop') group.drop(member.memberId, nowMs);
            if (action.do === 'fence') group.fence(member.memberId);
            if (action.do === 'subscribe') member.subscribe(true);
            if (action.do === 'unsubscribe') member.subscribe(false);
          }
          members.forEach(checkAlive);
        }
        // The network heals, the first member is wanted in any case.
        group.outage = 0;
        members[0]?.subscribe(true);
        for (let round = 0; round < 300; round++) {
          passTime(100);
          for (const member of members) while (!member.isQuiet) member.deliver();
          members.forEach(checkAlive);
        }
        const all = new Set<number>();
        for (const member of members) {
          assert.equal(member.error, undefined);
          assert.equal(group.has(member.memberId), member.isSubscribed, `${member.memberId} in the group`);
          assert.deepEqual(member.held, group.given(member.memberId));
          for (const partition of member.held) all.add(partition);
          losses += member.losses;
        }
        assert.equal(all.size, PARTITIONS, 'every partition is read');
        // Whoever leaves is gone at once, and not when its session ends.
        for (const member of members) member.leave();
        for (const member of members) while (!member.isQuiet) member.deliver();
        for (const member of members) {
          assert.equal(group.has(member.memberId), false);
          checkAlive(member);
        }
        epochs += group.groupEpoch;
        refusals += group.refusals;
      }),
      {
        numRuns: Number(process.env['RUNS'] ?? 300),
        ...(process.env['SEED'] === undefined ? {} : { seed: Number(process.env['SEED']) }),
      },
    );
    assert.ok(epochs > 2000, `the schedules made only ${epochs} epochs`);
    assert.ok(losses > 300, `members lost their place only ${losses} times`);
    assert.ok(refusals > 500, `members were refused only ${refusals} times`);
  });
});
