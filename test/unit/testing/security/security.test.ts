import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, it } from 'node:test';
import { isKafkaError, Kafka, type ClientOptions, type OAuthToken } from '../../../../src/index.ts';
import { CreateAcls } from '../../../../src/protocol/generated/create-acls.ts';
import { AlterUserScramCredentials } from '../../../../src/protocol/generated/alter-user-scram-credentials.ts';
import { DescribeAcls } from '../../../../src/protocol/generated/describe-acls.ts';
import { DescribeClientQuotas } from '../../../../src/protocol/generated/describe-client-quotas.ts';
import { DescribeUserScramCredentials } from '../../../../src/protocol/generated/describe-user-scram-credentials.ts';
import { AlterClientQuotas } from '../../../../src/protocol/generated/alter-client-quotas.ts';
import { TestClock, TestCluster, type TestClusterOptions } from '../../../../src/testing/index.ts';
import { RawConnection } from '../../../support/answers/raw-kafka.ts';
import { eventually } from '../../../support/eventually.ts';
import { makeAuthority } from '../../../support/kafka/certificates.ts';
import { unsignedToken } from '../../../support/unsigned-token.ts';

const authority = makeAuthority('Kavka test authority');
const server = authority.issue('broker', ['localhost', '127.0.0.1']);
const tls = { key: server.key, cert: server.certificate };
const users = { magpie: 'sesame', jay: 'acorn' };
const magpie = { username: 'magpie', password: 'sesame' };
const hasCode = (code: string) => (error: unknown) => isKafkaError(error) && error.code === code;

async function withCluster(options: TestClusterOptions, body: (cluster: TestCluster) => Promise<void>): Promise<void> {
  const cluster = await TestCluster.start(options);
  try {
    await body(cluster);
  } finally {
    await cluster.close();
  }
}

async function withKafka(options: ClientOptions, body: (kafka: Kafka) => Promise<void>): Promise<void> {
  const kafka = new Kafka(options);
  try {
    await body(kafka);
  } finally {
    await kafka.close();
  }
}

