import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Admin } from '../../../src/admin/admin.ts';
import type { ClientQuotaAlteration } from '../../../src/admin/client-quotas.ts';
import { brokerErrorCodes } from '../../../src/errors/broker-error-codes.ts';
import {
  clusterOver,
  FakeBrokers,
  metadataAnswer,
  type FakeAnswer,
  type SeenRequest,
} from '../cluster/fake-brokers.ts';

function brokers(answer: (request: SeenRequest) => FakeAnswer): { fake: FakeBrokers; admin: Admin } {
  const fake = new FakeBrokers();
  fake.answer = (request) => (request.api === 'Metadata' ? metadataAnswer(request, {}) : answer(request));
  return { fake, admin: new Admin(clusterOver(fake).cluster) };
}

const part = (entityType: string, entityName: string | null): object => ({ entityType, entityName });
const rate = { producer_byte_rate: 1024 };

describe('Admin.describeClientQuotas', () => {
  it('asks for names, defaults and any', async () => {
    const { fake, admin } = brokers(() => ({ entries: null }));
    assert.deepEqual(await admin.describeClientQuotas(), []);
    await admin.describeClientQuotas({ user: 'alice', clientId: null, strict: true });
    await admin.describeClientQuotas({ ip: true, user: undefined });
    const component = (entityType: string, matchType: number, match: string | null = null): object => {
      return { entityType, matchType, match };
    };
    assert.deepEqual(
      fake.requests.filter(({ api }) => api === 'DescribeClientQuotas').map(({ message }) => message),
      [
        { components: [], strict: false },
        { components: [component('user', 0, 'alice'), component('client-id', 1)], strict: true },
        { components: [component('ip', 2)], strict: false },
      ],
    );
  });

  it('answers entities by our names, what it does not know by that of the broker', async () => {
    const { admin } = brokers(() => ({
      entries: [
        { entity: [part('user', null), part('client-id', 'web')], values: [{ key: 'consumer_byte_rate', value: 2.5 }] },
        { entity: [part('planet', 'mars')], values: [{ key: 'landing_rate', value: 1 }] },
      ],
    }));
    assert.deepEqual(await admin.describeClientQuotas(), [
      { entity: { user: null, clientId: 'web' }, quotas: { consumer_byte_rate: 2.5 } },
      { entity: { planet: 'mars' }, quotas: { landing_rate: 1 } },
    ]);
  });

  it('fails whole with the code and the words of the broker', async () => {
    const { admin } = brokers(() => ({
      errorCode: brokerErrorCodes.INVALID_REQUEST,
      errorMessage: 'Not so.',
      entries: null,
    }));
    const message = 'Cannot describe client quotas: Not so (INVALID_REQUEST)';
    await assert.rejects(admin.describeClientQuotas(), { code: 'INVALID_REQUEST', message });
  });
});

