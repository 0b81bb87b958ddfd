import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parseArguments } from '../../../src/cli/arguments.ts';
import { CliError } from '../../../src/cli/cli-error.ts';
import { clientOptions, clientOptionsOf } from '../../../src/cli/client-options.ts';
import type { ClientOptions } from '../../../src/index.ts';

const SECRET = 'open-sesame-41';
const folder = mkdtempSync(join(tmpdir(), 'kavka-cli-'));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function options(args: readonly string[], environment: Record<string, string> = {}): ClientOptions {
  return clientOptionsOf(parseArguments(args, clientOptions), environment);
}

describe('clientOptionsOf', () => {
  it('asks brokers on this machine, those of the environment, or those that are named', () => {
    const environment = { KAFKA_BOOTSTRAP: 'a:1, b:2' };
    assert.deepEqual(options([]).bootstrapServers, ['localhost:9092']);
    assert.deepEqual(options([], environment).bootstrapServers, ['a:1', 'b:2']);
    assert.deepEqual(options(['--bootstrap-servers', 'c:3'], environment).bootstrapServers, ['c:3']);
  });

  it('takes options from a file; what is given on the command line goes before it', () => {
    const config = file('client.json', JSON.stringify({ bootstrapServers: ['f:1'], clientId: 'mine', tls: true }));
    assert.deepEqual(options(['--client-config', config]), { bootstrapServers: ['f:1'], clientId: 'mine', tls: true });
    const named = options(['--client-config', config, '--bootstrap-servers', 'c:3']);
    assert.deepEqual([named.bootstrapServers, named.clientId], [['c:3'], 'mine']);
  });

  it('encrypts, with authorities and a certificate from files', () => {
    assert.equal(options([]).tls, undefined);
    assert.equal(options(['--tls']).tls, true);
    const [ca, cert, key] = [file('ca.pem', 'CA'), file('cert.pem', 'CERT'), file('key.pem', 'KEY')];
    assert.deepEqual(options(['--tls-ca', ca]).tls, { ca: 'CA' });
    assert.deepEqual(options(['--tls-cert', cert, '--tls-key', key]).tls, { cert: 'CERT', key: 'KEY' });
  });

  it('authenticates with a password of the environment, or of a file', () => {
    const user = ['--sasl-username', 'ann'];
    const sasl = { mechanism: 'scram-sha-256', username: 'ann', password: SECRET };
    assert.deepEqual(options(user, { KAFKA_SASL_PASSWORD: SECRET }).sasl, sasl);
    const password = file('password', `${SECRET}\n`);
    const plain = options([...user, '--sasl-mechanism', 'plain', '--sasl-password-file', password]);
    assert.deepEqual(plain.sasl, { ...sasl, mechanism: 'plain' });
  });

  for (const [what, args, expected] of [
    ['a file that is not there', ['--tls-ca', '/no/such/file'], /Cannot read --tls-ca \/no\/such\/file: ENOENT/],
    ['a certificate without its key', ['--tls-cert', file('lone.pem', 'C')], /--tls-cert and --tls-key/],
    ['a mechanism without a name', ['--sasl-mechanism', 'plain'], /give --sasl-username/],
    ['a name without a password', ['--sasl-username', 'ann'], /set KAFKA_SASL_PASSWORD/],
    ['tokens', ['--sasl-mechanism', 'OAUTHBEARER'], /put sasl with its tokenEndpoint into --client-config/],
    [
      'a file that holds no JSON',
      ['--client-config', file('no.json', `{"password": ${SECRET}`)],
      /must hold a JSON object/,
    ],
    ['a file that holds no object', ['--client-config', file('list.json', `["${SECRET}"]`)], /must hold a JSON object/],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => options(args),
        (error: Error) => {
          assert.ok(error instanceof CliError);
          assert.match(error.message, expected);
          assert.ok(!error.message.includes(SECRET));
          return true;
        },
      );
    });
  }
});
