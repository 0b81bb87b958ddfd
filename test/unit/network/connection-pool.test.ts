import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { inspect } from 'node:util';
import { EventPublisher } from '../../../src/instrumentation/event-publisher.ts';
import type { KafkaError } from '../../../src/errors/kafka-error.ts';
import { ConnectionPool } from '../../../src/network/connection-pool.ts';
import { clientSoftware } from '../../../src/network/client-software.ts';
import type { NetworkOptions } from '../../../src/network/network-options.ts';
import { ApiVersions } from '../../../src/protocol/generated/api-versions.ts';
import { Metadata } from '../../../src/protocol/generated/metadata.ts';
import { SaslAuthenticate } from '../../../src/protocol/generated/sasl-authenticate.ts';
import { SaslHandshake } from '../../../src/protocol/generated/sasl-handshake.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { FakeServer, versionsAnswer, type FakePeer, type FakeScript } from '../../support/fake-server.ts';
import { makeAuthority } from '../../support/kafka/certificates.ts';
import { networkOptions } from '../../support/network-options.ts';
import packageJson from '../../../package.json' with { type: 'json' };

const SECRET = 'open-sesame-41';
const open: { close(): Promise<unknown> }[] = [];
const nothing = (): void => undefined;
const shakeHands = (peer: FakePeer): Promise<void> => peer.shakeHands().then(nothing);

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

async function start(script: FakeScript, options: Parameters<typeof FakeServer.start>[1] = {}): Promise<FakeServer> {
  const server = await FakeServer.start(script, options);
  open.push(server);
  return server;
}

function poolOf(options: Partial<NetworkOptions> = {}): ConnectionPool {
  const pool = new ConnectionPool(networkOptions(options));
  open.push(pool);
  return pool;
}

const at = (port: number, host = '127.0.0.1', nodeId = 1) => ({ nodeId, endpoint: { host, port } });

/** A port where nothing listens. */
async function closedPort(): Promise<number> {
  const server = await FakeServer.start(nothing);
  await server.close();
  return server.port;
}

