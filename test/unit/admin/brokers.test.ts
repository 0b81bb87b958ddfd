import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { refused } from '../cluster/fake-brokers.ts';
import { adminOver, asked } from './fake-admin.ts';

describe('Admin.unregisterBroker', () => {
  it('takes for done what an earlier try may have done, and nothing else', async () => {
    let lost = 1;
    const { fake, admin } = adminOver(({ api }) => {
      if (api === 'Metadata') return {};
      if (lost-- > 0) return Object.assign(refused('x'), { sent: true });
      return { errorCode: 102, errorMessage: 'No broker 7.' };
    });
    const pending = admin.unregisterBroker(7);
    await fake.clock.advance(2000);
    await pending;
    assert.deepEqual(
      asked(fake, 'UnregisterBroker').map(({ message }) => message['brokerId']),
      [7, 7],
    );
    await assert.rejects(admin.unregisterBroker(7), {
      message: 'Cannot unregister broker 7: No broker 7 (BROKER_ID_NOT_REGISTERED)',
    });
    await assert.rejects(admin.unregisterBroker('7' as never), { code: 'INVALID_ARGUMENT' });
  });
});
