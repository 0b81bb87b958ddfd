import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { randomUUID } from 'node:crypto';
import { Admin } from '../../src/admin/admin.ts';
import { Cluster } from '../../src/cluster/cluster.ts';
import { resolveClientOptions } from '../../src/cluster/options.ts';
import { AdminError } from '../../src/errors/admin-error.ts';
import { KafkaError } from '../../src/errors/kafka-error.ts';
import { EventPublisher } from '../../src/instrumentation/event-publisher.ts';
import { JoinGroup } from '../../src/protocol/generated/join-group.ts';
import { SyncGroup } from '../../src/protocol/generated/sync-group.ts';
import { LeaveGroup } from '../../src/protocol/generated/leave-group.ts';
import { ConsumerGroupHeartbeat } from '../../src/protocol/generated/consumer-group-heartbeat.ts';
import { ConsumerProtocolAssignment } from '../../src/protocol/generated/consumer-protocol-assignment.ts';
import { ConsumerProtocolSubscription } from '../../src/protocol/generated/consumer-protocol-subscription.ts';
import { Produce } from '../../src/protocol/generated/produce.ts';
import { BatchBuilder } from '../../src/protocol/records/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

for (const version of ['4.3.1', '3.9.1']) {
  const kafka = await kafkaUnderTest({ brokers: 1, version });
  describe(`Admin on Kafka ${version}`, { skip: kafka.skip }, () => {
    let cluster: Cluster;
    let admin: Admin;
    const fresh = (what: string): string => `${what}-${randomUUID().slice(0, 8)}`;

    before(() => {
      cluster = new Cluster(resolveClientOptions({ bootstrapServers: kafka.bootstrapServers }), new EventPublisher());
      admin = new Admin(cluster);
    });
    after(async () => {
      await admin.close();
      await cluster.close();
    });

    const rejectsWith = (code: string, message?: RegExp) => (error: unknown) => {
      assert.ok(error instanceof KafkaError, String(error));
      assert.equal(error.code, code);
      if (message !== undefined) assert.match(error.message, message);
      return true;
    };

    /** Appends records with these timestamps to one partition, one batch each, as a producer would. */
    async function append(topic: string, partition: number, timestamps: readonly number[]): Promise<void> {
      for (const timestamp of timestamps) {
        const batch = new BatchBuilder({ initialBytes: 256, maxBytes: 4096 });
        batch.append(timestamp, 'k', 'v', undefined);
        const records = batch.close({
          compression: 'none',
          producerId: -1n,
          producerEpoch: -1,
          baseSequence: -1,
          transactional: false,
        });
        await cluster.request({
          api: Produce,
          to: { kind: 'leader', topic, partition },
          doing: 'Cannot produce',
          versions: { max: 12 },
          // A broker names itself the leader a moment before it acts as one.
          errorCode: ({ responses }) => responses[0]?.partitionResponses[0]?.errorCode ?? -1,
          message: {
            acks: -1,
            timeoutMs: 10_000,
            topicData: [{ name: topic, partitionData: [{ index: partition, records }] }],
          },
        });
      }
    }

    describe('topics', () => {
      it('createTopics resolves with what was made, leaders elected', async () => {
        const topic = fresh('made');
        const made = await admin.createTopics({
          topic,
          partitions: 3,
          replicationFactor: 1,
          configs: { 'retention.ms': 86_400_000, 'cleanup.policy': 'compact' },
        });
        assert.deepEqual(
          { ...made, topicId: undefined },
          {
            topic,
            topicId: undefined,
            partitions: 3,
            replicationFactor: 1,
            created: true,
          },
        );
        const described = await admin.describeTopics(topic);
        assert.equal(described.topicId, made.topicId);
        assert.deepEqual(
          described.partitions.map(({ partition }) => partition),
          [0, 1, 2],
        );
        assert.ok(described.partitions.every(({ leaderId, isr }) => leaderId >= 0 && isr.length === 1));
        const configs = await admin.describeConfigs({ type: 'topic', name: topic });
        assert.equal(configs.get('retention.ms'), '86400000');
        assert.equal(configs.get('cleanup.policy'), 'compact');
      });

      it('createTopics takes assignments', async () => {
        const topic = fresh('assigned');
        const { brokers } = await admin.describeCluster();
        const broker = brokers[0]?.nodeId ?? -1;
        const made = await admin.createTopics({ topic, assignments: [[broker], [broker]] });
        assert.equal(made.partitions, 2);
      });

      it('createTopics refuses a topic that exists, with the words of the broker, unless ifNotExists', async () => {
        const topic = fresh('twice');
        await admin.createTopics({ topic, partitions: 2, replicationFactor: 1 });
        await assert.rejects(
          admin.createTopics({ topic, partitions: 1 }),
          rejectsWith(
            'TOPIC_ALREADY_EXISTS',
            /^Cannot create topic "twice-.*": .*already exists.* \(TOPIC_ALREADY_EXISTS\)$/,
          ),
        );
        const again = await admin.createTopics({ topic, partitions: 1 }, { ifNotExists: true });
        assert.equal(again.created, false);
        assert.equal(again.partitions, 2);
      });

      it('createTopics of several rejects with the result of each in order, or resolves with them when settled', async () => {
        const [one, two, three] = [fresh('a'), fresh('b'), fresh('c')];
        await admin.createTopics({ topic: two, partitions: 1 });
        const items = [
          { topic: one, partitions: 1 },
          { topic: two, partitions: 1 },
          { topic: three, partitions: 1, configs: { 'retention.ms': 'soon' } },
        ];
        await assert.rejects(admin.createTopics(items), (error: unknown) => {
          assert.ok(error instanceof AdminError);
          assert.match(error.message, /^Cannot create topics: 2 of 3 failed; the first with: Cannot create topic "b-/);
          assert.deepEqual(
            error.results.map((result) => (result.status === 'fulfilled' ? 'made' : result.reason.code)),
            ['made', 'TOPIC_ALREADY_EXISTS', 'INVALID_CONFIG'],
          );
          return true;
        });
        const settled = await admin.createTopics(items, { settled: true, ifNotExists: true });
        assert.deepEqual(
          settled.map(({ status }) => status),
          ['fulfilled', 'fulfilled', 'rejected'],
        );
        assert.equal((await admin.createTopics({ topic: two }, { settled: true })).status, 'rejected');
      });

      it('createTopics with validateOnly makes nothing', async () => {
        const topic = fresh('checked');
        const checked = await admin.createTopics(
          { topic, partitions: 4, replicationFactor: 1 },
          { validateOnly: true },
        );
        assert.equal(checked.created, false);
        assert.equal(checked.partitions, 4);
        assert.ok(!(await admin.listTopics()).some((listed) => listed.topic === topic));
        await assert.rejects(
          admin.createTopics({ topic, partitions: 1, replicationFactor: 9 }, { validateOnly: true }),
          rejectsWith('INVALID_REPLICATION_FACTOR'),
        );
      });

      it('listTopics shows internal topics only on request', async () => {
        await admin.alterGroupOffsets(fresh('makes-offsets-topic'), await someOffset());
        const listed = await admin.listTopics();
        assert.ok(listed.every(({ isInternal }) => !isInternal));
        const all = await admin.listTopics({ includeInternal: true });
        assert.ok(all.some(({ topic, isInternal }) => topic === '__consumer_offsets' && isInternal));
      });

      it('deleteTopics resolves when the topic is gone, and a topic of the same name can follow at once', async () => {
        const topic = fresh('gone');
        const first = await admin.createTopics({ topic, partitions: 3 });
        assert.equal((await cluster.topics([topic])).topic(topic)?.topicId, first.topicId);
        assert.deepEqual(await admin.deleteTopics(topic), { topic, deleted: true });
        assert.ok(!(await admin.listTopics()).some((listed) => listed.topic === topic));
        const second = await admin.createTopics({ topic, partitions: 1 });
        assert.notEqual(second.topicId, first.topicId);
        const snapshot = await eventually(async () => {
          const current = await cluster.refresh();
          return current.topic(topic)?.topicId === second.topicId && current;
        });
        assert.equal(snapshot.topic(topic)?.partitions.length, 1);
      });

      it('deleteTopics refuses an unknown topic, unless ifExists', async () => {
        const topic = fresh('never');
        await assert.rejects(
          admin.deleteTopics(topic),
          rejectsWith('UNKNOWN_TOPIC_OR_PARTITION', /Cannot delete topic "never-/),
        );
        assert.deepEqual(await admin.deleteTopics([topic], { ifExists: true }), [{ topic, deleted: false }]);
      });

      it('describeTopics tells known from unknown topics in order', async () => {
        const topic = fresh('known');
        await admin.createTopics({ topic, partitions: 1 });
        const settled = await admin.describeTopics([fresh('unknown'), topic], { settled: true });
        assert.deepEqual(
          settled.map((result) => (result.status === 'fulfilled' ? result.value.topic : result.reason.code)),
          ['UNKNOWN_TOPIC_OR_PARTITION', topic],
        );
      });

      it('createPartitions adds partitions, and clients see them at the next refresh', async () => {
        const topic = fresh('grows');
        await admin.createTopics({ topic, partitions: 1 });
        await cluster.topics([topic]);
        await admin.createPartitions({ topic, count: 4 });
        await eventually(async () => (await cluster.refresh()).topic(topic)?.partitions.length === 4);
        await assert.rejects(admin.createPartitions({ topic, count: 4 }), rejectsWith('INVALID_PARTITIONS'));
        await assert.rejects(
          admin.createPartitions({ topic: fresh('absent'), count: 2 }),
          rejectsWith('UNKNOWN_TOPIC_OR_PARTITION'),
        );
      });
    });

    describe('records and offsets', () => {
      it('listOffsets finds the ends, a time and the highest timestamp, also several of one partition', async () => {
        const topic = fresh('times');
        // Records of 1970 would be deleted for their age at any moment.
        await admin.createTopics({ topic, partitions: 2, configs: { 'retention.ms': -1 } });
        await append(topic, 1, [1000, 3000, 2000]);
        const found = await admin.listOffsets([
          { topic, partition: 1, at: 'earliest' },
          { topic, partition: 1 },
          { topic, partition: 1, at: 1500 },
          { topic, partition: 1, at: 'maxTimestamp' },
          { topic, partition: 1, at: 9000 },
          { topic, partition: 0, at: 'latest' },
        ]);
        assert.deepEqual(
          found.map(({ offset }) => offset),
          [0n, 3n, 1n, 1n, -1n, 0n],
        );
        assert.equal(found[2]?.timestampMs, 3000);
        const committed = await admin.listOffsets({ topic, partition: 1 }, { isolationLevel: 'read_committed' });
        assert.equal(committed.offset, 3n);
      });

      it('listOffsets names what does not exist', async () => {
        const topic = fresh('short');
        await admin.createTopics({ topic, partitions: 1 });
        await assert.rejects(
          admin.listOffsets({ topic, partition: 7 }),
          rejectsWith('UNKNOWN_TOPIC_OR_PARTITION', /partition 7 of topic "short-.*the topic has 1 partition/),
        );
        const settled = await admin.listOffsets(
          [
            { topic: fresh('absent'), partition: 0 },
            { topic, partition: 0 },
          ],
          { settled: true },
        );
        assert.deepEqual(
          settled.map(({ status }) => status),
          ['rejected', 'fulfilled'],
        );
      });

      it('deleteRecords moves the start of a partition', async () => {
        const topic = fresh('trimmed');
        await admin.createTopics({ topic, partitions: 1, configs: { 'retention.ms': -1 } });
        await append(topic, 0, [1, 2, 3, 4]);
        assert.deepEqual(await admin.deleteRecords({ topic, partition: 0, offset: 3 }), {
          topic,
          partition: 0,
          lowWatermark: 3n,
        });
        assert.equal((await admin.listOffsets({ topic, partition: 0, at: 'earliest' })).offset, 3n);
        await assert.rejects(
          admin.deleteRecords({ topic, partition: 0, offset: 99n }),
          rejectsWith('OFFSET_OUT_OF_RANGE', /before offset 99/),
        );
        assert.equal((await admin.deleteRecords({ topic, partition: 0, offset: -1 })).lowWatermark, 4n);
      });
    });

    describe('configurations', () => {
      it('incrementalAlterConfigs sets, appends, takes back, and leaves the rest alone', async () => {
        const topic = fresh('tuned');
        const resource = { type: 'topic', name: topic } as const;
        await admin.createTopics({ topic, partitions: 1, configs: { 'cleanup.policy': 'delete' } });
        await admin.incrementalAlterConfigs({
          ...resource,
          set: { 'retention.ms': 1000 },
          append: { 'cleanup.policy': 'compact' },
        });
        const changed = await eventually(async () => {
          const configs = await admin.describeConfigs(resource);
          return configs.get('retention.ms') === '1000' && configs;
        });
        assert.equal(changed.get('cleanup.policy'), 'delete,compact');
        assert.equal(changed.entries.find(({ name }) => name === 'retention.ms')?.source, 'topic');
        await admin.incrementalAlterConfigs({ ...resource, delete: ['retention.ms'] });
        await eventually(async () => {
          const configs = await admin.describeConfigs(resource, { names: ['retention.ms'] });
          assert.deepEqual(
            configs.entries.map(({ name }) => name),
            ['retention.ms'],
          );
          return configs.entries[0]?.source !== 'topic';
        });
      });

      it('incrementalAlterConfigs refuses a bad value, and changes nothing with validateOnly', async () => {
        const topic = fresh('strict');
        const resource = { type: 'topic', name: topic } as const;
        await admin.createTopics({ topic, partitions: 1 });
        await assert.rejects(
          admin.incrementalAlterConfigs({ ...resource, set: { 'retention.ms': 'soon' } }),
          rejectsWith('INVALID_CONFIG', /retention\.ms/),
        );
        await admin.incrementalAlterConfigs({ ...resource, set: { 'retention.ms': 5000 } }, { validateOnly: true });
        assert.notEqual((await admin.describeConfigs(resource)).get('retention.ms'), '5000');
        await assert.rejects(
          admin.describeConfigs({ type: 'topic', name: fresh('absent') }),
          rejectsWith('UNKNOWN_TOPIC_OR_PARTITION'),
        );
      });

      it('describeConfigs asks the broker itself, and names one that does not exist', async () => {
        const { brokers } = await admin.describeCluster();
        const [broker] = brokers;
        assert.ok(broker !== undefined);
        const configs = await admin.describeConfigs({ type: 'broker', name: broker.nodeId }, { includeSynonyms: true });
        const entry = configs.entries.find(({ name }) => name === 'log.segment.bytes');
        assert.equal(entry?.type, 'int');
        assert.equal(configs.get('node.id'), String(broker.nodeId));
        await assert.rejects(
          admin.describeConfigs({ type: 'broker', name: 4711 }),
          rejectsWith('BROKER_UNKNOWN', /broker 4711/),
        );
      });

      it('changes configurations of a broker', async () => {
        const [broker] = (await admin.describeCluster()).brokers;
        const resource = { type: 'broker', name: broker?.nodeId ?? -1 } as const;
        await admin.incrementalAlterConfigs({ ...resource, set: { 'log.cleaner.backoff.ms': 15_001 } });
        await eventually(async () => (await admin.describeConfigs(resource)).get('log.cleaner.backoff.ms') === '15001');
        await admin.incrementalAlterConfigs({ ...resource, delete: ['log.cleaner.backoff.ms'] });
      });

      it(
        'changes configurations of a group',
        { skip: version.startsWith('3.') ? 'needs Kafka 4' : false },
        async () => {
          const group = { type: 'group', name: fresh('tuned-group') } as const;
          await admin.incrementalAlterConfigs({ ...group, set: { 'consumer.session.timeout.ms': 50_000 } });
          await eventually(
            async () => (await admin.describeConfigs(group)).get('consumer.session.timeout.ms') === '50000',
          );
        },
      );
    });

    describe('groups', () => {
      it('sets, lists and deletes offsets of a group', async () => {
        const groupId = fresh('offsets');
        const topic = fresh('of-group');
        await admin.createTopics({ topic, partitions: 3 });
        assert.deepEqual(await admin.listGroupOffsets(groupId), []);
        await admin.alterGroupOffsets(groupId, [
          { topic, partition: 0, offset: 5, metadata: 'note' },
          { topic, partition: 2, offset: '7', leaderEpoch: 0 },
        ]);
        assert.deepEqual(
          (await admin.listGroupOffsets(groupId)).sort((a, b) => a.partition - b.partition),
          [
            { topic, partition: 0, offset: 5n, leaderEpoch: undefined, metadata: 'note' },
            { topic, partition: 2, offset: 7n, leaderEpoch: 0, metadata: '' },
          ],
        );
        const asked = [
          { topic, partition: 1 },
          { topic, partition: 2 },
        ];
        const some = await admin.listGroupOffsets(groupId, { partitions: asked, requireStable: true });
        assert.deepEqual(
          some.map(({ offset }) => offset),
          [undefined, 7n],
        );
        await admin.deleteGroupOffsets(groupId, { topic, partition: 0 });
        assert.deepEqual(
          (await admin.listGroupOffsets(groupId)).map(({ partition }) => partition),
          [2],
        );
      });

      it('alterGroupOffsets tells which partition does not exist', async () => {
        const offset = await someOffset();
        const results = await admin.alterGroupOffsets(fresh('offsets'), [{ ...offset, partition: 99 }, offset], {
          settled: true,
        });
        assert.deepEqual(
          results.map((result) => (result.status === 'fulfilled' ? 'set' : result.reason.code)),
          ['UNKNOWN_TOPIC_OR_PARTITION', 'set'],
        );
      });

      it('describes, lists and refuses to delete a classic group with a member', async () => {
        const groupId = fresh('classic');
        const { topic } = await someOffset();
        const memberId = await joinClassic(groupId, topic);
        const described = await admin.describeGroups(groupId);
        assert.equal(described.type, 'classic');
        assert.equal(described.state, 'Stable');
        assert.equal(described.assignor, 'range');
        assert.deepEqual(
          described.members.map(({ subscription, assignment }) => ({ subscription, assignment })),
          [{ subscription: [topic], assignment: [{ topic, partition: 0 }] }],
        );
        const [listed] = (await admin.listGroups({ states: ['Stable'], types: ['classic'] })).filter(
          (group) => group.groupId === groupId,
        );
        assert.deepEqual(listed, { groupId, protocolType: 'consumer', state: 'Stable', type: 'classic' });
        assert.ok(!(await admin.listGroups({ states: ['Empty'] })).some((group) => group.groupId === groupId));
        await assert.rejects(admin.deleteGroups(groupId), rejectsWith('NON_EMPTY_GROUP'));
        await assert.rejects(
          admin.alterGroupOffsets(groupId, { topic, partition: 0, offset: 0 }),
          rejectsWith('UNKNOWN_MEMBER_ID', /stop its consumers first/),
        );
        await assert.rejects(
          admin.deleteGroupOffsets(groupId, { topic, partition: 0 }),
          rejectsWith('GROUP_SUBSCRIBED_TO_TOPIC'),
        );
        await leaveClassic(groupId, memberId);
        await admin.deleteGroups(groupId);
        await assert.rejects(admin.describeGroups(groupId), rejectsWith('GROUP_ID_NOT_FOUND'));
      });

      it(
        'describes a group of the new protocol',
        { skip: version.startsWith('3.') ? 'needs Kafka 4' : false },
        async () => {
          const groupId = fresh('new');
          const { topic } = await someOffset();
          const to = { kind: 'coordinator', type: 'group', key: groupId } as const;
          const memberId = randomUUID();
          let memberEpoch = 0;
          // The coordinator assigns at a heartbeat, and may not know a topic that is as new as this one at the first.
          const beat = async (): Promise<void> => {
            const response = await cluster.request({
              api: ConsumerGroupHeartbeat,
              to,
              doing: 'Cannot join',
              message: {
                groupId,
                memberId,
                memberEpoch,
                rebalanceTimeoutMs: 60_000,
                subscribedTopicNames: [topic],
                topicPartitions: [],
              },
              errorCode: ({ errorCode }) => errorCode,
            });
            memberEpoch = response.memberEpoch;
          };
          const described = await eventually(async () => {
            await beat();
            const group = await admin.describeGroups(groupId);
            return group.members[0]?.targetAssignment?.length === 1 && group;
          });
          assert.equal(described.type, 'consumer');
          assert.deepEqual(described.members[0]?.subscription, [topic]);
          assert.deepEqual(described.members[0]?.targetAssignment, [{ topic, partition: 0 }]);
        },
      );

      it('deleteGroups and describeGroups tell which group does not exist', async () => {
        const groupId = fresh('there');
        await admin.alterGroupOffsets(groupId, await someOffset());
        const absent = fresh('absent');
        await assert.rejects(admin.describeGroups([groupId, absent]), (error: unknown) => {
          assert.ok(error instanceof AdminError);
          const codes = error.results.map((result) => (result.status === 'fulfilled' ? 'ok' : result.reason.code));
          assert.deepEqual(codes, ['ok', 'GROUP_ID_NOT_FOUND']);
          return true;
        });
        const deleted = await admin.deleteGroups([absent, groupId], { settled: true });
        assert.deepEqual(
          deleted.map((result) => (result.status === 'fulfilled' ? 'gone' : result.reason.code)),
          ['GROUP_ID_NOT_FOUND', 'gone'],
        );
      });
    });

    it('describeCluster names its brokers', async () => {
      const described = await admin.describeCluster();
      assert.ok((described.clusterId ?? '').length > 0);
      assert.equal(described.brokers.length, 1);
      assert.equal(described.controllerId, described.brokers[0]?.nodeId);
    });

    it('calls heed their signal and end CLOSED after close', async () => {
      const stopped = new Error('stopped');
      await assert.rejects(admin.listTopics({ signal: AbortSignal.abort(stopped) }), stopped);
      await assert.rejects(admin.describeTopics(['a'], { signal: AbortSignal.abort(stopped) }), stopped);
      const other = new Admin(cluster);
      await other.listTopics();
      await other.close();
      await assert.rejects(other.listTopics(), rejectsWith('CLOSED'));
      await assert.rejects(other.describeTopics(['a']), rejectsWith('CLOSED'));
    });

    async function someOffset(): Promise<{ topic: string; partition: number; offset: bigint }> {
      const topic = fresh('some');
      await admin.createTopics({ topic, partitions: 1 });
      return { topic, partition: 0, offset: 0n };
    }

    async function joinClassic(groupId: string, topic: string): Promise<string> {
      const subscription = ConsumerProtocolSubscription.encode({ topics: [topic] }, 0);
      const metadata = Buffer.concat([Buffer.from([0, 0]), subscription]);
      const to = { kind: 'coordinator', type: 'group', key: groupId } as const;
      const join = (memberId: string) =>
        cluster.request({
          api: JoinGroup,
          to,
          doing: 'Cannot join',
          message: {
            groupId,
            memberId,
            sessionTimeoutMs: 30_000,
            rebalanceTimeoutMs: 30_000,
            protocolType: 'consumer',
            protocols: [{ name: 'range', metadata }],
          },
        });
      const { memberId } = await join('');
      const joined = await join(memberId);
      assert.equal(joined.errorCode, 0);
      const assigned = ConsumerProtocolAssignment.encode({ assignedPartitions: [{ topic, partitions: [0] }] }, 0);
      const synced = await cluster.request({
        api: SyncGroup,
        to,
        doing: 'Cannot sync',
        message: {
          groupId,
          generationId: joined.generationId,
          memberId,
          protocolType: 'consumer',
          protocolName: 'range',
          assignments: [{ memberId, assignment: Buffer.concat([Buffer.from([0, 0]), assigned]) }],
        },
      });
      assert.equal(synced.errorCode, 0);
      return memberId;
    }

    async function leaveClassic(groupId: string, memberId: string): Promise<void> {
      await cluster.request({
        api: LeaveGroup,
        to: { kind: 'coordinator', type: 'group', key: groupId },
        doing: 'Cannot leave',
        message: { groupId, members: [{ memberId }] },
        versions: { min: 3 },
      });
    }
  });
}
