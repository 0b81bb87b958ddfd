import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { describe, it } from 'node:test';
import type { SaslConversation } from '../../../src/security/sasl-conversation.ts';
import { ScramCredentials, type ScramHash } from '../../../src/security/scram.ts';

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

async function say(conversation: SaslConversation, challenge?: string): Promise<string | undefined> {
  const answer = await conversation.respond(challenge === undefined ? undefined : Buffer.from(challenge));
  return answer === undefined ? undefined : text(answer);
}

/** The server's side, written from RFC 5802 a second time. */
function serverSignature(
  hash: ScramHash,
  password: string,
  salt: Buffer,
  iterations: number,
  authMessage: string,
): string {
  const salted = pbkdf2Sync(password, salt, iterations, hash === 'sha256' ? 32 : 64, hash);
  const serverKey = createHmac(hash, salted).update('Server Key').digest();
  return createHmac(hash, serverKey).update(authMessage).digest('base64');
}

function storedKey(hash: ScramHash, password: string, salt: Buffer, iterations: number): Buffer {
  const salted = pbkdf2Sync(password, salt, iterations, hash === 'sha256' ? 32 : 64, hash);
  return createHash(hash).update(createHmac(hash, salted).update('Client Key').digest()).digest();
}

describe('ScramCredentials', () => {
  it('says what RFC 7677 shows for SCRAM-SHA-256', async () => {
    const conversation = new ScramCredentials('sha256', 'user', 'pencil', {
      newNonce: () => 'rOprNGfwEbeRWgbNEkqO',
    }).conversation();
    assert.equal(await say(conversation), 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO');
    const first = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096';
    assert.equal(
      await say(conversation, first),
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    );
    assert.equal(await say(conversation, 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='), undefined);
  });

  for (const hash of ['sha256', 'sha512'] as const) {
    it(`proves a password and checks the proof of the broker with ${hash}`, async () => {
      const salt = Buffer.from('salt and pepper');
      const conversation = new ScramCredentials(hash, 'n=a,me', 'pässword', { newNonce: () => 'abc' }).conversation();
      assert.equal(await say(conversation), 'n,,n=n=3Da=2Cme,r=abc');
      const serverFirst = `r=abcdef,s=${salt.toString('base64')},i=5000`;
      const final = (await say(conversation, serverFirst)) ?? '';
      const [, withoutProof = '', proof = ''] = /^(c=biws,r=abcdef),p=(.*)$/.exec(final) ?? [];
      const authMessage = `n=n=3Da=2Cme,r=abc,${serverFirst},${withoutProof}`;
      const stored = storedKey(hash, 'pässword', salt, 5000);
      const signature = createHmac(hash, stored).update(authMessage).digest();
      const clientKey = Buffer.from(Buffer.from(proof, 'base64').map((byte, index) => byte ^ (signature[index] ?? 0)));
      assert.deepEqual(createHash(hash).update(clientKey).digest(), stored);
      assert.equal(
        await say(conversation, `v=${serverSignature(hash, 'pässword', salt, 5000, authMessage)}`),
        undefined,
      );
      await assert.rejects(say(conversation, 'more'), /went on after the end/);
    });
  }

  it('derives the keys for a salt once, however many connections there are', async () => {
    const credentials = new ScramCredentials('sha256', 'u', 'p', { newNonce: () => 'n' });
    const time = async (): Promise<number> => {
      const conversation = credentials.conversation();
      await say(conversation);
      const start = performance.now();
      await say(conversation, 'r=nm,s=c2FsdA==,i=400000');
      return performance.now() - start;
    };
    const first = await time();
    const second = await time();
    assert.ok(second < first / 3, `${first} ms, then ${second} ms`);
  });

  it('does not block the loop while it derives', async () => {
    const conversation = new ScramCredentials('sha512', 'u', 'p', { newNonce: () => 'n' }).conversation();
    await say(conversation);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await say(conversation, 'r=nm,s=c2FsdA==,i=200000');
    clearInterval(timer);
    assert.ok(turns > 3, `${turns} turns of the loop`);
  });

  const firsts: readonly (readonly [string, string, RegExp])[] = [
    ['a nonce that is not an extension of ours', 'r=xyzdef,s=c2FsdA==,i=4096', /does not extend ours/],
    ['our own nonce alone', 'r=abc,s=c2FsdA==,i=4096', /does not extend ours/],
    ['4095 iterations', 'r=abcd,s=c2FsdA==,i=4095', /iteration count is not from 4096 to 1000000/],
    ['a million and one iterations', 'r=abcd,s=c2FsdA==,i=1000001', /iteration count/],
    ['2^31 iterations', 'r=abcd,s=c2FsdA==,i=2147483648', /iteration count/],
    ['a count that is no number', 'r=abcd,s=c2FsdA==,i=0x2000', /iteration count/],
    ['a negative count', 'r=abcd,s=c2FsdA==,i=-4096', /iteration count/],
    ['an empty salt', 'r=abcd,s=,i=4096', /salt is empty or not base64/],
    ['a salt that is not base64', 'r=abcd,s=!!!!,i=4096', /salt is empty or not base64/],
    ['a missing salt', 'r=abcd,i=4096', /lacks nonce, salt or iteration count/],
    ['an extension', 'm=x,r=abcd,s=c2FsdA==,i=4096', /extension/],
    ['an early final', 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=', /ended the exchange before it began/],
    ['an error', 'e=unknown-user', /the error unknown-user/],
    ['an error with words of its own', 'e=Your Password Is p', /answered an error$/],
    ['nothing', '', /lacks nonce/],
    ['noise', '\u0000\u0001,,,,=', /lacks nonce/],
  ];
  for (const [what, first, expected] of firsts) {
    it(`refuses ${what} and says no secret`, async () => {
      const conversation = new ScramCredentials('sha256', 'user', 'open sesame', {
        newNonce: () => 'abc',
      }).conversation();
      await say(conversation);
      await assert.rejects(say(conversation, first), (error: Error & { code?: string }) => {
        assert.match(error.message, expected);
        assert.equal(error.code, 'SASL_AUTHENTICATION_FAILED');
        return true;
      });
    });
  }

  for (const [what, final, expected] of [
    ['a wrong signature', `v=${Buffer.alloc(32).toString('base64')}`, /signature is wrong/],
    ['a short signature', 'v=AAAA', /signature is wrong/],
    ['no signature', 'x=1', /lacks its signature/],
    ['an empty signature', 'v=', /lacks its signature/],
    ['an empty answer', '', /lacks its signature/],
    ['an error', 'e=invalid-proof', /the error invalid-proof/],
  ] as const) {
    it(`refuses ${what} at the end`, async () => {
      const conversation = new ScramCredentials('sha256', 'user', 'p', { newNonce: () => 'abc' }).conversation();
      await say(conversation);
      await say(conversation, 'r=abcd,s=c2FsdA==,i=4096');
      await assert.rejects(say(conversation, final), expected);
    });
  }

  it('uses a new nonce for each connection', async () => {
    const credentials = new ScramCredentials('sha256', 'user', 'p');
    const nonces = await Promise.all(Array.from({ length: 50 }, () => say(credentials.conversation())));
    assert.equal(new Set(nonces).size, 50);
    assert.ok(nonces.every((nonce) => /,r=[A-Za-z0-9]{20,}$/.test(nonce ?? '')));
  });
});
