import assert from 'node:assert/strict';
import { pbkdf2Sync } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, it } from 'node:test';
import { Admin } from '../../../src/admin/admin.ts';
import type { UserScramCredentialUpsertion } from '../../../src/admin/scram-credentials.ts';
import { brokerErrorCodes } from '../../../src/errors/broker-error-codes.ts';
import { isKafkaError } from '../../../src/errors/kafka-error.ts';
import { Kafka } from '../../../src/index.ts';
import { TestCluster } from '../../../src/testing/index.ts';
import { saltPassword } from '../../../src/util/salted-password.ts';
import {
  clusterOver,
  FakeBrokers,
  metadataAnswer,
  refused,
  type FakeAnswer,
  type SeenRequest,
} from '../cluster/fake-brokers.ts';

const password = 'correct-horse-sesame';
const salt = Buffer.from('salt and pepper');
const alice: UserScramCredentialUpsertion = { user: 'alice', mechanism: 'scram-sha-256', password };
const deletion = { user: 'alice', mechanism: 'scram-sha-512', delete: true } as const;

interface Sent {
  readonly deletions: readonly { readonly name: string; readonly mechanism: number }[];
  readonly upsertions: readonly {
    readonly name: string;
    readonly mechanism: number;
    readonly iterations: number;
    readonly salt: Buffer;
    readonly saltedPassword: Buffer;
  }[];
}

/** Brokers 1 and 2, the second of them the controller. */
function brokers(answer: (request: SeenRequest) => FakeAnswer): {
  fake: FakeBrokers;
  admin: Admin;
  sent: () => Sent[];
  seen: unknown[];
} {
  const fake = new FakeBrokers();
  fake.answer = (request) => (request.api === 'Metadata' ? metadataAnswer(request, {}, [2, 1]) : answer(request));
  const { cluster, events } = clusterOver(fake);
  const seen: unknown[] = [];
  for (const name of ['request.failed', 'request.retried'] as const) events.on(name, (event) => seen.push(event));
  const sent = (): Sent[] =>
    fake.requests
      .filter(({ api }) => api === 'AlterUserScramCredentials')
      .map(({ message }) => message as unknown as Sent);
  return { fake, admin: new Admin(cluster), sent, seen };
}

function results(errorCode = 0, ...users: string[]): FakeAnswer {
  return { results: (users.length === 0 ? ['alice'] : users).map((user) => ({ user, errorCode, errorMessage: null })) };
}

