import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { inspect, promisify } from 'node:util';
import { codecFor } from '../../src/compression/index.ts';
import { brokerErrorCodes as codes, Kafka, KafkaError, type ClientOptions } from '../../src/index.ts';
import { DescribeCluster } from '../../src/protocol/generated/describe-cluster.ts';
import { Fetch } from '../../src/protocol/generated/fetch.ts';
import { SaslAuthenticate } from '../../src/protocol/generated/sasl-authenticate.ts';
import { SaslHandshake } from '../../src/protocol/generated/sasl-handshake.ts';
import { eventually } from '../support/eventually.ts';
import { brokerScript, fetched, type FakeAnswers } from '../support/fake-broker-script.ts';
import { FakeServer, frameWithSize, responseBytes, type FakePeer, type FakeScript } from '../support/fake-server.ts';
import { batchOf } from '../unit/consumer/fake-kafka.ts';

const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close().catch(() => undefined);
});

async function kafkaAt(script: FakeScript, options: Partial<ClientOptions> = {}): Promise<Kafka> {
  const server = await FakeServer.start(script);
  const kafka = new Kafka({ bootstrapServers: `127.0.0.1:${server.port}`, requestTimeoutMs: 1000, ...options });
  open.push(server, kafka);
  return kafka;
}

/** A client of a broker that says these things, and the names of the APIs that it was asked, as they come. */
async function fakeBroker(
  answers: FakeAnswers,
  options: Partial<ClientOptions> = {},
): Promise<{ kafka: Kafka; seen: string[]; port: number }> {
  const seen: string[] = [];
  let port = 0;
  const server = await FakeServer.start(brokerScript(() => port, answers, seen));
  port = server.port;
  const kafka = new Kafka({ bootstrapServers: `127.0.0.1:${port}`, requestTimeoutMs: 1000, ...options });
  open.push(server, kafka);
  return { kafka, seen, port };
}

