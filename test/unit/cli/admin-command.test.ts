import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runCli } from '../../../src/cli/run-cli.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeTerminal } from '../../support/cli/fake-terminal.ts';
import { kavkaAt } from '../../support/cli/kavka-at.ts';
import { silentServer } from '../../support/cli/silent-server.ts';
import { TestCluster } from '../../../src/testing/index.ts';

const args = ['topics', '--timeout', '1'];

describe('withAdmin', () => {
  it("says at once, in the client's words, that nobody listens", async () => {
    const begun = performance.now();
    const { code, said, printed } = await kavkaAt(['127.0.0.1:9'])(['topics']);
    assert.deepEqual([code, printed], [1, '']);
    assert.match(
      said,
      /^kavka: Cannot reach the cluster: .*127\.0\.0\.1:9: nothing listens there \(ECONNREFUSED\).*\n$/,
    );
    assert.ok(performance.now() - begun < 10_000);
  });

  it('gives up after --timeout where nobody answers', async () => {
    const server = await silentServer();
    const { code, said } = await kavkaAt([server.address])(args);
    assert.equal(code, 1);
    assert.equal(
      said,
      'kavka: Cannot reach the cluster: no answer within 1 s; check --bootstrap-servers, or give a longer --timeout\n',
    );
    server.close();
  });

  it('gives each call the time of --timeout', async () => {
    const cluster = await TestCluster.start({ topics: { orders: 1 } });
    cluster.intercept({ api: 'CreateTopics' }, { drop: 'before' });
    const begun = performance.now();
    const { code, said } = await kavkaAt(cluster.bootstrapServers)(['topics', 'create', 'x', '--timeout', '1']);
    // 60 s is how long the client takes by itself.
    assert.ok(performance.now() - begun < 20_000);
    assert.equal(code, 1);
    assert.match(said, /^kavka: Cannot create .*\n$/);
    await cluster.close();
  });

  it('ends with 1, and no stack, when it is interrupted', async () => {
    const server = await silentServer();
    const terminal = new FakeTerminal({ environment: { KAFKA_BOOTSTRAP: server.address } });
    const ended = runCli(['topics'], terminal);
    await eventually(() => server.connections() > 0);
    terminal.interrupt();
    assert.equal(await ended, 1);
    assert.equal(terminal.said, 'kavka: Interrupted\n');
    server.close();
  });

  it('tells nobody the password', async () => {
    const cluster = await TestCluster.start();
    const looks = { KAFKA_BOOTSTRAP: cluster.bootstrapServers.join(','), KAFKA_SASL_PASSWORD: 'hunter2' };
    const terminal = new FakeTerminal({ environment: looks });
    assert.equal(await runCli(['topics', '--sasl-username', 'magpie'], terminal), 1);
    assert.match(terminal.said, /^kavka: /);
    assert.doesNotMatch(`${terminal.said}${terminal.printed}`, /hunter2/);
    await cluster.close();
  });
});
