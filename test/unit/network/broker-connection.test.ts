import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { EventPublisher } from '../../../src/instrumentation/event-publisher.ts';
import { ConnectionPool, type ConnectOptions } from '../../../src/network/connection-pool.ts';
import type { Connection } from '../../../src/network/connection.ts';
import type { NetworkOptions } from '../../../src/network/network-options.ts';
import { Metadata, type MetadataResponse } from '../../../src/protocol/generated/metadata.ts';
import { Produce } from '../../../src/protocol/generated/produce.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { FakeServer, frameWithSize, responseBytes, type FakePeer, type FakeScript } from '../../support/fake-server.ts';
import { networkOptions } from '../../support/network-options.ts';

const VERSION = 9;
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

async function start(script: FakeScript, options: { reading?: boolean } = {}): Promise<FakeServer> {
  const server = await FakeServer.start(script, options);
  open.push(server);
  return server;
}

function poolOf(options: Partial<NetworkOptions> = {}): ConnectionPool {
  const pool = new ConnectionPool(networkOptions(options));
  open.push(pool);
  return pool;
}

/** A connection to a server that shakes hands and then follows the script. */
async function connect(
  script: FakeScript,
  options: Partial<NetworkOptions> = {},
  more: ConnectOptions = {},
): Promise<{ connection: Connection; server: FakeServer; peer: FakePeer; pool: ConnectionPool }> {
  const server = await start(async (peer) => {
    await peer.shakeHands();
    await script(peer);
  });
  const pool = poolOf(options);
  const connection = await pool.connect({ nodeId: 1, endpoint: server.endpoint }, 'control', more);
  const peer = server.peers[0];
  assert.ok(peer);
  return { connection, server, peer, pool };
}

const ask = (
  connection: Connection,
  name: string,
  options: Parameters<Connection['send']>[3] = {},
): Promise<MetadataResponse> => connection.send(Metadata, VERSION, { topics: [{ name }] }, options);
const nothing = (): void => undefined;

/** Answers each request with a cluster id that repeats the topic asked for. */
async function echo(peer: FakePeer): Promise<void> {
  for (;;) {
    const request = await peer.request();
    const asked = Metadata.decodeRequest(request.body, request.version);
    peer.answer(Metadata, request, { clusterId: asked.topics?.[0]?.name ?? null });
  }
}