async function errorOf(promise: Promise<unknown>): Promise<KafkaError> {
  const error: unknown = await promise.then(
    (value) => assert.fail(`resolved with ${inspect(value)}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof KafkaError, String(error));
  return error;
}

/** Says the same to whoever comes, as the answer to the first request. */
const saying = (bytes: Buffer | string) => async (peer: FakePeer) => {
  await peer.request();
  peer.send(bytes);
};

describe('Clients of a server that frames badly', () => {
  for (const [what, bytes, code, expected] of [
    ['a negative length', frameWithSize(-1), 'PROTOCOL_ERROR', /its size is -1 bytes/],
    ['a length of 0', frameWithSize(0), 'PROTOCOL_ERROR', /its size is 0 bytes/],
    [
      'a length of 2 GiB',
      frameWithSize(0x7fffffff),
      'RESPONSE_TOO_LARGE',
      /announces 2147483647 bytes.*maxResponseBytes/,
    ],
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'NOT_KAFKA', /answers with HTTP.*check host and port/],
    ['a TLS alert', Buffer.from('15030300020246', 'hex'), 'NOT_KAFKA', /speaks TLS.*set the option tls/],
    ['a TLS hello', Buffer.from('1603010000', 'hex'), 'NOT_KAFKA', /speaks TLS.*set the option tls/],
    ['a greeting of SSH', 'SSH-2.0-x\r\n', 'NOT_KAFKA', /text that begins with "SSH-"/],
  ] as const) {
    it(`name ${what}, whichever client asks`, { timeout: 60_000 }, async () => {
      const kafka = await kafkaAt(saying(bytes));
      const consumer = kafka.consumer({ groupId: 'g' });
      consumer.subscribe('t');
      const errors = await Promise.all([
        errorOf(kafka.connect()),
        errorOf(kafka.admin().describeCluster({ timeoutMs: 1500 })),
        errorOf(kafka.producer({ deliveryTimeoutMs: 1500 }).send({ topic: 't', value: 'v' })),
        errorOf(consumer.waitForAssignment({ timeoutMs: 1500 })),
      ]);
      for (const error of errors) assert.match(error.message, expected);
      assert.ok(hasCode(errors[0], code), inspect(errors[0]));
    });
  }
});

/** Answers this batch to a fetch at offset 0, and waits a while with nothing for what comes behind it. */
function batchAt0(records: Buffer): FakeAnswers[string] {
  return async ({ body, version }) => {
    // The body of a flexible request comes with the tag buffer of its header.
    const { topics } = Fetch.decodeRequest(body.subarray(version >= 12 ? 1 : 0), version);
    if (topics[0]?.partitions[0]?.fetchOffset === 0n) return fetched(records);
    await new Promise((resolve) => setTimeout(resolve, 500));
    return fetched(Buffer.alloc(0));
  };
}

/** Whether an error or what caused it has this code. */
function hasCode(error: unknown, code: string): boolean {
  return error instanceof KafkaError && (error.code === code || hasCode(error.cause, code));
}

describe('Clients of a server that answers out of turn', () => {
  it('believe no answer in the middle of a renewal of the session, and go on over a new connection', async () => {
    const handshakes = new Map<FakePeer, number>();
    const { kafka } = await fakeBroker(
      {
        SaslHandshake: (request, peer) => {
          const times = (handshakes.get(peer) ?? 0) + 1;
          handshakes.set(peer, times);
          // On each connection the third is answered as if it were the request that was answered last.
          if (times < 3) return { mechanisms: ['PLAIN'] };
          const earlier = { ...request, correlationId: request.correlationId - 1, version: DescribeCluster.maxVersion };
          peer.send(responseBytes(DescribeCluster, earlier, { clusterId: 'false' }));
          return undefined;
        },
        SaslAuthenticate: () => ({ sessionLifetimeMs: 50n }),
      },
      { sasl: { mechanism: 'plain', username: 'magpie', password: 'sesame' }, requestTimeoutMs: 30_000 },
    );
    const ended: Error[] = [];
    let renewed = 0;
    kafka.on('connection.closed', ({ error }) => void (error !== undefined && ended.push(error)));
    kafka.on('connection.reauthenticated', () => void renewed++);
    const admin = kafka.admin();
    await eventually(async () => {
      const looks = await Promise.all(Array.from({ length: 5 }, () => admin.describeCluster()));
      for (const { clusterId } of looks) assert.equal(clusterId, 'fake');
      return ended.length >= 2;
    });
    assert.ok(renewed >= 2, `${renewed} renewals went well`);
    for (const error of ended) {
      assert.ok(hasCode(error, 'PROTOCOL_ERROR'), inspect(error));
      assert.match(
        error.message,
        /^Cannot authenticate again with .*: it answered request \d+, but request \d+ was asked$/,
      );
    }
  });

  it('read answers that come glued together, and byte by byte', async () => {
    const answer = { clusterId: 'glued', controllerId: 1, brokers: [{ brokerId: 1, host: 'h', port: 1 }] };
    let waiting: Buffer[] = [];
    const { kafka } = await fakeBroker({
      DescribeCluster: (request, peer) => {
        waiting.push(responseBytes(DescribeCluster, request, answer));
        if (waiting.length < 2) return undefined;
        peer.send(Buffer.concat(waiting));
        waiting = [];
        return undefined;
      },
    });
    const admin = kafka.admin();
    const both = await Promise.all([admin.describeCluster(), admin.describeCluster()]);
    assert.deepEqual(
      both.map(({ clusterId }) => clusterId),
      ['glued', 'glued'],
    );
    const slow = await fakeBroker({
      DescribeCluster: async (request, peer) => {
        await peer.sendByteByByte(responseBytes(DescribeCluster, request, answer));
        return undefined;
      },
    });
    assert.equal((await slow.kafka.admin().describeCluster()).clusterId, 'glued');
  });

  for (const [what, idOf] of [
    ['an unknown', (id: number) => id + 1000],
    ['a negative', () => -1],
    ['an earlier', (id: number) => id - 1],
  ] as const) {
    it(`trust no answer with ${what} correlation id, and end the connection`, async () => {
      let asked = 0;
      const { kafka } = await fakeBroker({
        DescribeCluster: (request, peer) => {
          const id = asked++ === 0 ? idOf(request.correlationId) : request.correlationId;
          peer.send(
            responseBytes(DescribeCluster, { ...request, correlationId: id }, { clusterId: `answer ${asked}` }),
          );
          return undefined;
        },
      });
      const ended: Error[] = [];
      kafka.on('connection.closed', (event) => void (event.error !== undefined && ended.push(event.error)));
      const admin = kafka.admin();
      const error = await errorOf(admin.describeCluster());
      assert.equal(error.code, 'PROTOCOL_ERROR');
      assert.match(error.message, /answered request -?\d+ where \d+ was next/);
      assert.equal((await admin.describeCluster()).clusterId, 'answer 2');
      assert.equal(ended.length, 1);
    });
  }
});

describe('Consumer of a server whose records are not to be trusted', () => {
  it('hands out nothing of a batch with a wrong checksum, and fetches again within the back-off', async () => {
    const bad = batchOf(['secretly changed']);
    bad[bad.length - 2] = (bad[bad.length - 2] ?? 0) ^ 1;
    const { kafka, seen } = await fakeBroker({ Fetch: batchAt0(bad) });
    const started = performance.now();
    const consumer = kafka.consumer({ autoOffsetReset: 'earliest' });
    consumer.assign([{ topic: 't', partition: 0 }]);
    const outcome: unknown = await consumer.poll({ timeoutMs: 2000 }).then(
      (records) => records.length,
      (error: unknown) => error,
    );
    assert.ok(outcome === 0 || (outcome instanceof KafkaError && outcome.code === 'CORRUPT_BATCH'), inspect(outcome));
    const fetches = seen.filter((name) => name === 'Fetch').length;
    // Behind each fetch of the batch goes one for what follows, which waits for records.
    assert.ok(fetches >= 2 && fetches <= 2 * mostTries(performance.now() - started), `${fetches} fetches`);
    assert.equal(consumer.position({ topic: 't', partition: 0 }), 0n);
  });

  it('reads what is before a batch that the answer cuts off', async () => {
    const next = batchOf(['two'], { baseOffset: 1n });
    let fetches = 0;
    const { kafka } = await fakeBroker({
      Fetch: async () => {
        if (fetches++ === 0) return fetched(Buffer.concat([batchOf(['one']), next.subarray(0, next.length - 3)]));
        await new Promise((resolve) => setTimeout(resolve, 20));
        return fetched(next);
      },
    });
    const consumer = kafka.consumer({ autoOffsetReset: 'earliest' });
    consumer.assign([{ topic: 't', partition: 0 }]);
    const first = await consumer.poll({ timeoutMs: 10_000 });
    assert.equal(first[0]?.value?.toString(), 'one');
    assert.equal((await consumer.poll({ timeoutMs: 10_000 }))[0]?.value?.toString(), 'two');
  });

  it('does not go round for records that end before the offset it asked for', async () => {
    const { kafka, seen } = await fakeBroker({ Fetch: () => fetched(batchOf(['old'])) });
    const consumer = kafka.consumer({ autoOffsetReset: 'earliest' });
    consumer.assign([{ topic: 't', partition: 0 }]);
    consumer.seek({ topic: 't', partition: 0, offset: 5n });
    const started = performance.now();
    assert.deepEqual(await consumer.poll({ timeoutMs: 2000 }), []);
    const fetches = seen.filter((name) => name === 'Fetch').length;
    // An answer without records is no failure yet; from the fourth in a row on, each is followed by a longer pause.
    const most = 3 + mostTries(performance.now() - started);
    assert.ok(fetches >= 2 && fetches <= most, `${fetches} fetches, at most ${most}`);
  });

  for (const compression of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
    it(
      `refuses a bomb of ${compression} with an error, within a fraction of its memory`,
      { timeout: 180_000 },
      async () => {
        const bombBytes = 512 * 1024 * 1024;
        const codec = await codecFor(compression);
        const compressed = await codec.compress(Buffer.alloc(bombBytes), undefined);
        const records = batchOf(['x'], { compression, compressed: Buffer.from(compressed) });
        const { port } = await fakeBroker({ Fetch: () => fetched(records) });
        const reader = path.join(import.meta.dirname, `../support/bomb-reader${path.extname(import.meta.filename)}`);
        const child = await promisify(execFile)(process.execPath, ['--expose-gc', reader, String(port)]);
        const result = JSON.parse(child.stdout) as Readonly<Record<'code' | 'message', string>> &
          Readonly<Record<'peakBytes' | 'keptBytes', number>>;
        assert.equal(result.code, 'COMPRESSION_FAILED', child.stdout);
        assert.match(result.message, /more than the 67108864 bytes that are allowed/);
        // Outputs of 64 MiB that the collector has not come to yet, but never the bomb.
        assert.ok(result.peakBytes < bombBytes * 0.7, `at most ${result.peakBytes} bytes more`);
        // One output as large as is allowed may still be held, a second one or the bomb may not.
        assert.ok(result.keptBytes < 112 * 1024 * 1024, `${result.keptBytes} bytes are kept`);
      },
    );
  }
});

describe('Clients of a server that authenticates falsely', () => {
  const password = 'open-sesame-4711';
  const sasl = { mechanism: 'scram-sha-256', username: 'ann', password } as const;

  /** Goes through SCRAM as far as `answers` go; `{nonce}` is the client's. */
  const scram =
    (...answers: readonly string[]) =>
    async (peer: FakePeer): Promise<void> => {
      await peer.shakeHands();
      peer.answer(SaslHandshake, await peer.request(), { mechanisms: ['SCRAM-SHA-256'] });
      let nonce = '';
      for (const answer of answers) {
        const request = await peer.request();
        nonce = /r=([^,]+)/.exec(request.body.toString('latin1'))?.[1]?.replace(/[^\x21-\x7e].*$/s, '') ?? nonce;
        peer.answer(SaslAuthenticate, request, { authBytes: Buffer.from(answer.replace('{nonce}', nonce)) });
      }
    };

  for (const [what, answers, expected] of [
    ['a nonce that does not extend ours', ['r=another,s=c2FsdA==,i=4096'], /nonce.*does not extend ours/],
    ['too few iterations', ['r={nonce}x,s=c2FsdA==,i=1'], /iteration count is not from 4096/],
    ['so many iterations that they would keep us busy', ['r={nonce}x,s=c2FsdA==,i=2000000000'], /iteration count/],
    ['an empty salt', ['r={nonce}x,s=,i=4096'], /salt is empty/],
    ['an end before the exchange', ['v=AAAA'], /ended the exchange before it began/],
    ['a wrong signature', ['r={nonce}x,s=c2FsdA==,i=4096', 'v=AAAA'], /signature is wrong/],
  ] as const) {
    it(`refuse ${what} at once, and show no password`, { timeout: 60_000 }, async () => {
      const lines: unknown[] = [];
      const log = (...line: unknown[]): void => void lines.push(line);
      const logger = { debug: log, info: log, warn: log, error: log };
      const kafka = await kafkaAt(scram(...answers), { sasl, logger });
      const consumer = kafka.consumer({ groupId: 'g' });
      consumer.subscribe('t');
      const errors = await Promise.all([
        errorOf(kafka.connect()),
        errorOf(kafka.admin().describeCluster()),
        errorOf(kafka.producer().send({ topic: 't', value: 'v' })),
        errorOf(consumer.poll({ timeoutMs: 30_000 })),
      ]);
      for (const error of errors) {
        assert.equal(error.code, 'SASL_AUTHENTICATION_FAILED');
        assert.match(error.message, expected);
      }
      assert.ok(lines.length > 0);
      for (const shown of [errors, kafka, consumer, lines])
        assert.ok(!inspect(shown, { depth: Infinity, showHidden: true }).includes(password));
    });
  }
});

/** How many requests the default back-off (100 ms, doubling to 1 s) allows in this time if every pause is as short as jitter makes it. */
function mostTries(ms: number): number {
  let tries = 1;
  for (let at = 80, pause = 160; at <= ms; at += pause, pause = Math.min(pause * 2, 800)) tries++;
  return tries;
}

describe('Clients of a broker that answers with a retriable error for ever', () => {
  const lastingMs = 3000;
  const toJoin = (kafka: Kafka): Promise<unknown> => {
    const consumer = kafka.consumer({ groupId: 'g' });
    consumer.subscribe('t');
    return consumer.waitForAssignment({ timeoutMs: lastingMs });
  };
  const toFetch = (kafka: Kafka): Promise<unknown> => {
    const consumer = kafka.consumer({ autoOffsetReset: 'earliest' });
    consumer.assign([{ topic: 't', partition: 0 }]);
    return consumer.poll({ timeoutMs: lastingMs });
  };
  const toSend = (kafka: Kafka): Promise<unknown> =>
    kafka.producer({ deliveryTimeoutMs: lastingMs }).send({ topic: 't', value: 'v' });
  const noLeader = { name: 't', errorCode: codes.LEADER_NOT_AVAILABLE, partitions: [] };
  const produced = {
    responses: [
      {
        topicId: 'dG9waWMtaWQtMDAwMDAwMQ',
        partitionResponses: [{ index: 0, errorCode: codes.NOT_LEADER_OR_FOLLOWER }],
      },
    ],
  };
  const cases: readonly (readonly [string, FakeAnswers, (kafka: Kafka) => Promise<unknown>, RegExp | undefined])[] = [
    [
      'Metadata',
      {
        Metadata: (_, { socket }) => ({
          brokers: [{ nodeId: 1, host: '127.0.0.1', port: socket.localPort }],
          topics: [noLeader],
        }),
      },
      toSend,
      /LEADER_NOT_AVAILABLE/,
    ],
    [
      'FindCoordinator',
      { FindCoordinator: () => ({ coordinators: [{ key: 'g', errorCode: codes.COORDINATOR_NOT_AVAILABLE }] }) },
      toJoin,
      /Cannot join group "g": no assignment within 3000 ms; /,
    ],
    ['Produce', { Produce: () => produced }, toSend, /NOT_LEADER_OR_FOLLOWER/],
    ['Fetch', { Fetch: () => fetched(Buffer.alloc(0), codes.NOT_LEADER_OR_FOLLOWER) }, toFetch, undefined],
    [
      'JoinGroup',
      { JoinGroup: () => ({ errorCode: codes.COORDINATOR_LOAD_IN_PROGRESS, protocolName: '' }) },
      toJoin,
      /COORDINATOR_LOAD_IN_PROGRESS/,
    ],
  ];
  for (const [api, answers, call, expected] of cases) {
    it(`ask for ${api} no more often than the back-off allows`, { timeout: 60_000 }, async () => {
      const { kafka, seen } = await fakeBroker(answers);
      const started = performance.now();
      if (expected === undefined) assert.deepEqual(await call(kafka), []);
      else assert.match((await errorOf(call(kafka))).message, expected);
      const most = mostTries(performance.now() - started);
      await eventually(() => seen.includes(api));
      // One more: a coordinator or a leader may be looked up once before the first pause.
      for (const asked of [api, 'Metadata', 'FindCoordinator']) {
        const count = seen.filter((name) => name === asked).length;
        assert.ok(count <= most + 1, `${count} of ${asked} where the back-off allows ${most}`);
      }
      assert.ok(seen.filter((name) => name === api).length >= 3, `${seen.join()}`);
    });
  }
});
