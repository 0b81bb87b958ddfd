import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { Cluster } from '../../../src/cluster/cluster.ts';
import { resolveClientOptions, type ClientOptions } from '../../../src/cluster/options.ts';
import { isKafkaError } from '../../../src/errors/kafka-error.ts';
import { EventPublisher } from '../../../src/instrumentation/event-publisher.ts';

const resolve = (options: object): unknown => resolveClientOptions(options as ClientOptions);
const refusal = (options: unknown): string => {
  try {
    resolveClientOptions(options as ClientOptions);
  } catch (error) {
    assert.ok(isKafkaError(error), String(error));
    return `${error.code} ${error.message}`;
  }
  assert.fail('it was accepted');
};

describe('resolveClientOptions', () => {
  it('fills in the defaults of the documentation and freezes', () => {
    const options = resolveClientOptions({ bootstrapServers: 'localhost' });
    assert.deepEqual(options.bootstrapServers, [{ host: 'localhost', port: 9092 }]);
    assert.equal(options.clientId, 'kavka');
    assert.equal(options.requestTimeoutMs, 30_000);
    assert.equal(options.retries, 2_147_483_647);
    assert.equal(options.retryBackoffMs, 100);
    assert.equal(options.retryBackoffMaxMs, 1000);
    assert.equal(options.reconnectBackoffMs, 50);
    assert.equal(options.reconnectBackoffMaxMs, 1000);
    assert.equal(options.metadataMaxAgeMs, 300_000);
    assert.equal(options.connectionsMaxIdleMs, 540_000);
    assert.equal(options.connectionSetupTimeoutMs, 10_000);
    assert.equal(options.maxResponseBytes, 104_857_600);
    assert.equal(options.tls, undefined);
    assert.equal(options.sasl, undefined);
    assert.ok(Object.isFrozen(options) && Object.isFrozen(options.bootstrapServers));
  });

  it('takes undefined for not given', () => {
    const options = resolveClientOptions({ bootstrapServers: 'a', clientId: undefined, tls: undefined });
    assert.equal(options.clientId, 'kavka');
  });

  for (const [given, hint] of [
    ['brokers', 'use bootstrapServers'],
    ['bootstrap.servers', 'use bootstrapServers'],
    ['ssl', 'use tls'],
    ['connectionTimeout', 'use connectionSetupTimeoutMs'],
    ['request.timeout.ms', 'use requestTimeoutMs'],
    ['retry', 'use retries, retryBackoffMs and retryBackoffMaxMs'],
    ['bootstrapServer', 'use bootstrapServers'],
    ['clientID', 'did you mean clientId?'],
    ['requestTimeOutMs', 'did you mean requestTimeoutMs?'],
    ['retries.backoff.ms', 'did you mean retryBackoffMs?'],
  ] as const) {
    it(`refuses ${given}: ${hint}`, () => {
      assert.equal(
        refusal({ bootstrapServers: 'a', [given]: 1 }),
        `UNKNOWN_OPTION Cannot use option ${given} of Kafka: there is no such option; ${hint}`,
      );
    });
  }

  for (const [options, message] of [
    [{ requestTimeoutMs: 0 }, 'Cannot use requestTimeoutMs 0: it must be an integer from 1 to 2147483647'],
    [{ retries: 1.5 }, 'Cannot use retries 1.5: it must be an integer from 0 to 2147483647'],
    [{ clientId: '' }, 'Cannot use clientId "": it must be a string that is not empty'],
    [{ retryBackoffMs: 2000 }, 'Cannot use retryBackoffMs 2000: it must not be above retryBackoffMaxMs, which is 1000'],
    [{ reconnectBackoffMaxMs: 10 }, 'Cannot use reconnectBackoffMs 50: it must not be above reconnectBackoffMaxMs'],
    [{ maxResponseBytes: 10 }, 'Cannot use maxResponseBytes 10: it must be an integer from 16384'],
    [{ bootstrapServers: [1] }, 'Cannot use bootstrapServers a list of 1: it must be'],
    [{ bootstrapServers: [] }, 'Cannot use bootstrapServers: it names no server'],
    [{ clock: {} }, 'Cannot use clock an object: it must be a clock'],
  ] as const) {
    it(`refuses ${JSON.stringify(options)}`, () => {
      const told = refusal({ bootstrapServers: 'a', ...options });
      assert.ok(told.startsWith(`INVALID_OPTION ${message}`), told);
    });
  }

  it('refuses no options and no servers, and says what is needed', () => {
    assert.match(refusal({}), /INVALID_OPTION Cannot make a client without bootstrapServers; give at least one/);
    assert.match(refusal(undefined), /without bootstrapServers/);
    assert.match(refusal('localhost:9092'), /INVALID_OPTION Cannot use "localhost:9092" as options of Kafka/);
  });

  it('allows SASL without TLS', () => {
    const sasl = { mechanism: 'plain', username: 'u', password: 'p' } as const;
    assert.equal(resolveClientOptions({ bootstrapServers: 'a', sasl }).sasl?.mechanism, 'PLAIN');
    assert.ok(resolveClientOptions({ bootstrapServers: 'a', tls: true }).tls !== undefined);
    assert.equal(resolveClientOptions({ bootstrapServers: 'a', tls: false }).tls, undefined);
  });

  it('shows no secret, in errors or when printed', () => {
    const password = 'sesame-4711';
    for (const sasl of [{ mechanism: 7, password }, { mechanism: 'plain', password }, password]) {
      assert.ok(!refusal({ bootstrapServers: 'a', sasl }).includes(password));
    }
    assert.ok(!refusal({ bootstrapServers: `me:${password}@host:9092` }).includes(password));
    const options = resolveClientOptions({
      bootstrapServers: 'a',
      tls: { passphrase: password },
      sasl: { mechanism: 'plain', username: 'u', password },
    });
    const cluster = new Cluster(options, new EventPublisher());
    for (const printed of [options, { ...options }, cluster, [{ nested: options }]]) {
      assert.ok(!inspect(printed, { depth: 20, showHidden: true }).includes(password));
    }
    assert.ok(!JSON.stringify(options).includes(password));
  });
});

