import assert from 'node:assert/strict';
import { after, afterEach, describe, it } from 'node:test';
import { inspect } from 'node:util';
import { Kafka, AuthenticationError, type ClientOptions, type SaslOptions } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';
import { startTokenEndpoint } from '../support/token-endpoint.ts';
import { unsignedToken } from '../support/unsigned-token.ts';

const LIFETIME_MS = 6000;
const RENEWALS = 3;
/** Longer than a session, so that the first renewal finds the token good still, and the second one does not. */
const TOKEN_LIFE_MS = 8000;
/** Enough that some wait at each renewal; more only keep the broker from reading in time what was sent before a session ends. */
const PENDING = 150;

const broker = await kafkaUnderTest({
  brokers: 1,
  own: true,
  config: { 'connections.max.reauth.ms': String(LIFETIME_MS) },
  listeners: ['plaintext', 'saslPlaintext', 'saslSsl'],
  needs: ['saslPlaintext', 'saslSsl', 'tools'],
});
const open: Kafka[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((kafka) => kafka.close()));
});
after(() => broker.release());

/** A client, and how often each of its lanes was opened, authenticated again, and ended. */
interface Watched {
  readonly kafka: Kafka;
  readonly opened: Map<string, number>;
  readonly renewed: Map<string, number>;
  readonly ended: string[];
  readonly troubles: string[];
}

function watched(listener: 'saslPlaintext' | 'saslSsl', sasl: SaslOptions, more: Partial<ClientOptions> = {}): Watched {
  const kafka = new Kafka({
    bootstrapServers: [...(broker.listeners[listener] ?? [])],
    ...(listener === 'saslSsl' && { tls: { ca: broker.tls?.ca } }),
    sasl,
    // The earliest moment: on a busy machine a broker may read late what was sent before, and must not find the session ended.
    random: () => 0,
    ...more,
  });
  open.push(kafka);
  const count = (of: Map<string, number>, lane: string): unknown => of.set(lane, (of.get(lane) ?? 0) + 1);
  const result: Watched = { kafka, opened: new Map(), renewed: new Map(), ended: [], troubles: [] };
  kafka.on('connection.opened', ({ lane }) => void count(result.opened, lane));
  kafka.on('connection.reauthenticated', ({ lane }) => void count(result.renewed, lane));
  kafka.on('connection.closed', ({ lane, error }) => void result.ended.push(`${lane}: ${error?.message ?? ''}`));
  for (const name of [
    'request.failed',
    'producer.batch.retried',
    'consumer.fetch.failed',
    'connection.failed',
  ] as const) {
    kafka.on(name, ({ error }) => void result.troubles.push(`${name}: ${error.message}`));
  }
  return result;
}

const renewalsOf = ({ renewed }: Watched, prefix: string): number =>
  Math.max(0, ...[...renewed].filter(([lane]) => lane.startsWith(prefix)).map(([, times]) => times));

/** Many sends unanswered at any time, a consumer that polls behind them, until both have renewed often enough. */
async function pipelineThrough(client: Watched, topic: string): Promise<{ sent: number; underway: number[] }> {
  const { kafka } = client;
  await kafka.admin().createTopics({ topic, partitions: 1, replicationFactor: 1 });
  const producer = kafka.producer();
  const consumer = kafka.consumer({ groupId: `${topic}-group`, autoOffsetReset: 'earliest', heartbeatIntervalMs: 500 });
  consumer.subscribe(topic);
  const read: string[] = [];
  const reading = (async () => {
    for await (const record of consumer.records()) {
      read.push(String(record.value));
      if (read.at(-1) === 'last') return;
    }
  })();
  const underway: number[] = [];
  let pending = 0;
  kafka.on('connection.reauthenticated', ({ lane }) => {
    if (lane.startsWith('produce')) underway.push(pending);
  });
  const sends: Promise<unknown>[] = [];
  const send = (value: string): void => {
    pending++;
    sends.push(producer.send({ topic, value }).finally(() => pending--));
  };
  const enough = (): boolean => ['produce', 'fetch', 'group'].every((lane) => renewalsOf(client, lane) >= RENEWALS);
  await eventually(() => {
    for (let room = PENDING - pending; room > 0; room--) send(String(sends.length));
    return enough();
  }, 'the connections to authenticate again');
  const sent = sends.length;
  send('last');
  const results = await Promise.allSettled(sends);
  assert.deepEqual(
    results.filter(({ status }) => status === 'rejected'),
    [],
    'no send is rejected',
  );
  await reading;
  assert.equal(read.length, sent + 1);
  for (let index = 0; index < sent; index++) assert.equal(read[index], String(index), 'in order, none lost or doubled');
  // Looked at before this client ends them itself.
  assert.deepEqual(client.troubles, []);
  assert.deepEqual(
    client.ended.filter((each) => !each.startsWith('bootstrap')),
    [],
    'no connection ended',
  );
  for (const [lane, times] of client.opened) assert.equal(times, 1, `lane ${lane} was opened once`);
  await consumer.close();
  await producer.close();
  return { sent, underway };
}

