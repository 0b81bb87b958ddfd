import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Admin } from '../../../src/admin/admin.ts';
import type { Acl, AclFilter, AclOperation, AclResourceType, NewAcl } from '../../../src/admin/acls.ts';
import { AdminError } from '../../../src/errors/admin-error.ts';
import { brokerErrorCodes } from '../../../src/errors/broker-error-codes.ts';
import { isKafkaError } from '../../../src/errors/kafka-error.ts';
import { Kafka } from '../../../src/index.ts';
import { TestCluster } from '../../../src/testing/index.ts';
import { operation, resourceType } from '../../../src/testing/security/resources.ts';
import {
  clusterOver,
  FakeBrokers,
  metadataAnswer,
  type FakeAnswer,
  type SeenRequest,
} from '../cluster/fake-brokers.ts';

const reading = { principal: 'User:alice', operation: 'read', permissionType: 'allow' } as const;
const orders: NewAcl = { resourceType: 'topic', resourceName: 'orders', ...reading };
const done = { errorCode: 0, errorMessage: null };

function brokers(answer: (request: SeenRequest) => FakeAnswer): { fake: FakeBrokers; admin: Admin } {
  const fake = new FakeBrokers();
  fake.answer = (request) => (request.api === 'Metadata' ? metadataAnswer(request, {}) : answer(request));
  return { fake, admin: new Admin(clusterOver(fake).cluster) };
}

function asked(fake: FakeBrokers, api: string): SeenRequest[] {
  return fake.requests.filter((request) => request.api === api);
}

