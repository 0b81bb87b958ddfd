import { createHash, createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** A private key and its certificate, as PEM texts. */
export interface Identity {
  readonly key: string;
  readonly certificate: string;
}

/** A certificate authority that lives as long as the process. */
export interface Authority {
  readonly certificate: string;
  /** `hosts` are names and IPv4 addresses; a client's certificate has none. */
  issue(commonName: string, hosts: readonly string[]): Identity;
}

// X.509 is written by hand here so that the tests need neither openssl nor keytool on the machine.
function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents);
  if (body.length < 128) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length = Buffer.from(body.length.toString(16).padStart(body.length > 0xff ? 4 : 2, '0'), 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body]);
}

const sequence = (...contents: readonly Uint8Array[]): Buffer => der(0x30, ...contents);
const octets = (...contents: readonly Uint8Array[]): Buffer => der(0x04, ...contents);
const bits = (content: Uint8Array, unused = 0): Buffer => der(0x03, Buffer.from([unused]), content);
const yes: Buffer = der(0x01, Buffer.from([0xff]));

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const groups = [part & 0x7f];
    for (let left = part >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return der(0x06, Buffer.from(bytes));
}

function name(commonName: string): Buffer {
  return sequence(der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(commonName)))));
}

function utcTime(ms: number): Buffer {
  const text = new Date(ms).toISOString().replaceAll(/[-:T]/g, '').slice(2, 14);
  return der(0x17, Buffer.from(`${text}Z`));
}

function alternativeName(host: string): Buffer {
  const isAddress = /^\d+(\.\d+){3}$/.test(host);
  return isAddress ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host));
}

/** Names a key by the hash of its whole public key structure; any unique bytes would do. */
function keyId(key: KeyObject): Buffer {
  return createHash('sha1')
    .update((key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' }))
    .digest();
}

function extensions({ isAuthority, hosts, publicKey, issuerKey }: CertificateFacts): Buffer {
  const extension = (id: string, critical: boolean, value: Buffer): Buffer =>
    sequence(oid(id), ...(critical ? [yes] : []), octets(value));
  const usage = isAuthority ? bits(Buffer.from([0x06]), 1) : bits(Buffer.from([0x80]), 7);
  return der(
    0xa3,
    sequence(
      extension('2.5.29.19', true, isAuthority ? sequence(yes) : sequence()),
      extension('2.5.29.15', true, usage),
      extension('2.5.29.14', false, octets(keyId(publicKey))),
      extension('2.5.29.35', false, sequence(der(0x80, keyId(issuerKey)))),
      ...(hosts.length === 0 ? [] : [extension('2.5.29.17', false, sequence(...hosts.map(alternativeName)))]),
    ),
  );
}

interface CertificateFacts {
  readonly subject: string;
  readonly issuer: string;
  readonly publicKey: KeyObject;
  readonly issuerKey: KeyObject;
  readonly isAuthority: boolean;
  readonly hosts: readonly string[];
}

const dayMs = 86_400_000;

function certificate(facts: CertificateFacts): string {
  const algorithm = sequence(oid('1.2.840.10045.4.3.2')); // ecdsa-with-SHA256
  const serial = randomBytes(12);
  serial[0] = 0x40 | ((serial[0] ?? 0) & 0x3f); // positive and not zero
  const now = Date.now();
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))), // version 3
    der(0x02, serial),
    algorithm,
    name(facts.issuer),
    sequence(utcTime(now - dayMs), utcTime(now + 30 * dayMs)),
    name(facts.subject),
    facts.publicKey.export({ type: 'spki', format: 'der' }),
    extensions(facts),
  );
  const signed = sequence(body, algorithm, bits(sign('sha256', body, facts.issuerKey)));
  const lines = signed.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** Makes a new certificate authority for tests; its certificates are valid for 30 days. */
export function makeAuthority(commonName: string): Authority {
  const own = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const base = { issuer: commonName, issuerKey: own.privateKey };
  return {
    certificate: certificate({ ...base, subject: commonName, publicKey: own.publicKey, isAuthority: true, hosts: [] }),
    issue(subject, hosts) {
      const pair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
      return {
        key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        certificate: certificate({ ...base, subject, publicKey: pair.publicKey, isAuthority: false, hosts }),
      };
    },
  };
}
