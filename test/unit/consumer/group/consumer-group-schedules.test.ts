import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PARTITIONS, SimulatedConsumerGroup, SimulatedConsumerMember } from './simulated-consumer-group.ts';

const MEMBERS = 3;

type Step =
  | {
      readonly do: 'read' | 'work' | 'runTask' | 'deliver' | 'lose' | 'loseAnswer' | 'fence';
      readonly who: number;
      readonly which: number;
    }
  | { readonly do: 'wait'; readonly ms: number };

const who = fc.nat(MEMBERS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('deliver' as const), who, which: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('runTask' as const), who, which: fc.constant(0) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('read' as const, 'work' as const, 'lose' as const, 'loseAnswer' as const, 'fence' as const),
      who,
      which: fc.nat(3),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(50, 1000, 11_000, 31_000) }),
  },
);

/** Nobody may read what another member reads, as long as both are members of the group as the coordinator sees it. */
function checkOverlap(
  members: readonly SimulatedConsumerMember[],
  isMember: (member: SimulatedConsumerMember) => boolean,
): void {
  const owners = new Map<number, string>();
  for (const member of members.filter(isMember)) {
    for (const { partition } of member.held) {
      assert.equal(owners.get(partition), undefined, `partition ${partition} has two owners`);
      owners.set(partition, member.memberId);
    }
  }
}

describe('ConsumerGroupMachine under random schedules', () => {
  it('never shares a partition with a member, and once all is well every partition has one owner', () => {
    let epochs = 0;
    let losses = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 150 }), (steps) => {
        let nowMs = 0;
        const group = new SimulatedConsumerGroup();
        const members = Array.from(
          { length: MEMBERS },
          (_, index) => new SimulatedConsumerMember(`m-${index}`, group, () => nowMs),
        );
        const passTime = (ms: number): void => {
          nowMs += ms;
          group.tick(nowMs);
          for (const member of members) member.tick();
        };
        // A member that the coordinator has dropped does not know it before its next heartbeat: until then it may hold what others have.
        const isMember = (member: SimulatedConsumerMember): boolean =>
          group.knows(member.memberId, member.machine.epoch);
        for (const action of steps) {
          if (action.do === 'wait') passTime(action.ms);
          else {
            const member = members[action.who];
            assert.ok(member);
            if (action.do === 'read') member.read(true);
            if (action.do === 'work') member.read(false);
            if (action.do === 'runTask') member.runTask();
            if (action.do === 'deliver') member.deliver(action.which);
            if (action.do === 'lose') member.lose(action.which, false);
            if (action.do === 'loseAnswer') member.lose(action.which, true);
            if (action.do === 'fence') group.fence(member.memberId);
          }
          checkOverlap(members, isMember);
        }
        // The network heals, all readers wait: the group must settle.
        for (const member of members) member.read(true);
        for (let round = 0; round < 600; round++) {
          passTime(100);
          for (const member of members) {
            while (member.messages.length > 0) member.deliver(0);
            member.runTask();
          }
          checkOverlap(members, isMember);
        }
        for (const member of members) {
          assert.equal(member.error, undefined);
          assert.equal(member.machine.isSettled, true);
          losses += member.losses;
        }
        const held = members.flatMap((member) => member.held.map(({ partition }) => partition)).sort();
        assert.deepEqual(
          held,
          Array.from({ length: PARTITIONS }, (_, partition) => partition),
        );
        epochs += group.groupEpoch;
      }),
      {
        numRuns: Number(process.env['RUNS'] ?? 300),
        ...(process.env['SEED'] === undefined ? {} : { seed: Number(process.env['SEED']) }),
      },
    );
    assert.ok(epochs > 900, `the schedules made only ${epochs} epochs`);
    assert.ok(losses > 100, `members lost their partitions only ${losses} times`);
  });
});