describe('ConnectionPool', () => {
  it('gives concurrent callers one connection, and each lane its own', async () => {
    const server = await start(shakeHands);
    const pool = poolOf();
    const [first, second] = await Promise.all([
      pool.connect(at(server.port), 'control'),
      pool.connect(at(server.port), 'control'),
    ]);
    assert.equal(first, second);
    assert.equal(await pool.connect(at(server.port), 'control'), first);
    assert.notEqual(await pool.connect(at(server.port), 'fetch-1'), first);
    assert.equal(server.peers.length, 2);
    assert.equal(pool.size, 2);
  });

  it('counts the open connections by broker, and the requests in flight on them', async () => {
    const server = await start(shakeHands);
    const pool = poolOf();
    const there = { host: '127.0.0.1', port: server.port };
    assert.deepEqual(pool.statistics(), []);
    const connection = await pool.connect(at(server.port), 'control');
    await pool.connect(at(server.port), 'fetch-1');
    await pool.connect({ nodeId: undefined, endpoint: there }, 'bootstrap');
    const lost = assert.rejects(connection.send(Metadata, 1, {}));
    assert.deepEqual(pool.statistics(), [
      { nodeId: 1, ...there, connections: 2, requestsInFlight: 1 },
      { nodeId: undefined, ...there, connections: 1, requestsInFlight: 0 },
    ]);
    await pool.close();
    await lost;
    assert.deepEqual(pool.statistics(), []);
  });

  it('names package and version to the broker', async () => {
    let asked: { clientSoftwareName: string; clientSoftwareVersion: string } | undefined;
    const server = await start(async (peer) => {
      const request = await peer.shakeHands();
      asked = ApiVersions.decodeRequest(request.body, request.version);
    });
    await poolOf().connect(at(server.port), 'control');
    await eventually(() => asked);
    assert.deepEqual([asked?.clientSoftwareName, asked?.clientSoftwareVersion], ['kavka', packageJson.version]);
    assert.equal(clientSoftware.version, packageJson.version);
  });

  it('remembers the version of ApiVersions that a broker answered to', async () => {
    const asked: number[] = [];
    const server = await start(async (peer) => {
      for (;;) {
        const request = await peer.request();
        asked.push(request.version);
        const refusal = { errorCode: 35, apiKeys: [{ apiKey: ApiVersions.key, minVersion: 0, maxVersion: 4 }] };
        if (request.version > 4) peer.answer(ApiVersions, { ...request, version: 0 }, refusal);
        else peer.answer(ApiVersions, request, versionsAnswer({}));
      }
    });
    const pool = poolOf();
    await pool.connect(at(server.port), 'a');
    await pool.connect(at(server.port), 'b');
    assert.deepEqual(asked, [ApiVersions.maxVersion, 4, 4]);
  });

  it('makes a new connection when the broker closed the old one', async () => {
    const server = await start(shakeHands);
    const pool = poolOf();
    const first = await pool.connect(at(server.port), 'control');
    server.peers[0]?.socket.destroy();
    await eventually(() => !first.isOpen);
    assert.equal(pool.size, 0);
    assert.notEqual(await pool.connect(at(server.port), 'control'), first);
  });

  it('follows a broker to another address and lets the old connection finish', async () => {
    const old = await start(async (peer) => {
      await peer.shakeHands();
      const request = await peer.request();
      await eventually(() => moved.peers.length === 1);
      peer.answer(Metadata, request, { clusterId: 'old' });
    });
    const moved = await start(shakeHands);
    const pool = poolOf();
    const first = await pool.connect(at(old.port), 'control');
    const answer = first.send(Metadata, 9, {});
    const second = await pool.connect(at(moved.port), 'control');
    assert.equal(second.endpoint.port, moved.port);
    assert.equal((await answer).clusterId, 'old');
    await eventually(() => !first.isOpen);
    assert.equal(pool.size, 1);
  });

  it('ends the connections of one broker, of one lane, or all', async () => {
    const server = await start(shakeHands);
    const pool = poolOf();
    const connect = (nodeId: number, lane: string) => pool.connect(at(server.port, '127.0.0.1', nodeId), lane);
    const [a1, b1, a2] = await Promise.all([connect(1, 'a'), connect(1, 'b'), connect(2, 'a')]);
    await pool.closeLane('b');
    assert.deepEqual([a1.isOpen, b1.isOpen, a2.isOpen], [true, false, true]);
    await pool.forgetBroker(1);
    assert.deepEqual([a1.isOpen, a2.isOpen], [false, true]);
    await pool.close();
    assert.equal(a2.isOpen, false);
    await assert.rejects(pool.connect(at(server.port), 'a'), { code: 'CLOSED' });
    await pool.close();
  });

  it('ends attempts under way when it is closed', async () => {
    const server = await start(nothing);
    const clock = new FakeClock();
    const pool = poolOf({ clock });
    const attempts = Promise.allSettled([
      pool.connect(at(server.port), 'a'),
      pool.connect(at(server.port), 'b', { timeoutMs: 9000 }),
    ]);
    await eventually(() => server.peers.length === 2);
    await pool.close();
    for (const each of await attempts)
      assert.equal(each.status === 'rejected' && (each.reason as { code: string }).code, 'CLOSED');
    assert.equal(clock.pending, 0);
    await eventually(() => server.peers.every(({ socket }) => socket.destroyed));
  });

  it('does not wait for a slow resolver when it is closed', async () => {
    const pool = poolOf({ lookUp: () => new Promise(nothing) });
    const attempt = assert.rejects(pool.connect(at(9092, 'slow.example'), 'a'), { code: 'CLOSED' });
    await pool.close();
    await attempt;
  });

  it('gives up for one caller, not for the others', async () => {
    let letGo = nothing;
    const server = await start(async (peer) => {
      await new Promise<void>((resolve) => (letGo = resolve));
      await peer.shakeHands();
    });
    const pool = poolOf();
    const abort = new AbortController();
    const impatient = assert.rejects(pool.connect(at(server.port), 'a', { signal: abort.signal }), {
      message: 'enough',
    });
    const hurried = assert.rejects(pool.connect(at(server.port), 'a', { timeoutMs: 1 }), {
      code: 'CONNECTION_SETUP_TIMEOUT',
      message: /not ready within 1 ms/,
    });
    const patient = pool.connect(at(server.port), 'a');
    await eventually(() => server.peers.length === 1);
    abort.abort(new Error('enough'));
    await Promise.all([impatient, hurried]);
    await assert.rejects(pool.connect(at(server.port), 'a', { signal: abort.signal }), { message: 'enough' });
    letGo();
    assert.equal((await patient).isOpen, true);
    assert.equal(server.peers.length, 1);
  });
});