describe('Admin.createAcls', () => {
  const creations = ({ message }: SeenRequest) => message['creations'] as readonly Record<string, unknown>[];
  const allDone = (request: SeenRequest): FakeAnswer => ({ results: creations(request).map(() => done) });

  it('sends what is given, for any host and the name itself where nothing else is said', async () => {
    const { fake, admin } = brokers(allDone);
    await admin.createAcls([
      orders,
      { ...orders, resourceType: 'group', patternType: 'prefixed', host: '10.0.0.1', permissionType: 'deny' },
    ]);
    const [request] = asked(fake, 'CreateAcls');
    const same = { resourceName: 'orders', principal: 'User:alice', operation: 3 };
    assert.deepEqual(request?.message['creations'], [
      { ...same, resourceType: 2, resourcePatternType: 3, host: '*', permissionType: 3 },
      { ...same, resourceType: 3, resourcePatternType: 4, host: '10.0.0.1', permissionType: 2 },
    ]);
  });

  it('has Kafka’s numbers for all resource types and operations', async () => {
    const { fake, admin } = brokers(allDone);
    const { any: _anyType, ...types } = resourceType;
    const { any: _anyOperation, ...operations } = operation;
    await admin.createAcls([
      ...Object.keys(types).map((name) => ({
        ...orders,
        resourceType: name as AclResourceType,
        resourceName: name === 'cluster' ? 'kafka-cluster' : 'x',
      })),
      ...Object.keys(operations).map((name) => ({ ...orders, operation: name as AclOperation })),
    ]);
    const sent = asked(fake, 'CreateAcls').flatMap(creations);
    const numbers = (of: object): number[] => Object.values(of) as number[];
    assert.deepEqual([...new Set(sent.map((acl) => acl['resourceType']))].sort(), numbers(types));
    const byName = (a: unknown, b: unknown): number => Number(a) - Number(b);
    assert.deepEqual([...new Set(sent.map((acl) => acl['operation']))].sort(byName), numbers(operations));
  });

  it('tells of each in order what became of it', async () => {
    const { admin } = brokers(() => ({
      results: [done, { errorCode: brokerErrorCodes.INVALID_REQUEST, errorMessage: 'Not like this.' }],
    }));
    await assert.rejects(
      admin.createAcls([orders, { ...orders, resourceName: 'o', patternType: 'prefixed' }]),
      (error) => {
        assert.ok(error instanceof AdminError);
        const [first, second] = error.results;
        assert.equal(first?.status, 'fulfilled');
        assert.ok(second?.status === 'rejected');
        assert.equal(
          second.reason.message,
          'Cannot create an ACL (allow User:alice read of topic "o", prefixed): Not like this (INVALID_REQUEST)',
        );
        return true;
      },
    );
    const missing = await admin.createAcls([orders, orders, { ...orders, host: '10.0.0.1' }], { settled: true });
    assert.ok(missing[2]?.status === 'rejected');
    assert.match(missing[2].reason.message, /from 10\.0\.0\.1 read .* left it out of its answer/);
  });

  it('sends again what a broker could not do at the moment', async () => {
    let tries = 0;
    const { fake, admin } = brokers((request) => ({
      results: creations(request).map((_, index) =>
        tries++ < 2 && index === 1 ? { errorCode: brokerErrorCodes.NOT_CONTROLLER, errorMessage: null } : done,
      ),
    }));
    const pending = admin.createAcls([orders, { ...orders, resourceName: 'other' }]);
    await fake.clock.advance(1000);
    await pending;
    assert.deepEqual(
      asked(fake, 'CreateAcls').map((request) => creations(request).map((acl) => acl['resourceName'])),
      [['orders', 'other'], ['other']],
    );
  });

  it('says what to do where the cluster has no authorizer', async () => {
    const disabled = { errorCode: brokerErrorCodes.SECURITY_DISABLED, errorMessage: 'None.' };
    const { admin } = brokers(() => ({ ...disabled, results: [disabled], filterResults: [disabled] }));
    const told = { code: 'SECURITY_DISABLED', message: /has no authorizer; set authorizer\.class\.name/ };
    await assert.rejects(admin.createAcls(orders), told);
    await assert.rejects(admin.describeAcls(), told);
    await assert.rejects(admin.deleteAcls(orders), told);
  });

  it('what only newer brokers understand fails alone', async (test) => {
    const cluster = await TestCluster.start({ kafkaVersion: '2.1', authorizer: { superUsers: ['User:ANONYMOUS'] } });
    const kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
    test.after(async () => {
      await kafka.close();
      await cluster.close();
    });
    const admin = kafka.admin();
    const results = await admin.createAcls(
      [
        orders,
        { ...orders, resourceType: 'user', resourceName: 'bob', operation: 'describe' },
        { ...orders, resourceType: 'delegationToken', operation: 'createTokens' },
        { ...orders, resourceType: 'delegationToken', operation: 'describeTokens' },
      ],
      { settled: true },
    );
    const unsupported = 'UNSUPPORTED_VERSION';
    assert.deepEqual(
      results.map((result) => (result.status === 'fulfilled' ? 'ok' : result.reason.code)),
      ['ok', unsupported, unsupported, unsupported],
    );
    assert.equal((await admin.describeAcls({ resourceName: 'orders' })).length, 1);
    await assert.rejects(admin.describeAcls({ resourceType: 'user' }), { code: unsupported });
    assert.equal((await admin.deleteAcls({ resourceType: 'any' })).length, 1);
  });
});