describe('BrokerConnection', () => {
  it('pipelines requests and gives each its own answer, in order', async () => {
    const { connection } = await connect(echo);
    const settled: string[] = [];
    const names = Array.from({ length: 300 }, (_, index) => `t${index}`);
    const answers = await Promise.all(
      names.map(async (name) => {
        const answer = await ask(connection, name);
        settled.push(name);
        return answer.clusterId;
      }),
    );
    assert.deepEqual(answers, names);
    assert.deepEqual(settled, names);
  });

  it('keeps to its bound of requests in flight', async () => {
    const { connection, peer } = await connect(nothing, {}, { maxInFlight: 3 });
    const answers = Array.from({ length: 5 }, (_, index) => ask(connection, `t${index}`));
    await eventually(() => peer.requests.length === 1 + 3);
    await settle();
    assert.equal(connection.inFlight, 3);
    assert.equal(peer.requests.length, 1 + 3);
    void echo(peer);
    await Promise.all(answers);
    assert.equal(peer.requests.length, 1 + 5);
  });

  it('reads an answer that comes byte by byte, and two that come glued', async () => {
    const { connection } = await connect(async (peer) => {
      const first = await peer.request();
      await peer.sendByteByByte(responseBytes(Metadata, first, { clusterId: 'slow' }));
      const [second, third] = [await peer.request(), await peer.request()];
      const glued = [second, third].map((request, index) =>
        responseBytes(Metadata, request, { clusterId: `glued-${index}` }),
      );
      peer.send(Buffer.concat(glued));
    });
    assert.equal((await ask(connection, 'a')).clusterId, 'slow');
    const both = await Promise.all([ask(connection, 'b'), ask(connection, 'c')]);
    assert.deepEqual(
      both.map(({ clusterId }) => clusterId),
      ['glued-0', 'glued-1'],
    );
  });

  it('hands out answers whose memory later answers do not touch', async () => {
    const { connection } = await connect(echo);
    const first = await ask(connection, 'first'.repeat(100));
    await Promise.all(Array.from({ length: 200 }, () => ask(connection, 'x'.repeat(500))));
    assert.equal(first.clusterId, 'first'.repeat(100));
  });

  for (const [what, script, expected] of [
    [
      'an unknown correlation id',
      async (peer: FakePeer) => {
        const request = await peer.request();
        peer.answer(Metadata, { ...request, correlationId: 77 }, {});
      },
      /answered request 77 where 0 was next/,
    ],
    [
      'an answer out of order',
      async (peer: FakePeer) => {
        await peer.request();
        peer.answer(Metadata, await peer.request(), {});
      },
      /answered request 1 where 0 was next/,
    ],
    [
      'a negative size',
      (peer: FakePeer) => peer.request().then(() => peer.send(frameWithSize(-1))),
      /its size is -1 bytes/,
    ],
    [
      'an empty frame',
      (peer: FakePeer) => peer.request().then(() => peer.send(frameWithSize(0))),
      /its size is 0 bytes/,
    ],
    [
      'an answer cut short',
      async (peer: FakePeer) => {
        const bytes = responseBytes(Metadata, await peer.request(), { clusterId: 'abcdef' });
        peer.send(frameWithSize(bytes.length - 8, bytes.subarray(4, -4)));
      },
      /Cannot decode Metadata response version 9/,
    ],
    [
      'an answer with bytes left over',
      async (peer: FakePeer) => {
        const bytes = responseBytes(Metadata, await peer.request(), {});
        peer.send(frameWithSize(bytes.length - 4 + 3, Buffer.concat([bytes.subarray(4), Buffer.alloc(3)])));
      },
      /3 bytes are left over/,
    ],
  ] as const) {
    it(`ends with a protocol error at ${what}`, async () => {
      const { connection, pool } = await connect(script);
      const [first, second] = await Promise.allSettled([ask(connection, 'a'), ask(connection, 'b')]);
      assert.equal(first.status, 'rejected');
      const error = first.reason as Error & { code: string; sent: boolean };
      assert.match(error.message, expected);
      assert.deepEqual([error.code, error.sent], ['PROTOCOL_ERROR', true]);
      assert.equal(second.status === 'rejected' && (second.reason as { code: string }).code, 'CONNECTION_CLOSED');
      assert.equal(connection.isOpen, false);
      assert.equal(pool.size, 0);
    });
  }

  it('ends at an answer that was given twice', async () => {
    const { connection } = await connect(async (peer) => {
      const bytes = responseBytes(Metadata, await peer.request(), { clusterId: 'once' });
      peer.send(Buffer.concat([bytes, bytes]));
    });
    assert.equal((await ask(connection, 'a')).clusterId, 'once');
    await eventually(() => !connection.isOpen);
    await assert.rejects(ask(connection, 'b'), {
      code: 'CONNECTION_CLOSED',
      sent: false,
      message: /answered request 0, and nothing was asked/,
    });
  });

  it('ends at an answer to nothing', async () => {
    const events = new EventPublisher();
    let closed: Error | undefined;
    events.on('connection.closed', ({ error }) => (closed = error));
    const server = await start(async (peer) => {
      await peer.shakeHands();
      peer.answer(
        Metadata,
        { apiKey: 3, version: VERSION, correlationId: 5, clientId: null, body: Buffer.alloc(0) },
        {},
      );
    });
    const pool = poolOf({ events });
    await pool.connect({ nodeId: 1, endpoint: server.endpoint }, 'control').catch(nothing);
    await eventually(() => closed !== undefined);
    assert.match(String(closed?.message), /answered request 5, and nothing was asked/);
    assert.equal(pool.size, 0);
  });

  it('refuses an answer above maxResponseBytes without waiting for it', async () => {
    const { connection } = await connect((peer) => peer.request().then(() => peer.send(frameWithSize(0x7fff_ffff))), {
      maxResponseBytes: 1000,
    });
    await assert.rejects(ask(connection, 'a'), { code: 'RESPONSE_TOO_LARGE', sent: true });
  });

  it('gives memory only to what arrived of an answer that claims much', async () => {
    const { connection } = await connect((peer) => peer.send(frameWithSize(99 * 1024 * 1024, Buffer.alloc(100_000))));
    const before = process.memoryUsage().arrayBuffers;
    const answer = ask(connection, 'a', { timeoutMs: 300 });
    await assert.rejects(answer, { code: 'REQUEST_TIMED_OUT' });
    assert.ok(process.memoryUsage().arrayBuffers - before < 8 * 1024 * 1024);
  });

  it('rejects what was sent, and what was not, when the broker closes', async () => {
    const { connection } = await connect(
      async (peer) => {
        await peer.request();
        peer.socket.destroy();
      },
      {},
      { maxInFlight: 1 },
    );
    const [sent, waiting] = await Promise.allSettled([ask(connection, 'a'), ask(connection, 'b')]);
    const errors = [sent, waiting].map((each) =>
      each.status === 'rejected'
        ? (each.reason as Error & { code: string; sent: boolean; retriable: boolean })
        : undefined,
    );
    assert.deepEqual(
      errors.map((error) => [error?.code, error?.sent, error?.retriable]),
      [
        ['CONNECTION_CLOSED', true, true],
        ['CONNECTION_CLOSED', false, true],
      ],
    );
    assert.match(
      errors[0]?.message ?? '',
      /^Cannot send Metadata to broker 1 \(127\.0\.0\.1:\d+\): .*set the option sasl$/,
    );
  });

  it('hands out no answer any more once it was closed, not even one that is already here', async () => {
    const events = new EventPublisher();
    const { connection } = await connect(
      async (peer) => {
        const both = [await peer.request(), await peer.request()];
        peer.send(Buffer.concat(both.map((request) => responseBytes(Metadata, request, {}))));
      },
      { events },
    );
    events.on('request.answered', () => void connection.close());
    const [first, second] = await Promise.allSettled([ask(connection, 'a'), ask(connection, 'b')]);
    assert.deepEqual([first.status, second.status], ['fulfilled', 'rejected']);
  });

  it('rejects a message that cannot be encoded and goes on', async () => {
    const { connection } = await connect(echo);
    await assert.rejects(connection.send(Metadata, 99, {}), { code: 'INVALID_ARGUMENT' });
    await assert.rejects(connection.send(Metadata, 0, { allowAutoTopicCreation: false }), { code: 'INVALID_ARGUMENT' });
    assert.equal((await ask(connection, 'still')).clusterId, 'still');
  });

  it('resolves a request without an answer once it is written', async () => {
    const { connection, peer } = await connect(nothing);
    const answer = await connection.send(Produce, 9, { acks: 0, timeoutMs: 1 }, { noResponse: true });
    assert.equal(answer, undefined);
    assert.equal(connection.inFlight, 0);
    const next = ask(connection, 'next');
    await eventually(() => peer.requests.length === 3);
    const request = peer.requests[2];
    assert.ok(request);
    peer.answer(Metadata, request, { clusterId: 'next' });
    assert.equal((await next).clusterId, 'next');
  });

  it('asks with rising correlation ids and its client id', async () => {
    const { connection, peer } = await connect(echo);
    for (const name of ['a', 'b', 'c']) await ask(connection, name);
    assert.deepEqual(
      peer.requests.slice(1).map(({ correlationId, clientId }) => [correlationId, clientId]),
      [
        [0, 'kavka-test'],
        [1, 'kavka-test'],
        [2, 'kavka-test'],
      ],
    );
  });

  it('publishes what happens to a request', async () => {
    const events = new EventPublisher();
    const seen: string[] = [];
    for (const name of ['request.sent', 'request.answered', 'request.failed'] as const) {
      events.on(name, ({ api, version, correlationId, nodeId }) =>
        seen.push(`${name} ${api} ${version} ${correlationId} ${nodeId}`),
      );
    }
    const { connection } = await connect(
      async (peer) => {
        peer.answer(Metadata, await peer.request(), {});
        await peer.request();
        peer.socket.destroy();
      },
      { events },
    );
    await ask(connection, 'a');
    await ask(connection, 'b').catch(nothing);
    assert.deepEqual(seen, [
      'request.sent Metadata 9 0 1',
      'request.answered Metadata 9 0 1',
      'request.sent Metadata 9 1 1',
      'request.failed Metadata 9 1 1',
    ]);
  });
});

