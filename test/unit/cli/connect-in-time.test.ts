import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runCli } from '../../../src/cli/run-cli.ts';
import { FakeTerminal } from '../../support/cli/fake-terminal.ts';
import { silentServer } from '../../support/cli/silent-server.ts';
import { eventually } from '../../support/eventually.ts';

const commands = [
  ['topics'],
  ['acls'],
  ['produce', 'orders'],
  ['consume', 'orders', '--until-end'],
  ['consume', 'orders', '--group', 'g'],
  ['perf', 'produce', 'orders'],
  ['perf', 'consume', 'orders'],
  ['perf', 'latency', 'orders'],
];

describe('connectInTime', () => {
  for (const command of commands) {
    const terminalAt = (address: string): FakeTerminal => {
      const terminal = new FakeTerminal({ environment: { KAFKA_BOOTSTRAP: address } });
      terminal.stdin.write('a line\n');
      return terminal;
    };

    it(`kavka ${command.join(' ')} gives up after --timeout where nobody answers`, async () => {
      const server = await silentServer();
      const terminal = terminalAt(server.address);
      const begun = performance.now();
      const code = await runCli([...command, '--timeout', '1'], terminal);
      assert.ok(performance.now() - begun < 20_000);
      assert.deepEqual([code, terminal.printed, terminal.written.length], [1, '', 0]);
      assert.equal(
        terminal.said,
        'kavka: Cannot reach the cluster: no answer within 1 s; check --bootstrap-servers, or give a longer --timeout\n',
      );
      server.close();
    });

    it(`kavka ${command.join(' ')} says at once that nobody listens`, async () => {
      const terminal = terminalAt('127.0.0.1:9');
      assert.equal(await runCli(command, terminal), 1);
      assert.match(terminal.said, /^kavka: Cannot reach the cluster: .*nothing listens there \(ECONNREFUSED\).*\n$/);
    });

    it(`kavka ${command.join(' ')} refuses what is no time`, async () => {
      for (const time of ['0', 'soon', '-1', '86401']) {
        const terminal = terminalAt('127.0.0.1:9');
        assert.equal(await runCli([...command, '--timeout', time], terminal), 2);
        assert.equal(terminal.said, `kavka: Cannot use --timeout "${time}": give a whole number from 1 to 86400\n`);
      }
    });

    it(`kavka ${command.join(' ')} ends when it is interrupted meanwhile`, async () => {
      const server = await silentServer();
      const terminal = terminalAt(server.address);
      const ended = runCli(command, terminal);
      await eventually(() => server.connections() > 0);
      terminal.interrupt();
      await ended;
      assert.doesNotMatch(terminal.said, /Cannot/);
      server.close();
    });
  }
});
