import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { inspect } from 'node:util';
import {
  AdminError,
  Kafka,
  KafkaError,
  SendError,
  type ClientOptions,
  type ConsumerOptions,
  type ProducerOptions,
} from '../../src/index.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const broker = await kafkaUnderTest({ brokers: 1, needs: ['ssl', 'sslWrongHost', 'saslPlaintext', 'saslSsl'] });
const timeoutMs = 2000;
const open: { close(): Promise<unknown> }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close().catch(() => undefined);
});

function kafkaWith(options: ClientOptions): Kafka {
  const kafka = new Kafka({ requestTimeoutMs: 1000, ...options });
  open.push(kafka);
  return kafka;
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({ close: () => new Promise((resolve) => server.close(resolve)) });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function errorOf(promise: Promise<unknown>): Promise<KafkaError> {
  const error: unknown = await promise.then(
    (value) => assert.fail(`resolved with ${inspect(value)}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof KafkaError, inspect(error));
  return error;
}

/** What each way into the cluster rejects with; none may take ten times its time. */
async function errorsOfAll(kafka: Kafka): Promise<KafkaError[]> {
  const consumer = kafka.consumer({ groupId: `bad-${randomUUID()}` });
  consumer.subscribe('t');
  const started = performance.now();
  const errors = await Promise.all([
    errorOf(kafka.admin().describeCluster({ timeoutMs })),
    errorOf(kafka.producer({ deliveryTimeoutMs: timeoutMs }).send({ topic: 't', value: 'v' })),
    errorOf(consumer.waitForAssignment({ timeoutMs })),
  ]);
  assert.ok(performance.now() - started < 10 * timeoutMs);
  return errors;
}

function assertAll(errors: readonly KafkaError[], expected: RegExp): void {
  for (const error of errors) {
    assert.match(error.message, expected);
    assert.doesNotMatch(error.message, /\d\.\d{3,} ms/);
  }
}

describe('Clients of a cluster that cannot be reached', () => {
  it('name the servers, the cause and what to check, within their time', async () => {
    const closed = createServer();
    const address = await listening(closed);
    await new Promise((resolve) => closed.close(resolve));
    const errors = await errorsOfAll(kafkaWith({ bootstrapServers: [address, 'no-such-host.invalid:9092'] }));
    assertAll(errors, new RegExp(`${address}.*nothing listens there.*no-such-host\\.invalid.*check bootstrapServers`));
  });

  it('say what to check where a server accepts and keeps silent', async () => {
    const silent = createServer((socket) => open.push({ close: async () => void socket.destroy() }));
    const errors = await errorsOfAll(kafkaWith({ bootstrapServers: await listening(silent) }));
    assertAll(errors, /check/);
  });

  it('name the server that keeps silent once it had its time to connect', async () => {
    const silent = createServer((socket) => open.push({ close: async () => void socket.destroy() }));
    const bootstrapServers = await listening(silent);
    const errors = await errorsOfAll(kafkaWith({ bootstrapServers, connectionSetupTimeoutMs: 300 }));
    assertAll(errors, new RegExp(`${bootstrapServers}.*not ready within.*check that the port is a Kafka listener`));
  });

  it('say that a port speaks HTTP, with TLS and without', async () => {
    const bootstrapServers = await listening(createHttpServer((_request, response) => response.end('hello')));
    assertAll(await errorsOfAll(kafkaWith({ bootstrapServers })), /answers with HTTP.*check host and port/);
    assertAll(await errorsOfAll(kafkaWith({ bootstrapServers, tls: true })), /does not speak TLS.*leave out tls/);
  });
});

describe('Options that cannot be used', () => {
  const bootstrapServers = '127.0.0.1:9092';
  const refusal = (make: () => unknown): KafkaError => {
    try {
      make();
    } catch (error) {
      assert.ok(error instanceof KafkaError, inspect(error));
      return error;
    }
    return assert.fail('nothing was refused');
  };
  const misspelt: readonly (readonly [string, () => unknown, RegExp])[] = [
    [
      'a misspelt option of Kafka',
      () => new Kafka({ bootstrapServer: bootstrapServers } as unknown as ClientOptions),
      /bootstrapServer.*use bootstrapServers/,
    ],
    [
      'a misspelt option of a producer',
      () => kafkaWith({ bootstrapServers }).producer({ lingerMS: 5 } as ProducerOptions),
      /lingerMS.*lingerMs/,
    ],
    [
      'a misspelt option of a consumer',
      () => kafkaWith({ bootstrapServers }).consumer({ groupID: 'g' } as ConsumerOptions),
      /groupID.*groupId/,
    ],
  ];
  for (const [what, make, expected] of misspelt) {
    it(`refuse ${what} when it is made, with the right name`, () => {
      const error = refusal(make);
      assert.equal(error.code, 'UNKNOWN_OPTION');
      assert.match(error.message, expected);
    });
  }

  const invalid: readonly (readonly [string, () => unknown, RegExp])[] = [
    ['no servers', () => new Kafka({ bootstrapServers: [] }), /bootstrapServers/],
    ['a port that is none', () => new Kafka({ bootstrapServers: 'localhost:99999' }), /localhost:99999.*port/],
    ['a negative time', () => new Kafka({ bootstrapServers, requestTimeoutMs: -1 }), /requestTimeoutMs.*-1/],
    [
      'acks that do not exist',
      () => kafkaWith({ bootstrapServers }).producer({ acks: 2 } as unknown as ProducerOptions),
      /acks.*2/,
    ],
    [
      'a reset that does not exist',
      () => kafkaWith({ bootstrapServers }).consumer({ autoOffsetReset: 'newest' } as unknown as ConsumerOptions),
      /autoOffsetReset.*newest.*"latest"/,
    ],
  ];
  for (const [what, make, expected] of invalid) {
    it(`refuse ${what}, and say what is allowed`, () => {
      const error = refusal(make);
      assert.equal(error.code, 'INVALID_OPTION');
      assert.match(error.message, expected);
    });
  }
});

describe('Bad input to a real broker', { skip: broker.skip }, () => {
  const secret = 'wrong-sesame-9182';
  const ca = broker.tls?.ca;
  const listener = (name: keyof NonNullable<typeof broker.listeners>): string[] => [...(broker.listeners[name] ?? [])];

  // The producer's is in producer-outage.test.ts: this broker creates what a producer writes to.
  it('an unknown topic is named by admin and consumer, with advice', async () => {
    const kafka = kafkaWith({ bootstrapServers: broker.bootstrapServers, requestTimeoutMs: 30_000 });
    const topic = `no-such-topic-${randomUUID()}`;
    const errors = await Promise.all([
      errorOf(kafka.admin().describeTopics(topic)),
      errorOf(kafka.admin().listOffsets({ topic, partition: 0 })),
      errorOf(kafka.consumer({ allowAutoCreateTopics: false }).endOffsets([{ topic, partition: 0 }])),
    ]);
    for (const error of errors) {
      assert.equal(error.code, 'UNKNOWN_TOPIC_OR_PARTITION', inspect(error));
      assert.ok(error.message.includes(topic), error.message);
    }
    assert.match(errors[2]?.message ?? '', /the cluster has no such topic; create it first/);
  });

  it('a record that is too large is refused by the client or the broker, and only that record', async () => {
    const kafka = kafkaWith({ bootstrapServers: broker.bootstrapServers, requestTimeoutMs: 30_000 });
    const topic = `too-large-${randomUUID()}`;
    await kafka.admin().createTopics({ topic, partitions: 1, configs: { 'max.message.bytes': 2000 } });
    const producer = kafka.producer({ maxRequestBytes: 10_000 });
    const [atBroker, atClient] = await Promise.all([
      errorOf(producer.send({ topic, value: 'x'.repeat(5000) })),
      errorOf(producer.send({ topic, value: 'x'.repeat(20_000) })),
    ]);
    assert.ok(atBroker instanceof SendError && atClient instanceof SendError);
    assert.deepEqual([atBroker.code, atBroker.outcome], ['MESSAGE_TOO_LARGE', 'refused']);
    assert.match(atBroker.message, /MESSAGE_TOO_LARGE.*raise max\.message\.bytes of the topic/);
    assert.deepEqual([atClient.code, atClient.outcome], ['MESSAGE_TOO_LARGE', 'not-sent']);
    assert.match(atClient.message, /maxRequestBytes/);
    assert.equal((await producer.send({ topic, value: 'small' })).offset, 0n);
  });

  it('several bad items are told one by one', async () => {
    const kafka = kafkaWith({ bootstrapServers: broker.bootstrapServers, requestTimeoutMs: 30_000 });
    const error = await errorOf(kafka.admin().describeTopics(['no-such-1', 'not a name!']));
    assert.ok(error instanceof AdminError);
    assert.equal(error.results.length, 2);
  });

  it('a TLS port reached without TLS, and the other way round, is told by every client', async () => {
    const plain = await errorsOfAll(kafkaWith({ bootstrapServers: listener('ssl') }));
    assertAll(plain, /option tls/);
    const encrypted = await errorsOfAll(kafkaWith({ bootstrapServers: broker.bootstrapServers, tls: true }));
    assertAll(encrypted, /leave out tls/);
  });

  for (const [what, options, code, advice] of [
    [
      'an unknown authority',
      () => ({ bootstrapServers: listener('ssl'), tls: { ca: broker.tls?.otherCa } }),
      'TLS_UNTRUSTED_CERTIFICATE',
      /give its authority in tls\.ca/,
    ],
    [
      'a certificate for another host',
      () => ({ bootstrapServers: listener('sslWrongHost'), tls: { ca } }),
      'TLS_HOST_NAME_MISMATCH',
      /set tls\.servername/,
    ],
    [
      'a wrong password',
      () => ({
        bootstrapServers: listener('saslSsl'),
        tls: { ca },
        sasl: {
          mechanism: 'scram-sha-512',
          username: broker.users?.['scram-sha-512'].username ?? '',
          password: secret,
        },
      }),
      'SASL_AUTHENTICATION_FAILED',
      /Authentication failed/,
    ],
  ] as const) {
    it(`${what} ends every client at once with ${code} and no secret`, async () => {
      const lines: unknown[] = [];
      const log = (...line: unknown[]): void => void lines.push(line);
      const kafka = kafkaWith({ ...options(), logger: { debug: log, info: log, warn: log, error: log } });
      const started = performance.now();
      const errors = [await errorOf(kafka.connect()), ...(await errorsOfAll(kafka))];
      assert.ok(performance.now() - started < 20_000);
      for (const error of errors) {
        assert.equal(error.code, code);
        assert.match(error.message, advice);
        assert.equal(error.retriable, false);
      }
      assert.ok(lines.length > 0);
      const shown = inspect([errors, lines, kafka], { depth: Infinity, showHidden: true });
      assert.ok(!shown.includes(secret) && !shown.includes('PRIVATE KEY'));
    });
  }

  it('TLS with SCRAM carries records from a producer to a consumer', async () => {
    const user = broker.users?.['scram-sha-256'] ?? { username: '', password: '' };
    const sasl = { mechanism: 'scram-sha-256', ...user } as const;
    const kafka = kafkaWith({ bootstrapServers: listener('saslSsl'), tls: { ca }, sasl, requestTimeoutMs: 30_000 });
    const topic = `secure-${randomUUID()}`;
    await kafka.admin().createTopics({ topic, partitions: 1 });
    await kafka.producer().send({ topic, value: 'sealed' });
    const consumer = kafka.consumer({ groupId: topic, autoOffsetReset: 'earliest' });
    consumer.subscribe(topic);
    const [record] = await consumer.poll({ timeoutMs: 60_000 });
    assert.equal(record?.value?.toString(), 'sealed');
  });
});