describe('BrokerConnection and time', () => {
  it('closes when a request is not answered in time; those behind it learn why', async () => {
    const clock = new FakeClock();
    const { connection, peer } = await connect(nothing, { clock });
    const late = ask(connection, 'late', { timeoutMs: 1000 });
    const behind = ask(connection, 'behind', { timeoutMs: 5000 });
    const both = Promise.allSettled([late, behind]);
    await eventually(() => peer.requests.length === 3);
    await clock.advance(999);
    assert.equal(connection.isOpen, true);
    await clock.advance(1);
    const [first, second] = await both;
    assert.equal(connection.isOpen, false);
    assert.match(
      String(first.status === 'rejected' && first.reason),
      /^TimeoutError: Cannot send Metadata to broker 1 .*: it did not answer within 1000 ms$/,
    );
    assert.match(String(second.status === 'rejected' && second.reason), /^NetworkError: .*the connection was given up/);
    assert.equal(clock.pending, 0);
  });

  it('lets a request that waits for its turn run out of time without closing', async () => {
    const clock = new FakeClock();
    const { connection } = await connect(nothing, { clock }, { maxInFlight: 1 });
    const poll = ask(connection, 'poll', { timeoutMs: 60_000 });
    const waiting = assert.rejects(ask(connection, 'waiting', { timeoutMs: 1000 }), {
      code: 'REQUEST_TIMED_OUT',
      sent: false,
    });
    await clock.advance(1000);
    await waiting;
    assert.equal(connection.isOpen, true);
    const closed = assert.rejects(poll, { code: 'CONNECTION_CLOSED' });
    await connection.close();
    await closed;
  });

  it('is silent for as long as the broker asked (KIP-219)', async () => {
    const clock = new FakeClock();
    const events = new EventPublisher();
    const throttled: number[] = [];
    events.on('broker.throttled', ({ throttleTimeMs }) => throttled.push(throttleTimeMs));
    const { connection, peer } = await connect(
      async (peer) => {
        peer.answer(Metadata, await peer.request(), { throttleTimeMs: 700 });
        await echo(peer);
      },
      { clock, events },
    );
    await ask(connection, 'first');
    const second = ask(connection, 'second');
    await clock.advance(699);
    assert.equal(peer.requests.length, 2);
    await clock.advance(1);
    assert.equal((await second).clusterId, 'second');
    assert.deepEqual(throttled, [700]);
  });

  it('waits longer for what was on its way when the broker asked for silence', async () => {
    const clock = new FakeClock();
    const { connection, peer } = await connect(
      async (peer) => {
        peer.answer(Metadata, await peer.request(), { throttleTimeMs: 800 });
      },
      { clock },
    );
    const first = ask(connection, 'first', { timeoutMs: 1000 });
    const second = ask(connection, 'second', { timeoutMs: 1000 });
    await first;
    await clock.advance(1700);
    assert.equal(connection.isOpen, true);
    const third = peer.requests[2];
    assert.ok(third);
    peer.answer(Metadata, third, {});
    await second;
  });

  it('does not let an endless throttle hang a request', async () => {
    const clock = new FakeClock();
    const { connection } = await connect(
      async (peer) => {
        peer.answer(Metadata, await peer.request(), { throttleTimeMs: 0x7fff_ffff });
      },
      { clock },
    );
    await ask(connection, 'first');
    const second = assert.rejects(ask(connection, 'second'), { code: 'REQUEST_TIMED_OUT', sent: false });
    await clock.advance(30_000);
    await second;
  });

  it('ends after it was idle for connectionsMaxIdleMs, not while a request is under way', async () => {
    const clock = new FakeClock();
    const { connection, peer } = await connect(nothing, { clock, connectionsMaxIdleMs: 10_000 });
    await clock.advance(9000);
    const poll = ask(connection, 'poll', { timeoutMs: 60_000 });
    await eventually(() => peer.requests.length === 2);
    await clock.advance(30_000);
    assert.equal(connection.isOpen, true);
    const request = peer.requests[1];
    assert.ok(request);
    peer.answer(Metadata, request, {});
    await poll;
    await clock.advance(9999);
    assert.equal(connection.isOpen, true);
    await clock.advance(10_001);
    assert.equal(connection.isOpen, false);
    assert.equal(clock.pending, 0);
    await eventually(() => peer.socket.destroyed);
  });
});

