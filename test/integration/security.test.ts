import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { inspect } from 'node:util';
import { ConnectionPool } from '../../src/network/connection-pool.ts';
import type { BrokerAddress, Connection } from '../../src/network/connection.ts';
import type { NetworkOptions } from '../../src/network/network-options.ts';
import { chooseVersion } from '../../src/network/version-rules.ts';
import { Metadata } from '../../src/protocol/generated/metadata.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';
import { networkOptions } from '../support/network-options.ts';
import { startTokenEndpoint } from '../support/token-endpoint.ts';
import { unsignedToken } from '../support/unsigned-token.ts';

const kafka = await kafkaUnderTest({
  brokers: 1,
  needs: ['ssl', 'sslWrongHost', 'mutualTls', 'saslPlaintext', 'saslSsl'],
});
const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
const pools: ConnectionPool[] = [];

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

type Listener = keyof NonNullable<typeof kafka.listeners>;

function connect(listener: Listener, options: Partial<NetworkOptions> = {}, host?: string): Promise<Connection> {
  const pool = new ConnectionPool(networkOptions(options));
  pools.push(pool);
  return pool.connect(addressOf(listener, host), 'control');
}

function addressOf(listener: Listener, otherHost?: string): BrokerAddress {
  const address = kafka.listeners[listener]?.[0] ?? '';
  const colon = address.lastIndexOf(':');
  return {
    nodeId: undefined,
    endpoint: { host: otherHost ?? address.slice(0, colon), port: Number(address.slice(colon + 1)) },
  };
}

async function usable(connection: Connection): Promise<void> {
  const version = chooseVersion(Metadata, connection.versions);
  const { brokers } = await connection.send(Metadata, version, { topics: [] });
  assert.deepEqual(
    brokers.map(({ nodeId }) => nodeId),
    kafka.brokerIds,
  );
}

/** Waits for the error and sees to it that neither its text nor anything in it shows one of the passwords or keys. */
async function failure(
  connecting: Promise<unknown>,
  ...secrets: string[]
): Promise<Error & { code: string; retriable: boolean }> {
  const error = await connecting.then(
    () => assert.fail('the broker let us in'),
    (reason: unknown) => reason as Error & { code: string; retriable: boolean },
  );
  const shown = inspect(error, { depth: Infinity, showHidden: true }) + JSON.stringify(error);
  for (const secret of [...secrets, 'PRIVATE KEY']) assert.ok(!shown.includes(secret), shown);
  return error;
}

describe('TLS with a real broker', { skip: kafka.skip }, () => {
  it('connects where the authority is known, and carries large answers', async () => {
    const connection = await connect('ssl', { tls: { ca: kafka.tls?.ca } });
    await usable(connection);
    await Promise.all(Array.from({ length: 100 }, () => usable(connection)));
  });

  it('refuses an unknown authority', async () => {
    const error = await failure(connect('ssl', { tls: { ca: kafka.tls?.otherCa } }));
    assert.deepEqual(
      [error.name, error.code, error.retriable],
      ['AuthenticationError', 'TLS_UNTRUSTED_CERTIFICATE', false],
    );
    assert.match(error.message, /give its authority in tls\.ca$/);
  });

  it('refuses a certificate for another host', async () => {
    const error = await failure(connect('sslWrongHost', { tls: { ca: kafka.tls?.ca } }));
    assert.deepEqual(
      [error.name, error.code, error.retriable],
      ['AuthenticationError', 'TLS_HOST_NAME_MISMATCH', false],
    );
    assert.match(error.message, /connect by a name that is in it, or set tls\.servername/);
  });

  it('proves itself by a certificate where the broker asks for one', async () => {
    const { ca, clientCertificate, clientKey } = kafka.tls ?? {};
    await usable(await connect('mutualTls', { tls: { ca, cert: clientCertificate, key: clientKey } }));
    const error = await failure(connect('mutualTls', { tls: { ca } }));
    assert.deepEqual([error.name, error.code], ['AuthenticationError', 'TLS_FAILED']);
    assert.match(error.message, /give tls\.cert and tls\.key|check tls\.cert and tls\.key/);
  });

  it('says that TLS is on at one side only, whichever it is', async () => {
    const plain = await failure(connect('ssl'));
    assert.match(plain.message, /option tls/);
    const encrypted = await failure(connect('plaintext', { tls: {} }));
    assert.match(encrypted.message, /leave out tls$/);
  });
});