describe('Connections whose session the broker ends', { skip: broker.skip, timeout: 300_000 }, () => {
  const plain = broker.skip === false ? broker.users?.plain : undefined;
  const scram = broker.skip === false ? broker.users?.['scram-sha-512'] : undefined;
  const nobody = { username: '', password: '' };

  it('are kept over several lifetimes by a pipelining producer and a polling consumer, with each mechanism', async () => {
    let conversations = 0;
    const authenticator = () => {
      conversations++;
      const { username, password } = plain ?? nobody;
      const first = Buffer.from(`\0${username}\0${password}`);
      return { respond: async (challenge?: Uint8Array) => (challenge === undefined ? first : undefined) };
    };
    const clients = {
      plain: watched('saslSsl', { mechanism: 'plain', ...(plain ?? nobody) }),
      scram: watched('saslPlaintext', { mechanism: 'scram-sha-512', ...(scram ?? nobody) }),
      custom: watched('saslPlaintext', { mechanism: 'PLAIN', authenticator }),
    };
    const began = Date.now();
    await Promise.all(
      Object.entries(clients).map(async ([name, client]) => {
        const topic = `reauthentication-${name}-${Date.now()}`;
        const { sent, underway } = await pipelineThrough(client, topic);
        assert.ok(
          underway.filter((pending) => pending > 0).length >= RENEWALS,
          `in use when renewed: ${underway.join()}`,
        );
        console.log(`${name}: ${sent} sends, renewals ${inspect(client.renewed)}, waiting at each ${underway.join()}`);
      }),
    );
    assert.ok(Date.now() - began > RENEWALS * LIFETIME_MS * 0.8, 'the sessions were renewed when due, not earlier');
    const { opened, renewed } = clients.custom;
    const sum = (of: Map<string, number>): number => [...of.values()].reduce((a, b) => a + b, 0);
    assert.equal(conversations, sum(opened) + sum(renewed), 'a conversation for each connection and each renewal');
  });

  it('are kept with tokens that live little longer than a session, each of them used more than once', async () => {
    const tokens: string[] = [];
    const provider = await startTokenEndpoint(() => {
      const token = unsignedToken('magpie', Date.now() + TOKEN_LIFE_MS, { serial: tokens.length });
      tokens.push(token);
      return { access_token: token, expires_in: TOKEN_LIFE_MS / 1000 };
    });
    try {
      const client = watched('saslPlaintext', {
        mechanism: 'oauthbearer',
        tokenEndpoint: provider.url,
        clientId: 'magpie',
        clientSecret: 'sesame-44',
      });
      await pipelineThrough(client, `reauthentication-oauth-${Date.now()}`);
      const inUse = [...client.opened.values(), ...client.renewed.values()].reduce((a, b) => a + b, 0);
      assert.ok(tokens.length >= 2 && tokens.length * 2 < inUse, `${tokens.length} tokens for ${inUse} conversations`);
    } finally {
      await provider.close();
    }
  });

  it('end with an AuthenticationError where the user has lost its credentials, and a send says so', async () => {
    const { username, password } = broker.users?.['scram-sha-256'] ?? nobody;
    const client = watched('saslPlaintext', { mechanism: 'scram-sha-256', username, password });
    const { kafka } = client;
    const topic = `reauthentication-refused-${Date.now()}`;
    await kafka.admin().createTopics({ topic, partitions: 1, replicationFactor: 1 });
    const closed: (Error | undefined)[] = [];
    kafka.on('connection.closed', ({ lane, error }) => void (lane.startsWith('produce') && closed.push(error)));
    const producer = kafka.producer({ deliveryTimeoutMs: 60_000 });
    await producer.send({ topic, value: 'while it could' });
    const user = ['--entity-type', 'users', '--entity-name', username];
    const change = ['--bootstrap-server', '{bootstrap}', '--alter', '--delete-config', 'SCRAM-SHA-256', ...user];
    const { code, stderr } = await broker.tool('configs', change);
    assert.equal(code, 0, stderr);
    const error = await eventually(() =>
      producer.send({ topic, value: 'on' }).then(
        () => undefined,
        (reason: unknown) => reason as Error,
      ),
    );
    assert.equal((error as { code?: string }).code, 'SASL_AUTHENTICATION_FAILED', inspect(error));
    assert.ok(error.cause instanceof AuthenticationError, inspect(error));
    const [why] = closed;
    assert.ok(why instanceof AuthenticationError, inspect(closed));
    assert.match(why.message, /^Cannot authenticate again with broker 1 /);
    assert.ok(!inspect([why, error], { depth: Infinity, showHidden: true }).includes(password));
    await producer.close().catch(() => undefined); // says once more that the record was not delivered
  });
});
