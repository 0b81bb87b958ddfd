import assert from 'node:assert/strict';
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { InitProducerId } from '../../../../src/protocol/generated/init-producer-id.ts';
import { OffsetCommit } from '../../../../src/protocol/generated/offset-commit.ts';
import { OffsetFetch } from '../../../../src/protocol/generated/offset-fetch.ts';
import { Metadata } from '../../../../src/protocol/generated/metadata.ts';
import { Produce } from '../../../../src/protocol/generated/produce.ts';
import { IncrementalAlterConfigs } from '../../../../src/protocol/generated/incremental-alter-configs.ts';
import { TestCluster, type TestClusterOptions } from '../../../../src/testing/index.ts';
import { DataFolder } from '../../../../src/testing/data/data-folder.ts';
import type { Persistent } from '../../../../src/testing/data/persistent.ts';
import { PartitionLog } from '../../../../src/testing/log/partition-log.ts';
import { SegmentFiles } from '../../../../src/testing/data/segment-files.ts';
import { AskedCluster } from '../asked-cluster.ts';
import { batchOf, recordsIn } from '../log/batches.ts';
import { connectTo, errorOf } from '../under-test.ts';

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

function newFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'kavka-data-'));
  folders.push(folder);
  return folder;
}

async function start(test: TestContext, dataDir: string, options: TestClusterOptions = {}): Promise<TestCluster> {
  const cluster = await TestCluster.start({ ...options, dataDir });
  test.after(() => cluster.close());
  return cluster;
}

