import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { partitionAssignorNames } from '../../../../src/consumer/group/assignors/resolve-assignors.ts';
import { PARTITIONS, SimulatedCoordinator, SimulatedMember } from './simulated-coordinator.ts';

const MEMBERS = 3;

type Step =
  | { readonly do: 'read' | 'work' | 'runTask' | 'deliver' | 'lose'; readonly who: number; readonly which: number }
  | { readonly do: 'wait'; readonly ms: number };

const who = fc.nat(MEMBERS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('deliver' as const), who, which: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('runTask' as const), who, which: fc.constant(0) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('read' as const, 'work' as const, 'lose' as const),
      who,
      which: fc.nat(3),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(50, 200, 1000, 3000, 11_000, 31_000),
    }),
  },
);

/** Nobody may hold a partition that another holds in the same generation. */
function checkOverlap(members: readonly SimulatedMember[]): void {
  const owners = new Map<string, SimulatedMember>();
  for (const member of members) {
    for (const { partition } of member.held) {
      // With cooperative rebalances what is kept belongs to every generation that the member is in.
      const key = `${member.machine.generationId}:${partition}`;
      assert.equal(
        owners.get(key),
        undefined,
        `partition ${partition} has two owners in generation ${member.machine.generationId}`,
      );
      owners.set(key, member);
    }
  }
}

for (const name of partitionAssignorNames)
  describe(`GroupMachine under random schedules, assigned by ${name}`, () => {
    it('never shares a partition within a generation, and once all is well every partition has one owner', () => {
      let rebalances = 0;
      fc.assert(
        fc.property(fc.array(step, { minLength: 20, maxLength: 150 }), (steps) => {
          let nowMs = 0;
          const coordinator = new SimulatedCoordinator();
          const members = Array.from({ length: MEMBERS }, () => new SimulatedMember(coordinator, () => nowMs, name));
          const everybody = (act: (member: SimulatedMember) => void): void => members.forEach(act);
          const passTime = (ms: number): void => {
            nowMs += ms;
            coordinator.tick(nowMs);
            everybody((member) => member.tick());
          };
          for (const action of steps) {
            if (action.do === 'wait') passTime(action.ms);
            else {
              const member = members[action.who];
              if (action.do === 'read') member?.read(true);
              if (action.do === 'work') member?.read(false);
              if (action.do === 'runTask') member?.runTask();
              if (action.do === 'deliver') member?.deliver(action.which);
              if (action.do === 'lose') member?.lose(action.which);
            }
            checkOverlap(members);
          }
          // The network heals, all readers wait: within a few rebalances the group must settle.
          everybody((member) => member.read(true));
          for (let round = 0; round < 600; round++) {
            passTime(100);
            everybody((member) => {
              while (member.messages.length > 0) member.deliver(0);
              member.runTask();
            });
            checkOverlap(members);
          }
          everybody((member) => assert.equal(member.error, undefined));
          everybody((member) => assert.equal(member.machine.generationId, coordinator.generation));
          const held = members.flatMap((member) => member.held.map(({ partition }) => partition)).sort();
          assert.deepEqual(
            held,
            Array.from({ length: PARTITIONS }, (_, partition) => partition),
          );
          rebalances += coordinator.generation;
        }),
        {
          numRuns: Number(process.env['RUNS'] ?? 150),
          ...(process.env['SEED'] === undefined ? {} : { seed: Number(process.env['SEED']) }),
        },
      );
      assert.ok(rebalances > 300, `the schedules made only ${rebalances} generations`);
    });
  });
