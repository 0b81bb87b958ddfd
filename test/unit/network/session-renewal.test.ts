import assert from 'node:assert/strict';
import { createHmac, pbkdf2Sync } from 'node:crypto';
import { afterEach, describe, it } from 'node:test';
import { inspect } from 'node:util';
import { AuthenticationError } from '../../../src/errors/kafka-error.ts';
import { EventPublisher } from '../../../src/instrumentation/event-publisher.ts';
import type { ClientEvents } from '../../../src/instrumentation/events.ts';
import { ConnectionPool } from '../../../src/network/connection-pool.ts';
import type { Connection } from '../../../src/network/connection.ts';
import type { NetworkOptions } from '../../../src/network/network-options.ts';
import { ApiVersions } from '../../../src/protocol/generated/api-versions.ts';
import { Metadata, type MetadataResponse } from '../../../src/protocol/generated/metadata.ts';
import { SaslAuthenticate } from '../../../src/protocol/generated/sasl-authenticate.ts';
import { SaslHandshake } from '../../../src/protocol/generated/sasl-handshake.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { FakeServer, type FakePeer, type FakeRequest } from '../../support/fake-server.ts';
import { networkOptions } from '../../support/network-options.ts';

const SECRET = 'open-sesame-41';
const LIFETIME_MS = 100_000;
/** With `random` at a half. */
const DUE_MS = 90_000;
const nothing = (): void => undefined;
const open: { close(): Promise<unknown> }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

/** A connection to a broker that ends sessions, and what was published about it. */
interface Rig {
  readonly clock: FakeClock;
  readonly server: FakeServer;
  readonly peer: FakePeer;
  readonly pool: ConnectionPool;
  readonly connection: Connection;
  readonly renewed: ClientEvents['connection.reauthenticated'][];
  readonly closed: (Error | undefined)[];
  /** The connection that this broker and lane have now. */
  readonly current: () => Promise<Connection>;
}

async function rig(options: Partial<NetworkOptions> = {}, answer: object = {}, versions: object = {}): Promise<Rig> {
  const clock = new FakeClock();
  const server = await FakeServer.start(async (peer) => {
    await peer.shakeHands(versions);
    await agree(peer, answer);
  });
  const events = new EventPublisher();
  const renewed: Rig['renewed'] = [];
  const closed: (Error | undefined)[] = [];
  events.on('connection.reauthenticated', (event) => void renewed.push(event));
  events.on('connection.closed', ({ error }) => void closed.push(error));
  const sasl = { mechanism: 'plain', username: 'magpie', password: SECRET } as const;
  const pool = new ConnectionPool(networkOptions({ clock, events, sasl, ...options }));
  open.push(server, pool);
  const current = (): Promise<Connection> => pool.connect({ nodeId: 1, endpoint: server.endpoint }, 'control');
  const connection = await current();
  const peer = server.peers[0];
  assert.ok(peer);
  return { clock, server, peer, pool, connection, renewed, closed, current };
}

/** Takes part in one authentication with PLAIN. */
async function agree(peer: FakePeer, answer: object = {}): Promise<FakeRequest[]> {
  const handshake = await expected(peer, SaslHandshake.key);
  peer.answer(SaslHandshake, handshake, { mechanisms: ['PLAIN'] });
  const authenticate = await expected(peer, SaslAuthenticate.key);
  peer.answer(SaslAuthenticate, authenticate, { sessionLifetimeMs: BigInt(LIFETIME_MS), ...answer });
  return [handshake, authenticate];
}

async function expected(peer: FakePeer, apiKey: number): Promise<FakeRequest> {
  const request = await peer.request();
  assert.equal(request.apiKey, apiKey);
  return request;
}

async function answerMetadata(peer: FakePeer, clusterId: string): Promise<FakeRequest> {
  const request = await expected(peer, Metadata.key);
  peer.answer(Metadata, request, { clusterId });
  return request;
}

const ask = (connection: Connection, options: Parameters<Connection['send']>[3] = {}): Promise<MetadataResponse> =>
  connection.send(Metadata, 9, { topics: [] }, options);

const tokenOf = ({ body, version }: FakeRequest): string =>
  SaslAuthenticate.decodeRequest(body, version).authBytes.toString();

