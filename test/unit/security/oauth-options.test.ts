import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import type { SaslConversation } from '../../../src/security/sasl-conversation.ts';
import { resolveSaslOptions, type SaslOptions } from '../../../src/security/sasl-options.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { unsignedToken } from '../../support/unsigned-token.ts';

const SECRET = 'open-sesame-41';
const context = { host: 'b', port: 1, encrypted: true };

async function said(conversation: SaslConversation | undefined): Promise<string> {
  return Buffer.from((await conversation?.respond(undefined)) ?? []).toString('latin1');
}

describe('resolveSaslOptions of OAUTHBEARER', () => {
  it('sends the token of a function, and the extensions', async () => {
    const settings = resolveSaslOptions({
      mechanism: 'oauthbearer',
      token: async () => ({ value: 'abc.def' }),
      extensions: { logicalCluster: 'lkc-1', identityPoolId: 'pool 1' },
    });
    assert.equal(settings?.mechanism, 'OAUTHBEARER');
    const text = await said(settings.conversation(context));
    assert.equal(text, 'n,,\x01auth=Bearer abc.def\x01logicalCluster=lkc-1\x01identityPoolId=pool 1\x01\x01');
  });

  it('takes the name of Kafka, a text as answer, and a token that is a text', async () => {
    for (const token of ['abc', () => 'abc', async () => 'abc', () => ({ value: 'abc', expiresAt: new Date(0) })]) {
      const options = { mechanism: 'OAUTHBEARER', token } as unknown as SaslOptions;
      assert.equal(await said(resolveSaslOptions(options)?.conversation(context)), 'n,,\x01auth=Bearer abc\x01\x01');
    }
  });

  it('is content with a broker that says nothing more, and ends one that goes on', async () => {
    const settings = resolveSaslOptions({ mechanism: 'oauthbearer', token: 'abc' });
    const content = settings?.conversation(context);
    await content?.respond(undefined);
    assert.equal(await content?.respond(Buffer.alloc(0)), undefined);
    const refused = settings?.conversation(context);
    await refused?.respond(undefined);
    const words = Buffer.from('{"status":"invalid_token"}');
    assert.deepEqual(Buffer.from((await refused?.respond(words)) ?? []), Buffer.from([1]));
    await assert.rejects(async () => refused?.respond(words), { code: 'SASL_AUTHENTICATION_FAILED' });
  });

  it('uses a token again until it is about to expire, whether it says so itself or its giver does', async () => {
    for (const answer of [
      (n: number) => ({ value: `t${n}`, expiresAt: 1_000_000 }),
      (n: number) => ({ value: `t${n}`, expiresAt: new Date(1_000_000) }),
      (n: number) => unsignedToken(`t${n}`, 1_000_000),
    ]) {
      const clock = new FakeClock(0);
      let asked = 0;
      const token = () => answer(++asked);
      const settings = resolveSaslOptions({ mechanism: 'oauthbearer', token }, clock, () => 0.5);
      const first = await said(settings?.conversation(context));
      await clock.advance(824_000);
      assert.equal(await said(settings?.conversation(context)), first);
      await clock.advance(2000);
      assert.notEqual(await said(settings?.conversation(context)), first);
      assert.equal(asked, 2);
    }
  });

  it('asks each time for a token of which nobody knows when it expires', async () => {
    let asked = 0;
    const settings = resolveSaslOptions({ mechanism: 'oauthbearer', token: () => `opaque-${++asked}` });
    assert.match(await said(settings?.conversation(context)), /opaque-1/);
    assert.match(await said(settings?.conversation(context)), /opaque-2/);
  });

  for (const [what, answer] of [
    ['nothing', undefined],
    ['null', null],
    ['no value', { token: SECRET }],
    ['an empty text', ''],
    ['a text with a line break', `${SECRET}\n`],
    ['a text that would end the message', `${SECRET}\x01auth=Bearer other`],
    ['a time that is none', { value: SECRET, expiresAt: 'tomorrow' }],
    ['a date that is none', { value: SECRET, expiresAt: new Date('tomorrow') }],
  ] as const) {
    it(`refuses a function that answers with ${what}, and shows nothing of it`, async () => {
      const settings = resolveSaslOptions({ mechanism: 'oauthbearer', token: () => answer as never });
      await assert.rejects(said(settings?.conversation(context)), (error: Error & { code?: string }) => {
        assert.equal(error.name, 'AuthenticationError');
        assert.equal(error.code, 'TOKEN_UNAVAILABLE');
        assert.match(error.message, /Cannot use the token that was given for OAUTHBEARER: (it|expiresAt) must be/);
        assert.ok(!inspect(error, { depth: Infinity }).includes(SECRET));
        return true;
      });
    });
  }

  const endpoint = { tokenEndpoint: 'https://idp.example/token', clientId: 'ann', clientSecret: SECRET };
  for (const [what, given, expected] of [
    ['neither a token nor an endpoint', {}, /it lacks token, or tokenEndpoint with clientId and clientSecret/],
    ['both', { token: 'a', ...endpoint }, /tokenEndpoint .*give either token or tokenEndpoint/],
    ['an endpoint without a name', { ...endpoint, clientId: undefined }, /it lacks clientId/],
    [
      'an endpoint without a secret',
      { ...endpoint, clientSecret: undefined },
      /it lacks clientSecret, or clientAssertion/,
    ],
    ['two proofs', { ...endpoint, clientAssertion: 'a' }, /clientSecret and clientAssertion .*give one of them/],
    [
      'an assertion of a client without a name',
      { ...endpoint, clientId: undefined, assertion: 'a' },
      /it lacks clientId/,
    ],
    [
      'an assertion that is no token',
      { ...endpoint, clientSecret: undefined, clientAssertion: SECRET + ' ' },
      /Cannot use clientAssertion/,
    ],
    ['a name without an endpoint', { ...endpoint, tokenEndpoint: undefined }, /it lacks tokenEndpoint/],
    ['an endpoint that is no address', { ...endpoint, tokenEndpoint: 'idp' }, /tokenEndpoint .*must be an address/],
    ['another protocol', { ...endpoint, tokenEndpoint: 'file:///token' }, /tokenEndpoint .*must be an address/],
    [
      'a secret in the address',
      { ...endpoint, tokenEndpoint: `https://a:${SECRET}@idp/` },
      /without name and password/,
    ],
    ['an empty secret', { ...endpoint, clientSecret: '' }, /Cannot use clientSecret .*not empty/],
    ['a list as token', { token: [SECRET] }, /Cannot use token .*a function, or a string/],
    ['a token with a space', { token: `Bearer ${SECRET}` }, /Cannot use token .*without spaces/],
    ['extensions that are no texts', { token: 'a', extensions: { a: 1 } }, /Cannot use extensions/],
    ['an extension that would be the token', { token: 'a', extensions: { auth: 'x' } }, /names are of the letters/],
    ['an extension that would end the message', { token: 'a', extensions: { a: 'x\x01b=c' } }, /printable ASCII/],
    ['parameters that are no texts', { ...endpoint, parameters: { audience: 1 } }, /Cannot use parameters/],
    ['another place for the secret', { ...endpoint, clientAuthentication: 'query' }, /one of "basic", "post"/],
    ['the name of KafkaJS', { oauthBearerProvider: () => 'a' }, /here it is token/],
    ['a password', { username: 'a', password: SECRET }, /OAUTHBEARER has none/],
  ] as const) {
    it(`refuses ${what} without showing the secret`, () => {
      assert.throws(
        () => resolveSaslOptions({ mechanism: 'oauthbearer', ...given } as unknown as SaslOptions),
        (error: Error) => {
          assert.equal(error.name, 'UsageError');
          assert.match(error.message, expected);
          assert.ok(!inspect(error, { depth: Infinity }).includes(SECRET), error.message);
          return true;
        },
      );
    });
  }

  it('shows neither secret nor token, also out of the words of a broker', async () => {
    const token = unsignedToken('ann', Date.now() + 3_600_000);
    const settings = resolveSaslOptions({ mechanism: 'oauthbearer', token });
    await said(settings?.conversation(context));
    const asking = resolveSaslOptions({ mechanism: 'oauthbearer', ...endpoint });
    const shown =
      inspect({ settings, asking }, { depth: Infinity, showHidden: true }) + JSON.stringify([settings, asking]);
    assert.ok(shown.includes('OAUTHBEARER') && !shown.includes(token) && !shown.includes(SECRET), shown);
    assert.equal(settings?.redact(`no: ${token}`), 'no: [redacted]');
    assert.equal(asking?.redact(`no: ${SECRET}`), 'no: [redacted]');
  });
});