describe('Admin.describeAcls', () => {
  const acl = { principal: 'User:alice', host: '*', operation: 3, permissionType: 3 };

  it('asks for all where nothing is given, and for what is given', async () => {
    const { fake, admin } = brokers(() => ({ resources: [] }));
    await admin.describeAcls();
    await admin.describeAcls({
      resourceType: 'group',
      resourceName: 'billing',
      patternType: 'match',
      principal: 'User:*',
      host: '*',
      operation: 'all',
      permissionType: 'deny',
    });
    await admin.describeAcls({ resourceType: 'any', patternType: 'any', operation: 'any', permissionType: 'any' });
    const all = {
      resourceTypeFilter: 1,
      resourceNameFilter: null,
      patternTypeFilter: 1,
      principalFilter: null,
      hostFilter: null,
      operation: 1,
      permissionType: 1,
    };
    assert.deepEqual(
      asked(fake, 'DescribeAcls').map(({ message }) => message),
      [
        all,
        {
          resourceTypeFilter: 3,
          resourceNameFilter: 'billing',
          patternTypeFilter: 2,
          principalFilter: 'User:*',
          hostFilter: '*',
          operation: 2,
          permissionType: 2,
        },
        all,
      ],
    );
  });

  it('answers with each rule by itself, which is its own filter', async () => {
    const resources = [
      { resourceType: 2, resourceName: 'orders', patternType: 3, acls: [acl, { ...acl, operation: 4 }] },
      { resourceType: 3, resourceName: 'b', patternType: 4, acls: [{ ...acl, permissionType: 2, host: '10.0.0.1' }] },
    ];
    const { fake, admin } = brokers((request) =>
      request.api === 'DescribeAcls' ? { resources } : { filterResults: [], results: [] },
    );
    const found: Acl[] = await admin.describeAcls();
    const first: Acl = { ...orders, patternType: 'literal', host: '*' } as const;
    assert.deepEqual(found, [
      first,
      { ...first, operation: 'write' },
      {
        ...first,
        ...{ resourceType: 'group', resourceName: 'b', patternType: 'prefixed' },
        ...{ permissionType: 'deny', host: '10.0.0.1' },
      },
    ]);
    await admin.deleteAcls(found, { settled: true });
    await admin.createAcls(found, { settled: true });
    assert.deepEqual((asked(fake, 'DeleteAcls')[0]?.message['filters'] as readonly object[])[2], {
      resourceTypeFilter: 3,
      resourceNameFilter: 'b',
      patternTypeFilter: 4,
      principalFilter: 'User:alice',
      hostFilter: '10.0.0.1',
      operation: 3,
      permissionType: 2,
    });
    assert.equal(asked(fake, 'CreateAcls').length, 1);
  });

  it('answers unknown for what a newer broker has, and refuses to send that', async () => {
    const newer = { ...acl, operation: 99, permissionType: 7 };
    const { fake, admin } = brokers(() => ({
      resources: [{ resourceType: 42, resourceName: 'x', patternType: 9, acls: [newer] }],
    }));
    const [found] = await admin.describeAcls();
    const unknown = 'unknown';
    assert.deepEqual(found, {
      resourceType: unknown,
      resourceName: 'x',
      patternType: unknown,
      principal: 'User:alice',
      host: '*',
      operation: unknown,
      permissionType: unknown,
    });
    const before = fake.requests.length;
    await assert.rejects(admin.deleteAcls(found ?? {}), { code: 'INVALID_ARGUMENT', message: /"unknown" given for / });
    await assert.rejects(admin.createAcls(found ?? orders), { code: 'INVALID_ARGUMENT' });
    assert.equal(fake.requests.length, before);
  });

  it('fails whole with the code of the broker', async () => {
    const { admin } = brokers(() => ({ errorCode: brokerErrorCodes.CLUSTER_AUTHORIZATION_FAILED, resources: [] }));
    await assert.rejects(admin.describeAcls({}), { name: 'AuthorizationError', code: 'CLUSTER_AUTHORIZATION_FAILED' });
  });
});

