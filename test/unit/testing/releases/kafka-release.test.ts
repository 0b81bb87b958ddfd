import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Kafka, string } from '../../../../src/index.ts';
import { apis, type Api, type ApiVersionsRequest, type ApiVersionsResponse } from '../../../../src/protocol/index.ts';
import { TestCluster, type KafkaVersion } from '../../../../src/testing/index.ts';
import { kafkaVersions, kafkaRelease } from '../../../../src/testing/releases/kafka-release.ts';
import { RawConnection } from '../../../support/answers/raw-kafka.ts';
import { errorName } from '../../../support/answers/scenario.ts';
import { eventually } from '../../../support/eventually.ts';

const software = { clientSoftwareName: 'raw', clientSoftwareVersion: '1' };

/** What distinguishes a release for a client: the versions of some APIs, and how a client is told of a version that is too new. */
const facts: Readonly<Record<KafkaVersion, Readonly<Record<string, number | undefined>>>> = {
  '2.1': { Produce: 7, Fetch: 10, ApiVersions: 2, InitProducerId: 1, EndTxn: 1, ConsumerGroupHeartbeat: undefined },
  '2.8': { Produce: 9, Fetch: 12, ApiVersions: 3, InitProducerId: 4, EndTxn: 3, ConsumerGroupHeartbeat: undefined },
  '3.0': { Produce: 9, Fetch: 12, ApiVersions: 3, InitProducerId: 4, EndTxn: 3, ConsumerGroupHeartbeat: undefined },
  '3.5': { Produce: 9, Fetch: 15, ApiVersions: 3, InitProducerId: 4, EndTxn: 3, ConsumerGroupHeartbeat: undefined },
  '3.7': { Produce: 10, Fetch: 16, ApiVersions: 3, InitProducerId: 4, EndTxn: 3, ConsumerGroupHeartbeat: 0 },
  '3.9': { Produce: 11, Fetch: 17, ApiVersions: 4, InitProducerId: 5, EndTxn: 4, ConsumerGroupHeartbeat: 0 },
  '4.0': { Produce: 12, Fetch: 17, ApiVersions: 4, InitProducerId: 5, EndTxn: 5, ConsumerGroupHeartbeat: 1 },
  '4.1': { Produce: 13, Fetch: 18, ApiVersions: 4, InitProducerId: 5, EndTxn: 5, ConsumerGroupHeartbeat: 1 },
  '4.2': { Produce: 13, Fetch: 18, ApiVersions: 4, InitProducerId: 5, EndTxn: 5, ConsumerGroupHeartbeat: 1 },
  '4.3': { Produce: 13, Fetch: 18, ApiVersions: 4, InitProducerId: 5, EndTxn: 5, ConsumerGroupHeartbeat: 1 },
};

/** ApiVersions as a client writes it that knows a newer version, and that reads the refusal in version 0. */
function tooNewFor(newest: number): Api<ApiVersionsRequest, ApiVersionsResponse> {
  const { ApiVersions } = apis;
  return {
    ...ApiVersions,
    maxVersion: newest + 1,
    requestHeaderVersion: () => 2,
    responseHeaderVersion: () => 0,
    writeRequest: (writer, message) => ApiVersions.writeRequest(writer, message, 3),
    readResponse: (reader) => ApiVersions.readResponse(reader, 0),
  };
}

