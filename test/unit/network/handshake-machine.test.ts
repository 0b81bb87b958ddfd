import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  HandshakeMachine,
  renewalDelayMs,
  type HandshakeEffect,
  type HandshakeOptions,
} from '../../../src/network/handshake-machine.ts';
import type { Api, Input } from '../../../src/protocol/api.ts';
import { decodeRequestHeader, encodeResponseFrame, peekRequest } from '../../../src/protocol/framing.ts';
import { ApiVersions } from '../../../src/protocol/generated/api-versions.ts';
import { Metadata } from '../../../src/protocol/generated/metadata.ts';
import { SaslAuthenticate } from '../../../src/protocol/generated/sasl-authenticate.ts';
import { SaslHandshake } from '../../../src/protocol/generated/sasl-handshake.ts';
import { Reader } from '../../../src/protocol/wire/reader.ts';

const UNSUPPORTED_VERSION = 35;

/** The machine with a broker at its other side that answers what the test says. */
class Pair {
  readonly machine: HandshakeMachine;
  effects: HandshakeEffect[] = [];

  constructor(options: Partial<HandshakeOptions> = {}, isNew = true) {
    this.machine = new HandshakeMachine({ doing: 'Cannot connect to broker b:1', clientId: 'me', ...options });
    if (isNew) this.machine.start();
  }

  /** The request that the machine sent last. */
  sent(): { apiKey: number; version: number; correlationId: number; body: Reader } {
    this.effects.push(...this.machine.takeEffects());
    const effect = this.effects.shift();
    assert.equal(effect?.kind, 'send');
    const frame = Buffer.concat(effect.pieces);
    assert.equal(frame.readInt32BE(0), frame.length - 4);
    const body = new Reader(frame.subarray(4));
    const { apiKey, version } = peekRequest(body);
    const api = [ApiVersions, SaslHandshake, SaslAuthenticate].find(({ key }) => key === apiKey);
    const { correlationId, clientId } = decodeRequestHeader(body, api?.requestHeaderVersion(version) ?? 1);
    assert.equal(clientId, 'me');
    return { apiKey, version, correlationId, body };
  }

  answer<Res>(api: Api<unknown, Res>, version: number, correlationId: number, message: Input<Res>): void {
    const frame = Buffer.concat(encodeResponseFrame(api, message, version, correlationId));
    this.machine.handleFrame(frame.subarray(4));
  }

  next(): HandshakeEffect {
    this.effects.push(...this.machine.takeEffects());
    const effect = this.effects.shift();
    assert.ok(effect, 'the machine wants nothing');
    return effect;
  }

  failure(): Error & { code?: string } {
    const effect = this.next();
    assert.equal(effect.kind, 'fail');
    return effect.error;
  }

  /** Through ApiVersions and SaslHandshake, to the first question to the authenticator. */
  toAuthenticator(): void {
    const versions = this.sent();
    this.answer(ApiVersions, versions.version, versions.correlationId, { apiKeys });
    const handshake = this.sent();
    this.answer(SaslHandshake, 1, handshake.correlationId, { mechanisms: ['PLAIN'] });
    assert.deepEqual(this.next(), { kind: 'askAuthenticator', challenge: undefined });
  }
}

const apiKeys = [ApiVersions, Metadata, SaslHandshake, SaslAuthenticate].map(({ key, minVersion, maxVersion }) => ({
  apiKey: key,
  minVersion,
  maxVersion,
}));
const listing = (maxVersion: number): { apiKey: number; minVersion: number; maxVersion: number } => ({
  apiKey: ApiVersions.key,
  minVersion: 0,
  maxVersion,
});

