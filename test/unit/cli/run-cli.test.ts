import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCli, type ExitCode } from '../../../src/cli/run-cli.ts';
import { Kafka } from '../../../src/index.ts';
import { ApiVersions } from '../../../src/protocol/generated/api-versions.ts';
import { RawConnection } from '../../support/answers/raw-kafka.ts';
import { FakeTerminal } from '../../support/cli/fake-terminal.ts';
import { eventually } from '../../support/eventually.ts';

interface Ran {
  readonly code: ExitCode;
  readonly printed: string;
  readonly said: string;
}

/** Runs a command line that ends by itself. */
async function run(...args: string[]): Promise<Ran> {
  const terminal = new FakeTerminal();
  terminal.interrupt();
  const code = await runCli(args, terminal);
  return { code, printed: terminal.printed, said: terminal.said };
}

interface Described {
  readonly bootstrapServers: string[];
  readonly brokers: { readonly id: number; readonly host: string; readonly port: number }[];
  readonly topics: string[];
}

describe('kavka', () => {
  it('tells its commands and its version', async () => {
    const help = await run('--help');
    assert.equal(help.code, 0);
    assert.match(help.printed, /^Usage: kavka COMMAND/);
    assert.match(help.printed, /^ {2}broker {2}/m);
    const { code, printed } = await run('--version');
    assert.equal(code, 0);
    assert.match(printed, /^\d+\.\d+\.\d+\n$/);
  });

  it('ends with 2 for a command line that is wrong, with the nearest name', async () => {
    const wrong: readonly (readonly [string[], RegExp])[] = [
      [[], /which command/],
      [['brokr'], /^kavka: Cannot run "brokr": there is no such command; did you mean broker\?$/m],
      [['--verbose'], /no such option/],
      [['broker', '--broker', '2'], /^kavka: Cannot use --broker: there is no such option; did you mean --brokers\?$/m],
      [['broker', '--brokers', 'many'], /Cannot start "many" brokers/],
      [['broker', '--brokers'], /Cannot use --brokers without a value: give --brokers N/],
      [['broker', '--json=yes'], /Cannot use --json with a value/],
      [['broker', 'now'], /Cannot use "now"/],
      [['broker', '--listen', 'nowhere'], /Cannot listen on "nowhere"/],
      [['broker', '--listen', '127.0.0.1:99999'], /Cannot listen on "127.0.0.1:99999"/],
      [['broker', '--listen', '65535', '--brokers', '2'], /above 65535/],
      [['broker', '--topic', 'a:b'], /Cannot make topic "a:b"/],
      [['broker', '--topic', 'a:1:1:1'], /Cannot make topic/],
      [['broker', '--config', 'num.partitions'], /Cannot use setting "num.partitions"/],
    ];
    for (const [args, message] of wrong) {
      const { code, said } = await run(...args);
      assert.match(said, message);
      assert.equal(code, 2, args.join(' '));
      assert.doesNotMatch(said, /\n\s+at /);
    }
  });
});

