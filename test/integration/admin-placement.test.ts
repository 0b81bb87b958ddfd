import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { isKafkaError, Kafka, type Admin, type BrokerErrorName } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

for (const version of ['4.3.1', '3.9.1']) {
  const folder = `/tmp/kavka-log-dirs-${randomUUID()}`;
  const paths = ['a', 'b'].map((name) => `${folder}/${name}`);
  const config = { 'log.dirs': paths.join(',') };
  const own = await kafkaUnderTest({ brokers: 1, own: true, version, config, listeners: ['plaintext'] });
  const code = (name: BrokerErrorName) => (error: unknown) => isKafkaError(error, name);

  describe(`Admin of a broker with two log directories, Kafka ${version}`, { skip: own.skip }, () => {
    const brokerId = 1;
    let kafka: Kafka;
    let admin: Admin;
    before(() => {
      kafka = new Kafka({ bootstrapServers: own.bootstrapServers });
      admin = kafka.admin();
    });
    after(async () => {
      await kafka.close();
      await own.release();
      await rm(folder, { recursive: true, force: true });
    });

    it('alterReplicaLogDirs moves a replica with its records, and waits for it if asked', async () => {
      const topic = `moved-${randomUUID()}`;
      await admin.createTopics({ topic, partitions: 1, replicationFactor: 1 });
      const producer = kafka.producer({ maxRequestBytes: 1_200_000 });
      const values = Array.from({ length: 60 }, (_, at) => String(at).padStart(100_000, '.'));
      for (const value of values) await producer.send({ topic, value });
      const replica = { topic, partition: 0, brokerId };
      const { current: start } = await admin.describeReplicaLogDirs(replica);
      const path = paths.find((each) => each !== start?.path) ?? '';
      assert.ok(paths.includes(start?.path ?? ''), start?.path);

      // So slow that it is seen on its way: the first megabyte passes before the broker notices.
      const throttle = { 'replica.alter.log.dirs.io.max.bytes.per.second': 1 };
      await admin.incrementalAlterConfigs({ type: 'broker', name: brokerId, set: throttle });
      await admin.alterReplicaLogDirs({ ...replica, path });
      const [described] = await admin.describeLogDirs([brokerId]);
      const copies = described?.logDirs.flatMap((logDir) => {
        return logDir.replicas.filter((each) => each.topic === topic).map(({ isFuture }) => [logDir.path, isFuture]);
      });
      assert.deepEqual(
        new Map(copies as [string, boolean][]),
        new Map([
          [start?.path, false],
          [path, true],
        ]),
      );
      const { future } = await admin.describeReplicaLogDirs(replica);
      assert.equal(future?.path, path);
      assert.ok(future.offsetLag > 0n);
      const waiting = admin.alterReplicaLogDirs({ ...replica, path }, { wait: true, timeoutMs: 1500 });
      await assert.rejects(waiting, { code: 'OPERATION_TIMEOUT', message: /the copying goes on$/ });
      await admin.incrementalAlterConfigs({ type: 'broker', name: brokerId, delete: Object.keys(throttle) });
      await admin.alterReplicaLogDirs({ ...replica, path }, { wait: true });

      const moved = await admin.describeReplicaLogDirs(replica);
      assert.deepEqual(moved, { ...replica, current: { ...start, path }, future: undefined });
      const consumer = kafka.consumer({ autoOffsetReset: 'earliest' });
      consumer.assign([{ topic, partition: 0 }]);
      const read: (string | undefined)[] = [];
      for await (const record of consumer.records({ until: 'end' })) read.push(record.value?.toString());
      assert.deepEqual(read, values);
    });

    it('alterReplicaLogDirs refuses what is not there, each by itself', async () => {
      const topic = `placed-${randomUUID()}`;
      await admin.createTopics({ topic, partitions: 2, replicationFactor: 1 });
      const [path = ''] = paths;
      const items = [
        { topic, partition: 0, brokerId, path },
        { topic, partition: 1, brokerId, path: '/nowhere' },
        { topic: `no-${topic}`, partition: 0, brokerId, path },
      ];
      const results = await admin.alterReplicaLogDirs(items, { settled: true, wait: true });
      assert.deepEqual(
        results.map((result) => (result.status === 'fulfilled' ? 'ok' : result.reason.code)),
        ['ok', 'LOG_DIR_NOT_FOUND', 'UNKNOWN_TOPIC_OR_PARTITION'],
      );
      const placed = await admin.describeReplicaLogDirs({ topic, partition: 0, brokerId });
      assert.equal(placed.current?.path, path);
      const lost = admin.alterReplicaLogDirs({ topic, partition: 0, brokerId: 9, path });
      await assert.rejects(lost, (error) => isKafkaError(error, 'BROKER_UNKNOWN'));
    });

    it('describeLogDirs tells what the volume has', async () => {
      const { logDirs } = await admin.describeLogDirs(brokerId);
      assert.deepEqual(logDirs.map(({ path }) => path).sort(), paths);
      assert.ok(logDirs.every(({ totalBytes = 0, usableBytes = 0 }) => totalBytes > usableBytes && usableBytes > 0));
    });

    it('reassignments and elections are answered', async () => {
      const topic = `placed-${randomUUID()}`;
      await admin.createTopics({ topic, partitions: 1, replicationFactor: 1 });
      const partition = { topic, partition: 0 };
      await admin.alterPartitionReassignments({ ...partition, replicas: [brokerId] }, { wait: true });
      assert.deepEqual(await admin.listPartitionReassignments(partition), []);
      assert.deepEqual(await admin.electLeaders('preferred', partition), { ...partition, elected: false });
      const cancelled = admin.alterPartitionReassignments({ ...partition, replicas: null });
      await assert.rejects(cancelled, code('NO_REASSIGNMENT_IN_PROGRESS'));
      const strict = { allowReplicationFactorChange: false };
      const same = admin.alterPartitionReassignments({ ...partition, replicas: [brokerId] }, strict);
      if (version === '4.3.1') await same;
      else await assert.rejects(same, code('UNSUPPORTED_VERSION'));
    });

    it('describeMetadataQuorum tells of the controller', async () => {
      const { leaderEpoch, highWatermark, voters, ...quorum } = await admin.describeMetadataQuorum();
      assert.deepEqual(
        { ...quorum, nodes: quorum.nodes.map(({ nodeId, endpoints }) => [nodeId, endpoints[0]?.listener]) },
        { leaderId: brokerId, observers: [], nodes: [[brokerId, 'CONTROLLER']] },
      );
      assert.ok(leaderEpoch > 0);
      assert.ok(highWatermark > 0n);
      const [voter, ...others] = voters;
      assert.equal(others.length, 0);
      assert.equal(voter?.replicaId, brokerId);
      assert.ok((voter.logEndOffset ?? 0n) >= highWatermark);
      assert.ok(Math.abs(Date.now() - (voter.lastCaughtUpTimestampMs ?? 0)) < 600_000);
    });

    it('updateFeatures lowers and raises a level, only if it may, and not if it is only checked', async () => {
      const feature = version === '4.3.1' ? 'transaction.version' : 'metadata.version';
      const levelNow = async (): Promise<number> => {
        const { features } = await admin.describeFeatures();
        return features.find((each) => each.feature === feature)?.level ?? -1;
      };
      const before = await levelNow();
      assert.ok(before > 1);
      const lower = { feature, maxVersionLevel: before - 1 };
      await assert.rejects(admin.updateFeatures(lower), code('INVALID_UPDATE_VERSION'));
      await assert.rejects(admin.updateFeatures({ feature, maxVersionLevel: 999 }), code('INVALID_UPDATE_VERSION'));
      const safe = { ...lower, upgradeType: 'safe-downgrade' } as const;
      await admin.updateFeatures(safe, { validateOnly: true });
      assert.equal(await levelNow(), before);
      const { epoch = 0n } = await admin.describeFeatures();
      await admin.updateFeatures(safe);
      await eventually(async () => (await levelNow()) === before - 1, 'the lower level');
      await admin.updateFeatures({ feature, maxVersionLevel: before });
      await eventually(async () => (await levelNow()) === before, 'the level from before');
      assert.ok(((await admin.describeFeatures()).epoch ?? 0n) > epoch);
    });

    it('unregisterBroker has a broker forgotten, and knows those that there are', async () => {
      await assert.rejects(admin.unregisterBroker(77), code('BROKER_ID_NOT_REGISTERED'));
      await admin.unregisterBroker(brokerId);
      // The one broker that answers has forgotten itself.
      await eventually(async () => (await admin.describeCluster()).brokers.length === 0, 'a cluster without a broker');
    });
  });
}