describe('bootstrapServers', () => {
  for (const [given, expected] of [
    ['a:1', ['a:1']],
    [' a:1 , b ,', ['a:1', 'b:9092']],
    [
      ['a', 'b:2,c:3'],
      ['a:9092', 'b:2', 'c:3'],
    ],
    ['[::1]:9093', ['::1:9093']],
    ['[fe80::1%eth0]', ['fe80::1%eth0:9092']],
    ['10.0.0.1:9092', ['10.0.0.1:9092']],
    ['a:9092,a', ['a:9092']],
    ['kafka_1.my-net:29092', ['kafka_1.my-net:29092']],
  ] as const) {
    it(`reads ${JSON.stringify(given)}`, () => {
      const { bootstrapServers } = resolve({ bootstrapServers: given }) as ReturnType<typeof resolveClientOptions>;
      assert.deepEqual(
        bootstrapServers.map(({ host, port }) => `${host}:${port}`),
        expected,
      );
    });
  }

  for (const [given, why] of [
    ['http://a:9092', 'it is a URL'],
    ['PLAINTEXT://a:9092', 'it is a URL'],
    ['::1', 'an IPv6 address stands in brackets: "[::1]:9092"'],
    ['a:0', 'the port must be from 1 to 65535'],
    ['a:65536', 'the port must be from 1 to 65535'],
    ['a:nine', 'it must be host:port'],
    ['a:', 'it must be host:port'],
    [':9092', 'it must be host:port'],
    ['a b:1', 'it must be host:port'],
    ['[::1:9092', 'it must be host:port'],
  ] as const) {
    it(`names the bad entry ${given}`, () => {
      const told = refusal({ bootstrapServers: ['good:9092', given] });
      assert.ok(
        told.startsWith(`INVALID_OPTION Cannot use bootstrapServers entry ${JSON.stringify(given)}: ${why}`),
        told,
      );
    });
  }
});
