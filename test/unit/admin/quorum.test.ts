import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { adminOver, asked } from './fake-admin.ts';

describe('Admin.describeMetadataQuorum', () => {
  const partition = {
    partitionIndex: 0,
    errorMessage: null,
    leaderId: 3,
    leaderEpoch: 9,
    highWatermark: 500n,
    currentVoters: [
      { replicaId: 3, replicaDirectoryId: 'BAAAAAAAAAAAAAAAAAAAAA', logEndOffset: 502n, lastFetchTimestamp: 1700n },
      { replicaId: 2, logEndOffset: -1n },
    ],
    observers: [{ replicaId: 7, logEndOffset: 499n, lastFetchTimestamp: 1600n, lastCaughtUpTimestamp: 1500n }],
  };
  const answer = (changes: object = {}) => ({
    errorMessage: null,
    topics: [{ topicName: '__cluster_metadata', partitions: [{ ...partition, ...changes }] }],
    nodes: [{ nodeId: 3, listeners: [{ name: 'CONTROLLER', host: 'three', port: 9093 }] }],
  });
  const unknown = {
    directoryId: undefined,
    logEndOffset: undefined,
    lastFetchTimestampMs: undefined,
    lastCaughtUpTimestampMs: undefined,
  };

  it('tells the leader, and how far voters and observers are, by id', async () => {
    const { fake, admin } = adminOver(({ api }) => (api === 'Metadata' ? {} : answer()));
    assert.deepEqual(await admin.describeMetadataQuorum(), {
      leaderId: 3,
      leaderEpoch: 9,
      highWatermark: 500n,
      voters: [
        { ...unknown, replicaId: 2 },
        {
          ...unknown,
          replicaId: 3,
          directoryId: 'BAAAAAAAAAAAAAAAAAAAAA',
          logEndOffset: 502n,
          lastFetchTimestampMs: 1700,
        },
      ],
      observers: [
        {
          ...unknown,
          replicaId: 7,
          logEndOffset: 499n,
          lastFetchTimestampMs: 1600,
          lastCaughtUpTimestampMs: 1500,
        },
      ],
      nodes: [{ nodeId: 3, endpoints: [{ listener: 'CONTROLLER', host: 'three', port: 9093 }] }],
    });
    assert.deepEqual(asked(fake, 'DescribeQuorum')[0]?.message['topics'], [
      { topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] },
    ]);
  });

  it('rejects with the code of the whole or of the log, after it has tried what passes again', async () => {
    let given: object = { ...answer(), errorCode: 31, errorMessage: 'Not you.' };
    const { fake, admin } = adminOver(({ api }) => (api === 'Metadata' ? {} : (given as Record<string, unknown>)));
    await assert.rejects(admin.describeMetadataQuorum(), {
      message: 'Cannot describe the metadata quorum: Not you (CLUSTER_AUTHORIZATION_FAILED)',
    });
    given = answer({ errorCode: 3, errorMessage: 'There is none.' });
    fake.maxVersions.set('55', 2);
    const pending = assert.rejects(admin.describeMetadataQuorum({ timeoutMs: 3000 }), /There is none/);
    await fake.clock.advance(4000);
    await pending;
    given = answer({ errorCode: 6 });
    const passing = admin.describeMetadataQuorum();
    await fake.clock.advance(1000);
    given = answer();
    await fake.clock.advance(3000);
    assert.equal((await passing).leaderId, 3);
    given = { errorMessage: null };
    await assert.rejects(admin.describeMetadataQuorum(), /left it out of its answer/);
  });
});
