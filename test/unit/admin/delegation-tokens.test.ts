import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import type { Admin } from '../../../src/admin/admin.ts';
import { brokerErrorCodes } from '../../../src/errors/broker-error-codes.ts';
import type { FakeAnswer, FakeBrokers } from '../cluster/fake-brokers.ts';
import { adminOver, asked } from './fake-admin.ts';

const hmac = Buffer.from('what proves the token');
const made = {
  principalType: 'User',
  principalName: 'wren',
  tokenRequesterPrincipalType: 'User',
  tokenRequesterPrincipalName: 'finch:2',
  issueTimestampMs: 1000n,
  expiryTimestampMs: 2000n,
  maxTimestampMs: 3000n,
  tokenId: 'token-1',
  hmac,
};
const fields = {
  tokenId: 'token-1',
  hmac: hmac.toString('base64'),
  owner: 'User:wren',
  requester: 'User:finch:2',
  renewers: ['User:rook'],
  issueTimestampMs: 1000,
  expiryTimestampMs: 2000,
  maxTimestampMs: 3000,
};

function answering(answer: FakeAnswer): { fake: FakeBrokers; admin: Admin } {
  return adminOver(({ api }) => (api === 'Metadata' ? {} : answer));
}

describe('Delegation tokens', () => {
  it('are made for ourselves unless somebody else is named', async () => {
    const { fake, admin } = answering(made);
    const token = await admin.createDelegationToken({ renewers: ['User:rook'] });
    assert.deepEqual({ ...token }, fields);
    await admin.createDelegationToken({ owner: 'User:wren:1', maxLifetimeMs: 5 });
    assert.deepEqual(
      asked(fake, 'CreateDelegationToken').map(({ message }) => message),
      [
        {
          ...{ renewers: [{ principalType: 'User', principalName: 'rook' }], maxLifetimeMs: -1n },
          ...{ ownerPrincipalType: null, ownerPrincipalName: null },
        },
        { renewers: [], maxLifetimeMs: 5n, ownerPrincipalType: 'User', ownerPrincipalName: 'wren:1' },
      ],
    );
  });

  it('are their requesters own with brokers before 3.3, which can make no others', async () => {
    const { tokenRequesterPrincipalType: _type, tokenRequesterPrincipalName: _name, ...older } = made;
    const { fake, admin } = answering(older);
    fake.maxVersions.set('38', 2);
    assert.equal((await admin.createDelegationToken()).requester, undefined);
    await assert.rejects(admin.createDelegationToken({ owner: 'User:wren' }), { code: 'UNSUPPORTED_VERSION' });
    const [request, ...others] = asked(fake, 'CreateDelegationToken');
    assert.deepEqual([request?.message, others.length], [{ renewers: [], maxLifetimeMs: -1n }, 0]);
  });

  it('are shown without what proves them, and handed over with it', async () => {
    const { admin } = answering(made);
    const token = await admin.createDelegationToken({ renewers: ['User:rook'] });
    const shown = inspect({ token }, { depth: Infinity, showHidden: true });
    assert.match(shown, /DelegationToken \{\s+tokenId: 'token-1',\s+hmac: '\[redacted\]',\s+owner: 'User:wren'/);
    assert.ok(!shown.includes(fields.hmac));
    assert.deepEqual(JSON.parse(JSON.stringify(token)), fields);
  });

  it('are prolonged and ended by what proves them, however that is given', async () => {
    const { fake, admin } = answering({ expiryTimestampMs: 2500n });
    assert.equal(await admin.renewDelegationToken(fields), 2500);
    assert.equal(await admin.renewDelegationToken(fields.hmac, { renewPeriodMs: 60_000 }), 2500);
    assert.equal(await admin.expireDelegationToken(fields), 2500);
    assert.equal(await admin.expireDelegationToken(fields.hmac, { expiryPeriodMs: 0 }), 2500);
    assert.deepEqual(
      [...asked(fake, 'RenewDelegationToken'), ...asked(fake, 'ExpireDelegationToken')].map(({ message }) => message),
      [
        { hmac, renewPeriodMs: -1n },
        { hmac, renewPeriodMs: 60_000n },
        { hmac, expiryTimePeriodMs: -1n },
        { hmac, expiryTimePeriodMs: 0n },
      ],
    );
  });

  it('are described, all that we may see or those of owners', async () => {
    const { principalType, principalName, tokenRequesterPrincipalType, tokenRequesterPrincipalName } = made;
    const described = {
      ...{ principalType, principalName, tokenRequesterPrincipalType, tokenRequesterPrincipalName },
      ...{ issueTimestamp: 1000n, expiryTimestamp: 2000n, maxTimestamp: 3000n, tokenId: 'token-1', hmac },
      renewers: [{ principalType: 'User', principalName: 'rook' }],
    };
    const older = { ...described, tokenRequesterPrincipalType: '', tokenRequesterPrincipalName: '' };
    const { fake, admin } = answering({ tokens: [described, older] });
    const [token, old] = await admin.describeDelegationTokens();
    assert.deepEqual({ ...token }, fields);
    assert.equal(old?.requester, undefined);
    await admin.describeDelegationTokens({ owners: ['User:wren'] });
    assert.deepEqual(
      asked(fake, 'DescribeDelegationToken').map(({ message }) => message['owners']),
      [null, [{ principalType: 'User', principalName: 'wren' }]],
    );
  });

  for (const [name, call] of [
    ['create', (admin: Admin) => admin.createDelegationToken()],
    ['renew', (admin: Admin) => admin.renewDelegationToken(fields)],
    ['expire', (admin: Admin) => admin.expireDelegationToken(fields)],
    ['describe', (admin: Admin) => admin.describeDelegationTokens()],
  ] as const) {
    it(`tell what to do where brokers refuse to ${name} them`, async () => {
      const { DELEGATION_TOKEN_AUTH_DISABLED, DELEGATION_TOKEN_EXPIRED } = brokerErrorCodes;
      const disabled = answering({ errorCode: DELEGATION_TOKEN_AUTH_DISABLED }).admin;
      await assert.rejects(call(disabled), {
        message: /^Cannot .*; set delegation\.token\.secret\.key for its brokers/,
      });
      const expired = answering({ errorCode: DELEGATION_TOKEN_EXPIRED }).admin;
      await assert.rejects(call(expired), { code: 'DELEGATION_TOKEN_EXPIRED' });
    });
  }

  for (const [what, call, told] of [
    ['a renewer without a type', (admin: Admin) => admin.createDelegationToken({ renewers: ['rook'] }), /renewers/],
    ['an owner without a type', (admin: Admin) => admin.createDelegationToken({ owner: 'wren' }), /owner "wren"/],
    ['no time at all', (admin: Admin) => admin.createDelegationToken({ maxLifetimeMs: 0 }), /maxLifetimeMs 0/],
    [
      "Java's name",
      (admin: Admin) => admin.renewDelegationToken(fields, { renewTimePeriodMs: 1 } as object),
      /use renewPeriodMs/,
    ],
    [
      'no token',
      (admin: Admin) => admin.renewDelegationToken(undefined as never),
      /give the delegation token, or its hmac/,
    ],
    [
      'a token without proof',
      (admin: Admin) => admin.expireDelegationToken({ tokenId: 'a' } as never),
      /or its hmac as/,
    ],
    ['what is no base64', (admin: Admin) => admin.expireDelegationToken('sesame-44!'), /or its hmac as base64$/],
  ] as const) {
    it(`refuse ${what} before any request, and show no secret`, async () => {
      const { fake, admin } = answering({});
      await assert.rejects(call(admin), (error: Error) => {
        assert.match(error.message, told);
        assert.ok(!error.message.includes('sesame'));
        return error.name === 'UsageError';
      });
      assert.equal(fake.requests.length, 0);
    });
  }
});