/** The segment files of all partitions, by size. */
function segmentFiles(dataDir: string): string[] {
  const logs = path.join(dataDir, 'logs');
  return readdirSync(logs, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.log'))
    .map((name) => path.join(logs, name))
    .sort();
}

describe('DataFolder', () => {
  it('gives a cluster back its topics, records, settings and epochs', async (test) => {
    const dataDir = newFolder();
    const first = await start(test, dataDir, {
      topics: { orders: { partitions: 2, configs: { 'retention.ms': '-1' } } },
    });
    await first.append('orders', [
      { value: 'a', partition: 0 },
      { value: 'b', partition: 1 },
    ]);
    const asking = await connectTo(test, first);
    const ask = { topics: [{ name: 'orders' }], allowAutoTopicCreation: false };
    const before = await asking.send(Metadata, 12, ask);
    const alter = { name: 'max.message.bytes', configOperation: 0, value: '5000' };
    const resources = [{ resourceType: 2, resourceName: 'orders', configs: [alter] }];
    await asking.send(IncrementalAlterConfigs, 1, { resources });
    await first.close();
    const second = await start(test, dataDir, { topics: { orders: 7, payments: 1 } });
    const again = await connectTo(test, second);
    const after = await again.send(Metadata, 12, ask);
    assert.equal(after.clusterId, before.clusterId);
    assert.equal(after.topics[0]?.topicId, before.topics[0]?.topicId);
    assert.equal(after.topics[0]?.partitions.length, 2, 'what is there already is not made anew');
    assert.deepEqual(second.topics.sort(), ['orders', 'payments']);
    assert.deepEqual(
      after.topics[0]?.partitions.map(({ leaderEpoch }) => leaderEpoch),
      before.topics[0]?.partitions.map(({ leaderEpoch }) => leaderEpoch + 1),
    );
    const values = (await second.records('orders')).map(({ value }) => String(value));
    assert.deepEqual(values, ['a', 'b']);
    await assert.rejects(second.append('orders', { value: 'x'.repeat(6_000) }), { code: 'MESSAGE_TOO_LARGE' });
    const [place] = await second.append('orders', { value: 'c', partition: 0 });
    assert.equal(place?.offset, 1n);
  });

  it('remembers sequences and open transactions', async (test) => {
    const dataDir = newFolder();
    const first = await start(test, dataDir, { topics: { t: 1 } });
    const batch = { producerId: 90n, keys: ['a', 'b'], timeMs: Date.now() };
    const produce = async (
      cluster: TestCluster,
      records: Buffer,
    ): Promise<[number | undefined, bigint | undefined]> => {
      const connection = await connectTo(test, cluster);
      const topicData = [{ name: 't', partitionData: [{ index: 0, records }] }];
      const answer = await connection.send(Produce, 9, { acks: -1, timeoutMs: 1_000, topicData });
      return [errorOf(answer), answer.responses[0]?.partitionResponses[0]?.baseOffset];
    };
    assert.deepEqual(await produce(first, batchOf(batch)), [0, 0n]);
    await first.close();
    const second = await start(test, dataDir);
    assert.deepEqual(await produce(second, batchOf(batch)), [0, 0n], 'a duplicate');
    assert.deepEqual((await produce(second, batchOf({ ...batch, baseSequence: 7 })))[0], 45);
    assert.deepEqual(await produce(second, batchOf({ ...batch, baseSequence: 2 })), [0, 2n]);
    assert.equal(
      (await (await connectTo(test, second)).send(InitProducerId, 4, { transactionalId: null })).errorCode,
      0,
    );
  });

  it('drops a batch that was cut off while it was written, and what is behind a broken one', async (test) => {
    const dataDir = newFolder();
    const first = await start(test, dataDir, { topics: { t: 1 } });
    for (const value of ['a', 'b', 'c']) await first.append('t', { value });
    await first.close();
    const [file = ''] = segmentFiles(dataDir);
    const whole = statSync(file).size;
    truncateSync(file, whole - 3);
    const second = await start(test, dataDir);
    assert.deepEqual(
      (await second.records('t')).map(({ value }) => String(value)),
      ['a', 'b'],
    );
    assert.deepEqual((await second.append('t', { value: 'd' }))[0]?.offset, 2n);
    await second.close();
    const bytes = readFileSync(file);
    bytes.writeUInt8((bytes.at(whole / 3 + 63) ?? 0) ^ 1, whole / 3 + 63);
    writeFileSync(file, bytes);
    appendFileSync(file, Buffer.from([1, 2, 3]));
    const third = await start(test, dataDir);
    assert.deepEqual(
      (await third.records('t')).map(({ value }) => String(value)),
      ['a'],
    );
    assert.equal(statSync(file).size, whole / 3);
  });

  it('has every record that was acknowledged, at whichever byte the process ended', () => {
    const folder = newFolder();
    const log = new PartitionLog();
    const files = new SegmentFiles(folder);
    log.sink = files;
    const ends: number[] = [];
    for (let count = 0; count < 4; count++) {
      log.append(batchOf({ keys: [`k${count}`] }), { leaderEpoch: 0, nowMs: 1 });
      ends.push(log.sizeBytes);
    }
    files.end();
    const file = path.join(folder, `${'0'.repeat(20)}.log`);
    const bytes = readFileSync(file);
    for (let length = 0; length <= bytes.length; length++) {
      writeFileSync(file, bytes.subarray(0, length));
      const { segments, startOffset } = new SegmentFiles(folder).load();
      const restored = new PartitionLog();
      restored.restore(segments, startOffset, 1);
      const expected = ends.filter((end) => end <= length).length;
      assert.equal(restored.endOffset, BigInt(expected), `after ${length} bytes`);
    }
  });

  it('keeps no file of what retention, deletion and compaction took', async (test) => {
    const dataDir = newFolder();
    const configs = { 'segment.bytes': '1000' };
    const first = await start(test, dataDir, { retentionBytes: 20_000, topics: { t: { configs }, gone: 1 } });
    await first.append('gone', { value: 'x' });
    for (let count = 0; count < 100; count++) await first.append('t', { value: 'x'.repeat(500) });
    const { startOffset, endOffset } = first.partition('t', 0);
    assert.ok(startOffset > 0n && endOffset === 100n);
    first.deleteTopic('gone');
    assert.equal(readdirSync(path.join(dataDir, 'logs')).length, 1);
    assert.ok(segmentFiles(dataDir).length < 40);
    await first.close();
    const second = await start(test, dataDir, { retentionBytes: 20_000 });
    assert.deepEqual(second.topics, ['t']);
    const restored = second.partition('t', 0);
    assert.deepEqual([restored.startOffset, restored.endOffset], [startOffset, endOffset]);
  });

  it('refuses a folder that is used, of another size, or not its own', async (test) => {
    const dataDir = newFolder();
    const first = await start(test, dataDir);
    await assert.rejects(TestCluster.start({ dataDir }), { code: 'INVALID_OPTION', message: /process \d+ uses it/ });
    await first.close();
    await assert.rejects(TestCluster.start({ dataDir, brokers: 3 }), { code: 'INVALID_OPTION', message: /1 brokers/ });
    writeFileSync(path.join(dataDir, 'cluster.json'), 'not ours');
    await assert.rejects(TestCluster.start({ dataDir }), { code: 'INVALID_OPTION', message: /cannot be read/ });
  });

  it('has the state of a service as it was when it was last saved', () => {
    class Counter implements Persistent {
      count = 0;
      snapshot(): unknown {
        return this.count;
      }
      restore(state: number): void {
        this.count = state;
      }
    }
    const dataDir = newFolder();
    const services = new Map([['counter', Counter]]);
    const first = new AskedCluster();
    const folder = DataFolder.open(dataDir, 1, services);
    folder.attach(first.state);
    first.state.service(Counter).count = 41;
    folder.saveServices();
    assert.equal(readFileSync(path.join(dataDir, 'services', 'counter.json'), 'utf8'), '41');
    first.state.service(Counter).count = 42;
    folder.close();
    const second = new AskedCluster();
    const reopened = DataFolder.open(dataDir, 1, services);
    reopened.attach(second.state);
    assert.equal(second.state.service(Counter).count, 42);
    reopened.close();
  });

  it('keeps what groups committed, and never gives a producer id twice', async (test) => {
    const dataDir = newFolder();
    const first = await start(test, dataDir, { topics: { t: 1 } });
    await first.append('t', [{ value: 'a' }, { value: 'b' }]);
    const asking = await connectTo(test, first);
    const committing = { groupId: 'g', generationIdOrMemberEpoch: -1, memberId: '' };
    const topics = [{ name: 't', partitions: [{ partitionIndex: 0, committedOffset: 1n }] }];
    await asking.send(OffsetCommit, 8, { ...committing, topics });
    const { producerId } = await asking.send(InitProducerId, 4, { transactionalId: null });
    // The copy is what a process that ends suddenly leaves behind.
    const copy = newFolder();
    cpSync(dataDir, copy, { recursive: true });
    rmSync(path.join(copy, 'lock'));
    const second = await start(test, copy);
    const again = await connectTo(test, second);
    const fetching = { groups: [{ groupId: 'g', topics: [{ name: 't', partitionIndexes: [0] }] }] };
    const fetched = await again.send(OffsetFetch, 8, fetching);
    assert.equal(fetched.groups[0]?.topics[0]?.partitions[0]?.committedOffset, 1n);
    const other = await again.send(InitProducerId, 4, { transactionalId: null });
    assert.ok(other.producerId > producerId, `${other.producerId} after ${producerId}`);
  });

  it('finds what a compaction replaced, whenever it ended', () => {
    const folder = newFolder();
    const old = new PartitionLog();
    const files = new SegmentFiles(folder);
    old.sink = files;
    const append = { leaderEpoch: 0, nowMs: 1, segmentBytes: 100 };
    for (const key of ['a', 'b', 'c']) old.append(batchOf({ keys: [key], value: 'x'.repeat(50) }), append);
    files.end();
    // As if the process ended after the first file held all of what the three held, and before the others were deleted.
    const compacted = new PartitionLog();
    for (const key of ['a', 'b', 'c']) compacted.append(batchOf({ keys: [key] }), { leaderEpoch: 0, nowMs: 1 });
    const all = compacted.read(0n, { maxBytes: 9_999, minOneBatch: true, until: 'endOffset' }).records;
    writeFileSync(path.join(folder, `${'0'.repeat(20)}.log`), all);
    const { segments, startOffset } = new SegmentFiles(folder).load();
    const restored = new PartitionLog();
    restored.restore(segments, startOffset, 1);
    assert.equal(restored.endOffset, 3n);
    const read = restored.read(0n, { maxBytes: 9_999, minOneBatch: true, until: 'endOffset' }).records;
    assert.deepEqual(
      recordsIn(read).map(([offset, key]) => [offset, key]),
      [
        [0n, 'a'],
        [1n, 'b'],
        [2n, 'c'],
      ],
    );
  });
});
