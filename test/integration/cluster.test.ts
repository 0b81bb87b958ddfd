import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { Cluster } from '../../src/cluster/cluster.ts';
import { resolveClientOptions, type ClientOptions } from '../../src/cluster/options.ts';
import { isKafkaError, type KafkaError } from '../../src/errors/kafka-error.ts';
import { EventPublisher } from '../../src/instrumentation/event-publisher.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

async function withCluster<T>(options: ClientOptions, use: (cluster: Cluster) => Promise<T>): Promise<T> {
  const cluster = new Cluster(resolveClientOptions(options), new EventPublisher());
  try {
    return await use(cluster);
  } finally {
    await cluster.close();
  }
}

async function listening<T>(server: Server, use: (port: number) => Promise<T>): Promise<T> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await use((server.address() as AddressInfo).port);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

async function errorOf(promise: Promise<unknown>): Promise<KafkaError> {
  const error = await promise.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  assert.ok(isKafkaError(error), String(error));
  return error;
}

/** A port where nothing listens: one that was ours a moment ago. */
const freePort = (): Promise<number> => listening(createServer(), (port) => Promise.resolve(port));

describe('Cluster that cannot be reached', () => {
  it('names every server with its cause, and gives advice, within the time-out', async () => {
    const port = await freePort();
    const bootstrapServers = [`127.0.0.1:${port}`, 'no-such-host.invalid:9092'];
    await withCluster({ bootstrapServers }, async (cluster) => {
      const startMs = performance.now();
      const error = await errorOf(cluster.topics(['orders'], { timeoutMs: 2000 }));
      assert.equal(error.code, 'BOOTSTRAP_FAILED');
      assert.ok(error.message.includes(`127.0.0.1:${port}: `), error.message);
      assert.match(error.message, /no-such-host\.invalid:9092: .*(resolve|ENOTFOUND|EAI_AGAIN)/);
      assert.match(error.message, /check bootstrapServers/);
      assert.ok(performance.now() - startMs < 20_000);
    });
  });

  it('fails one refresh without waiting for a time-out', async () => {
    const port = await freePort();
    await withCluster({ bootstrapServers: `127.0.0.1:${port}` }, async (cluster) => {
      const error = await errorOf(cluster.refresh());
      assert.equal(error.code, 'BOOTSTRAP_FAILED');
      assert.ok(isKafkaError(error.cause, 'CONNECTION_FAILED'));
    });
  });

  it('says that a port speaks HTTP', async () => {
    const http = createHttpServer((_request, response) => response.end('hello'));
    await listening(http, (port) =>
      withCluster({ bootstrapServers: `127.0.0.1:${port}` }, async (cluster) => {
        const error = await errorOf(cluster.topics(['orders'], { timeoutMs: 20_000 }));
        assert.equal(error.code, 'NOT_KAFKA');
        assert.match(error.message, /HTTP/);
      }),
    );
  });
});

const kafka = await kafkaUnderTest({ brokers: 1 });

describe('Cluster on a real broker', { skip: kafka.skip }, () => {
  it('finds the cluster although one bootstrap server is bad', async () => {
    const bootstrapServers = ['no-such-host.invalid', `127.0.0.1:${await freePort()}`, ...kafka.bootstrapServers];
    await withCluster({ bootstrapServers }, async (cluster) => {
      assert.equal((await cluster.refresh()).brokers.size, 1);
    });
  });

  it('rejects an unknown topic within seconds, with advice', async () => {
    await withCluster({ bootstrapServers: kafka.bootstrapServers }, async (cluster) => {
      const error = await errorOf(cluster.topics(['no-such-topic']));
      assert.equal(error.code, 'UNKNOWN_TOPIC_OR_PARTITION');
      assert.match(error.message, /^Cannot use topic "no-such-topic": the cluster has no such topic; create it first/);
    });
  });

  it('does not keep a process alive that is done, although it was not closed', async () => {
    const script = `
      import { Cluster } from ${JSON.stringify(new URL('../../src/cluster/cluster.ts', import.meta.url).href)};
      import { resolveClientOptions } from ${JSON.stringify(new URL('../../src/cluster/options.ts', import.meta.url).href)};
      import { EventPublisher } from ${JSON.stringify(new URL('../../src/instrumentation/event-publisher.ts', import.meta.url).href)};
      const options = resolveClientOptions({ bootstrapServers: ${JSON.stringify(kafka.bootstrapServers)} });
      const cluster = new Cluster(options, new EventPublisher());
      await cluster.refresh();
      await cluster.coordinator('group', 'g');
      console.log('done');
    `;
    const args = ['--input-type=module-typescript', '--eval', script];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 });
    assert.equal(stdout.trim(), 'done');
  });
});