describe('SessionRenewal', { timeout: 60_000 }, () => {
  it('authenticates again on the same connection before the first request after its time', async () => {
    const { clock, server, peer, connection, renewed, current } = await rig();
    await clock.advance(DUE_MS - 1);
    const before = ask(connection);
    await answerMetadata(peer, 'before');
    assert.equal((await before).clusterId, 'before');
    await clock.advance(1);
    await settle();
    assert.equal(peer.requests.length, 4, 'nothing is sent while nobody asks');

    const after = ask(connection);
    const [handshake, authenticate] = await agree(peer, { sessionLifetimeMs: 50_000n });
    const request = await answerMetadata(peer, 'after');
    assert.equal((await after).clusterId, 'after');
    assert.deepEqual(
      [handshake, authenticate, request].map((each) => each?.correlationId),
      [1, 2, 3],
    );
    const { port } = server;
    assert.deepEqual(renewed, [
      { nodeId: 1, host: '127.0.0.1', port, lane: 'control', durationMs: 0, sessionLifetimeMs: 50_000 },
    ]);
    assert.equal(await current(), connection);

    // The new lifetime counts, from the renewal on.
    await clock.advance(44_999);
    await Promise.all([ask(connection), answerMetadata(peer, 'x')]);
    await clock.advance(1);
    await Promise.all([ask(connection), agree(peer).then(() => answerMetadata(peer, 'y'))]);
    assert.equal(renewed.length, 2);
    assert.equal(server.peers.length, 1);
  });

  it('renews a session that ended while nothing was sent', async () => {
    const { clock, peer, connection, renewed, current } = await rig();
    await clock.advance(3 * LIFETIME_MS);
    assert.equal(await current(), connection);
    await Promise.all([ask(connection), agree(peer).then(() => answerMetadata(peer, 'later'))]);
    assert.equal(renewed.length, 1);
  });

  it('holds back pipelined requests in their order, while those in flight are answered', async () => {
    const { clock, peer, connection, renewed } = await rig();
    await clock.advance(DUE_MS - 1);
    const settled: string[] = [];
    const send = (name: string): Promise<void> =>
      ask(connection).then(({ clusterId }) => void settled.push(`${name}=${clusterId}`));
    const early = [send('a'), send('b')];
    const inFlight = [await expected(peer, Metadata.key), await expected(peer, Metadata.key)];
    await clock.advance(1);
    const late = [send('c'), send('d'), send('e')];
    const handshake = await expected(peer, SaslHandshake.key);
    // One answer before, one together with that to the handshake.
    const [first, second] = inFlight;
    assert.ok(first && second);
    peer.answer(Metadata, first, { clusterId: 'a' });
    await early[0];
    peer.answer(Metadata, second, { clusterId: 'b' });
    peer.answer(SaslHandshake, handshake, { mechanisms: ['PLAIN'] });
    const authenticate = await expected(peer, SaslAuthenticate.key);
    await early[1];
    late.push(send('f'));
    await settle();
    assert.equal(peer.requests.at(-1), authenticate, 'no request in the middle of the conversation');
    assert.equal(connection.inFlight, 0);
    peer.answer(SaslAuthenticate, authenticate, { sessionLifetimeMs: BigInt(LIFETIME_MS) });
    const ids: number[] = [];
    for (const name of ['c', 'd', 'e', 'f']) ids.push((await answerMetadata(peer, name)).correlationId);
    await Promise.all(late);
    assert.deepEqual(settled, ['a=a', 'b=b', 'c=c', 'd=d', 'e=e', 'f=f']);
    assert.deepEqual([handshake.correlationId, authenticate.correlationId, ...ids], [2, 3, 4, 5, 6, 7]);
    assert.equal(renewed.length, 1);
  });

  it('begins although as many requests are in flight as may be', async () => {
    const { clock, peer, connection } = await rig({ maxInFlightRequests: 1 });
    await clock.advance(DUE_MS - 60_000);
    const poll = ask(connection, { timeoutMs: 500_000 });
    const held = await expected(peer, Metadata.key);
    await clock.advance(60_000);
    const late = ask(connection);
    const handshake = await expected(peer, SaslHandshake.key);
    peer.answer(Metadata, held, { clusterId: 'poll' });
    assert.equal((await poll).clusterId, 'poll');
    peer.answer(SaslHandshake, handshake, { mechanisms: ['PLAIN'] });
    peer.answer(SaslAuthenticate, await expected(peer, SaslAuthenticate.key), {});
    await Promise.all([late, answerMetadata(peer, 'late')]);
  });

  it('begins a conversation of its own each time, and waits for it', async () => {
    let rounds = 0;
    let say = nothing;
    const authenticator = () => {
      const round = ++rounds;
      return {
        respond: async (challenge: Uint8Array | undefined) => {
          if (challenge !== undefined) return undefined;
          if (round > 1) await new Promise<void>((resolve) => (say = resolve));
          return Buffer.from(`token ${round}`);
        },
      };
    };
    const { clock, peer, connection, renewed } = await rig({ sasl: { mechanism: 'PLAIN', authenticator } });
    assert.equal(tokenOf(peer.requests[2] ?? assert.fail()), 'token 1');
    await clock.advance(DUE_MS);
    const answer = ask(connection);
    peer.answer(SaslHandshake, await expected(peer, SaslHandshake.key), { mechanisms: ['PLAIN'] });
    await eventually(() => say !== nothing);
    assert.equal(peer.requests.length, 4);
    await clock.advance(5000);
    say();
    const authenticate = await expected(peer, SaslAuthenticate.key);
    assert.equal(tokenOf(authenticate), 'token 2');
    peer.answer(SaslAuthenticate, authenticate, { sessionLifetimeMs: BigInt(LIFETIME_MS) });
    await Promise.all([answer, answerMetadata(peer, 'z')]);
    assert.equal(renewed[0]?.durationMs, 5000);
  });

  it('lets a request be given up meanwhile', async () => {
    const { clock, peer, connection } = await rig();
    await clock.advance(DUE_MS);
    const abort = new AbortController();
    const given = assert.rejects(ask(connection, { signal: abort.signal }), { message: 'enough' });
    const handshake = await expected(peer, SaslHandshake.key);
    abort.abort(new Error('enough'));
    await given;
    const other = ask(connection);
    peer.answer(SaslHandshake, handshake, { mechanisms: ['PLAIN'] });
    peer.answer(SaslAuthenticate, await expected(peer, SaslAuthenticate.key), {});
    await Promise.all([other, answerMetadata(peer, 'other')]);
    assert.equal(peer.requests.filter(({ apiKey }) => apiKey === Metadata.key).length, 1);
  });

  it('waits until the broker listens again', async () => {
    const { clock, peer, connection } = await rig();
    await clock.advance(DUE_MS - 1);
    const throttled = ask(connection);
    peer.answer(Metadata, await expected(peer, Metadata.key), { throttleTimeMs: 2000 });
    await throttled;
    await clock.advance(1);
    const answer = ask(connection);
    await clock.advance(1998);
    assert.equal(peer.requests.length, 4);
    await clock.advance(1);
    await Promise.all([answer, agree(peer).then(() => answerMetadata(peer, 'x'))]);
  });

  for (const [what, answer, versions] of [
    ['a broker that tells no end of the session', { sessionLifetimeMs: 0n }, {}],
    [
      'a broker that knows SaslAuthenticate 0 only',
      { sessionLifetimeMs: undefined },
      {
        apiKeys: [ApiVersions, Metadata, SaslHandshake]
          .map(({ key, minVersion, maxVersion }) => ({
            apiKey: key,
            minVersion,
            maxVersion,
          }))
          .concat({ apiKey: SaslAuthenticate.key, minVersion: 0, maxVersion: 0 }),
      },
    ],
  ] as const) {
    it(`does nothing with ${what}`, async () => {
      const { clock, peer, connection, renewed } = await rig({ connectionsMaxIdleMs: 1e12 }, answer, versions);
      await clock.advance(1e10);
      await Promise.all([ask(connection), answerMetadata(peer, 'x')]);
      assert.deepEqual(renewed, []);
    });
  }
});

