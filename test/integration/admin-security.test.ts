import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { inspect } from 'node:util';
import {
  isKafkaError,
  Kafka,
  type Acl,
  type Admin,
  type ClientOptions,
  type NewAcl,
  type ScramMechanism,
} from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const mechanisms = ['scram-sha-256', 'scram-sha-512'] as const;
const deadline = { timeout: 180_000 };

/** What Kavka sets holds for users who log in, and is what Kafka's own tools see; what they set, Kavka sees. */
for (const version of ['4.3.1', '3.9.1']) {
  const broker = await kafkaUnderTest({
    brokers: 1,
    version,
    own: true,
    config: {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
      'delegation.token.secret.key': 'what brokers make tokens of',
    },
    listeners: ['plaintext', 'saslPlaintext'],
    needs: ['saslPlaintext', 'tools'],
  });
  after(() => broker.release());

  describe(`Admin, access on Kafka ${version}`, { skip: broker.skip }, () => {
    let kafka: Kafka;
    let admin: Admin;
    before(() => {
      kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
      admin = kafka.admin();
    });
    after(() => kafka.close());

    const fresh = (what: string): string => `${what}-${randomUUID()}`;

    /** A client of somebody who logs in, for as long as the body runs. */
    async function as<Result>(
      sasl: NonNullable<ClientOptions['sasl']>,
      body: (kafka: Kafka) => Promise<Result>,
    ): Promise<Result> {
      const bootstrapServers = [...(broker.listeners.saslPlaintext ?? [])];
      const theirs = new Kafka({ bootstrapServers, sasl });
      try {
        return await body(theirs);
      } finally {
        await theirs.close();
      }
    }

    const refusal = async (mechanism: ScramMechanism, username: string, password: string): Promise<string> => {
      try {
        await as({ mechanism, username, password }, (theirs) => theirs.connect());
        return 'let in';
      } catch (error) {
        return isKafkaError(error) ? error.code : String(error);
      }
    };

    const tool = async (name: string, args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await broker.tool(name, ['--bootstrap-server', '{bootstrap}', ...args], {});
      assert.equal(code, 0, `${stdout}\n${stderr}`);
      return stdout;
    };

    for (const mechanism of mechanisms) {
      it(`a user of ${mechanism} is let in with the password that was set last, until deleted`, deadline, async () => {
        const user = fresh('wren');
        const told: unknown[] = [];
        for (const name of ['request.failed', 'request.retried'] as const) kafka.on(name, (event) => told.push(event));
        const [first, second] = ['first-sesame', 'sécond sesame, with = and ,'];
        assert.equal(await refusal(mechanism, user, first), 'SASL_AUTHENTICATION_FAILED');
        await admin.alterUserScramCredentials({ user, mechanism, password: first });
        await eventually(async () => (await refusal(mechanism, user, first)) === 'let in');
        assert.equal(await refusal(mechanism, user, second), 'SASL_AUTHENTICATION_FAILED');
        await admin.alterUserScramCredentials({ user, mechanism, password: second, iterations: 4096 });
        await eventually(async () => (await refusal(mechanism, user, second)) === 'let in');
        assert.equal(await refusal(mechanism, user, first), 'SASL_AUTHENTICATION_FAILED');
        await admin.alterUserScramCredentials({ user, mechanism, delete: true });
        await eventually(async () => (await refusal(mechanism, user, second)) === 'SASL_AUTHENTICATION_FAILED');
        const shown = inspect([told, kafka, admin], { depth: Infinity, showHidden: true });
        for (const password of [first, second]) assert.ok(!shown.includes(password));
      });
    }

    it('a rule lets a user in, a denial wins, and without rules nothing is allowed', deadline, async () => {
      const [user, topic, password] = [fresh('wren'), fresh('orders'), 'sesame-44'];
      await admin.createTopics({ topic, partitions: 1, replicationFactor: 1 });
      await admin.alterUserScramCredentials({ user, mechanism: 'scram-sha-512', password });
      await eventually(async () => (await refusal('scram-sha-512', user, password)) === 'let in');
      const sasl = { mechanism: 'scram-sha-512', username: user, password } as const;
      const sending = (): Promise<string> =>
        as(sasl, async (theirs) => {
          try {
            await theirs.producer().send({ topic, value: 'v' });
            return 'sent';
          } catch (error) {
            return isKafkaError(error) ? error.code : String(error);
          }
        });
      const denied = 'TOPIC_AUTHORIZATION_FAILED';
      assert.equal(await sending(), denied);
      const writing: NewAcl = {
        ...{ resourceType: 'topic', resourceName: topic.slice(0, 12), patternType: 'prefixed' },
        ...{ principal: `User:${user}`, operation: 'write', permissionType: 'allow' },
      };
      const denial: NewAcl = { ...writing, patternType: 'literal', resourceName: topic, permissionType: 'deny' };
      await admin.createAcls(writing);
      await eventually(async () => (await sending()) === 'sent');
      await admin.createAcls(denial);
      await eventually(async () => (await sending()) === denied);
      const applying = { resourceType: 'topic', resourceName: topic, patternType: 'match' } as const;
      assert.equal((await admin.describeAcls(applying)).length, 2);
      assert.equal((await admin.deleteAcls({ ...applying, permissionType: 'deny' })).length, 1);
      await eventually(async () => (await sending()) === 'sent');
      assert.deepEqual(await admin.deleteAcls({ principal: `User:${user}` }), [{ ...writing, host: '*' }]);
      await eventually(async () => (await sending()) === denied);

      const unauthorized = { name: 'AuthorizationError', code: 'CLUSTER_AUTHORIZATION_FAILED' };
      await as(sasl, async (theirs) => {
        const their = theirs.admin();
        await assert.rejects(their.describeAcls(), unauthorized);
        await assert.rejects(their.createAcls(writing), unauthorized);
        await assert.rejects(their.deleteAcls(writing), unauthorized);
        await assert.rejects(
          their.alterUserScramCredentials({ user, mechanism: 'scram-sha-256', password }),
          unauthorized,
        );
        await assert.rejects(their.describeClientQuotas(), unauthorized);
        const quotas = { entity: { user }, quotas: { producer_byte_rate: 1 } };
        await assert.rejects(their.alterClientQuotas(quotas), unauthorized);
      });
    });

    /** A user with a password, who is let in. */
    const newUser = async (name: string): Promise<{ user: string; sasl: NonNullable<ClientOptions['sasl']> }> => {
      const [user, password] = [fresh(name), 'sesame-45'];
      await admin.alterUserScramCredentials({ user, mechanism: 'scram-sha-256', password });
      await eventually(async () => (await refusal('scram-sha-256', user, password)) === 'let in');
      return { user, sasl: { mechanism: 'scram-sha-256', username: user, password } };
    };

    it('a delegation token lets others in as its owner, for as long as it is prolonged', deadline, async () => {
      const [wren, finch, rook] = [await newUser('wren'), await newUser('finch'), await newUser('rook')];
      const token = await as(wren.sasl, (theirs) =>
        theirs.admin().createDelegationToken({ renewers: [`User:${finch.user}`], maxLifetimeMs: 3_600_000 }),
      );
      assert.deepEqual([token.owner, token.requester], [`User:${wren.user}`, `User:${wren.user}`]);
      assert.deepEqual(token.renewers, [`User:${finch.user}`]);
      assert.equal(token.maxTimestampMs - token.issueTimestampMs, 3_600_000);
      assert.ok(token.expiryTimestampMs <= token.maxTimestampMs);

      const topic = fresh('orders');
      await admin.createTopics({ topic, partitions: 1, replicationFactor: 1 });
      await admin.createAcls({
        ...{ resourceType: 'topic', resourceName: topic, principal: `User:${wren.user}` },
        ...{ operation: 'write', permissionType: 'allow' },
      });
      // As it is handed over to somebody else.
      const delegationToken = JSON.parse(JSON.stringify(token)) as typeof token;
      for (const mechanism of mechanisms) {
        await eventually(() =>
          as({ mechanism, delegationToken }, async (theirs) => {
            try {
              await theirs.producer().send({ topic, value: mechanism });
              return true;
            } catch {
              return false;
            }
          }),
        );
      }
      const guess = Buffer.from('a guess of what proves the token').toString('base64');
      const wrong = { tokenId: token.tokenId, hmac: guess };
      await as({ mechanism: 'scram-sha-256', delegationToken: wrong }, async (theirs) => {
        const error = await theirs.connect().catch((reason: unknown) => reason);
        assert.ok(isKafkaError(error, 'SASL_AUTHENTICATION_FAILED'), String(error));
        assert.ok(!inspect([error, theirs], { depth: Infinity, showHidden: true }).includes(guess));
      });
      await as({ mechanism: 'scram-sha-512', delegationToken }, (theirs) =>
        assert.rejects(theirs.admin().createDelegationToken(), { code: 'DELEGATION_TOKEN_REQUEST_NOT_ALLOWED' }),
      );

      await as(finch.sasl, async (theirs) => {
        const [seen, ...others] = await theirs.admin().describeDelegationTokens();
        assert.deepEqual([seen?.tokenId, others.length], [token.tokenId, 0]);
        const expiryMs = await theirs.admin().renewDelegationToken(token, { renewPeriodMs: 60_000 });
        assert.ok(expiryMs <= token.maxTimestampMs && expiryMs > token.issueTimestampMs + 30_000);
      });
      await as(rook.sasl, async (theirs) => {
        assert.deepEqual(await theirs.admin().describeDelegationTokens(), []);
        const denied = { code: 'DELEGATION_TOKEN_OWNER_MISMATCH', message: /only its owner and those/ };
        await assert.rejects(theirs.admin().renewDelegationToken(token.hmac), denied);
        await assert.rejects(theirs.admin().expireDelegationToken(token), denied);
      });
      await as(wren.sasl, async (theirs) => {
        const their = theirs.admin();
        const owners = [`User:${wren.user}`];
        assert.deepEqual(
          (await their.describeDelegationTokens({ owners })).map(({ tokenId, hmac }) => [tokenId, hmac]),
          [[token.tokenId, token.hmac]],
        );
        assert.deepEqual(await their.describeDelegationTokens({ owners: [`User:${rook.user}`] }), []);
        await their.expireDelegationToken(token);
        await eventually(async () => (await their.describeDelegationTokens({ owners })).length === 0);
        await assert.rejects(their.renewDelegationToken(token), { code: 'DELEGATION_TOKEN_NOT_FOUND' });
      });
      await as({ mechanism: 'scram-sha-256', delegationToken }, (theirs) =>
        assert.rejects(theirs.connect(), { code: 'SASL_AUTHENTICATION_FAILED' }),
      );
    });

    it('a delegation token for somebody else takes the right to make it', deadline, async () => {
      const [wren, finch] = [await newUser('wren'), await newUser('finch')];
      await as(wren.sasl, async (theirs) => {
        const their = theirs.admin();
        const owner = `User:${finch.user}`;
        await assert.rejects(their.createDelegationToken({ owner }), { code: 'DELEGATION_TOKEN_AUTHORIZATION_FAILED' });
        await assert.rejects(their.createDelegationToken({ renewers: ['Group:birds'] }), {
          code: 'INVALID_PRINCIPAL_TYPE',
        });
        await admin.createAcls({
          ...{ resourceType: 'user', resourceName: owner, principal: `User:${wren.user}` },
          ...{ operation: 'createTokens', permissionType: 'allow' },
        });
        const token = await eventually(async () => {
          const made = await their.createDelegationToken({ owner }).catch(() => undefined);
          return made ?? false;
        });
        assert.deepEqual([token.owner, token.requester], [owner, `User:${wren.user}`]);
        assert.ok(token.expiryTimestampMs - token.issueTimestampMs > 3_600_000);
      });
      // Who has not logged in is nobody that a token could be of.
      await assert.rejects(admin.createDelegationToken(), {
        code: 'DELEGATION_TOKEN_REQUEST_NOT_ALLOWED',
        message: /only with clients that have logged in/,
      });
    });

    it('kafka-acls shows what Kavka creates, and Kavka what it creates', deadline, async () => {
      const principal = `User:${fresh('wren')}`;
      const base = { principal, resourceName: 'x', permissionType: 'allow' } as const;
      const operations = [
        ...(['all', 'read', 'write', 'create', 'delete', 'alter', 'describe', 'clusterAction'] as const),
        ...(['describeConfigs', 'alterConfigs', 'idempotentWrite', 'createTokens', 'describeTokens'] as const),
        // KIP-939 came with Kafka 4.
        ...(version.startsWith('3.') ? [] : (['twoPhaseCommit'] as const)),
      ];
      const types = ['topic', 'group', 'transactionalId', 'delegationToken', 'user'] as const;
      const expected: Acl[] = [
        ...operations.map((operation) => ({ ...base, resourceType: 'topic' as const, operation })),
        ...types.slice(1).map((resourceType) => ({ ...base, resourceType, operation: 'read' as const })),
        { ...base, resourceType: 'cluster', resourceName: 'kafka-cluster', operation: 'alter' } as const,
      ].map((acl) => ({ ...acl, patternType: 'literal', host: '10.0.0.1' }) as const);
      await admin.createAcls(expected);
      await eventually(async () => (await admin.describeAcls({ principal })).length === expected.length);
      const listed = await tool('acls', ['--list', '--principal', principal]);
      const named = (text: string, field: string): string[] =>
        [...text.matchAll(new RegExp(`${field}=([A-Z_]+)`, 'g'))].map(([, name = '']) => name).sort();
      const upper = (names: readonly string[]): string[] =>
        names.map((name) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()).sort();
      assert.deepEqual(named(listed, 'operation'), upper(expected.map(({ operation }) => operation)));
      assert.deepEqual(named(listed, 'resourceType'), upper([...types, 'cluster']));

      const other = `User:${fresh('finch')}`;
      await tool('acls', [
        ...['--add', '--deny-principal', other, '--deny-host', '10.0.0.2', '--operation', 'Delete'],
        ...['--group', 'billing-', '--resource-pattern-type', 'prefixed'],
      ]);
      const acl: Acl = {
        ...{ resourceType: 'group', resourceName: 'billing-', patternType: 'prefixed' },
        ...{ principal: other, host: '10.0.0.2', operation: 'delete', permissionType: 'deny' },
      };
      await eventually(async () => {
        assert.deepEqual(await admin.describeAcls({ principal: other }), [acl]);
        return true;
      });
    });

    it(
      'kafka-configs shows the quotas and users that Kavka sets, and Kavka the quotas that it sets',
      deadline,
      async () => {
        const user = fresh('wren');
        await admin.alterUserScramCredentials({
          user,
          mechanism: 'scram-sha-512',
          password: 'sesame',
          iterations: 5000,
        });
        await admin.alterClientQuotas([
          { entity: { user }, quotas: { producer_byte_rate: 1024, consumer_byte_rate: 2048, request_percentage: 25 } },
          { entity: { user, clientId: null }, quotas: { controller_mutation_rate: 3 } },
        ]);
        await eventually(async () => (await admin.describeClientQuotas({ user })).length === 2);
        const told = await tool('configs', ['--describe', '--entity-type', 'users', '--entity-name', user]);
        for (const expected of [
          'producer_byte_rate=1024.0',
          'consumer_byte_rate=2048.0',
          'request_percentage=25.0',
          'SCRAM-SHA-512=iterations=5000',
        ])
          assert.ok(told.includes(expected), told);

        const config = 'controller_mutation_rate=7,producer_byte_rate=512';
        await tool('configs', ['--alter', '--entity-type', 'users', '--entity-name', user, '--add-config', config]);
        await eventually(async () => {
          assert.deepEqual(await admin.describeClientQuotas({ user, strict: true }), [
            {
              entity: { user },
              quotas: {
                ...{ producer_byte_rate: 512, consumer_byte_rate: 2048 },
                ...{ request_percentage: 25, controller_mutation_rate: 7 },
              },
            },
          ]);
          return true;
        });
        assert.deepEqual(await admin.describeUserScramCredentials(user), {
          user,
          credentials: [{ mechanism: 'scram-sha-512', iterations: 5000 }],
        });
      },
    );
  });
}
