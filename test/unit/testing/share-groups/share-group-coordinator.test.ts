import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { ShareGroupDescribe } from '../../../../src/protocol/generated/share-group-describe.ts';
import { ShareGroupHeartbeat } from '../../../../src/protocol/generated/share-group-heartbeat.ts';
import { TestCluster, type TestClusterOptions } from '../../../../src/testing/index.ts';
import { RawKafka } from '../../../support/answers/raw-kafka.ts';
import { ShareDesk } from '../../../support/answers/share-requests.ts';
import { eventually } from '../../../support/eventually.ts';

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

async function start(test: TestContext, options: TestClusterOptions): Promise<{ cluster: TestCluster; raw: RawKafka }> {
  const cluster = await TestCluster.start(options);
  const raw = new RawKafka(cluster.bootstrapServers);
  test.after(async () => {
    raw.close();
    await cluster.close();
  });
  return { cluster, raw };
}

/** A group that has acknowledged the first two of five records. */
async function begin(raw: RawKafka): Promise<{ desk: ShareDesk; memberId: string }> {
  const desk = await ShareDesk.open(raw, {}, { joins: false });
  const memberId = await desk.join();
  await desk.produce(['a', 'b', 'c', 'd', 'e']);
  const reader = desk.member(memberId);
  await reader.fetchSome();
  await reader.acknowledge([[0, 1, 1]]);
  return { desk, memberId };
}

describe('ShareGroupCoordinator', () => {
  it('ShareGroupCoordinator goes on at another broker: members, epochs and offsets are kept', async (test) => {
    const { cluster, raw } = await start(test, { brokers: 2, configs: { 'offsets.topic.replication.factor': '2' } });
    const { name } = await raw.topic(1);
    const groupId = 'moving';
    const from = cluster.coordinator('group', groupId) ?? -1;
    const to = cluster.brokers.find(({ id }) => id !== from)?.id ?? -1;
    const at = (id: number) => raw.connect(cluster.brokers.findIndex((broker) => broker.id === id));
    const [old, next] = [await at(from), await at(to)];
    const join = { groupId, memberId: 'a', memberEpoch: 0, subscribedTopicNames: [name] };
    await old.send(ShareGroupHeartbeat, 1, join);
    const beat = { groupId, memberId: 'a', memberEpoch: 2 };
    let epoch = 2;
    await eventually(async () => {
      const answer = await old.send(ShareGroupHeartbeat, 1, { ...beat, memberEpoch: epoch });
      epoch = answer.memberEpoch;
      return answer.assignment !== null;
    });
    assert.equal(epoch, 3);
    assert.equal((await next.send(ShareGroupHeartbeat, 1, { ...beat, memberEpoch: 3 })).errorCode, 16);
    cluster.moveCoordinator('group', groupId, to);
    assert.equal((await old.send(ShareGroupHeartbeat, 1, { ...beat, memberEpoch: 3 })).errorCode, 16);
    const answer = await next.send(ShareGroupHeartbeat, 1, { ...beat, memberEpoch: 3 });
    assert.deepEqual([answer.errorCode, answer.memberEpoch, answer.assignment], [0, 3, null]);
    const { groups } = await next.send(ShareGroupDescribe, 1, { groupIds: [groupId] });
    assert.deepEqual(groups[0]?.members[0]?.assignment.topicPartitions[0]?.partitions, [0]);
  });

  it('ShareGroupCoordinator and the offsets of its groups survive a restart with a data folder', async (test) => {
    const dataDir = mkdtempSync(path.join(tmpdir(), 'kavka-share-'));
    folders.push(dataDir);
    const first = await start(test, { dataDir });
    const { desk, memberId } = await begin(first.raw);
    await desk.offsets();
    first.raw.close();
    await first.cluster.close();
    const second = await start(test, { dataDir });
    const connection = await second.raw.connect();
    const { groups } = await connection.send(ShareGroupDescribe, 1, { groupIds: [desk.groupId] });
    assert.deepEqual(
      groups.map(({ groupState, members }) => [groupState, members.map((member) => member.memberId)]),
      [['Stable', [memberId]]],
    );
    await second.cluster.waitForGroup(desk.groupId, { members: 1, lag: 3 });
    assert.match(desk.log.at(-1) ?? '', /lag 3/);
  });

  it('TestCluster waits for members and lag of share groups, too', async (test) => {
    const { cluster, raw } = await start(test, {});
    const { desk, memberId } = await begin(raw);
    await cluster.waitForGroup(desk.groupId, { members: 1, lag: 3 });
    const impatient = { signal: AbortSignal.timeout(50) };
    await assert.rejects(cluster.waitForGroup(desk.groupId, { lag: 2, ...impatient }));
    const { connection, groupId } = desk;
    await connection.send(ShareGroupHeartbeat, 1, { groupId, memberId, memberEpoch: -1 });
    await cluster.waitForGroup(groupId, { members: 0 });
  });
});