describe('kavka broker', () => {
  it('describes its options', async () => {
    const { code, printed } = await run('broker', '--help');
    assert.equal(code, 0);
    for (const option of ['--listen HOST:PORT', '--brokers N', '--topic NAME', '--config NAME=VALUE', '--quiet'])
      assert.ok(printed.includes(option), option);
    assert.match(printed, /production is Apache Kafka/);
  });

  it('serves clients until it is interrupted, and prints JSON where nobody reads', async () => {
    const terminal = new FakeTerminal();
    const args = [
      '--listen',
      '0',
      '--brokers',
      '2',
      '--topic',
      'a:3',
      '--topic',
      'b:1:2',
      '--config',
      'num.partitions=4',
    ];
    const ended = runCli(['broker', ...args], terminal);
    await eventually(() => terminal.printed !== '');
    const described = JSON.parse(terminal.printed) as Described;
    assert.deepEqual(described.topics, ['a', 'b']);
    assert.equal(described.brokers.length, 2);
    assert.ok(described.brokers.every(({ host }) => host === '127.0.0.1'));
    const kafka = new Kafka({ bootstrapServers: described.bootstrapServers });
    const [a, b] = await kafka.admin().describeTopics(['a', 'b']);
    assert.deepEqual([a?.partitions.length, b?.partitions[0]?.replicas.length], [3, 2]);
    await kafka.close();
    terminal.interrupt();
    assert.equal(await ended, 0);
    assert.equal(terminal.said, '');
  });

  it('prints a table to a terminal, in colour where it has any', async () => {
    for (const hasColors of [false, true]) {
      const terminal = new FakeTerminal({ isInteractive: true, hasColors });
      terminal.interrupt();
      assert.equal(await runCli(['broker', '--listen', '0', '--topic', 'orders'], terminal), 0);
      assert.match(terminal.printed, /broker 1 {2}127\.0\.0\.1:\d+/);
      assert.match(terminal.printed, /topics {4}orders/);
      assert.equal(terminal.printed.includes('\u001b['), hasColors);
    }
  });

  it('prints JSON to a terminal, or nothing, if told so', async () => {
    const terminal = new FakeTerminal({ isInteractive: true });
    terminal.interrupt();
    await runCli(['broker', '--listen', '0', '--json'], terminal);
    JSON.parse(terminal.printed);
    assert.equal((await run('broker', '--listen', '0', '--quiet')).printed, '');
  });

  it('warns when it listens to the network, and tells clients a name that they can use', async () => {
    const { code, said, printed } = await run('broker', '--listen', '0.0.0.0:0', '--advertise', 'kafka.example');
    assert.equal(code, 0);
    assert.match(said, /Warning: listening on 0\.0\.0\.0: everybody who reaches this machine/);
    assert.equal((JSON.parse(printed) as Described).brokers[0]?.host, 'kafka.example');
    const unnamed = JSON.parse((await run('broker', '--listen', '0.0.0.0:0')).printed) as Described;
    assert.notEqual(unnamed.brokers[0]?.host, '0.0.0.0');
    assert.equal((await run('broker', '--listen', '127.0.0.1:0')).said, '');
  });

  it('pretends to be an older Kafka, and names those that it can be', async () => {
    const terminal = new FakeTerminal();
    const ended = runCli(['broker', '--listen', '0', '--kafka-version', '2.1'], terminal);
    await eventually(() => terminal.printed !== '');
    const { host, port } = (JSON.parse(terminal.printed) as Described).brokers[0] ?? { host: '', port: 0 };
    const connection = await RawConnection.open(`${host}:${port}`);
    const { apiKeys } = await connection.send(ApiVersions, 0, {});
    assert.equal(apiKeys.find(({ apiKey }) => apiKey === ApiVersions.key)?.maxVersion, 2);
    connection.close();
    terminal.interrupt();
    assert.equal(await ended, 0);
    const unknown = await run('broker', '--listen', '0', '--kafka-version', '1.0');
    assert.equal(unknown.code, 1);
    assert.match(unknown.said, /kafkaVersion "1\.0".*2\.1/);
  });

  it('keeps topics and records in a folder if told so', async (test) => {
    const folder = mkdtempSync(join(tmpdir(), 'kavka-cli-'));
    test.after(() => rmSync(folder, { recursive: true, force: true }));
    const args = ['broker', '--listen', '0', '--data', folder];
    assert.deepEqual((JSON.parse((await run(...args, '--topic', 'a')).printed) as Described).topics, ['a']);
    assert.deepEqual((JSON.parse((await run(...args)).printed) as Described).topics, ['a']);
  });

  it('ends with 1 and no stack when its port is taken', async (test) => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    test.after(() => other.close());
    const { port } = other.address() as AddressInfo;
    const { code, said } = await run('broker', '--listen', String(port));
    assert.equal(code, 1);
    assert.equal(
      said,
      `kavka: Cannot listen on 127.0.0.1:${port}: another program listens there; choose another port, or 0 for a free one\n`,
    );
  });

  it('listens on consecutive ports', async () => {
    // A free port whose neighbour is free too is found by trying.
    const described = await eventually(async () => {
      const probe = createServer().listen(0, '127.0.0.1');
      await once(probe, 'listening');
      const { port } = probe.address() as AddressInfo;
      probe.close();
      await once(probe, 'close');
      const { code, printed } = await run('broker', '--listen', `localhost:${port}`, '--brokers', '2');
      return code === 0 && { port, ...(JSON.parse(printed) as Described) };
    });
    assert.deepEqual(
      described.brokers.map(({ port }) => port),
      [described.port, described.port + 1],
    );
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`ends with 0 at ${signal}`, async () => {
      const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
      // The suites run compiled too.
      const program = main.replace(/\.ts$/, import.meta.url.endsWith('.ts') ? '.ts' : '.js');
      const child = spawn(process.execPath, [program, 'broker', '--listen', '0'], { stdio: 'pipe' });
      let [printed, said] = ['', ''];
      child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
      await eventually(() => printed.endsWith('\n') || child.exitCode !== null);
      child.kill(signal);
      const [code] = (await once(child, 'exit')) as [number | null];
      assert.equal(said, '');
      assert.equal(code, 0);
    });
  }
});