describe('BrokerConnection and the buffers of its callers', () => {
  const LARGE = 24 * 1024 * 1024;
  const produce = (records: Buffer): object => ({
    acks: -1,
    timeoutMs: 1000,
    topicData: [{ name: 't', partitionData: [{ index: 0, records }] }],
  });

  it('rejects an aborted request at once if all of it is written, drops its answer, and goes on', async () => {
    const { connection, peer } = await connect(nothing);
    const abort = new AbortController();
    const given = ask(connection, 'given up', { signal: abort.signal });
    await eventually(() => peer.requests.length === 2);
    abort.abort(new Error('enough'));
    await assert.rejects(given, { message: 'enough' });
    const next = ask(connection, 'next');
    void (async () => {
      await peer.request();
    })();
    await eventually(() => peer.requests.length === 3);
    for (const request of peer.requests.slice(1))
      peer.answer(Metadata, request, { clusterId: String(request.correlationId) });
    assert.equal((await next).clusterId, '1');
  });

  it('takes back an aborted request that was not sent yet', async () => {
    const { connection, peer } = await connect(nothing, {}, { maxInFlight: 1 });
    const abort = new AbortController();
    const first = ask(connection, 'first');
    const second = ask(connection, 'second', { signal: abort.signal });
    abort.abort(new Error('enough'));
    await assert.rejects(second, { message: 'enough' });
    void echo(peer);
    assert.equal((await first).clusterId, 'first');
    assert.equal(peer.requests.length, 2);
    await assert.rejects(ask(connection, 'third', { signal: abort.signal }), { message: 'enough' });
  });

  for (const [what, giveUp, code] of [
    ['aborted', (abort: AbortController) => abort.abort(new Error('enough')), undefined],
    ['timed out', (_abort: AbortController, clock: FakeClock) => clock.advance(5000), 'REQUEST_TIMED_OUT'],
  ] as const) {
    it(`returns the buffers of a request that ${what} half written only when the socket is gone`, async () => {
      const clock = new FakeClock();
      const server = await start((peer) => peer.shakeHands().then(() => void peer.socket.pause()));
      const pool = poolOf({ clock });
      const connection = await pool.connect({ nodeId: 1, endpoint: server.endpoint }, 'produce-1');
      await eventually(() => server.peers[0]?.socket.isPaused());
      const abort = new AbortController();
      const records = Buffer.alloc(LARGE, 1);
      const sent = connection.send(Produce, 9, produce(records), { signal: abort.signal, timeoutMs: 5000 });
      let socketsAtSettling = -1;
      const settled = sent.then(nothing, (error: unknown) => {
        socketsAtSettling = clientSockets(server.port);
        return error as Error & { code?: string };
      });
      await settle();
      assert.ok(connection.bytesToWrite > 0, 'the request is not yet written');
      assert.equal(clientSockets(server.port), 1);
      await giveUp(abort, clock);
      const error = await settled;
      assert.equal(error?.code, code);
      assert.equal(socketsAtSettling, 0, 'the socket still had the buffer when the caller got it back');
    });
  }

  it('does not wait for a write to finish when the broker has said its last word', async () => {
    const server = await start((peer) => peer.shakeHands().then(() => void peer.socket.pause()));
    const connection = await poolOf().connect({ nodeId: 1, endpoint: server.endpoint }, 'produce-1');
    await eventually(() => server.peers[0]?.socket.isPaused());
    const sent = connection.send(Produce, 9, produce(Buffer.alloc(LARGE, 1)));
    const rejected = assert.rejects(sent, { code: 'CONNECTION_CLOSED', sent: true });
    await settle();
    server.peers[0]?.socket.end();
    await rejected;
  });

  it('believes an answer only when its request is written: buffers are not returned before', async () => {
    const server = await start(async (peer) => {
      await peer.shakeHands();
      peer.socket.pause();
    });
    const connection = await poolOf().connect({ nodeId: 1, endpoint: server.endpoint }, 'produce-1');
    let settled = false;
    const sent = connection.send(Produce, 9, produce(Buffer.alloc(LARGE, 1))).finally(() => (settled = true));
    await settle();
    const early = { apiKey: 0, version: 9, correlationId: 0, clientId: null, body: Buffer.alloc(0) };
    server.peers[0]?.answer(Produce, early, {});
    await eventually(() => connection.inFlight === 0);
    await settle();
    assert.equal(settled, false);
    assert.ok(connection.bytesToWrite > 0);
    server.peers[0]?.socket.resume();
    await sent;
    assert.equal(connection.bytesToWrite, 0);
  });
});

/** Sockets of this process that are connected to the port. */
function clientSockets(port: number): number {
  const handles = (
    process as unknown as { _getActiveHandles(): { remotePort?: number; destroyed?: boolean }[] }
  )._getActiveHandles();
  return handles.filter((handle) => handle.remotePort === port).length;
}
