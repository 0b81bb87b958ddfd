import { readFileSync } from 'node:fs';
import { Kafka, type ClientOptions, type SaslOptions, type TlsOptions } from '../index.ts';
import type { CliOptions, GivenArguments } from './arguments.ts';
import { CliError } from './cli-error.ts';
import type { Terminal } from './terminal.ts';

const defaultBootstrapServers = 'localhost:9092';

/** What every command that talks to a cluster takes. */
export const clientOptions: CliOptions = {
  'bootstrap-servers': {
    type: 'string',
    value: 'HOST:PORT,…',
    help: `brokers to ask first (KAFKA_BOOTSTRAP, else ${defaultBootstrapServers})`,
  },
  tls: { type: 'boolean', help: 'encrypt; brokers are checked against the authorities that Node trusts' },
  'tls-ca': { type: 'string', value: 'FILE', help: 'encrypt, and trust these authorities (PEM)' },
  'tls-cert': { type: 'string', value: 'FILE', help: 'our own certificate (PEM), with --tls-key' },
  'tls-key': { type: 'string', value: 'FILE', help: 'its private key (PEM)' },
  'sasl-mechanism': {
    type: 'string',
    value: 'NAME',
    help: 'plain, scram-sha-256 (if not given) or scram-sha-512; others by --client-config',
  },
  'sasl-username': { type: 'string', value: 'NAME', help: 'who we are; the password is read from KAFKA_SASL_PASSWORD' },
  'sasl-password-file': { type: 'string', value: 'FILE', help: 'a file with the password instead' },
  'client-config': {
    type: 'string',
    value: 'FILE',
    help: 'a JSON file with options as new Kafka() takes them; what is given here goes before it',
  },
};

/** Makes a client as the command line says, and closes it when the command has ended, however it ended. */
export async function withClient(
  given: GivenArguments,
  terminal: Terminal,
  run: (kafka: Kafka, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const kafka = new Kafka(clientOptionsOf(given, terminal.environment));
  const ended = new AbortController();
  void terminal.interrupted().then(() => ended.abort());
  try {
    await run(kafka, ended.signal);
  } catch (error) {
    // A call that was given up because the user asked for the end is no failure.
    if (!ended.signal.aborted || error !== ended.signal.reason) throw error;
  } finally {
    await kafka.close();
  }
}

/** @throws CliError for what does not fit together, or a file that cannot be read */
export function clientOptionsOf(
  given: GivenArguments,
  environment: Readonly<Record<string, string | undefined>>,
): ClientOptions {
  const config = configOf(given.text('client-config'));
  const servers = given.text('bootstrap-servers') ?? environment['KAFKA_BOOTSTRAP'];
  const tls = tlsOf(given);
  const sasl = saslOf(given, environment);
  return {
    clientId: 'kavka-cli',
    bootstrapServers: defaultBootstrapServers.split(','),
    ...config,
    ...(servers !== undefined && { bootstrapServers: servers.split(',').map((server) => server.trim()) }),
    ...(tls !== undefined && { tls }),
    ...(sasl !== undefined && { sasl }),
  };
}

function configOf(file: string | undefined): Partial<ClientOptions> {
  if (file === undefined) return {};
  const text = textOf('client-config', file);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Told below: what JSON.parse says may show a part of a password.
  }
  throw new CliError(`Cannot use --client-config ${file}: it must hold a JSON object of options`);
}

function tlsOf(given: GivenArguments): TlsOptions | true | undefined {
  const file = (name: string): string | undefined => {
    const path = given.text(name);
    return path === undefined ? undefined : textOf(name, path);
  };
  const [ca, cert, key] = [file('tls-ca'), file('tls-cert'), file('tls-key')];
  if ((cert === undefined) !== (key === undefined))
    throw new CliError('Cannot use one of --tls-cert and --tls-key alone');
  const details = {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
  if (Object.keys(details).length > 0) return details;
  return given.has('tls') ? true : undefined;
}

function saslOf(
  given: GivenArguments,
  environment: Readonly<Record<string, string | undefined>>,
): SaslOptions | undefined {
  const username = given.text('sasl-username');
  const mechanism = given.text('sasl-mechanism');
  const file = given.text('sasl-password-file');
  if (mechanism?.toLowerCase() === 'oauthbearer') {
    throw new CliError(
      'Cannot use --sasl-mechanism oauthbearer by itself: put sasl with its tokenEndpoint into --client-config',
    );
  }
  if (username === undefined) {
    if (mechanism === undefined && file === undefined) return undefined;
    throw new CliError('Cannot authenticate without a name: give --sasl-username');
  }
  const password =
    file === undefined ? environment['KAFKA_SASL_PASSWORD'] : textOf('sasl-password-file', file).trimEnd();
  if (password === undefined || password === '') {
    throw new CliError('Cannot authenticate without a password: set KAFKA_SASL_PASSWORD, or give --sasl-password-file');
  }
  // Names are checked, and told, by the client.
  return { mechanism: mechanism ?? 'scram-sha-256', username, password } as SaslOptions;
}

function textOf(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new CliError(`Cannot read --${option} ${path}: ${why}`);
  }
}
