import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ensureBuilt } from '../support/built.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const examples = fileURLToPath(new URL('../../examples/', import.meta.url));
const kafka = await kafkaUnderTest({ brokers: 1 });

interface Outcome {
  readonly code: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

// Far above what an example takes: it ends one that hangs, for instance because a socket was left open.
const timeout = 180_000;

function run(example: string, env: Readonly<Record<string, string>>): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env }, timeout };
    execFile(process.execPath, [join(examples, example)], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, stdout, stderr });
    });
  });
}

async function succeeds(example: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
  const { code, stdout, stderr } = await run(example, { KAFKA_BOOTSTRAP: kafka.bootstrapServers.join(','), ...env });
  assert.equal(code, 0, `${example} failed:\n${stdout}${stderr}`);
  assert.equal(stderr, '');
  assert.match(stdout, /^ok: /m);
}

describe('examples', { skip: kafka.skip, concurrency: 2 }, () => {
  before(ensureBuilt);
  it('produce.js writes with keys, headers and a callback', () => succeeds('produce.js'));
  it('group.js loses nothing over a restart', () => succeeds('group.js'));
  it('topics.js creates, lists, describes and deletes', () => succeeds('topics.js'));
  it('from-timestamp.js reads the last ten minutes', () => succeeds('from-timestamp.js'));
  it('transactions.js copies exactly once', () => succeeds('transactions.js'));
  it('work-queue.js retries jobs, and gives up the hopeless ones', () => succeeds('work-queue.js'));
  it('observability.js shows metrics and carries traces', () => succeeds('observability.js'));
  it('every example is run here', async () => {
    const files = (await readdir(examples)).filter((file) => file.endsWith('.js')).sort();
    assert.deepEqual(files, [
      'from-timestamp.js',
      'group.js',
      'observability.js',
      'produce.js',
      'tls-scram.js',
      'topics.js',
      'transactions.js',
      'work-queue.js',
    ]);
  });
});

describe('examples of testing', () => {
  before(ensureBuilt);
  it('service/payments.test.js passes, with a broker lost and a rebalance', async () => {
    const { code, stdout, stderr } = await new Promise<Outcome>((resolve) => {
      // A test runner that is told of another one around it prints for that one.
      const { NODE_TEST_CONTEXT: _, ...env } = process.env;
      const args = ['--test', '--test-reporter=tap', join(examples, 'service/payments.test.js')];
      execFile(process.execPath, args, { env, timeout }, (error, output, errors) => {
        resolve({ code: error === null ? 0 : error.code, stdout: output, stderr: errors });
      });
    });
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^# pass 3$/m);
  });
});

const hasSaslSsl = kafka.skip === false && kafka.listeners.saslSsl !== undefined;

describe('examples over TLS', { skip: kafka.skip || (!hasSaslSsl && 'this Kafka has no SASL_SSL listener') }, () => {
  let folder = '';
  before(async () => {
    await ensureBuilt();
    folder = await mkdtemp(join(tmpdir(), 'kavka-example-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('tls-scram.js authenticates, and is refused with a wrong password', async () => {
    const ca = join(folder, 'ca.pem');
    await writeFile(ca, kafka.tls?.ca ?? '');
    const user = kafka.users?.['scram-sha-512'];
    await succeeds('tls-scram.js', {
      KAFKA_SASL_SSL: kafka.listeners.saslSsl?.join(',') ?? '',
      KAFKA_CA_FILE: ca,
      KAFKA_USERNAME: user?.username ?? '',
      KAFKA_PASSWORD: user?.password ?? '',
    });
  });
});
