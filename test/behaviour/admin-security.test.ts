import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import {
  isKafkaError,
  Kafka,
  type Acl,
  type AclFilter,
  type Admin,
  type ClientQuotaFilter,
  type NewAcl,
  type SettledItem,
} from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest, type KafkaUnderTest } from '../support/kafka/under-test.ts';

const open = await kafkaUnderTest({ brokers: 1 });
const guarded = await kafkaUnderTest({
  brokers: 1,
  own: true,
  config: {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
  },
});
after(() => guarded.release());

const fresh = (what: string): string => `${what}-${randomUUID()}`;
const code =
  (expected: string) =>
  (error: unknown): boolean =>
    isKafkaError(error) && error.code === expected;
const codesOf = (results: readonly SettledItem<unknown>[]): string[] =>
  results.map((result) => (result.status === 'fulfilled' ? 'done' : result.reason.code));

/** An admin client for the tests of one suite. */
function adminOf(cluster: KafkaUnderTest): () => Admin {
  let kafka: Kafka;
  let admin: Admin;
  before(() => {
    kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
    admin = kafka.admin();
  });
  after(() => kafka.close());
  return () => admin;
}

describe('Admin, rules of access', { skip: guarded.skip }, () => {
  const admin = adminOf(guarded);

  const ordered = (acls: readonly Acl[]): Acl[] => {
    const key = (acl: Acl): string =>
      JSON.stringify([acl.resourceType, acl.resourceName, acl.patternType, acl.operation]);
    return [...acls].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  };
  /** Brokers learn a moment later what the controller has written down. */
  const found = (filter: AclFilter, expected: readonly Acl[]): Promise<unknown> =>
    eventually(async () => {
      assert.deepEqual(ordered(await admin().describeAcls(filter)), ordered(expected));
      return true;
    });
  const acl = (given: Partial<Acl> = {}): Acl => ({
    resourceType: 'topic',
    resourceName: fresh('orders'),
    patternType: 'literal',
    principal: `User:${fresh('alice')}`,
    host: '*',
    operation: 'read',
    permissionType: 'allow',
    ...given,
  });

  it('a rule is created, found, and deleted, and deleted again without an error', async () => {
    const { host: _host, patternType: _patternType, ...given } = acl();
    const expected: Acl = { ...given, host: '*', patternType: 'literal' };
    await admin().createAcls(given);
    await found(given, [expected]);
    await admin().createAcls([given, given]);
    await found({ principal: given.principal }, [expected]);
    assert.deepEqual(await admin().deleteAcls(expected), [expected]);
    await found({ principal: given.principal }, []);
    assert.deepEqual(await admin().deleteAcls([expected]), [[]]);
  });

  it('filters find by name, by what would apply to a name, and by each other field', async () => {
    const name = fresh('payments');
    const { principal } = acl();
    const exact = acl({ resourceName: name, principal, operation: 'describe' });
    const prefixed = acl({ resourceName: name.slice(0, 20), patternType: 'prefixed', principal });
    const group = acl({
      resourceType: 'group',
      resourceName: name,
      principal,
      permissionType: 'deny',
      host: '10.0.0.1',
    });
    const all = acl({ resourceName: '*', principal, operation: 'alter' });
    await admin().createAcls([exact, prefixed, group, all]);
    await found({ principal }, [exact, prefixed, group, all]);
    await found({ principal, resourceName: name }, [exact, group]);
    await found({ principal, resourceName: name, patternType: 'literal' }, [exact, group]);
    await found({ principal, resourceName: name, patternType: 'match', resourceType: 'topic' }, [exact, prefixed, all]);
    await found({ principal, patternType: 'prefixed' }, [prefixed]);
    await found({ principal, permissionType: 'deny' }, [group]);
    await found({ principal, host: '10.0.0.1' }, [group]);
    await found({ principal, host: '*', operation: 'alter' }, [all]);
    await found({ principal, operation: 'all' }, []);
    const deleted = await admin().deleteAcls([
      { principal, resourceName: name, patternType: 'match', resourceType: 'topic' },
      { principal, resourceType: 'group' },
      { principal: `User:${fresh('nobody')}` },
    ]);
    assert.deepEqual(deleted.map(ordered), [ordered([exact, prefixed, all]), [group], []]);
    await found({ principal }, []);
  });

  it('every resource and every operation comes back as it was given', async () => {
    const { principal } = acl();
    const operations = [
      ...([
        'all',
        'read',
        'write',
        'create',
        'delete',
        'alter',
        'describe',
        'clusterAction',
        'describeConfigs',
      ] as const),
      ...(['alterConfigs', 'idempotentWrite', 'createTokens', 'describeTokens', 'twoPhaseCommit'] as const),
    ];
    const acls = [
      ...operations.map((operation) => acl({ principal, resourceName: 'x', operation })),
      ...(['group', 'cluster', 'transactionalId', 'delegationToken', 'user'] as const).map((resourceType) =>
        acl({ principal, resourceType, resourceName: resourceType === 'cluster' ? 'kafka-cluster' : 'x' }),
      ),
    ];
    await admin().createAcls(acls);
    await found({ principal }, acls);
    assert.equal((await admin().deleteAcls({ principal })).length, acls.length);
  });

  it('without an authorizer every call says so', async () => {
    const kafka = new Kafka({ bootstrapServers: open.bootstrapServers });
    try {
      const without = kafka.admin();
      const rule: NewAcl = acl();
      await assert.rejects(without.describeAcls(), code('SECURITY_DISABLED'));
      await assert.rejects(without.createAcls(rule), code('SECURITY_DISABLED'));
      await assert.rejects(without.deleteAcls(rule), code('SECURITY_DISABLED'));
      assert.deepEqual(codesOf(await without.createAcls([rule, rule], { settled: true })), [
        'SECURITY_DISABLED',
        'SECURITY_DISABLED',
      ]);
    } finally {
      await kafka.close();
    }
  });
});