describe('ConnectionPool and brokers that cannot be reached', () => {
  it('waits longer after each failure, per endpoint, ±20 %', async () => {
    const clock = new FakeClock();
    const events = new EventPublisher();
    const failedAt: number[] = [];
    events.on('connection.failed', () => failedAt.push(clock.nowMs()));
    const port = await closedPort();
    const pool = poolOf({ clock, events, random: () => 1 });
    for (let attempt = 0; attempt < 8; attempt++) {
      const failed = assert.rejects(pool.connect(at(port), 'a'), { code: 'CONNECTION_FAILED', retriable: true });
      await eventually(async () => {
        await clock.advance(pool.backoffRemainingMs(at(port).endpoint));
        return failedAt.length === attempt + 1;
      });
      await failed;
    }
    const waits = failedAt.slice(1).map((time, index) => Math.round(time - (failedAt[index] ?? 0)));
    assert.deepEqual(waits, [60, 120, 240, 480, 960, 1200, 1200]);
    const other = await start(shakeHands);
    assert.equal(pool.backoffRemainingMs(other.endpoint), 0);
    await pool.connect(at(other.port), 'a');
  });

  it('starts from the beginning after a success', async () => {
    const clock = new FakeClock();
    const port = await closedPort();
    const pool = poolOf({ clock });
    await assert.rejects(pool.connect(at(port), 'a'));
    assert.equal(pool.backoffRemainingMs(at(port).endpoint), 50);
    const server = await start(shakeHands, { port });
    const connected = pool.connect(at(server.port), 'a');
    await clock.advance(50);
    await connected;
    assert.equal(pool.backoffRemainingMs(server.endpoint), 0);
  });

  it('gives a server that says nothing the set-up time-out, doubled with each failure up to 30 s (KIP-601)', async () => {
    const clock = new FakeClock();
    const server = await start(nothing);
    const pool = poolOf({ clock, reconnectBackoffMs: 0, reconnectBackoffMaxMs: 0 });
    for (const [attempt, expectedMs] of [10_000, 20_000, 30_000, 30_000].entries()) {
      const failed = assert.rejects(pool.connect(at(server.port), 'a'), {
        code: 'CONNECTION_SETUP_TIMEOUT',
        retriable: true,
        message: new RegExp(
          `not ready within ${expectedMs} ms, while asking for its API versions .*whether it needs TLS$`,
        ),
      });
      await eventually(() => server.peers.length === attempt + 1 && server.peers[attempt]?.requests.length === 1);
      await clock.advance(expectedMs - 1);
      assert.equal(server.peers[attempt]?.socket.destroyed, false);
      await clock.advance(1);
      await failed;
    }
  });

  it('says what it may be when the broker closes at once', async () => {
    const server = await start((peer) => void peer.socket.destroy());
    await assert.rejects(poolOf().connect(at(server.port), 'a'), {
      code: 'CONNECTION_FAILED',
      message: /while asking for its API versions .*; check whether the port needs TLS \(option tls\)/,
    });
  });

  it('says that nothing listens', async () => {
    await assert.rejects(poolOf().connect({ ...at(await closedPort()), nodeId: undefined }, 'a'), {
      code: 'CONNECTION_FAILED',
      message: /^Cannot connect to broker 127\.0\.0\.1:\d+: nothing listens there \(ECONNREFUSED\)$/,
    });
  });

  it('says that a name cannot be resolved', async () => {
    const lookUp = (): Promise<string[]> => Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' }));
    await assert.rejects(poolOf({ lookUp }).connect(at(9092, 'no.such.host'), 'a'), {
      code: 'DNS_FAILED',
      message: /^Cannot resolve host name "no\.such\.host": the resolver answered ENOTFOUND; check bootstrapServers/,
    });
    await assert.rejects(poolOf({ lookUp: async () => [] }).connect(at(9092, 'empty.host'), 'a'), {
      code: 'DNS_FAILED',
    });
  });

  it('does not call a connection open that the broker ruins in the same moment', async () => {
    const server = await start(async (peer) => {
      const request = await peer.request();
      peer.socket.cork();
      peer.answer(ApiVersions, request, versionsAnswer({}));
      peer.answer(Metadata, { ...request, version: 9, correlationId: 9 }, {});
      peer.socket.uncork();
    });
    const pool = poolOf();
    await assert.rejects(pool.connect(at(server.port), 'a'), {
      code: 'CONNECTION_FAILED',
      message: /did not last .*nothing was asked/,
    });
    assert.equal(pool.size, 0);
  });
});