describe('SessionRenewal that fails', { timeout: 60_000 }, () => {
  /** Ends with `closed[0]` after the request that waited was rejected. */
  async function refused(
    setUp: Rig,
    answering: (peer: FakePeer) => Promise<void>,
  ): Promise<{ closed: Error; rejected: Error & { code: string; sent: boolean; retriable: boolean } }> {
    const { clock, peer, connection, closed, pool } = setUp;
    await clock.advance(DUE_MS);
    const waiting = ask(connection).then(
      () => assert.fail('it was answered'),
      (error: unknown) => error as Error & { code: string; sent: boolean; retriable: boolean },
    );
    await answering(peer);
    const rejected = await waiting;
    const [error] = closed;
    assert.ok(error);
    assert.equal(connection.isOpen, false);
    assert.equal(pool.size, 0);
    for (const each of [error, rejected]) assert.ok(!inspect(each, { depth: Infinity }).includes(SECRET));
    return { closed: error, rejected };
  }

  it('ends the connection with the refusal; what waited was not sent and may be tried again', async () => {
    const setUp = await rig();
    const { closed, rejected } = await refused(setUp, async (peer) => {
      await agree(peer, { errorCode: 58, errorMessage: `"${SECRET}" is no longer right` });
    });
    assert.ok(closed instanceof AuthenticationError);
    assert.match(
      closed.message,
      /^Cannot authenticate again with broker 1 \(127\.0\.0\.1:\d+\): "\[redacted\]" is no longer right \(SASL_AUTHENTICATION_FAILED\)$/,
    );
    assert.equal(closed.code, 'SASL_AUTHENTICATION_FAILED');
    assert.deepEqual([rejected.code, rejected.sent, rejected.retriable], ['CONNECTION_CLOSED', false, true]);
    assert.equal(rejected.cause, closed);
    // The next connection authenticates from the beginning.
    const next = await setUp.current();
    assert.notEqual(next, setUp.connection);
    assert.equal(setUp.server.peers.length, 2);
  });

  it('says that a broker does not do it', async () => {
    const { closed } = await refused(await rig(), async (peer) => {
      peer.answer(SaslHandshake, await expected(peer, SaslHandshake.key), { errorCode: 34 });
    });
    assert.ok(closed instanceof AuthenticationError);
    assert.match(closed.message, /does not authenticate a connection again, or not so soon \(ILLEGAL_SASL_STATE\)$/);
  });

  it('does not believe a broker whose signature is wrong the second time', async () => {
    const scram = scramBroker();
    const clock = new FakeClock();
    const server = await FakeServer.start(async (peer) => {
      await peer.shakeHands();
      await scram(peer, false);
      await scram(peer, false);
      await answerMetadata(peer, 'trusted');
      await scram(peer, true);
    });
    const events = new EventPublisher();
    const closed: (Error | undefined)[] = [];
    events.on('connection.closed', ({ error }) => void closed.push(error));
    const sasl = { mechanism: 'scram-sha-256', username: 'magpie', password: SECRET } as const;
    const pool = new ConnectionPool(networkOptions({ clock, events, sasl }));
    open.push(server, pool);
    const connection = await pool.connect({ nodeId: 1, endpoint: server.endpoint }, 'control');
    await clock.advance(DUE_MS);
    assert.equal((await ask(connection)).clusterId, 'trusted');
    await clock.advance(DUE_MS);
    await assert.rejects(ask(connection), { code: 'CONNECTION_CLOSED', sent: false });
    assert.match(closed[0]?.message ?? '', /signature is wrong/);
    assert.ok(closed[0] instanceof AuthenticationError);
  });

  for (const [what, answering, expectedError] of [
    [
      'an answer to it before that to a request in flight',
      async (peer: FakePeer) => {
        await expected(peer, Metadata.key);
        peer.answer(SaslHandshake, await expected(peer, SaslHandshake.key), { mechanisms: ['PLAIN'] });
      },
      /answered request 1 where 0 was next/,
    ],
    [
      'an answer to a request that waits',
      async (peer: FakePeer) => {
        peer.answer(Metadata, await expected(peer, Metadata.key), {});
        const handshake = await expected(peer, SaslHandshake.key);
        peer.answer(Metadata, { ...handshake, version: 9, correlationId: 2 }, {});
      },
      /answered request 2, but request 1 was asked/,
    ],
    [
      'another answer to a request in flight',
      async (peer: FakePeer) => {
        const request = await expected(peer, Metadata.key);
        peer.answer(Metadata, request, {});
        await expected(peer, SaslHandshake.key);
        peer.answer(Metadata, request, {});
      },
      /answered request 0, but request 1 was asked/,
    ],
    [
      'an answer while the authenticator is asked',
      async (peer: FakePeer) => {
        peer.answer(Metadata, await expected(peer, Metadata.key), {});
        const handshake = await expected(peer, SaslHandshake.key);
        peer.answer(SaslHandshake, handshake, { mechanisms: ['PLAIN'] });
        peer.answer(SaslHandshake, handshake, { mechanisms: ['PLAIN'] });
      },
      /answered although nothing was asked|answered request 1, but request 2 was asked/,
    ],
  ] as const) {
    it(`ends the connection at ${what}`, async () => {
      const setUp = await rig();
      await setUp.clock.advance(DUE_MS - 1);
      const early = ask(setUp.connection).catch(nothing);
      await eventually(() => setUp.peer.requests.length === 4);
      await setUp.clock.advance(1);
      const late = assert.rejects(ask(setUp.connection), { code: 'CONNECTION_CLOSED', sent: false });
      await answering(setUp.peer);
      await late;
      await early;
      assert.match(setUp.closed[0]?.message ?? '', expectedError);
      assert.equal((setUp.closed[0] as { code?: string }).code, 'PROTOCOL_ERROR');
    });
  }

  it('gives up a broker that does not answer, counting from its last answer', async () => {
    const setUp = await rig({ requestTimeoutMs: 1000 });
    const { clock, peer, connection, closed } = setUp;
    await clock.advance(DUE_MS - 1);
    const poll = ask(connection, { timeoutMs: 5000 });
    const held = await expected(peer, Metadata.key);
    await clock.advance(1);
    const late = assert.rejects(ask(connection, { timeoutMs: 60_000 }), { code: 'CONNECTION_CLOSED', sent: false });
    await expected(peer, SaslHandshake.key);
    await clock.advance(4500);
    assert.equal(connection.isOpen, true, 'a long poll before it takes its time');
    peer.answer(Metadata, held, { clusterId: 'poll', throttleTimeMs: 500 });
    await poll;
    await clock.advance(1499);
    assert.equal(connection.isOpen, true, 'the broker said that it would not read for half a second');
    await clock.advance(1);
    await late;
    assert.match(closed[0]?.message ?? '', /^Cannot authenticate again with .*: it did not answer within 1000 ms$/);
  });

  it('says nothing more when the connection was closed meanwhile', async () => {
    let say = nothing;
    let begun = 0;
    const authenticator = () => {
      const again = begun++ > 0;
      return {
        respond: async (challenge: Uint8Array | undefined) => {
          if (challenge === undefined) return Buffer.from('token');
          if (again) await new Promise<void>((resolve) => (say = resolve));
          return undefined;
        },
      };
    };
    const { clock, peer, connection, closed, renewed } = await rig({ sasl: { mechanism: 'PLAIN', authenticator } });
    await clock.advance(DUE_MS);
    const waiting = assert.rejects(ask(connection), { code: 'CONNECTION_CLOSED', sent: false });
    await agree(peer);
    await eventually(() => say !== nothing);
    await connection.close();
    await waiting;
    say();
    await settle();
    assert.deepEqual(closed, [undefined]);
    assert.deepEqual(renewed, []);
    assert.equal(clock.pending, 0);
  });
});

