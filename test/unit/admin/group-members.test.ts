import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Admin } from '../../../src/admin/admin.ts';
import { brokerErrorCodes } from '../../../src/errors/broker-error-codes.ts';
import { refused, type FakeBrokers } from '../cluster/fake-brokers.ts';
import { adminOver, asked, codesOf } from './fake-admin.ts';

interface Leaver {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

/** A group of a static member and one that is not; `codes` are those of the answers to LeaveGroup, `lost` answers of it never come. */
function groupOf(codes: readonly number[], lost = 0): { fake: FakeBrokers; admin: Admin } {
  let left = lost;
  return adminOver(({ api, message }) => {
    switch (api) {
      case 'Metadata':
        return {};
      case 'FindCoordinator':
        return { coordinators: [{ key: 'g', nodeId: 2, host: 'kafka', port: 9002 }] };
      case 'ConsumerGroupDescribe':
        return { groups: [{ groupId: 'g', errorCode: brokerErrorCodes.GROUP_ID_NOT_FOUND }] };
      case 'DescribeGroups':
        return {
          groups: [
            {
              groupId: 'g',
              groupState: 'Stable',
              members: [
                { memberId: 'till-1-x', groupInstanceId: 'till-1' },
                { memberId: 'other-y', groupInstanceId: null },
              ],
            },
          ],
        };
      default: {
        if (left-- > 0) return Object.assign(refused('x'), { sent: true });
        const members = message['members'] as readonly Leaver[];
        return { members: members.map((member, index) => ({ ...member, memberId: '', errorCode: codes[index] ?? 0 })) };
      }
    }
  });
}

describe('Admin.removeMembersFromGroup', () => {
  it('asks the coordinator once, by what is given of each', async () => {
    const { fake, admin } = groupOf([0, 0, 0]);
    await admin.removeMembersFromGroup('g', [
      { memberId: 'a' },
      { groupInstanceId: 'b' },
      { memberId: 'c-1', groupInstanceId: 'c', clientId: 'more fields are no mistake' } as object,
    ]);
    const [request, ...others] = asked(fake, 'LeaveGroup');
    assert.equal(others.length, 0);
    assert.equal(request?.nodeId, 2);
    const reason = 'removed by an administrator';
    assert.deepEqual(request.message['members'], [
      { memberId: 'a', groupInstanceId: null, reason },
      { memberId: '', groupInstanceId: 'b', reason },
      { memberId: 'c-1', groupInstanceId: 'c', reason },
    ]);
  });

  it('gives the reason to brokers that take one', async () => {
    const { fake, admin } = groupOf([]);
    await admin.removeMembersFromGroup('g', { memberId: 'a' }, { reason: 'the shop is closed' });
    fake.maxVersions.set('13', 4);
    await admin.removeMembersFromGroup('g', { memberId: 'a' }, { reason: 'the shop is closed' });
    assert.deepEqual(
      asked(fake, 'LeaveGroup').map(({ message }) => message['members']),
      ['the shop is closed', null].map((reason) => [{ memberId: 'a', groupInstanceId: null, reason }]),
    );
    fake.maxVersions.set('13', 2);
    await assert.rejects(admin.removeMembersFromGroup('g', { memberId: 'a' }), { code: 'UNSUPPORTED_VERSION' });
  });

  it('tells for each what became of it, and what to do', async () => {
    const { UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID } = brokerErrorCodes;
    const { admin } = groupOf([UNKNOWN_MEMBER_ID, 0, FENCED_INSTANCE_ID]);
    const members = [{ memberId: 'a' }, { groupInstanceId: 'b' }, { memberId: 'c-1', groupInstanceId: 'c' }];
    const results = await admin.removeMembersFromGroup('g', members, { settled: true });
    assert.deepEqual(codesOf(results), ['UNKNOWN_MEMBER_ID', 'ok', 'FENCED_INSTANCE_ID']);
    assert.deepEqual(
      results.flatMap((result) => (result.status === 'rejected' ? [result.reason.message] : [])),
      [
        'Cannot remove member "a" from group "g": the group has no such member; it may have left (UNKNOWN_MEMBER_ID)',
        'Cannot remove static member "c" from group "g": another member has the group instance id by now; leave the member id out to remove whoever has it (FENCED_INSTANCE_ID)',
      ],
    );
    await assert.rejects(admin.removeMembersFromGroup('g', { memberId: 'a' }), { code: 'UNKNOWN_MEMBER_ID' });
  });

  it('takes a member for removed that is gone after an answer was lost', async () => {
    const { fake, admin } = groupOf([brokerErrorCodes.UNKNOWN_MEMBER_ID], 1);
    const pending = admin.removeMembersFromGroup('g', { memberId: 'a' });
    await fake.clock.advance(2000);
    await pending;
    assert.equal(fake.count('LeaveGroup'), 2);
  });

  it('removes all, static ones by their names, and answers who they were', async () => {
    // One of them leaves by itself before it can be removed.
    const { fake, admin } = groupOf([0, brokerErrorCodes.UNKNOWN_MEMBER_ID]);
    const removed = await admin.removeMembersFromGroup('g', 'all');
    assert.deepEqual(
      removed.map(({ memberId }) => memberId),
      ['till-1-x', 'other-y'],
    );
    const members = asked(fake, 'LeaveGroup')[0]?.message['members'] as readonly Leaver[];
    assert.deepEqual(
      members.map(({ memberId, groupInstanceId }) => [memberId, groupInstanceId]),
      [
        ['', 'till-1'],
        ['other-y', null],
      ],
    );
    const settled = await admin.removeMembersFromGroup('g', 'all', { settled: true });
    assert.deepEqual(codesOf(settled), ['ok', 'ok']);
  });

  it('says that all could not be removed', async () => {
    const { admin } = groupOf([brokerErrorCodes.GROUP_AUTHORIZATION_FAILED]);
    await assert.rejects(admin.removeMembersFromGroup('g', 'all'), {
      code: 'ADMIN_FAILED',
      message:
        /^Cannot remove members from group "g": 1 of 2 failed; the first with: Cannot remove static member "till-1"/,
    });
  });
});