describe('HandshakeMachine asking for versions', () => {
  it('asks its newest version first, naming itself, and finishes with what it learns', () => {
    const pair = new Pair();
    const { apiKey, version, correlationId, body } = pair.sent();
    assert.deepEqual([apiKey, version], [ApiVersions.key, ApiVersions.maxVersion]);
    const request = ApiVersions.readRequest(body, version);
    assert.equal(request.clientSoftwareName, 'kavka');
    const finalizedFeatures = [{ name: 'transaction.version', maxVersionLevel: 2, minVersionLevel: 2 }];
    pair.answer(ApiVersions, version, correlationId, { apiKeys, finalizedFeatures, finalizedFeaturesEpoch: 7n });
    const effect = pair.next();
    assert.equal(effect.kind, 'finish');
    assert.deepEqual(effect.result.versions.range(Metadata.key), { min: 0, max: 13 });
    assert.equal(effect.result.versions.finalizedFeature('transaction.version'), 2);
    assert.equal(effect.result.versions.finalizedFeaturesEpoch, 7n);
    assert.equal(effect.result.apiVersionsVersion, version);
    assert.equal(effect.result.sessionLifetimeMs, undefined);
  });

  it('takes the highest version that a refusal lists', () => {
    const pair = new Pair();
    pair.answer(ApiVersions, 0, pair.sent().correlationId, { errorCode: UNSUPPORTED_VERSION, apiKeys: [listing(4)] });
    const second = pair.sent();
    assert.equal(second.version, 4);
    pair.answer(ApiVersions, 4, second.correlationId, { apiKeys });
    const effect = pair.next();
    assert.equal(effect.kind === 'finish' && effect.result.apiVersionsVersion, 4);
  });

  it('falls back to version 0 if the refusal lists nothing', () => {
    const pair = new Pair();
    pair.answer(ApiVersions, 0, pair.sent().correlationId, { errorCode: UNSUPPORTED_VERSION });
    const second = pair.sent();
    assert.equal(second.version, 0);
    pair.answer(ApiVersions, 0, second.correlationId, { apiKeys });
    assert.equal(pair.next().kind, 'finish');
  });

  it('begins with the version that it is told', () => {
    assert.equal(new Pair({ apiVersionsVersion: 4 }).sent().version, 4);
  });

  it('comes to an end with a broker that refuses every version, whatever it lists', () => {
    const pair = new Pair();
    for (let asked = ApiVersions.maxVersion; asked > 0; asked--) {
      const { version, correlationId } = pair.sent();
      assert.equal(version, asked);
      pair.answer(ApiVersions, 0, correlationId, { errorCode: UNSUPPORTED_VERSION, apiKeys: [listing(99)] });
    }
    const last = pair.sent();
    assert.equal(last.version, 0);
    pair.answer(ApiVersions, 0, last.correlationId, { errorCode: UNSUPPORTED_VERSION });
    assert.equal(pair.failure().code, 'UNSUPPORTED_VERSION');
  });

  it('fails with the error that the broker answers', () => {
    const pair = new Pair();
    const { version, correlationId } = pair.sent();
    pair.answer(ApiVersions, version, correlationId, { errorCode: 42 });
    assert.equal(pair.failure().code, 'INVALID_REQUEST');
  });

  it('refuses the answer to another request', () => {
    const pair = new Pair();
    const { version, correlationId } = pair.sent();
    pair.answer(ApiVersions, version, correlationId + 1, { apiKeys });
    assert.match(
      pair.failure().message,
      /^Cannot connect to broker b:1: it answered request 1, but request 0 was asked$/,
    );
  });

  it('gives a protocol error for every truncation of an answer, and for bytes left over', () => {
    const whole = Buffer.concat(encodeResponseFrame(ApiVersions, { apiKeys }, ApiVersions.maxVersion, 0)).subarray(4);
    for (let length = 4; length < whole.length; length++) {
      const pair = new Pair();
      pair.sent();
      pair.machine.handleFrame(whole.subarray(0, length));
      assert.equal(pair.failure().code, 'PROTOCOL_ERROR', `${length} of ${whole.length} bytes`);
    }
    const pair = new Pair();
    pair.sent();
    pair.machine.handleFrame(Buffer.concat([whole, Buffer.from([0])]));
    assert.equal(pair.failure().code, 'PROTOCOL_ERROR');
  });
});

