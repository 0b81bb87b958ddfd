import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PeerCertificate } from 'node:tls';
import { inspect } from 'node:util';
import { tlsError } from '../../../src/security/tls-errors.ts';
import { resolveTlsOptions, TlsSettings, type TlsOptions } from '../../../src/security/tls-options.ts';
import { makeAuthority } from '../../support/kafka/certificates.ts';

const authority = makeAuthority('test CA');
const { key, certificate } = authority.issue('client', []);

describe('resolveTlsOptions', () => {
  it('means none by undefined and false, defaults by true', () => {
    assert.equal(resolveTlsOptions(undefined), undefined);
    assert.equal(resolveTlsOptions(false), undefined);
    assert.ok(resolveTlsOptions(true) instanceof TlsSettings);
    assert.equal(resolveTlsOptions({})?.rejectUnauthorized, true);
  });

  it('asks for the host name without its trailing dot, and for no server name with an address', () => {
    const settings = new TlsSettings({});
    assert.equal(settings.connectOptions('kafka.example.').servername, 'kafka.example');
    for (const host of ['127.0.0.1', '::1']) assert.equal('servername' in settings.connectOptions(host), false);
    assert.equal(new TlsSettings({ servername: 'other' }).connectOptions('127.0.0.1').servername, 'other');
  });

  it('checks the certificate for the host, or for servername where it is given', () => {
    const peer = {
      subject: { CN: 'x' },
      subjectaltname: 'DNS:kafka.example, IP Address:127.0.0.1',
    } as unknown as PeerCertificate;
    const check = (options: TlsOptions, host: string): Error | undefined =>
      new TlsSettings(options).connectOptions(host).checkServerIdentity?.('ignored', peer);
    assert.equal(check({}, 'kafka.example.'), undefined);
    assert.equal(check({}, '127.0.0.1'), undefined);
    assert.equal((check({}, 'other.example') as { code?: string }).code, 'ERR_TLS_CERT_ALTNAME_INVALID');
    assert.equal(check({ servername: 'kafka.example' }, '10.0.0.1'), undefined);
    assert.equal(check({ checkServerIdentity: () => undefined }, 'other.example'), undefined);
  });

  for (const [what, options, expected] of [
    ['a key without certificate', { key }, /key is given without cert/],
    ['a certificate without key', { cert: certificate }, /cert is given without key/],
    ['a key that is none', { key: 'open-sesame', cert: certificate }, /cannot be read/],
    ['a key of another certificate', { key: authority.issue('else', []).key, cert: certificate }, /cannot be read/],
    ['an old version', { minVersion: 'TLSv1' }, /minVersion .*TLSv1\.2/],
    ['a misspelt option', { rejectUnauthorised: false }, /did you mean rejectUnauthorized/],
    ['an empty ca', { ca: '' }, /Cannot use ca/],
  ] as const) {
    it(`refuses ${what} and shows no key`, () => {
      assert.throws(
        () => resolveTlsOptions(options as TlsOptions),
        (error: Error) => {
          assert.match(error.message, expected);
          assert.doesNotMatch(inspect(error, { depth: Infinity }), /open-sesame|BEGIN PRIVATE KEY/);
          return true;
        },
      );
    });
  }

  it('never shows keys and certificates', () => {
    const settings = resolveTlsOptions({ key, cert: certificate, passphrase: 'open-sesame', servername: 'kafka' });
    const shown = inspect({ settings }, { depth: Infinity, showHidden: true }) + JSON.stringify(settings);
    assert.doesNotMatch(shown, /open-sesame|BEGIN/);
    assert.match(shown, /servername.*kafka/);
  });
});

describe('tlsError', () => {
  const named = (code: string): Error => Object.assign(new Error('…'), { code });

  for (const [code, expected] of [
    ['SELF_SIGNED_CERT_IN_CHAIN', 'TLS_UNTRUSTED_CERTIFICATE'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'TLS_UNTRUSTED_CERTIFICATE'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'TLS_HOST_NAME_MISMATCH'],
    ['CERT_HAS_EXPIRED', 'TLS_FAILED'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'TLS_FAILED'],
    ['ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', 'TLS_FAILED'],
    ['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', 'TLS_FAILED'],
    ['ERR_SSL_SOMETHING_NEW', 'TLS_FAILED'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'NOT_KAFKA'],
    ['ECONNRESET', undefined],
  ] as const) {
    it(`calls ${code} ${expected}`, () => {
      assert.equal(tlsError(named(code), 'Cannot connect')?.code, expected);
    });
  }

  it('makes an alert about certificates final, whatever OpenSSL calls it, and an unknown failure worth another try', () => {
    for (const prefix of ['SSLV3', 'TLSV1', 'SSL/TLS']) {
      const error = tlsError(named(`ERR_SSL_${prefix}_ALERT_BAD_CERTIFICATE`), 'Cannot connect');
      assert.deepEqual([error?.name, error?.retriable], ['AuthenticationError', false]);
      assert.match(String(error?.message), /check tls\.cert and tls\.key$/);
    }
    assert.equal(tlsError(named('ERR_SSL_SOMETHING_NEW'), 'Cannot connect')?.retriable, true);
  });
});