describe('Admin, users of SCRAM', { skip: guarded.skip }, () => {
  const admin = adminOf(guarded);
  const sha256 = 'scram-sha-256';
  const sha512 = 'scram-sha-512';
  const password = 'correct-horse-sesame';

  /** Brokers learn a moment later what the controller has written down. */
  const has = (user: string, credentials: Readonly<Record<string, number>> | undefined): Promise<unknown> =>
    eventually(async () => {
      const result = await admin().describeUserScramCredentials(user, { settled: true });
      const found = result.status === 'fulfilled' ? result.value : undefined;
      assert.deepEqual(
        found && Object.fromEntries(found.credentials.map(({ mechanism, iterations }) => [mechanism, iterations])),
        credentials,
      );
      return true;
    });

  it('credentials are set, replaced, described and deleted', async () => {
    const user = fresh('anna');
    await admin().alterUserScramCredentials({ user, mechanism: sha256, password });
    await has(user, { [sha256]: 8192 });
    await admin().alterUserScramCredentials([
      { user, mechanism: sha256, password: 'another', iterations: 4096 },
      { user, mechanism: sha512, password, iterations: 16_384, salt: Buffer.from('pepper') },
    ]);
    await has(user, { [sha256]: 4096, [sha512]: 16_384 });
    const all = await admin().describeUserScramCredentials();
    assert.equal(all.find((each) => each.user === user)?.credentials.length, 2);
    assert.deepEqual(
      all.map((each) => each.user),
      all.map((each) => each.user).toSorted(),
    );
    await admin().alterUserScramCredentials([
      { user, mechanism: sha256, delete: true },
      { user, mechanism: sha512, password },
    ]);
    await has(user, { [sha512]: 8192 });
    await admin().alterUserScramCredentials({ user, mechanism: sha512, delete: true });
    await has(user, undefined);
    await assert.rejects(admin().describeUserScramCredentials(user), code('RESOURCE_NOT_FOUND'));
  });

  it('each change is made by itself, two of one user as well', async () => {
    const [user, other] = [fresh('anna'), fresh('bert')];
    const results = await admin().alterUserScramCredentials(
      [
        { user, mechanism: sha256, password },
        { user: other, mechanism: sha256, password },
        { user, mechanism: sha512, delete: true },
      ],
      { settled: true },
    );
    assert.deepEqual(codesOf(results), ['done', 'done', 'RESOURCE_NOT_FOUND']);
    await has(user, { [sha256]: 8192 });
    await has(other, { [sha256]: 8192 });
    const names = [other, fresh('nobody'), other];
    const described = await admin().describeUserScramCredentials(names, { settled: true });
    assert.deepEqual(codesOf(described), ['done', 'RESOURCE_NOT_FOUND', 'done']);
  });
});