describe('HandshakeMachine with SASL', () => {
  const sasl = { mechanism: 'PLAIN' };

  it('carries the conversation to its end and notes the lifetime of the session', () => {
    const pair = new Pair(sasl);
    pair.toAuthenticator();
    pair.machine.handleToken(Buffer.from('one'));
    const first = pair.sent();
    assert.equal(SaslAuthenticate.readRequest(first.body, first.version).authBytes.toString(), 'one');
    pair.answer(SaslAuthenticate, first.version, first.correlationId, {
      authBytes: Buffer.from('more'),
      sessionLifetimeMs: 0n,
    });
    assert.deepEqual(pair.next(), { kind: 'askAuthenticator', challenge: Buffer.from('more') });
    pair.machine.handleToken(Buffer.from('two'));
    const second = pair.sent();
    pair.answer(SaslAuthenticate, second.version, second.correlationId, { sessionLifetimeMs: 3_600_000n });
    assert.equal(pair.next().kind, 'askAuthenticator');
    pair.machine.handleToken(undefined);
    const effect = pair.next();
    assert.equal(effect.kind === 'finish' && effect.result.sessionLifetimeMs, 3_600_000);
  });

  it('says which mechanisms the listener offers', () => {
    const pair = new Pair(sasl);
    const versions = pair.sent();
    pair.answer(ApiVersions, versions.version, versions.correlationId, { apiKeys });
    pair.answer(SaslHandshake, 1, pair.sent().correlationId, {
      errorCode: 33,
      mechanisms: ['SCRAM-SHA-512', 'GSSAPI'],
    });
    const error = pair.failure();
    assert.equal(error.code, 'UNSUPPORTED_SASL_MECHANISM');
    assert.match(error.message, /does not offer the SASL mechanism PLAIN; it offers "SCRAM-SHA-512", "GSSAPI"$/);
  });

  it('says that a listener does not use SASL', () => {
    const pair = new Pair(sasl);
    const versions = pair.sent();
    pair.answer(ApiVersions, versions.version, versions.correlationId, { apiKeys });
    pair.answer(SaslHandshake, 1, pair.sent().correlationId, { errorCode: 34 });
    assert.match(pair.failure().message, /leave out sasl or use another port \(ILLEGAL_SASL_STATE\)$/);
  });

  it('needs a broker that knows SaslHandshake 1', () => {
    const pair = new Pair(sasl);
    const { version, correlationId } = pair.sent();
    pair.answer(ApiVersions, version, correlationId, { apiKeys: [listing(4)] });
    assert.match(pair.failure().message, /KIP-152/);
  });

  it("shows a refusal in the broker's words, without our secret and without control characters", () => {
    const pair = new Pair({ ...sasl, redact: (text) => text.replaceAll('sesame', '[redacted]') });
    pair.toAuthenticator();
    pair.machine.handleToken(Buffer.from('x'));
    const { version, correlationId } = pair.sent();
    pair.answer(SaslAuthenticate, version, correlationId, { errorCode: 58, errorMessage: 'wrong:\n"sesame"' });
    const error = pair.failure();
    assert.equal(error.code, 'SASL_AUTHENTICATION_FAILED');
    assert.equal(error.message, 'Cannot connect to broker b:1: wrong: "[redacted]" (SASL_AUTHENTICATION_FAILED)');
  });

  it('ends a conversation that does not end by itself', () => {
    const pair = new Pair(sasl);
    pair.toAuthenticator();
    for (let round = 0; round < 32; round++) {
      pair.machine.handleToken(Buffer.from('x'));
      const { version, correlationId } = pair.sent();
      pair.answer(SaslAuthenticate, version, correlationId, { authBytes: Buffer.from('y') });
      assert.equal(pair.next().kind, 'askAuthenticator');
    }
    pair.machine.handleToken(Buffer.from('x'));
    assert.match(pair.failure().message, /did not come to an end after 32 challenges/);
  });

  it('refuses an answer while nothing was asked', () => {
    const pair = new Pair(sasl);
    pair.toAuthenticator();
    pair.answer(SaslAuthenticate, 2, 2, {});
    assert.equal(pair.failure().code, 'PROTOCOL_ERROR');
    pair.machine.handleToken(Buffer.from('late'));
    assert.deepEqual(pair.machine.takeEffects(), []);
  });

  it('fails where the authenticator says what are no bytes', () => {
    const pair = new Pair(sasl);
    pair.toAuthenticator();
    assert.throws(
      () => pair.machine.handleToken('text' as unknown as Uint8Array),
      (error) => {
        pair.machine.handleTokenError(error);
        return true;
      },
    );
    assert.match(pair.failure().message, /authBytes|authenticator failed/);
  });

  it('authenticates a connection in use without asking for versions again, and goes on counting', () => {
    const first = new Pair(sasl);
    first.toAuthenticator();
    first.machine.handleToken(Buffer.from('one'));
    const { version, correlationId } = first.sent();
    first.answer(SaslAuthenticate, version, correlationId, { sessionLifetimeMs: 1000n });
    first.next();
    first.machine.handleToken(undefined);
    const finished = first.next();
    assert.equal(finished.kind, 'finish');

    const pair = new Pair(sasl, false);
    pair.machine.startRenewal(finished.result, 0x7fff_ffff);
    const handshake = pair.sent();
    assert.deepEqual([handshake.apiKey, handshake.correlationId], [SaslHandshake.key, 0]);
    assert.equal(pair.machine.correlationId, 0);
    pair.answer(SaslHandshake, 1, 0, { mechanisms: ['PLAIN'] });
    assert.deepEqual(pair.next(), { kind: 'askAuthenticator', challenge: undefined });
    pair.machine.handleToken(Buffer.from('again'));
    const authenticate = pair.sent();
    assert.equal(SaslAuthenticate.readRequest(authenticate.body, authenticate.version).authBytes.toString(), 'again');
    pair.answer(SaslAuthenticate, authenticate.version, 1, { sessionLifetimeMs: 2000n });
    pair.next();
    pair.machine.handleToken(undefined);
    assert.deepEqual(pair.next(), { kind: 'finish', result: { ...finished.result, sessionLifetimeMs: 2000 } });
  });

  it('fails with the error of the authenticator', () => {
    const pair = new Pair(sasl);
    pair.toAuthenticator();
    pair.machine.handleTokenError(new Error('no token'));
    const error = pair.failure();
    assert.equal(error.code, 'SASL_AUTHENTICATION_FAILED');
    assert.equal((error.cause as Error).message, 'no token');
  });
});

describe('renewalDelayMs', () => {
  it('lies from 85 to 95 % of the lifetime', () => {
    assert.equal(renewalDelayMs(100_000, 0), 85_000);
    assert.equal(renewalDelayMs(100_000, 0.5), 90_000);
    assert.equal(renewalDelayMs(100_000, 1), 95_000);
  });

  it('is never where the session does not end', () => {
    assert.equal(renewalDelayMs(undefined, 0), Infinity);
  });
});