describe('Admin.alterUserScramCredentials', () => {
  it('sends salted passwords and deletions to the controller, and no password', async () => {
    const { fake, admin, sent } = brokers(() => results(0, 'alice', 'bob'));
    await admin.alterUserScramCredentials([
      { ...alice, salt, iterations: 4096 },
      deletion,
      { user: 'bob', mechanism: 'scram-sha-512', password, salt: new Uint8Array(salt) },
    ]);
    // A broker refuses a request that names a user twice.
    assert.deepEqual(sent(), [
      {
        deletions: [],
        upsertions: [
          {
            name: 'alice',
            mechanism: 1,
            iterations: 4096,
            salt,
            saltedPassword: pbkdf2Sync(password, salt, 4096, 32, 'sha256'),
          },
        ],
      },
      {
        deletions: [{ name: 'alice', mechanism: 2 }],
        upsertions: [
          {
            name: 'bob',
            mechanism: 2,
            iterations: 8192,
            salt,
            saltedPassword: pbkdf2Sync(password, salt, 8192, 64, 'sha512'),
          },
        ],
      },
    ]);
    assert.ok(!inspect(fake.requests, { depth: Infinity }).includes(password));
    assert.deepEqual(
      fake.requests.filter(({ api }) => api === 'AlterUserScramCredentials').map(({ nodeId }) => nodeId),
      [2, 2],
    );
  });

  it('makes a salt of its own for each', async () => {
    const { admin, sent } = brokers(() => results());
    await admin.alterUserScramCredentials([alice, { ...alice, mechanism: 'scram-sha-512' }]);
    const salts = sent().flatMap(({ upsertions }) => upsertions.map((upsertion) => upsertion.salt));
    assert.deepEqual(
      salts.map((each) => each.length),
      [24, 24],
    );
    assert.notDeepEqual(salts[0], salts[1]);
  });

  it('uses the salt as it was when it was called', async () => {
    const { admin, sent } = brokers(() => results());
    const mine = Uint8Array.from([1, 2, 3]);
    const pending = admin.alterUserScramCredentials([alice, { ...alice, mechanism: 'scram-sha-512', salt: mine }]);
    mine.fill(0);
    await pending;
    assert.deepEqual(sent()[1]?.upsertions[0]?.salt, Buffer.from([1, 2, 3]));
  });

  it('tells of each change what became of its user', async () => {
    const { admin } = brokers(() => ({
      results: [
        { user: 'bob', errorCode: brokerErrorCodes.UNACCEPTABLE_CREDENTIAL, errorMessage: 'Not that one.' },
        { user: 'alice', errorCode: 0, errorMessage: null },
      ],
    }));
    const [first, second, third, fourth] = await admin.alterUserScramCredentials(
      [alice, { ...alice, user: 'bob' }, { ...deletion, user: 'bob' }, { ...alice, user: 'carol' }],
      { settled: true },
    );
    assert.equal(first?.status, 'fulfilled');
    assert.ok(second?.status === 'rejected' && third?.status === 'rejected' && fourth?.status === 'rejected');
    const words = 'credential of user "bob": Not that one (UNACCEPTABLE_CREDENTIAL)';
    assert.equal(second.reason.message, `Cannot set the scram-sha-256 ${words}`);
    assert.equal(third.reason.message, `Cannot delete the scram-sha-512 ${words}`);
    assert.match(fourth.reason.message, /user "carol": the broker left it out of its answer/);
  });

  it('follows the controller, with the same salted password', async () => {
    let tries = 0;
    const { fake, admin, sent } = brokers(() => results(tries++ === 0 ? brokerErrorCodes.NOT_CONTROLLER : 0));
    const pending = admin.alterUserScramCredentials(alice);
    await fake.clock.advance(2000);
    while (tries < 2) await new Promise((resolve) => setTimeout(resolve, 1)).then(() => fake.clock.advance(500));
    await pending;
    const [first, second] = sent();
    assert.deepEqual(first, second);
  });

  const lostAnswer = (errorCode: number): ((request: SeenRequest) => FakeAnswer) => {
    let tries = 0;
    return () => (tries++ === 0 ? Object.assign(refused('x'), { sent: true }) : results(errorCode));
  };

  it('a credential that is gone after the answer to its deletion was lost, is deleted', async () => {
    const { fake, admin, sent, seen } = brokers(lostAnswer(brokerErrorCodes.RESOURCE_NOT_FOUND));
    const pending = admin.alterUserScramCredentials(deletion);
    await fake.clock.advance(1000);
    await pending;
    assert.equal(sent().length, 2);
    assert.equal(seen.length, 1);
    const { admin: other } = brokers(() => results(brokerErrorCodes.RESOURCE_NOT_FOUND));
    await assert.rejects(other.alterUserScramCredentials(deletion), { code: 'RESOURCE_NOT_FOUND' });
  });

  it('a credential that could not be set has not been, however many tries there were', async () => {
    const { fake, admin, sent, seen } = brokers(lostAnswer(brokerErrorCodes.RESOURCE_NOT_FOUND));
    const pending = admin.alterUserScramCredentials(alice, { settled: true });
    while (sent().length < 2) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      await fake.clock.advance(100);
    }
    const result = await pending;
    assert.ok(result.status === 'rejected');
    assert.equal(result.reason.code, 'RESOURCE_NOT_FOUND');
    assert.ok(!inspect([result, seen], { depth: Infinity, showHidden: true }).includes(password));
  });

  it('stops hashing when its signal aborts', async () => {
    const { fake, admin } = brokers(() => results());
    const stop = new AbortController();
    const users = Array.from({ length: 1000 }, (_, index) => ({ ...alice, user: `user-${index}` }));
    const pending = admin.alterUserScramCredentials(users, { signal: stop.signal });
    const reason = new Error('enough');
    let told: unknown;
    const settled = pending.catch((error: unknown) => (told = error));
    stop.abort(reason);
    // As many hashes as a fiftieth of theirs: one of theirs may be under way, the others are not begun.
    for (let hashes = 0; hashes < 20; hashes++) await saltPassword('sha256', password, salt, 8192);
    assert.equal(told, reason);
    await settled;
    assert.equal(fake.requests.length, 0);
  });

  const given: readonly (readonly [call: (admin: Admin) => Promise<unknown>, told: RegExp])[] = [
    [
      (admin) => admin.alterUserScramCredentials({ ...alice, iterations: 4095 }),
      /4095 given for iterations.*from 4096/,
    ],
    [(admin) => admin.alterUserScramCredentials({ ...alice, iterations: 16_385 }), /an integer from 4096 to 16384 was/],
    [(admin) => admin.alterUserScramCredentials({ ...alice, password: '' }), /\(a string\) given for password/],
    [
      (admin) => admin.alterUserScramCredentials({ ...alice, password: [password] } as never),
      /\(an object\) given for pass/,
    ],
    [
      (admin) => admin.alterUserScramCredentials({ user: 'a', mechanism: 'scram-sha-256' } as never),
      /^[^(]*undefined given for password/,
    ],
    [
      (admin) => admin.alterUserScramCredentials({ ...alice, mechanism: 'SCRAM-SHA-1' } as never),
      /"SCRAM-SHA-1" given for mech/,
    ],
    [(admin) => admin.alterUserScramCredentials({ ...alice, user: '' }), /"" given for user/],
    [
      (admin) => admin.alterUserScramCredentials({ ...alice, salt: 'pepper' } as never),
      /"pepper" given for salt, where a Uint8Array/,
    ],
    [(admin) => admin.alterUserScramCredentials({ ...alice, salt: new Uint8Array(0) }), /given for salt/],
    [(admin) => admin.alterUserScramCredentials({ ...alice, username: 'a' } as never), /no field username; use user$/],
    [
      (admin) => admin.alterUserScramCredentials({ ...alice, delete: true } as never),
      /no field password; leave it out/,
    ],
    [
      (admin) => admin.alterUserScramCredentials({ user: 'a', mechanism: 'scram-sha-256', delete: false } as never),
      /false given for delete/,
    ],
    [(admin) => admin.alterUserScramCredentials(`alice:${password}` as never), /no object given/],
    [
      (admin) => admin.alterUserScramCredentials([alice, { ...alice, iterations: 5000 }]),
      /two changes given for the scram-sha-256 credential of user "alice"/,
    ],
    [(admin) => admin.describeUserScramCredentials(''), /"" given, where the name of a user was expected/],
    [(admin) => admin.describeUserScramCredentials([5] as never), /5 given, where the name of a user/],
    [
      (admin) => admin.describeUserScramCredentials({ users: [] } as never),
      /an object given, where the name of a user/,
    ],
  ];
  for (const [index, [call, told]] of given.entries()) {
    it(`refuses before any request, ${index + 1}: ${told.source}`, async () => {
      const { fake, admin } = brokers(() => ({}));
      await assert.rejects(call(admin), (error: unknown) => {
        assert.ok(isKafkaError(error, 'INVALID_ARGUMENT'), String(error));
        assert.match(error.message, told);
        assert.ok(!inspect(error, { depth: Infinity }).includes(password));
        return true;
      });
      assert.equal(fake.requests.length, 0);
    });
  }
});