describe('TestCluster with TLS and SASL', () => {
  it('listens with TLS, SASL and both', async () => {
    const options = { listeners: ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'], tls, sasl: { users } } as const;
    await withCluster({ ...options, topics: { t: 1 } }, async (cluster) => {
      const trust = { tls: { ca: authority.certificate } };
      const ways: [ClientOptions['bootstrapServers'], Partial<ClientOptions>][] = [
        [cluster.bootstrapServers, {}],
        [cluster.addresses('SSL'), trust],
        [cluster.addresses('SASL_PLAINTEXT'), { sasl: { mechanism: 'plain', ...magpie } }],
        [cluster.addresses('SASL_SSL'), { ...trust, sasl: { mechanism: 'scram-sha-256', ...magpie } }],
        [cluster.addresses('SASL_SSL'), { ...trust, sasl: { mechanism: 'scram-sha-512', ...magpie } }],
      ];
      for (const [bootstrapServers, more] of ways)
        await withKafka({ bootstrapServers, ...more }, async (kafka) => {
          await kafka.producer().send({ topic: 't', value: 'v' });
        });
      assert.equal((await cluster.records('t')).length, ways.length);
    });
  });

  it('knows a client by its certificate', async () => {
    const client = authority.issue('jay', []);
    const options = { listeners: ['SSL'], tls: { ...tls, ca: authority.certificate, clientAuth: 'required' } } as const;
    const guarded = { ...options, authorizer: { superUsers: ['User:CN=jay'] }, topics: { t: 1 } };
    await withCluster(guarded, async ({ bootstrapServers }) => {
      const trust = { ca: authority.certificate };
      const own = { ...trust, key: client.key, cert: client.certificate };
      await withKafka({ bootstrapServers, tls: own }, async (kafka) => {
        await kafka.producer().send({ topic: 't', value: 'v' });
      });
      await withKafka({ bootstrapServers, tls: trust }, async (kafka) => {
        await assert.rejects(kafka.connect());
      });
    });
  });

  it('lets nobody in with a wrong password', async () => {
    await withCluster({ listeners: ['SASL_PLAINTEXT'], sasl: { users } }, async ({ bootstrapServers }) => {
      for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'] as const)
        for (const who of [
          { username: 'magpie', password: 'wrong' },
          { username: 'nobody', password: 'sesame' },
        ])
          await withKafka({ bootstrapServers, sasl: { mechanism, ...who } }, async (kafka) => {
            await assert.rejects(kafka.connect(), hasCode('SASL_AUTHENTICATION_FAILED'));
          });
    });
  });

  it('takes unsecured tokens, until they expire', async () => {
    const withToken = (token: string): ClientOptions['sasl'] => ({ mechanism: 'oauthbearer', token });
    const now = Date.now();
    await withCluster({ listeners: ['SASL_PLAINTEXT'], topics: { t: 1 } }, async ({ bootstrapServers }) => {
      const good = withToken(unsignedToken('jay', now + 600_000));
      await withKafka({ bootstrapServers, sasl: good }, async (kafka) => {
        await kafka.producer().send({ topic: 't', value: 'v' });
      });
      const stale = withToken(unsignedToken('jay', now - 1000));
      await withKafka({ bootstrapServers, sasl: stale }, async (kafka) => {
        await assert.rejects(kafka.connect(), hasCode('SASL_AUTHENTICATION_FAILED'));
      });
    });
  });

  it('lets clients on whose tokens are renewed, although their giver is away for a while', async () => {
    const clock = new TestClock();
    const LIFE_MS = 300_000;
    const options = { listeners: ['SASL_PLAINTEXT'], configs: { 'connections.max.reauth.ms': '3600000' } } as const;
    await withCluster({ ...options, clock, topics: { t: 1 } }, async ({ bootstrapServers }) => {
      let isAway = false;
      const given: number[] = [];
      const token = async (): Promise<OAuthToken> => {
        if (isAway) throw new Error('the provider is away');
        given.push(clock.wallMs());
        return { value: unsignedToken('jay', clock.wallMs() + LIFE_MS) };
      };
      const sasl = { mechanism: 'oauthbearer', token } as const;
      await withKafka({ bootstrapServers, sasl, clock, random: () => 0 }, async (kafka) => {
        const troubles: number[] = [];
        kafka.on('sasl.token.failed', ({ expiresAtMs }) => void troubles.push(expiresAtMs));
        const producer = kafka.producer();
        await producer.send({ topic: 't', value: 'with the first token' });
        assert.equal(given.length, 1);
        isAway = true;
        await clock.advance(LIFE_MS * 0.86);
        await producer.send({ topic: 't', value: 'with the first token still' });
        assert.ok(troubles.length > 0 && troubles.every((at) => at === (given[0] ?? 0) + LIFE_MS), String(troubles));
        await clock.advance(LIFE_MS * 0.14);
        const late = producer.send({ topic: 't', value: 'with the second token' });
        await eventually(async () => {
          await clock.advance(100);
          return troubles.length > 0;
        });
        isAway = false;
        await eventually(async () => {
          await clock.advance(1000);
          return given.length > 1;
        });
        await late;
        assert.equal(given.length, 2);
      });
    });
  });

  it('ends a session that is not renewed', async () => {
    const clock = new TestClock();
    const options = {
      listeners: ['SASL_PLAINTEXT'],
      sasl: { users },
      configs: { 'connections.max.reauth.ms': '60000' },
    } as const;
    await withCluster({ ...options, clock, topics: { t: 1 } }, async (cluster) => {
      const sasl = { mechanism: 'plain', ...magpie } as const;
      await withKafka({ bootstrapServers: cluster.bootstrapServers, sasl, clientId: 'old' }, async (kafka) => {
        const producer = kafka.producer();
        await producer.send({ topic: 't', value: 'before' });
        await clock.advance(61_000);
        const seen: string[] = [];
        for (const name of ['connection.opened', 'connection.closed', 'connection.failed', 'request.failed'] as const)
          kafka.on(name, (event) => seen.push(`${name} ${inspect(event, { breakLength: Infinity })}`));
        await producer.send({ topic: 't', value: 'after' }).catch((cause: unknown) => {
          const asked = cluster.requests().map(({ api, outcome, connectionId }) => `${connectionId} ${api} ${outcome}`);
          throw new Error([...seen, ...asked].join('\n'), { cause });
        });
        const logins = cluster.requests({ api: 'SaslAuthenticate' }).length;
        assert.ok(logins > 1, `${logins} logins`);
      });
      assert.equal((await cluster.records('t')).length, 2);
    });
  });

  it('denies what no rule allows, and says so by Kafka codes', async () => {
    const options = { listeners: ['PLAINTEXT', 'SASL_PLAINTEXT'], sasl: { users } } as const;
    const guarded = { ...options, authorizer: { superUsers: ['User:ANONYMOUS'] }, topics: { open: 1, closed: 1 } };
    await withCluster(guarded, async (cluster) => {
      const admin = await RawConnection.open(cluster.bootstrapServers[0] ?? '');
      const rule = {
        resourceType: 2,
        resourceName: 'open',
        resourcePatternType: 3,
        principal: 'User:jay',
        host: '*',
        operation: 4,
        permissionType: 3,
      };
      await admin.send(CreateAcls, 3, { creations: [rule] });
      admin.close();
      const sasl = { mechanism: 'plain', username: 'jay', password: 'acorn' } as const;
      await withKafka({ bootstrapServers: cluster.addresses('SASL_PLAINTEXT'), sasl }, async (kafka) => {
        const producer = kafka.producer();
        await producer.send({ topic: 'open', value: 'v' });
        await assert.rejects(producer.send({ topic: 'closed', value: 'v' }), (error) =>
          /TOPIC_AUTHORIZATION_FAILED/.test(String(error) + String((error as Error).cause)),
        );
        const consumer = kafka.consumer({ groupId: 'g' });
        consumer.subscribe('open');
        await assert.rejects(consumer.poll({ timeoutMs: 30_000 }), hasCode('GROUP_AUTHORIZATION_FAILED'));
        await consumer.close();
      });
      assert.equal((await cluster.records('closed')).length, 0);
    });
  });

  it('throttles a client that writes more than its quota', async () => {
    await withCluster({ topics: { t: 1 } }, async (cluster) => {
      const admin = await RawConnection.open(cluster.bootstrapServers[0] ?? '');
      const entity = [{ entityType: 'client-id', entityName: 'greedy' }];
      const ops = [{ key: 'producer_byte_rate', value: 100_000 }];
      await admin.send(AlterClientQuotas, 1, { entries: [{ entity, ops }] });
      admin.close();
      for (const clientId of ['greedy', 'modest'])
        await withKafka({ bootstrapServers: cluster.bootstrapServers, clientId }, async (kafka) => {
          const producer = kafka.producer();
          await producer.send({ topic: 't', value: Buffer.alloc(900_000) });
          await producer.send({ topic: 't', value: Buffer.alloc(150_000) });
        });
      const throttled = await eventually(() => {
        const waits = cluster
          .requests({ api: 'Produce' })
          .map(({ clientId, answer }) => [
            clientId,
            ((answer as { throttleTimeMs?: number } | undefined)?.throttleTimeMs ?? 0) > 0,
          ]);
        return waits.length >= 4 && waits;
      });
      assert.ok(throttled.some(([clientId, waits]) => clientId === 'greedy' && waits === true));
      assert.ok(throttled.every(([clientId, waits]) => clientId === 'greedy' || waits === false));
    });
  });

  it('keeps rules, users and quotas in its folder', async (test) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'kavka-security-'));
    test.after(() => rmSync(dataDir, { recursive: true }));
    const options = { dataDir, authorizer: { superUsers: ['User:ANONYMOUS'] } } as const;
    const rule = {
      resourceType: 2,
      resourceName: 't',
      resourcePatternType: 3,
      principal: 'User:jay',
      host: '*',
      operation: 3,
      permissionType: 3,
    };
    const entity = [{ entityType: 'user', entityName: 'jay' }];
    const any = { resourceTypeFilter: 1, patternTypeFilter: 1, operation: 1, permissionType: 1 };
    const filter = { ...any, resourceNameFilter: null, principalFilter: null, hostFilter: null };
    const credential = {
      name: 'jay',
      mechanism: 2,
      iterations: 5000,
      salt: Buffer.from('salt'),
      saltedPassword: Buffer.alloc(64, 7),
    };
    const look = async (cluster: TestCluster): Promise<unknown> => {
      const admin = await RawConnection.open(cluster.bootstrapServers[0] ?? '');
      const { resources } = await admin.send(DescribeAcls, 3, filter);
      const { results } = await admin.send(DescribeUserScramCredentials, 0, { users: null });
      const { entries } = await admin.send(DescribeClientQuotas, 1, { components: [] });
      admin.close();
      return JSON.parse(JSON.stringify([resources, results, entries]));
    };
    let before: unknown;
    await withCluster(options, async (cluster) => {
      const admin = await RawConnection.open(cluster.bootstrapServers[0] ?? '');
      await admin.send(CreateAcls, 3, { creations: [rule] });
      await admin.send(AlterUserScramCredentials, 0, { upsertions: [credential] });
      await admin.send(AlterClientQuotas, 1, { entries: [{ entity, ops: [{ key: 'consumer_byte_rate', value: 5 }] }] });
      admin.close();
      before = await look(cluster);
    });
    assert.match(JSON.stringify(before), /User:jay.*5000.*consumer_byte_rate/);
    await withCluster(options, async (cluster) => assert.deepEqual(await look(cluster), before));
  });

  it('refuses options that do not fit together', async () => {
    await assert.rejects(TestCluster.start({ listeners: ['SSL'] }), hasCode('INVALID_OPTION'));
    await assert.rejects(TestCluster.start({ listeners: [] }), hasCode('INVALID_OPTION'));
    await assert.rejects(TestCluster.start({ sasl: { user: 'x' } as never }), hasCode('UNKNOWN_OPTION'));
    await withCluster({}, async (cluster) => {
      assert.throws(() => cluster.addresses('SSL'), hasCode('INVALID_ARGUMENT'));
    });
  });
});