describe('SASL with a real broker', { skip: kafka.skip }, () => {
  const tls = { ca: kafka.tls?.ca };
  const user = (mechanism: (typeof mechanisms)[number]) => kafka.users?.[mechanism] ?? { username: '', password: '' };

  for (const mechanism of mechanisms) {
    it(`authenticates with ${mechanism}, over TLS and without`, async () => {
      const sasl = { mechanism, ...user(mechanism) };
      await usable(await connect('saslSsl', { tls, sasl }));
      await usable(await connect('saslPlaintext', { sasl }));
    });

    it(`says that the password is wrong with ${mechanism}, and shows none`, async () => {
      const password = `wrong-${user(mechanism).password}`;
      const sasl = { mechanism, username: user(mechanism).username, password };
      const error = await failure(connect('saslSsl', { tls, sasl }), password, user(mechanism).password);
      assert.deepEqual(
        [error.name, error.code, error.retriable],
        ['AuthenticationError', 'SASL_AUTHENTICATION_FAILED', false],
      );
      assert.match(error.message, /^Cannot connect to broker .*Authentication failed/);
    });

    it(`says that the user is unknown with ${mechanism}`, async () => {
      const sasl = { mechanism, username: 'nobody', password: 'no-such-sesame' };
      assert.equal(
        (await failure(connect('saslSsl', { tls, sasl }), 'no-such-sesame')).code,
        'SASL_AUTHENTICATION_FAILED',
      );
    });
  }

  it('names the mechanisms that the listener offers', async () => {
    const authenticator = () => ({ respond: () => undefined });
    const error = await failure(connect('saslSsl', { tls, sasl: { mechanism: 'GSSAPI', authenticator } }));
    assert.equal(error.code, 'UNSUPPORTED_SASL_MECHANISM');
    assert.match(error.message, /does not offer the SASL mechanism GSSAPI; it offers .*"SCRAM-SHA-512"/);
  });

  it('says that a listener does not authenticate', async () => {
    const error = await failure(
      connect('plaintext', { sasl: { mechanism: 'plain', username: 'a', password: 'b-sesame' } }),
      'b-sesame',
    );
    assert.match(error.message, /does not authenticate with SASL; leave out sasl or use another port/);
  });

  it('says that the listener may authenticate where sasl was left out', async () => {
    const connection = await connect('saslSsl', { tls });
    const error = await failure(connection.send(Metadata, 9, { topics: [] }));
    assert.equal(error.code, 'CONNECTION_CLOSED');
    assert.match(error.message, /set the option sasl$/);
  });
});

describe('OAUTHBEARER with a real broker', { skip: kafka.skip }, () => {
  const good = (): string => unsignedToken('magpie', Date.now() + 3_600_000);
  const stale = unsignedToken('magpie', Date.now() - 3_600_000);

  it('connects with a token of a function, with extensions, with TLS and without', async () => {
    const sasl = { mechanism: 'oauthbearer', token: good, extensions: { traceId: 'a-1' } } as const;
    await usable(await connect('saslPlaintext', { sasl }));
    await usable(await connect('saslSsl', { tls: { ca: kafka.tls?.ca }, sasl }));
  });

  it('connects with a token of an identity provider, one for all connections', async () => {
    const provider = await startTokenEndpoint(() => ({ access_token: good(), expires_in: 3600 }));
    try {
      const pool = new ConnectionPool(
        networkOptions({
          sasl: {
            mechanism: 'oauthbearer',
            tokenEndpoint: provider.url,
            clientId: 'magpie',
            clientSecret: 'sesame-44',
            scope: 'kafka',
          },
        }),
      );
      pools.push(pool);
      const address = addressOf('saslPlaintext');
      await Promise.all(['a', 'b', 'c'].map(async (lane) => usable(await pool.connect(address, lane))));
      assert.equal(provider.forms.length, 1);
      assert.equal(provider.forms[0]?.get('scope'), 'kafka');
    } finally {
      await provider.close();
    }
  });

  it('says in the words of the broker that a token is not good, and shows it nowhere', async () => {
    const error = await failure(connect('saslPlaintext', { sasl: { mechanism: 'oauthbearer', token: stale } }), stale);
    assert.equal(error.code, 'SASL_AUTHENTICATION_FAILED');
    assert.equal(error.name, 'AuthenticationError');
    assert.match(error.message, /invalid_token/);
  });

  it('tries once more, with a new token, where the broker refuses the one that was held', async () => {
    let asked = 0;
    // The client takes the first for good still: its giver says so, whatever stands in it.
    const token = () => ({ value: ++asked === 1 ? stale : good(), expiresAt: Date.now() + 3_600_000 });
    const options = networkOptions({ sasl: { mechanism: 'oauthbearer', token } });
    const pool = new ConnectionPool(options);
    pools.push(pool);
    const address = addressOf('saslPlaintext');
    const fresh = await failure(pool.connect(address, 'a'), stale);
    assert.deepEqual([fresh.name, fresh.retriable, asked], ['AuthenticationError', false, 1]);
    await usable(await pool.connect(address, 'a'));
    assert.equal(asked, 2);
  });
});