describe('Admin.deleteAcls', () => {
  const matching = {
    ...done,
    resourceType: 2,
    resourceName: 'orders',
    patternType: 3,
    principal: 'User:alice',
    host: '*',
    operation: 3,
    permissionType: 3,
  };

  it('answers for each filter with what was deleted', async () => {
    const { admin } = brokers(() => ({
      filterResults: [
        { ...done, matchingAcls: [matching, { ...matching, operation: 8 }] },
        { ...done, matchingAcls: [] },
        { errorCode: brokerErrorCodes.INVALID_REQUEST, errorMessage: 'No.', matchingAcls: [] },
      ],
    }));
    const filters: AclFilter[] = [{ resourceName: 'orders' }, { principal: 'User:bob' }, { operation: 'all' }];
    const [two, none, refused, missing] = await admin.deleteAcls([...filters, { host: '*' }], { settled: true });
    assert.ok(two?.status === 'fulfilled');
    const expected: Acl = { ...orders, patternType: 'literal', host: '*' };
    assert.deepEqual(two.value, [expected, { ...expected, operation: 'describe' }]);
    assert.deepEqual(none, { status: 'fulfilled', value: [] });
    assert.ok(refused?.status === 'rejected');
    assert.equal(refused.reason.message, 'Cannot delete the ACLs with operation "all": No (INVALID_REQUEST)');
    assert.ok(missing?.status === 'rejected');
  });

  it('fails where one of those it found was kept', async () => {
    const kept = { ...matching, errorCode: brokerErrorCodes.UNKNOWN_SERVER_ERROR, errorMessage: 'Disk.' };
    const { admin } = brokers(() => ({ filterResults: [{ ...done, matchingAcls: [matching, kept, matching] }] }));
    await assert.rejects(admin.deleteAcls({ principal: 'User:alice' }), (error) => {
      assert.ok(isKafkaError(error, 'UNKNOWN_SERVER_ERROR'));
      assert.match(
        error.message,
        /: 1 of 3 were not deleted, the first \(allow User:alice read of topic "orders"\): Disk/,
      );
      return true;
    });
  });
});

describe('Admin, given what is no ACL', () => {
  const given: readonly (readonly [call: (admin: Admin) => Promise<unknown>, told: RegExp])[] = [
    [(admin) => admin.createAcls({ ...orders, operation: 'READ' } as never), /"READ" given for operation, .*"read"/],
    [(admin) => admin.createAcls({ ...orders, operation: 'any' } as never), /"any" given for operation/],
    [(admin) => admin.createAcls({ ...orders, resourceType: 2 } as never), /2 given for resourceType/],
    [(admin) => admin.createAcls([orders, { ...orders, permissionType: undefined } as never]), /for permissionType/],
    [(admin) => admin.createAcls({ ...orders, patternType: 'match' } as never), /one of "literal", "prefixed" was/],
    [(admin) => admin.createAcls({ ...orders, resourceName: '' }), /"" given for resourceName/],
    [(admin) => admin.createAcls({ ...orders, host: '' }), /"" given for host/],
    [
      (admin) => admin.createAcls({ ...orders, principal: 'alice' }),
      /"alice" given for principal, .* "User:alice", was/,
    ],
    [(admin) => admin.createAcls({ ...orders, resourceType: 'cluster' }), /whose resourceName is "kafka-cluster"/],
    [(admin) => admin.createAcls({ ...orders, resourcePatternType: 3 } as never), /use patternType$/],
    [(admin) => admin.createAcls({ acl: [orders] } as never), /one or a list of them$/],
    [(admin) => admin.createAcls('User:alice' as never), /where \{ resourceType, resourceName, .* was expected/],
    [(admin) => admin.describeAcls({ timeoutMs: 5 } as never), /options are the second argument$/],
    [(admin) => admin.describeAcls({ principal: 'alice' }), /"alice" given for principal/],
    [(admin) => admin.describeAcls(null as never), /null given/],
    [(admin) => admin.deleteAcls({}), /is empty; to delete all ACLs, give \{ resourceType: 'any' \}$/],
    [(admin) => admin.deleteAcls([orders, { principal: undefined }]), /undefined given for principal; leave it out/],
    [(admin) => admin.deleteAcls({ filters: [] } as never), /give the filters themselves/],
  ];
  for (const [index, [call, told]] of given.entries()) {
    it(`refuses it before any request, ${index + 1}: ${told.source}`, async () => {
      const { fake, admin } = brokers(() => ({}));
      await assert.rejects(call(admin), { code: 'INVALID_ARGUMENT', message: told });
      assert.equal(fake.requests.length, 0);
    });
  }

  it('takes fields that are undefined for not given, where nothing is deleted', async () => {
    const { fake, admin } = brokers(() => ({ resources: [] }));
    await admin.describeAcls({ principal: undefined });
    assert.equal(asked(fake, 'DescribeAcls')[0]?.message['principalFilter'], null);
  });
});
