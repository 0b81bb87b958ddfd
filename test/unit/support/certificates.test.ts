import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { makeAuthority } from '../../support/kafka/certificates.ts';

describe('makeAuthority', () => {
  const authority = makeAuthority('Test CA');
  const ca = new X509Certificate(authority.certificate);

  it('makes a certificate authority that signed itself', () => {
    assert.ok(ca.ca);
    assert.ok(ca.verify(ca.publicKey));
  });

  it('issues certificates for the given hosts and no others', () => {
    const issued = new X509Certificate(authority.issue('a server', ['localhost', '127.0.0.1']).certificate);
    assert.ok(issued.checkIssued(ca));
    assert.ok(issued.verify(ca.publicKey));
    assert.equal(issued.ca, false);
    assert.equal(issued.checkHost('localhost'), 'localhost');
    assert.equal(issued.checkIP('127.0.0.1'), '127.0.0.1');
    assert.equal(issued.checkHost('elsewhere.invalid'), undefined);
  });

  it('issues nothing that another authority vouches for', () => {
    const other = new X509Certificate(makeAuthority('Another CA').certificate);
    assert.equal(new X509Certificate(authority.issue('a', ['localhost']).certificate).verify(other.publicKey), false);
  });
});