describe('Admin, client quotas', { skip: guarded.skip }, () => {
  const admin = adminOf(guarded);

  /** Brokers learn a moment later what the controller has written down. */
  const found = (filter: ClientQuotaFilter, expected: readonly object[]): Promise<unknown> =>
    eventually(async () => {
      const quotas = await admin().describeClientQuotas(filter);
      const ordered = (list: readonly object[]): object[] =>
        [...list].sort((a, b) => (JSON.stringify(a).length < JSON.stringify(b).length ? -1 : 1));
      assert.deepEqual(ordered(quotas), ordered(expected));
      return true;
    });

  it('quotas are set, changed and removed one by one', async () => {
    const entity = { user: fresh('carl') };
    await admin().alterClientQuotas({ entity, quotas: { producer_byte_rate: 1024, request_percentage: 12.5 } });
    await found(entity, [{ entity, quotas: { producer_byte_rate: 1024, request_percentage: 12.5 } }]);
    const quotas = { producer_byte_rate: 2048, request_percentage: null, controller_mutation_rate: 5 };
    await admin().alterClientQuotas({ entity, quotas });
    await found(entity, [{ entity, quotas: { producer_byte_rate: 2048, controller_mutation_rate: 5 } }]);
    await admin().alterClientQuotas({ entity, quotas: { producer_byte_rate: null, controller_mutation_rate: null } });
    await found(entity, []);
  });

  it('entities are found by name, by default, by any, and by nothing else', async () => {
    const [user, clientId] = [fresh('carl'), fresh('web')];
    const quotas = { consumer_byte_rate: 4096 };
    const alone = { entity: { user }, quotas };
    const both = { entity: { user, clientId }, quotas };
    const byDefault = { entity: { user, clientId: null }, quotas };
    await admin().alterClientQuotas([alone, both, byDefault]);
    await found({ user }, [alone, both, byDefault]);
    await found({ user, strict: true }, [alone]);
    await found({ user, clientId }, [both]);
    await found({ user, clientId: null }, [byDefault]);
    await found({ user, clientId: true }, [both, byDefault]);
    await found({ clientId, user: true, strict: true }, [both]);
    await found({ clientId, strict: true }, []);
    const all = await admin().describeClientQuotas();
    assert.equal(all.filter(({ entity }) => entity.user === user).length, 3);
    await admin().alterClientQuotas(
      [alone, both, byDefault].map(({ entity }) => ({ entity, quotas: { consumer_byte_rate: null } })),
    );
    await found({ user }, []);
  });

  it('addresses and defaults have quotas', async () => {
    const address = { entity: { ip: '10.1.2.3' }, quotas: { connection_creation_rate: 7 } };
    await admin().alterClientQuotas(address);
    await found({ ip: '10.1.2.3' }, [address]);
    const everyone = { entity: { user: null }, quotas: { controller_mutation_rate: 1000 } };
    await admin().alterClientQuotas(everyone);
    await found({ user: null, strict: true }, [everyone]);
    await admin().alterClientQuotas([
      { entity: address.entity, quotas: { connection_creation_rate: null } },
      { entity: everyone.entity, quotas: { controller_mutation_rate: null } },
    ]);
    await found({ ip: true }, []);
    await found({ user: null }, []);
  });

  it('validateOnly changes nothing', async () => {
    const [entity, marker] = [{ user: fresh('carl') }, { user: fresh('marker') }];
    await admin().alterClientQuotas({ entity, quotas: { producer_byte_rate: 1024 } }, { validateOnly: true });
    await admin().alterClientQuotas({ entity: marker, quotas: { producer_byte_rate: 1024 } });
    await found(marker, [{ entity: marker, quotas: { producer_byte_rate: 1024 } }]);
    await found(entity, []);
    await admin().alterClientQuotas({ entity: marker, quotas: { producer_byte_rate: null } });
  });
});