describe('Admin.alterClientQuotas', () => {
  it('sends new values and what is to be removed, and leaves out the rest', async () => {
    const { fake, admin } = brokers(({ message }) => ({
      entries: (message['entries'] as readonly { entity: object[] }[]).map(({ entity }) => ({
        errorCode: 0,
        entity: entity.toReversed(),
      })),
    }));
    const quotas = { ...rate, consumer_byte_rate: null, request_percentage: undefined };
    await admin.alterClientQuotas([
      { entity: { clientId: 'web', user: 'alice', ip: undefined }, quotas },
      { entity: { ip: null }, quotas: { connection_creation_rate: 5 } },
      { entity: { clientId: null }, quotas: { request_percentage: 0.5, controller_mutation_rate: 0.5 } },
    ]);
    await admin.alterClientQuotas({ entity: { user: null }, quotas: rate }, { validateOnly: true });
    const sent = fake.requests.filter(({ api }) => api === 'AlterClientQuotas').map(({ message }) => message);
    const set = { key: 'producer_byte_rate', value: 1024, remove: false };
    assert.deepEqual(sent, [
      {
        entries: [
          {
            entity: [part('user', 'alice'), part('client-id', 'web')],
            ops: [set, { key: 'consumer_byte_rate', value: 0, remove: true }],
          },
          { entity: [part('ip', null)], ops: [{ key: 'connection_creation_rate', value: 5, remove: false }] },
          {
            entity: [part('client-id', null)],
            ops: [
              { key: 'request_percentage', value: 0.5, remove: false },
              { key: 'controller_mutation_rate', value: 0.5, remove: false },
            ],
          },
        ],
        validateOnly: false,
      },
      { entries: [{ entity: [part('user', null)], ops: [set] }], validateOnly: true },
    ]);
  });

  it('tells of each entity what became of it', async () => {
    const { admin } = brokers(() => ({
      entries: [
        { errorCode: brokerErrorCodes.INVALID_REQUEST, errorMessage: 'Too much.', entity: [part('user', null)] },
        { errorCode: 0, errorMessage: null, entity: [part('user', 'alice')] },
      ],
    }));
    const alterations: ClientQuotaAlteration[] = [
      { user: 'alice' },
      { user: null },
      { user: 'alice', clientId: 'web' },
    ].map((entity) => ({ entity, quotas: rate }));
    const [first, second, third] = await admin.alterClientQuotas(alterations, { settled: true });
    assert.equal(first?.status, 'fulfilled');
    assert.ok(second?.status === 'rejected' && third?.status === 'rejected');
    const doing = 'Cannot alter the quotas of';
    assert.equal(second.reason.message, `${doing} the default user: Too much (INVALID_REQUEST)`);
    assert.match(third.reason.message, /of user "alice" with clientId "web": the broker left it out of its answer/);
  });

  const alter =
    (entity: unknown, quotas: unknown = rate) =>
    (admin: Admin): Promise<unknown> =>
      admin.alterClientQuotas({ entity, quotas } as never);
  const user = { user: 'alice' };
  const given: readonly (readonly [call: (admin: Admin) => Promise<unknown>, told: RegExp])[] = [
    [alter({}), /the entity is nobody; give it a user, a clientId or an ip$/],
    [alter({ user: undefined }), /the entity is nobody/],
    [alter({ user: '' }), /"" given for user, where a string that is not empty, or null for the default was/],
    [alter({ user: true }), /true given for user/],
    [alter({ 'client-id': 'web' }), /no field client-id; use clientId$/],
    [alter({ ip: '10.0.0.1', user: null }), /addresses have quotas of their own$/],
    [alter('alice'), /"alice" given for entity, where an object was expected/],
    [alter(user, {}), /no quota given to change; name one of "producer_byte_rate", /],
    [alter(user, { producer_byte_rate: undefined }), /no quota given to change/],
    [alter(user, { producer_byte_rates: 1 }), /no quota "producer_byte_rates" .*; did you mean producer_byte_rate\?$/],
    [alter(user, { connection_creation_rate: 1 }), /no quota "connection_creation_rate" for users and client ids/],
    [alter({ ip: null }, rate), /no quota "producer_byte_rate" for an address; .*"connection_creation_rate"$/],
    [alter(user, { producer_byte_rate: 0 }), /0 given for producer_byte_rate, where a whole number above 0, or null/],
    [alter(user, { consumer_byte_rate: 0.5 }), /0.5 given for consumer_byte_rate, where a whole number/],
    [alter(user, { request_percentage: -1 }), /-1 given for request_percentage, where a number above 0/],
    [alter(user, { producer_byte_rate: '5' }), /"5" given for producer_byte_rate/],
    [alter(user, { producer_byte_rate: NaN }), /NaN given for producer_byte_rate/],
    [alter(user, null), /null given for quotas, where an object was expected/],
    [(admin) => admin.alterClientQuotas({ entity: user } as never), /undefined given for quotas/],
    [(admin) => admin.alterClientQuotas({ ...user, quotas: rate } as never), /use entity: \{ user: '…' \}$/],
    [
      (admin) => admin.alterClientQuotas({ entity: user, ...rate } as never),
      /use quotas: \{ producer_byte_rate: … \}$/,
    ],
    [
      (admin) =>
        admin.alterClientQuotas([
          { entity: { user: 'alice', clientId: null }, quotas: rate },
          { entity: { clientId: null, user: 'alice' }, quotas: { consumer_byte_rate: 5 } },
        ]),
      /two changes given for user "alice" with the default clientId; put all its quotas into one$/,
    ],
    [(admin) => admin.describeClientQuotas({ user: 5 } as never), /5 given for user, .*or true for any was expected/],
    [(admin) => admin.describeClientQuotas({ ip: true, clientId: 'web' }), /an ip given beside/],
    [(admin) => admin.describeClientQuotas({ entity: user } as never), /use user, clientId and ip$/],
    [(admin) => admin.describeClientQuotas({ signal: undefined } as never), /options are the second argument$/],
  ];
  for (const [index, [call, told]] of given.entries()) {
    it(`refuses before any request, ${index + 1}: ${told.source}`, async () => {
      const { fake, admin } = brokers(() => ({}));
      await assert.rejects(call(admin), { code: 'INVALID_ARGUMENT', message: told });
      assert.equal(fake.requests.length, 0);
    });
  }
});