describe('ConnectionPool and addresses', () => {
  it('tries each address of a name until one works', async () => {
    const server = await start(shakeHands);
    const lookUp = async (): Promise<string[]> => ['127.0.0.2', '127.0.0.3', '127.0.0.1'];
    const connection = await poolOf({ lookUp }).connect(at(server.port, 'kafka.example'), 'a');
    assert.equal(connection.endpoint.host, 'kafka.example');
    assert.equal(server.peers.length, 1);
  });

  it('goes on from an address that accepts and says nothing', async () => {
    const clock = new FakeClock();
    const server = await start(shakeHands);
    const mute = await start(nothing, { host: '127.0.0.2', port: server.port });
    const lookUp = async (): Promise<string[]> => ['127.0.0.2', '127.0.0.1'];
    const connected = poolOf({ clock, lookUp }).connect(at(server.port, 'kafka.example'), 'a');
    await eventually(() => mute.peers[0]?.requests.length === 1);
    await clock.advance(10_000);
    assert.equal((await connected).isOpen, true);
  });

  it('names every address if none works', async () => {
    const port = await closedPort();
    const lookUp = async (): Promise<string[]> => ['127.0.0.2', '127.0.0.3', '127.0.0.2'];
    await assert.rejects(
      poolOf({ lookUp }).connect(at(port, 'kafka.example'), 'a'),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'CONNECTION_FAILED');
        assert.match(
          error.message,
          /none of its 2 addresses works \(127\.0\.0\.2: CONNECTION_FAILED, 127\.0\.0\.3: CONNECTION_FAILED\)$/,
        );
        assert.equal((error.cause as AggregateError).errors.length, 2);
        return true;
      },
    );
  });

  it('connects to an IPv6 literal without asking the resolver', async (context) => {
    const server = await start(shakeHands, { host: '::1' }).catch(() => undefined);
    if (server === undefined) return context.skip('this machine has no IPv6');
    const lookUp = (): Promise<string[]> => Promise.reject(new Error('must not be asked'));
    const connection = await poolOf({ lookUp }).connect(at(server.port, '::1'), 'a');
    assert.equal(connection.isOpen, true);
    await assert.rejects(
      poolOf().connect(at(await closedPort(), '::1'), 'a'),
      /Cannot connect to broker 1 \(\[::1\]:\d+\)/,
    );
  });
});

