import assert from 'node:assert/strict';
import tls from 'node:tls';
import { after, describe, it } from 'node:test';
import { aliveBrokers } from '../support/kafka/probe.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

// What the other suites stand on: that the Kafka they are given is what they were promised.

const portOf = (address: string | undefined): number => Number(address?.split(':').pop());

for (const version of ['4.3.1', '3.9.1']) {
  const kafka = await kafkaUnderTest({ version, needs: ['control', 'tools', 'ssl'] });

  describe(`kafkaUnderTest with Kafka ${version}`, { skip: kafka.skip }, () => {
    it('gives the address of a broker that is alive', async () => {
      assert.equal(kafka.version, version);
      assert.deepEqual(await aliveBrokers('127.0.0.1', portOf(kafka.bootstrapServers[0])), [1]);
    });

    it("runs Kafka's own tools", async () => {
      const topic = `tools-${process.pid}-${version}`;
      const server = ['--bootstrap-server', '{bootstrap}'];
      assert.equal((await kafka.tool('topics', [...server, '--create', '--topic', topic])).code, 0);
      const input = 'größer\n'.repeat(20_000); // more than one argument of a command may hold
      assert.equal((await kafka.tool('console-producer', [...server, '--topic', topic], { input })).code, 0);
      const read = [...server, '--topic', topic, '--from-beginning', '--max-messages', '20000'];
      assert.equal((await kafka.tool('console-consumer', read)).stdout, input);
      const failed = await kafka.tool('topics', [...server, '--describe', '--topic', `${topic}-not-there`]);
      assert.notEqual(failed.code, 0);
    });

    it('shows the right certificate on one listener and a wrong one on the other', async () => {
      await handshake(portOf(kafka.listeners.ssl?.[0]), kafka.tls?.ca);
      await assert.rejects(handshake(portOf(kafka.listeners.sslWrongHost?.[0]), kafka.tls?.ca), {
        code: 'ERR_TLS_CERT_ALTNAME_INVALID',
      });
      await assert.rejects(handshake(portOf(kafka.listeners.ssl?.[0]), kafka.tls?.otherCa));
    });

    it('lets SCRAM users in who are known from the first start', async () => {
      const { stdout } = await kafka.tool('configs', [
        ...['--bootstrap-server', '{bootstrap}', '--describe', '--entity-type', 'users'],
      ]);
      assert.match(stdout, /'magpie'.*SCRAM-SHA-512/);
      assert.match(stdout, /'magpie'.*SCRAM-SHA-256/);
    });
  });
}

const own = await kafkaUnderTest({
  own: true,
  listeners: ['plaintext'],
  config: { 'auto.create.topics.enable': 'false' },
});

describe('a cluster of its own', { skip: own.skip }, () => {
  after(() => own.release());

  it('is a broker that was killed and came back on its port', async () => {
    const port = portOf(own.bootstrapServers[0]);
    await own.kill(1);
    await assert.rejects(aliveBrokers('127.0.0.1', port));
    await own.start(1);
    assert.deepEqual(await aliveBrokers('127.0.0.1', port), [1]);
  });

  it('is a broker that is silent while it is paused', async () => {
    const port = portOf(own.bootstrapServers[0]);
    await own.pause(1);
    await assert.rejects(aliveBrokers('127.0.0.1', port, 500), /No answer/);
    assert.deepEqual(await own.restore(), [1]);
    assert.deepEqual(await aliveBrokers('127.0.0.1', port), [1]);
  });

  it('has the settings asked for, and tells what it logged', async () => {
    assert.equal(own.listeners.ssl, undefined);
    assert.match(await own.logs(1), /auto\.create\.topics\.enable = false/);
  });
});

function handshake(port: number, ca: string | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: 'localhost', servername: 'localhost', port, ca }, () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}
