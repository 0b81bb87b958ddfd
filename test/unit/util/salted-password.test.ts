import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { saltPassword } from '../../../src/util/salted-password.ts';

const hex = async (salted: Promise<Buffer>): Promise<string> => (await salted).toString('hex');

describe('saltPassword', () => {
  it('is PBKDF2 as RFC 7914 shows it for SHA-256', async () => {
    const salted = saltPassword('sha256', 'passwd', Buffer.from('salt'), 1);
    assert.equal(await hex(salted), '55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc');
  });

  it('is as long as SHA-512, and depends on all it is given', async () => {
    const salt = Buffer.from('salt');
    const salted = await Promise.all([
      hex(saltPassword('sha512', 'password', salt, 2)),
      hex(saltPassword('sha512', 'passwörd', salt, 2)),
      hex(saltPassword('sha512', 'password', Buffer.from('pepper'), 2)),
      hex(saltPassword('sha512', 'password', salt, 3)),
    ]);
    assert.equal(new Set(salted).size, 4);
    assert.ok(salted.every((text) => text.length === 128));
  });
});