describe('ConnectionPool and ports that do not speak Kafka', () => {
  const authority = makeAuthority('test CA');
  const { key, certificate } = authority.issue('localhost', ['localhost', '127.0.0.1']);

  it('recognises HTTP', async () => {
    const server = createHttpServer().listen(0, '127.0.0.1');
    open.push({ close: () => new Promise((resolve) => server.close(resolve)) });
    await eventually(() => server.listening);
    await assert.rejects(poolOf().connect(at((server.address() as AddressInfo).port), 'a'), {
      code: 'NOT_KAFKA',
      message:
        /^Cannot connect to broker 1 \(127\.0\.0\.1:\d+\): the port answers with HTTP, not with the Kafka protocol; check host and port$/,
    });
  });

  it('recognises TLS', async () => {
    const server = await start(shakeHands, { tls: { key, cert: certificate } });
    await assert.rejects(
      poolOf().connect(at(server.port), 'a'),
      (error: Error) => /TLS/.test(error.message) && /option tls/.test(error.message),
    );
  });

  it('recognises a TLS alert', async () => {
    const server = await start((peer) => peer.request().then(() => peer.send(Buffer.from('15030300020246', 'hex'))));
    await assert.rejects(poolOf().connect(at(server.port), 'a'), {
      code: 'NOT_KAFKA',
      message: /the port speaks TLS and this client does not/,
    });
  });

  it('recognises a port without TLS when it wants TLS', async () => {
    const http = createHttpServer().listen(0, '127.0.0.1');
    open.push({ close: () => new Promise((resolve) => http.close(resolve)) });
    await eventually(() => http.listening);
    await assert.rejects(poolOf({ tls: {} }).connect(at((http.address() as AddressInfo).port), 'a'), {
      code: 'NOT_KAFKA',
      message: /does not speak TLS; use another port, or leave out tls$/,
    });
    const kafka = await start((peer) => void peer.socket.once('data', () => peer.socket.destroy()), { reading: true });
    await assert.rejects(poolOf({ tls: {} }).connect(at(kafka.port), 'a'), {
      code: 'CONNECTION_FAILED',
      message: /closed the connection before TLS was established; check whether the port speaks TLS, or leave out tls$/,
    });
  });

  it('speaks TLS with a broker whose authority it knows, and reads through it byte by byte', async () => {
    const server = await start(
      async (peer) => {
        await peer.shakeHands();
        const body = { clusterId: 'x'.repeat(20_000) };
        peer.answer(Metadata, await peer.request(), body);
        peer.answer(Metadata, await peer.request(), { clusterId: 'second' });
      },
      { tls: { key, cert: certificate } },
    );
    const pool = poolOf({ tls: { ca: authority.certificate } });
    const connection = await pool.connect(at(server.port), 'a');
    assert.equal((await connection.send(Metadata, 9, {})).clusterId?.length, 20_000);
    assert.equal((await connection.send(Metadata, 9, {})).clusterId, 'second');
  });

  it('refuses an unknown authority and a wrong host name, each in its own words', async () => {
    const server = await start(shakeHands, { tls: { key, cert: certificate } });
    await assert.rejects(poolOf({ tls: {} }).connect(at(server.port), 'a'), {
      name: 'AuthenticationError',
      code: 'TLS_UNTRUSTED_CERTIFICATE',
      message: /no trusted authority signed the broker's certificate .* give its authority in tls\.ca$/,
    });
    const lookUp = async (): Promise<string[]> => ['127.0.0.1', '127.0.0.2'];
    await assert.rejects(
      poolOf({ tls: { ca: authority.certificate }, lookUp }).connect(at(server.port, 'other.example'), 'a'),
      {
        name: 'AuthenticationError',
        code: 'TLS_HOST_NAME_MISMATCH',
        message: /certificate is for another host name; .*other\.example/,
      },
    );
    const careless = await poolOf({ tls: { rejectUnauthorized: false } }).connect(at(server.port), 'a');
    assert.equal(careless.isOpen, true);
    const named = poolOf({ tls: { ca: authority.certificate, servername: 'localhost' }, lookUp });
    assert.equal((await named.connect(at(server.port, 'other.example'), 'a')).isOpen, true);
  });
});

