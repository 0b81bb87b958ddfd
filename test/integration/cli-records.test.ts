import assert from 'node:assert/strict';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { after, afterEach, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Kafka } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const kafka = await kafkaUnderTest({ brokers: 1, needs: ['tools'] });
const program = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A test that fails must not wait for what it has started. */
const children = new Set<ChildProcessWithoutNullStreams>();

/** The program as a process, with what it has written so far. */
class Program {
  readonly child: ChildProcessWithoutNullStreams;
  readonly #stdout: Buffer[] = [];
  #stderr = '';
  readonly #ended: Promise<unknown>;

  constructor(...args: string[]) {
    const env = { ...process.env, KAFKA_BOOTSTRAP: kafka.bootstrapServers.join() };
    this.child = spawn(process.execPath, [program, ...args], { stdio: 'pipe', env });
    children.add(this.child);
    this.child.once('close', () => children.delete(this.child));
    this.child.stdout.on('data', (chunk: Buffer) => this.#stdout.push(chunk));
    this.child.stderr.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()));
    this.#ended = once(this.child, 'close');
  }

  get stdout(): string {
    return Buffer.concat(this.#stdout).toString();
  }

  get stderr(): string {
    return this.#stderr;
  }

  async ended(): Promise<Ended> {
    await this.#ended;
    return { code: this.child.exitCode, stdout: this.stdout, stderr: this.stderr };
  }
}

/** Runs the program with this input, to its end. */
async function run(input: string, ...args: string[]): Promise<Ended> {
  const started = new Program(...args);
  started.child.stdin.end(input);
  return started.ended();
}

describe('kavka produce and kavka consume', { skip: kafka.skip }, () => {
  let client: Kafka;
  before(() => {
    client = new Kafka({ bootstrapServers: kafka.bootstrapServers });
  });
  afterEach(() => {
    for (const child of children) child.kill('SIGKILL');
  });
  after(() => client.close());

  async function newTopic(partitions = 1): Promise<string> {
    const topic = `cli-records-${randomUUID()}`;
    await client.admin().createTopics({ topic, partitions, replicationFactor: 1 });
    return topic;
  }

  it('carry 100,000 lines through pipes without a difference', async () => {
    const topic = await newTopic();
    const lines = Array.from({ length: 100_000 }, (_, index) => `line ${index} ${'ö'.repeat(index % 50)}`);
    const input = `${lines.join('\n')}\n`;
    const produced = await run(input, 'produce', topic, '--compression', 'lz4');
    assert.equal(produced.code, 0, produced.stderr);
    assert.match(
      produced.stderr,
      new RegExp(`^100000 records acknowledged, ${Buffer.byteLength(input) - lines.length} bytes in `),
    );
    const consumed = await run('', 'consume', topic, '--until-end', '--format', 'value');
    assert.equal(consumed.code, 0, consumed.stderr);
    assert.ok(consumed.stdout === input);
  });

  it('end quietly when the reader of the pipe has gone', async () => {
    const topic = await newTopic();
    await run('x'.repeat(1000).concat('\n').repeat(20_000), 'produce', topic);
    // Without --until-end: it is the closed pipe that ends it.
    const consumer = new Program('consume', topic, '--from', 'beginning');
    await once(consumer.child.stdout, 'data');
    consumer.child.stdout.destroy();
    const { code, stderr } = await consumer.ended();
    assert.equal(code, 0, stderr);
    assert.equal(stderr, '');
  });

  it('wait for a reader of the pipe that takes its time', async () => {
    const topic = await newTopic();
    const size = 20_000;
    await run('x'.repeat(1000).concat('\n').repeat(size), 'produce', topic);
    const group = randomUUID();
    const consumer = new Program('consume', topic, '--group', group, '--until-end', '--format', 'value');
    consumer.child.stdout.pause();
    // What lies in the pipes is out; the rest is not, and so it cannot be committed either.
    await eventually(async () => (await client.admin().describeGroups([group]))[0]?.state === 'Stable');
    await new Promise((resolve) => setTimeout(resolve, 6000));
    const [offset] = await client.admin().listGroupOffsets(group);
    const committed = offset?.offset ?? 0n;
    assert.ok(committed < 5000n, `${committed} committed of what nobody has read`);
    consumer.child.stdout.resume();
    const { code, stdout, stderr } = await consumer.ended();
    assert.equal(code, 0, stderr);
    assert.equal(stdout.length, size * 1001);
  });

  it('end in good order at Ctrl-C: what was read is sent, what was written is committed', async () => {
    const topic = await newTopic();
    const group = randomUUID();
    const producer = new Program('produce', topic);
    const consumer = new Program('consume', topic, '--group', group, '--from', 'beginning', '--format', 'value');
    producer.child.stdin.write('one\ntwo\nhal');
    await eventually(() => consumer.stdout === 'one\ntwo\n');
    producer.child.kill('SIGINT');
    const produced = await producer.ended();
    assert.equal(produced.code, 0);
    assert.match(produced.stderr, /^Interrupted\. 2 records acknowledged, 6 bytes/);
    consumer.child.kill('SIGINT');
    const consumed = await consumer.ended();
    assert.deepEqual(consumed, { code: 0, stdout: 'one\ntwo\n', stderr: '' });
    const [description] = await client.admin().describeGroups([group]);
    assert.equal(description?.members.length, 0);
    const next = await run('three', 'produce', topic);
    assert.equal(next.code, 0);
    const rest = await run('', 'consume', topic, '--group', group, '--until-end', '--format', 'value');
    assert.equal(rest.stdout, 'three\n');
  });

  it('understand the console tools of Kafka, and are understood', async () => {
    const topic = await newTopic();
    const server = ['--bootstrap-server', '{bootstrap}', '--topic', topic];
    const produced = await run('a\t1\nb\tö\n', 'produce', topic, '--key-separator', '\\t', '--header', 'h=1');
    assert.equal(produced.code, 0, produced.stderr);
    // 4.2 renamed the options of the console tools (KIP-1147).
    const isOld = kafka.version.startsWith('3.');
    const formatterProperty = isOld ? '--property' : '--formatter-property';
    const readerProperty = isOld ? '--property' : '--reader-property';
    const formatter = ['print.key=true', 'print.headers=true'].flatMap((text) => [formatterProperty, text]);
    const read = await kafka.tool('console-consumer', [
      ...[...server, '--from-beginning', '--max-messages', '2', '--timeout-ms', '30000'],
      ...formatter,
    ]);
    assert.equal(read.stdout, 'h:1\ta\t1\nh:1\tb\tö\n', read.stderr);

    const properties = ['parse.key=true', 'null.marker=NULL'].flatMap((text) => [readerProperty, text]);
    const written = await kafka.tool('console-producer', [...server, ...properties], { input: 'c\t2\nd\tNULL\n' });
    assert.equal(written.code, 0, written.stderr);
    const consumed = await run('', 'consume', topic, '--from', '2', '--until-end');
    assert.equal(consumed.code, 0, consumed.stderr);
    const rows = consumed.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { key: unknown; value: unknown; offset: unknown });
    assert.deepEqual(
      rows.map(({ key, value, offset }) => [key, value, offset]),
      [
        ['c', '2', '2'],
        ['d', null, '3'],
      ],
    );
  });
});
