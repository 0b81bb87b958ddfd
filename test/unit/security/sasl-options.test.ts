import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { resolveSaslOptions, type SaslOptions } from '../../../src/security/sasl-options.ts';

const SECRET = 'open-sesame-41';
const context = { host: 'b', port: 1, encrypted: true };

describe('resolveSaslOptions', () => {
  it('makes PLAIN of a name and a password', async () => {
    const settings = resolveSaslOptions({ mechanism: 'plain', username: 'ann', password: SECRET });
    assert.equal(settings?.mechanism, 'PLAIN');
    const conversation = settings.conversation(context);
    assert.equal(Buffer.from((await conversation.respond(undefined)) ?? []).toString(), `\0ann\0${SECRET}`);
    assert.equal(await conversation.respond(Buffer.alloc(0)), undefined);
  });

  it('refuses a broker that asks PLAIN for more', async () => {
    const conversation = resolveSaslOptions({ mechanism: 'plain', username: 'a', password: 'b' })?.conversation(
      context,
    );
    await conversation?.respond(undefined);
    assert.throws(() => conversation?.respond(Buffer.from('more')), { code: 'SASL_AUTHENTICATION_FAILED' });
  });

  it('takes the names of Kafka as well', () => {
    const options = { mechanism: 'SCRAM-SHA-512', username: 'a', password: 'b' } as unknown as SaslOptions;
    assert.equal(resolveSaslOptions(options)?.mechanism, 'SCRAM-SHA-512');
  });

  for (const mechanism of ['scram-sha-256', 'scram-sha-512'] as const) {
    it(`takes a delegation token in place of name and password, by ${mechanism}`, async () => {
      const delegationToken = { tokenId: 'token,1', hmac: SECRET, owner: 'User:ann' };
      const settings = resolveSaslOptions({ mechanism, delegationToken });
      assert.equal(settings?.mechanism, mechanism.toUpperCase());
      const first = Buffer.from((await settings.conversation(context).respond(undefined)) ?? []).toString();
      assert.match(first, /^n,,n=token=2C1,r=[A-Za-z0-9]+,tokenauth=true$/);
      assert.equal(settings.redact(`no: ${SECRET}`), 'no: [redacted]');
      assert.ok(!inspect(settings, { depth: Infinity, showHidden: true }).includes(SECRET));
    });
  }

  it('passes a mechanism of the caller through', async () => {
    const authenticator = ({ host, port }: { host: string; port: number }) => ({
      respond: (challenge: Uint8Array | undefined) =>
        challenge === undefined ? Buffer.from(`${host}:${port}`) : undefined,
    });
    const settings = resolveSaslOptions({ mechanism: 'OAUTHBEARER', authenticator });
    assert.equal(settings?.mechanism, 'OAUTHBEARER');
    assert.equal(String(await settings.conversation(context).respond(undefined)), 'b:1');
  });

  it('is resolved once: what is resolved stays as it is', () => {
    const settings = resolveSaslOptions({ mechanism: 'plain', username: 'a', password: 'b' });
    assert.equal(resolveSaslOptions(settings), settings);
    assert.equal(resolveSaslOptions(undefined), undefined);
  });

  for (const [what, options, expected] of [
    [
      'an unknown mechanism',
      { mechanism: 'digest-md5', username: 'a', password: SECRET },
      /mechanism .*one of "plain", "scram-sha-256", "scram-sha-512"/,
    ],
    ['a missing password', { mechanism: 'plain', username: 'a' }, /it lacks password/],
    ['a missing name', { mechanism: 'plain', password: SECRET }, /it lacks username/],
    ['an empty password', { mechanism: 'plain', username: 'a', password: '' }, /Cannot use password/],
    [
      'a NUL in the password',
      { mechanism: 'plain', username: 'a', password: `${SECRET}\0` },
      /without the character NUL/,
    ],
    ['a misspelt option', { mechanism: 'plain', username: 'a', passwort: SECRET }, /did you mean password/],
    [
      'a delegation token by PLAIN',
      { mechanism: 'plain', delegationToken: { tokenId: 't', hmac: SECRET } },
      /mechanism .*one of "scram-sha-256", "scram-sha-512"$/,
    ],
    [
      'a delegation token without a mechanism',
      { delegationToken: { tokenId: 't', hmac: SECRET } },
      /it lacks mechanism/,
    ],
    [
      'a delegation token without its id',
      { mechanism: 'scram-sha-256', delegationToken: { hmac: SECRET } },
      /delegationToken \(an object\): it must be a delegation token, or \{ tokenId, hmac \} of one/,
    ],
    [
      'the hmac alone',
      { mechanism: 'scram-sha-256', delegationToken: SECRET },
      /delegationToken \(a string\): it must be a delegation token/,
    ],
    [
      'a password beside a delegation token',
      { mechanism: 'scram-sha-256', delegationToken: { tokenId: 't', hmac: SECRET }, password: SECRET },
      /the delegationToken stands in its place/,
    ],
    [
      "Java's option",
      { mechanism: 'scram-sha-256', username: 'a', password: SECRET, tokenauth: true },
      /use delegationToken: \{ tokenId, hmac \}/,
    ],
    ['no object', SECRET, /must be an object/],
    ['null', null, /must be an object/],
  ] as const) {
    it(`refuses ${what} without showing the secret`, () => {
      assert.throws(
        () => resolveSaslOptions(options as unknown as SaslOptions),
        (error: Error) => {
          assert.match(error.message, expected);
          assert.ok(!inspect(error, { depth: Infinity }).includes(SECRET), error.message);
          return true;
        },
      );
    });
  }

  it('shows mechanism and name, never the password', () => {
    for (const mechanism of ['plain', 'scram-sha-256'] as const) {
      const settings = resolveSaslOptions({ mechanism, username: 'ann', password: SECRET });
      const shown = inspect({ settings }, { depth: Infinity, showHidden: true }) + JSON.stringify(settings);
      assert.ok(shown.includes('ann') && !shown.includes(SECRET), shown);
    }
  });

  it("takes the password out of a broker's words", () => {
    const settings = resolveSaslOptions({ mechanism: 'plain', username: 'ann', password: SECRET });
    assert.equal(settings?.redact(`no: ${SECRET}, ${SECRET}`), 'no: [redacted], [redacted]');
  });
});
