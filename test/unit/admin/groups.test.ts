import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brokerErrorCodes } from '../../../src/errors/broker-error-codes.ts';
import { refused } from '../cluster/fake-brokers.ts';
import { adminOver, codesOf } from './fake-admin.ts';

describe('Admin.deleteGroups', () => {
  it('takes groups for deleted that are gone after an answer was lost, and no others', async () => {
    const { GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP } = brokerErrorCodes;
    const codes: Readonly<Record<string, number>> = { a: GROUP_ID_NOT_FOUND, b: NON_EMPTY_GROUP, c: 0 };
    let lost = 1;
    const { fake, admin } = adminOver(({ api, message }) => {
      if (api === 'Metadata') return {};
      if (api === 'FindCoordinator') {
        const keys = message['coordinatorKeys'] as readonly string[];
        return { coordinators: keys.map((key) => ({ key, nodeId: 2, host: 'kafka', port: 9002 })) };
      }
      if (lost-- > 0) return Object.assign(refused('x'), { sent: true });
      return { results: Object.entries(codes).map(([groupId, errorCode]) => ({ groupId, errorCode })) };
    });
    const pending = admin.deleteGroups(['a', 'b', 'c'], { settled: true });
    await fake.clock.advance(2000);
    assert.deepEqual(codesOf(await pending), ['ok', 'NON_EMPTY_GROUP', 'ok']);
    assert.equal(fake.count('DeleteGroups'), 2);
    await assert.rejects(admin.deleteGroups('a'), { code: 'GROUP_ID_NOT_FOUND' });
  });
});