describe('Admin.describeUserScramCredentials', () => {
  const described = (user: string, ...credentialInfos: object[]): object => ({ user, errorCode: 0, credentialInfos });

  it('answers all users by name, without one that has just lost its credentials', async () => {
    const { fake, admin } = brokers(() => ({
      results: [
        described('carol', { mechanism: 2, iterations: 8192 }, { mechanism: 7, iterations: 5 }),
        { user: 'bob', errorCode: brokerErrorCodes.RESOURCE_NOT_FOUND, credentialInfos: [] },
        described('alice', { mechanism: 1, iterations: 4096 }),
      ],
    }));
    assert.deepEqual(await admin.describeUserScramCredentials(), [
      { user: 'alice', credentials: [{ mechanism: 'scram-sha-256', iterations: 4096 }] },
      {
        user: 'carol',
        credentials: [
          { mechanism: 'scram-sha-512', iterations: 8192 },
          { mechanism: 'unknown', iterations: 5 },
        ],
      },
    ]);
    assert.equal(fake.requests.at(-1)?.message['users'], null);
    assert.deepEqual(await admin.describeUserScramCredentials([]), []);
  });

  it('asks for a user once, and answers for each in order', async () => {
    const { fake, admin } = brokers(() => ({
      results: [
        { user: 'bob', errorCode: brokerErrorCodes.RESOURCE_NOT_FOUND, errorMessage: 'None.', credentialInfos: [] },
        described('alice', { mechanism: 1, iterations: 4096 }),
      ],
    }));
    const names = ['alice', 'bob', 'alice', 'carol'];
    const settled = await admin.describeUserScramCredentials(names, { settled: true });
    assert.deepEqual(
      settled.map((result) => (result.status === 'fulfilled' ? result.value.user : result.reason.code)),
      ['alice', 'RESOURCE_NOT_FOUND', 'alice', 'UNKNOWN_SERVER_ERROR'],
    );
    const users = names.slice(0, 2).concat('carol');
    assert.deepEqual(
      fake.requests.at(-1)?.message['users'],
      users.map((name) => ({ name })),
    );
    await assert.rejects(admin.describeUserScramCredentials('bob'), /SCRAM credentials of user "bob": None/);
  });

  it('fails whole with the code of the broker', async () => {
    const { admin } = brokers(() => ({ errorCode: brokerErrorCodes.CLUSTER_AUTHORIZATION_FAILED, results: [] }));
    await assert.rejects(admin.describeUserScramCredentials(), { name: 'AuthorizationError' });
    const ofOne = { user: 'a', errorCode: brokerErrorCodes.UNKNOWN_SERVER_ERROR, credentialInfos: [] };
    const { admin: other } = brokers(() => ({ results: [ofOne] }));
    await assert.rejects(other.describeUserScramCredentials(), { code: 'UNKNOWN_SERVER_ERROR' });
  });

  it('is refused by brokers that know of no such users, as changes are', async (test) => {
    const cluster = await TestCluster.start({ kafkaVersion: '2.1' });
    const kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
    test.after(async () => {
      await kafka.close();
      await cluster.close();
    });
    const admin = kafka.admin();
    const unsupported = { code: 'UNSUPPORTED_VERSION' };
    await assert.rejects(admin.describeUserScramCredentials(), unsupported);
    await assert.rejects(admin.alterUserScramCredentials(alice), unsupported);
    await assert.rejects(admin.describeClientQuotas(), unsupported);
    const quotas = { entity: { user: 'alice' }, quotas: { producer_byte_rate: 5 } };
    await assert.rejects(admin.alterClientQuotas(quotas), unsupported);
  });
});