/** The broker's side of SCRAM-SHA-256, with a signature that is right or wrong. */
function scramBroker(): (peer: FakePeer, isWrong: boolean) => Promise<void> {
  const salt = Buffer.from('a salt of the test');
  const serverKey = hmac(pbkdf2Sync(SECRET, salt, 4096, 32, 'sha256'), 'Server Key');
  return async (peer, isWrong) => {
    peer.answer(SaslHandshake, await expected(peer, SaslHandshake.key), { mechanisms: ['SCRAM-SHA-256'] });
    const first = await expected(peer, SaslAuthenticate.key);
    const clientFirst = tokenOf(first).replace(/^n,,/, '');
    const nonce = `${/r=(.*)$/.exec(clientFirst)?.[1] ?? ''}theirs`;
    const serverFirst = `r=${nonce},s=${salt.toString('base64')},i=4096`;
    peer.answer(SaslAuthenticate, first, { authBytes: Buffer.from(serverFirst) });
    const final = await expected(peer, SaslAuthenticate.key);
    const withoutProof = tokenOf(final).replace(/,p=.*$/, '');
    const signature = hmac(serverKey, `${clientFirst},${serverFirst},${withoutProof}${isWrong ? '!' : ''}`);
    const authBytes = Buffer.from(`v=${signature.toString('base64')}`);
    peer.answer(SaslAuthenticate, final, { authBytes, sessionLifetimeMs: BigInt(LIFETIME_MS) });
  };
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
