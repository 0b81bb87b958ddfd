import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'node:test';
import { Kafka } from '../../src/index.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';
import { startProduceProxy, type ProduceProxy } from '../support/produce-proxy.ts';

const broker = await kafkaUnderTest({ brokers: 1 });
const mebibyte = 1024 * 1024;
const child = fileURLToPath(new URL('../support/producer-memory-child.ts', import.meta.url));
const durationMs = Number(process.env['MEMORY_MS'] ?? 6000);

interface Told {
  readonly mostBytes: number;
  readonly sent: number;
  readonly settled: number;
  readonly waited: number;
  readonly acknowledged: number;
  readonly inOrder: boolean;
  readonly failures: readonly (readonly [what: string, count: number])[];
}

/** Runs the child on a broker that takes so many bytes a second, after the child has warmed up. */
async function run(bytesPerSecond: number, bufferMemoryBytes: number, maxBlockMs: number): Promise<Told> {
  await using proxy: ProduceProxy = await startProduceProxy(broker.bootstrapServers[0] ?? '');
  const kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
  const topic = `memory-${randomUUID()}`;
  await kafka.admin().createTopics({ topic, partitions: 1, replicationFactor: 1 });
  await kafka.close();
  const args = [proxy.address, topic, String(bufferMemoryBytes), String(maxBlockMs), String(durationMs)];
  const started = fork(child, args, { execArgv: ['--expose-gc'], stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  let text = '';
  started.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  started.on('message', (message) => {
    proxy.bytesPerSecond = message === 'warm' ? bytesPerSecond : Infinity;
  });
  const code = await new Promise((resolve) => started.on('exit', resolve));
  assert.equal(code, 0, text);
  return JSON.parse(text) as Told;
}

describe('Producer memory', { skip: broker.skip }, () => {
  it('Producer that is faster than its broker takes bufferMemoryBytes and at most 8 MiB more; sends wait, in order', async (context) => {
    const bufferMemoryBytes = 16 * mebibyte;
    const told = await run(4 * mebibyte, bufferMemoryBytes, 100_000);
    context.diagnostic(`${(told.mostBytes / mebibyte).toFixed(1)} MiB more than at the start, ${told.sent} records`);
    assert.ok(told.waited > 0, 'the broker was not slow enough for anybody to wait');
    assert.ok(told.mostBytes > bufferMemoryBytes / 2, `${told.mostBytes} bytes: the buffer was not in use`);
    assert.ok(told.mostBytes < bufferMemoryBytes + 8 * mebibyte, `${told.mostBytes} bytes`);
    assert.deepEqual(told.failures, []);
    assert.equal(told.acknowledged, told.sent);
    assert.equal(told.inOrder, true, 'sends were not acknowledged in the order of the calls');
  });

  it('Producer rejects sends that no memory came free for within maxBlockMs, and delivers all others, in order', async () => {
    const told = await run(0, 4 * mebibyte, 1000);
    assert.equal(told.settled, told.sent);
    assert.equal(told.failures.length, 1, JSON.stringify(told.failures));
    const [what, count] = told.failures[0] ?? ['', 0];
    assert.match(what, /^DELIVERY_TIMEOUT not-sent .*no buffer memory came free within 1000 ms; all 4194304 bytes/);
    assert.equal(told.acknowledged + count, told.sent);
    assert.equal(told.inOrder, true);
  });
});