for (const kafkaVersion of kafkaVersions) {
  describe(`TestCluster as Kafka ${kafkaVersion}`, () => {
    let cluster: TestCluster;
    let kafka: Kafka;
    before(async () => {
      cluster = await TestCluster.start({ kafkaVersion, brokers: 2 });
      kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
    });
    after(async () => {
      await kafka.close();
      await cluster.close();
    });
    const raw = (): Promise<RawConnection> => RawConnection.open(cluster.bootstrapServers[0] ?? '');

    it('lists the versions of its release, and the features that it has', async () => {
      const connection = await raw();
      const newest = facts[kafkaVersion]['ApiVersions'] ?? 0;
      const answer = await connection.send(apis.ApiVersions, newest, newest >= 3 ? software : {});
      for (const [name, max] of Object.entries(facts[kafkaVersion])) {
        const { key } = apis[name as keyof typeof apis];
        assert.equal(answer.apiKeys.find(({ apiKey }) => apiKey === key)?.maxVersion, max, name);
      }
      const finalized = new Map(answer.finalizedFeatures.map((each) => [each.name, each.maxVersionLevel]));
      assert.equal(finalized.get('transaction.version'), kafkaVersion.startsWith('4') ? 2 : undefined);
      assert.equal(finalized.get('group.version'), kafkaVersion.startsWith('4') ? 1 : undefined);
      assert.deepEqual(
        [...finalized].map(([name]) => name),
        [...kafkaRelease(kafkaVersion).features.keys()],
      );
      connection.close();
    });

    it('refuses an ApiVersions that is too new in version 0, as clients need it to find a version', async () => {
      const connection = await raw();
      const newest = facts[kafkaVersion]['ApiVersions'] ?? 0;
      const refusal = await connection.send(tooNewFor(newest), newest + 1, software);
      assert.equal(errorName(refusal.errorCode), 'UNSUPPORTED_VERSION');
      const range = { apiKey: 18, minVersion: 0, maxVersion: newest };
      assert.deepEqual(refusal.apiKeys, kafkaVersion === '2.1' ? [] : [range]);
      connection.close();
    });

    it('ends the connection of who sends a version that it does not know', async () => {
      const connection = await raw();
      const version = (facts[kafkaVersion]['EndTxn'] ?? 0) + 1;
      if (version > apis.EndTxn.maxVersion) return connection.close();
      const message = { transactionalId: 'x', producerId: 1n, producerEpoch: 0, committed: true };
      await assert.rejects(connection.send(apis.EndTxn, version, message), /closed the connection/);
    });

    it('serves our admin, producer and consumer', async () => {
      const admin = kafka.admin();
      await admin.createTopics({ topic: 'plain', partitions: 2, replicationFactor: 2 });
      assert.equal((await admin.describeTopics('plain')).partitions.length, 2);
      const producer = kafka.producer({ key: string, value: string });
      const values = Array.from({ length: 20 }, (_, at) => `v${at}`);
      await producer.send(values.map((value, at) => ({ topic: 'plain', partition: at % 2, value })));
      const consumer = kafka.consumer({ groupId: 'readers', value: string, autoOffsetReset: 'earliest' });
      consumer.subscribe(['plain']);
      const read: string[] = [];
      for await (const record of consumer.records({ limit: 20 })) read.push(record.value ?? '');
      await consumer.commit();
      await consumer.close();
      assert.deepEqual(read.toSorted(), values.toSorted());
      const offsets = await admin.listGroupOffsets('readers');
      assert.deepEqual(
        offsets.map(({ offset }) => offset),
        [10n, 10n],
      );
      await producer.close();
    });

    it('serves our transactions: committed and aborted records, offsets of a group', async () => {
      await kafka.admin().createTopics({ topic: 'transactional', partitions: 1, replicationFactor: 1 });
      const producer = kafka.producer({ transactionalId: 'tx', value: string });
      const consumer = kafka.consumer({ groupId: 'processors', value: string });
      for (const round of [1, 2, 3]) {
        await producer.transaction(async (tx) => {
          await tx.send({ topic: 'transactional', value: `kept ${round}` });
          const offset = { topic: 'transactional', partition: 0, offset: BigInt(round) };
          await tx.sendOffsets([offset], consumer.groupMetadata());
        });
        const aborted = producer.transaction(async (tx) => {
          await tx.send({ topic: 'transactional', value: `dropped ${round}` });
          throw new Error('enough');
        });
        await assert.rejects(aborted, /enough/);
      }
      const reader = kafka.consumer({ value: string, isolationLevel: 'read_committed', autoOffsetReset: 'earliest' });
      reader.assign([{ topic: 'transactional', partition: 0 }]);
      const read: string[] = [];
      for await (const record of reader.records({ until: 'end' })) read.push(record.value ?? '');
      assert.deepEqual(read, ['kept 1', 'kept 2', 'kept 3']);
      await eventually(async () => {
        const [committed] = await kafka.admin().listGroupOffsets('processors');
        return committed?.offset === 3n;
      }, 'the offsets of the last transaction');
      await Promise.all([producer.close(), consumer.close(), reader.close()]);
    });
  });
}

describe('TestClusterOptions.kafkaVersion', () => {
  it('refuses a release that there are no facts of', async () => {
    await assert.rejects(TestCluster.start({ kafkaVersion: '1.0' as KafkaVersion }), /"1\.0"/);
  });
});
