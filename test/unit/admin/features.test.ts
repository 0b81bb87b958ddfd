import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { adminOver, asked, codesOf } from './fake-admin.ts';

describe('Admin.describeFeatures', () => {
  it('tells what the broker supports and what the cluster has agreed on, by name', async () => {
    const { fake, admin } = adminOver(({ api }) =>
      api === 'Metadata'
        ? {}
        : {
            apiKeys: [],
            supportedFeatures: [
              { name: 'share.version', minVersion: 0, maxVersion: 1 },
              { name: 'metadata.version', minVersion: 7, maxVersion: 29 },
            ],
            finalizedFeaturesEpoch: 2n ** 40n,
            finalizedFeatures: [
              { name: 'metadata.version', minVersionLevel: 25, maxVersionLevel: 25 },
              { name: 'newer.version', minVersionLevel: 1, maxVersionLevel: 3 },
            ],
          },
    );
    assert.deepEqual(await admin.describeFeatures({ brokerId: 2 }), {
      epoch: 2n ** 40n,
      features: [
        { feature: 'metadata.version', supported: { min: 7, max: 29 }, level: 25 },
        { feature: 'newer.version', supported: undefined, level: 3 },
        { feature: 'share.version', supported: { min: 0, max: 1 }, level: undefined },
      ],
    });
    const [request] = asked(fake, 'ApiVersions');
    assert.equal(request?.nodeId, 2);
    assert.equal(request.message['clientSoftwareName'], 'kavka');
  });

  it('tells that brokers are too old to have any, or keep no levels', async () => {
    const { fake, admin } = adminOver(({ api }) => (api === 'Metadata' ? {} : { apiKeys: [] }));
    assert.deepEqual(await admin.describeFeatures(), { epoch: undefined, features: [] });
    fake.maxVersions.set('18', 2);
    await assert.rejects(admin.describeFeatures(), { code: 'UNSUPPORTED_VERSION' });
    await assert.rejects(admin.describeFeatures({ brokerId: -1 }), { code: 'INVALID_OPTION' });
  });
});

describe('Admin.updateFeatures', () => {
  const items = [
    { feature: 'a', maxVersionLevel: 2 },
    { feature: 'b', maxVersionLevel: 0, upgradeType: 'unsafe-downgrade' },
    { feature: 'c', maxVersionLevel: 1, upgradeType: 'safe-downgrade' },
  ] as const;

  it('asks the controller, and takes one code for all from brokers of 4.0 on', async () => {
    let code = 0;
    const { fake, admin } = adminOver(({ api }) =>
      api === 'Metadata' ? {} : { errorCode: code, errorMessage: code === 0 ? null : 'Not this.' },
    );
    await admin.updateFeatures(items, { validateOnly: true });
    const [request] = asked(fake, 'UpdateFeatures');
    assert.equal(request?.nodeId, 1);
    assert.equal(request.message['validateOnly'], true);
    assert.deepEqual(request.message['featureUpdates'], [
      { feature: 'a', maxVersionLevel: 2, upgradeType: 1 },
      { feature: 'b', maxVersionLevel: 0, upgradeType: 3 },
      { feature: 'c', maxVersionLevel: 1, upgradeType: 2 },
    ]);
    code = 95;
    assert.deepEqual(
      codesOf(await admin.updateFeatures(items, { settled: true })),
      items.map(() => 'INVALID_UPDATE_VERSION'),
    );
    await assert.rejects(admin.updateFeatures(items[0]), {
      message: 'Cannot update features: Not this (INVALID_UPDATE_VERSION)',
    });
    await assert.rejects(admin.updateFeatures([items[0], items[0]]), { message: /feature "a" given twice/ });
  });

  it('tells of each feature what an older controller answered', async () => {
    const { fake, admin } = adminOver(({ api }) =>
      api === 'Metadata'
        ? {}
        : {
            errorMessage: null,
            results: [
              { feature: 'b', errorCode: 96, errorMessage: 'No.' },
              { feature: 'a', errorCode: 0, errorMessage: null },
            ],
          },
    );
    fake.maxVersions.set('57', 1);
    const results = await admin.updateFeatures(items, { settled: true });
    assert.deepEqual(codesOf(results), ['ok', 'FEATURE_UPDATE_FAILED', 'UNKNOWN_SERVER_ERROR']);
    fake.maxVersions.set('57', 0);
    await admin.updateFeatures(items[0]);
    assert.equal(asked(fake, 'UpdateFeatures').at(-1)?.version, 0);
    await assert.rejects(admin.updateFeatures(items[1]), { code: 'UNSUPPORTED_VERSION' });
    await assert.rejects(admin.updateFeatures(items[0], { validateOnly: true }), { code: 'UNSUPPORTED_VERSION' });
  });
});