describe('ConnectionPool and secrets', () => {
  const sasl = { mechanism: 'plain', username: 'ann', password: SECRET } as const;
  const shown = (value: unknown): string =>
    inspect(value, { depth: Infinity, showHidden: true }) + JSON.stringify(value);

  it('shows no password in itself, its connections and its events', async () => {
    const events = new EventPublisher();
    const payloads: unknown[] = [];
    for (const name of ['connection.opened', 'connection.closed', 'connection.failed', 'request.sent'] as const) {
      events.on(name, (payload) => payloads.push(payload));
    }
    const server = await start((peer) => authenticated(peer));
    const pool = poolOf({ events, sasl, tls: undefined });
    const connection = await pool.connect(at(server.port), 'a');
    assert.ok(server.peers[0]?.requests[2]?.body.includes(SECRET), 'it was sent');
    assert.ok(shown({ pool, connection }).includes('control') || shown(pool).includes('isOpen'));
    await pool.close();
    assert.ok(payloads.length >= 2);
    for (const each of [pool, connection, payloads]) assert.ok(!shown(each).includes(SECRET), shown(each));
  });

  it('shows no password in an error, even if the broker repeats it', async () => {
    const server = await start((peer) =>
      authenticated(peer, { errorCode: 58, errorMessage: `wrong password ${SECRET}` }),
    );
    await assert.rejects(poolOf({ sasl }).connect(at(server.port), 'a'), (error: Error & { code?: string }) => {
      assert.equal(error.name, 'AuthenticationError');
      assert.equal(error.code, 'SASL_AUTHENTICATION_FAILED');
      assert.match(error.message, /wrong password \[redacted\]/);
      assert.ok(!shown(error).includes(SECRET));
      return true;
    });
  });

  it('tries no other address after the broker refused who we are', async () => {
    const server = await start((peer) => authenticated(peer, { errorCode: 58, errorMessage: 'no' }));
    const lookUp = async (): Promise<string[]> => ['127.0.0.1', 'localhost'];
    await assert.rejects(poolOf({ sasl, lookUp }).connect(at(server.port, 'kafka.example'), 'a'), {
      code: 'SASL_AUTHENTICATION_FAILED',
    });
    assert.equal(server.peers.length, 1);
  });

  it('carries on a conversation of the caller that answers with promises', async () => {
    const asked: string[] = [];
    const server = await start((peer) => authenticated(peer, { authBytes: Buffer.from('challenge') }));
    const authenticator = () => ({
      respond: async (challenge: Uint8Array | undefined) => {
        await settle();
        asked.push(challenge === undefined ? 'start' : Buffer.from(challenge).toString());
        return challenge === undefined ? Buffer.from('token') : undefined;
      },
    });
    await poolOf({ sasl: { mechanism: 'OAUTHBEARER', authenticator } }).connect(at(server.port), 'a');
    assert.deepEqual(asked, ['start', 'challenge']);
  });

  for (const [how, explains] of [
    ['at once', false],
    ['after it has said why', true],
  ] as const) {
    it(`takes it for passing when a broker refuses ${how} a token that was held, and for fatal with a new one`, async () => {
      const refused = new Set<string>();
      const server = await start(async (peer) => {
        await peer.shakeHands();
        peer.answer(SaslHandshake, await peer.request(), { mechanisms: ['OAUTHBEARER'] });
        let request = await peer.request();
        const token = /Bearer (.*?)\x01/.exec(request.body.toString('latin1'))?.[1] ?? '';
        if (!refused.has(token)) return peer.answer(SaslAuthenticate, request, {});
        if (explains) {
          peer.answer(SaslAuthenticate, request, { authBytes: Buffer.from('{"status":"invalid_token"}') });
          request = await peer.request();
        }
        peer.answer(SaslAuthenticate, request, { errorCode: 58, errorMessage: `${token} is no longer good` });
      });
      let given = 0;
      const token = () => ({ value: `token-${++given}`, expiresAt: Date.now() + 3_600_000 });
      const pool = poolOf({ sasl: { mechanism: 'oauthbearer', token } });
      await pool.connect(at(server.port), 'a');
      await pool.connect(at(server.port), 'b');
      assert.equal(given, 1, 'it is held');
      refused.add('token-1').add('token-2');
      for (const [lane, name, retriable] of [
        ['c', 'NetworkError', true],
        ['d', 'AuthenticationError', false],
      ] as const) {
        await assert.rejects(pool.connect(at(server.port), lane), (error: Error) => {
          assert.ok(!shown(error).includes('token-1') && !shown(error).includes('token-2'), shown(error));
          assert.match(error.message, /\[redacted\] is no longer good/);
          const { code } = error as KafkaError;
          assert.deepEqual([error.name, (error as KafkaError).retriable], [name, retriable]);
          return code === 'SASL_AUTHENTICATION_FAILED';
        });
      }
      await pool.connect(at(server.port), 'e');
      assert.equal(given, 3);
    });
  }

  it('does not blame the broker for a token that does not come', async () => {
    const server = await start(async (peer) => {
      await peer.shakeHands();
      peer.answer(SaslHandshake, await peer.request(), { mechanisms: ['OAUTHBEARER'] });
    });
    const token = () => new Promise<string>(() => undefined);
    const pool = poolOf({ sasl: { mechanism: 'oauthbearer', token }, connectionSetupTimeoutMs: 50 });
    await assert.rejects(pool.connect(at(server.port), 'a'), {
      code: 'CONNECTION_SETUP_TIMEOUT',
      message: /while authenticating \(OAUTHBEARER\); the broker is waiting: check what the token/,
    });
  });

  it('hides an error of a conversation behind its own', async () => {
    const server = await start((peer) => authenticated(peer));
    const authenticator = () => ({ respond: () => Promise.reject(new Error('token endpoint down')) });
    await assert.rejects(poolOf({ sasl: { mechanism: 'X', authenticator } }).connect(at(server.port), 'a'), {
      code: 'SASL_AUTHENTICATION_FAILED',
      message: /the authenticator failed; see the cause$/,
    });
  });
});

/** The broker's side of ApiVersions, SaslHandshake and one SaslAuthenticate. */
async function authenticated(peer: FakePeer, answer: object = {}): Promise<void> {
  await peer.shakeHands();
  const handshake = await peer.request();
  peer.answer(SaslHandshake, handshake, { mechanisms: ['PLAIN'] });
  peer.answer(SaslAuthenticate, await peer.request(), answer);
}
