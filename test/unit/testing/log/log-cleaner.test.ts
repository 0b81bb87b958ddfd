import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventually } from '../../../support/eventually.ts';
import { settle } from '../../../support/fake-clock.ts';
import { AskedCluster } from '../asked-cluster.ts';
import { partitionOf, produceTo } from '../handlers/asked-log.ts';
import { batchOf } from './batches.ts';

const interval = 'log.retention.check.interval.ms';

function clusterWith(configs: Readonly<Record<string, string>>): AskedCluster {
  const cluster = new AskedCluster({ configs: { [interval]: '1000', 'log.cleaner.backoff.ms': '1000' } });
  cluster.state.createTopic({
    name: 't',
    partitions: 1,
    replicationFactor: 1,
    configs: new Map(Object.entries(configs)),
  });
  return cluster;
}

const value = 'x'.repeat(300);

describe('LogCleaner', () => {
  it('deletes what is older than retention.ms, at the checks of the clock', async () => {
    const cluster = clusterWith({ 'retention.ms': '5000', 'segment.bytes': '400' });
    const { log } = partitionOf(cluster, 't');
    await produceTo(cluster, 't', { value });
    await cluster.clock.advance(3_000);
    await produceTo(cluster, 't', { value });
    await cluster.clock.advance(2_000);
    assert.equal(log.startOffset, 0n);
    await cluster.clock.advance(1_000);
    assert.equal(log.startOffset, 1n);
    await cluster.clock.advance(10_000);
    assert.deepEqual([log.startOffset, log.endOffset, log.sizeBytes], [2n, 2n, 0]);
    assert.equal(cluster.clock.pending, 0, 'nothing is left to check');
  });

  it('keeps no more than retention.bytes', async () => {
    const cluster = clusterWith({ 'retention.bytes': '1000', 'segment.bytes': '400' });
    const { log } = partitionOf(cluster, 't');
    for (let count = 0; count < 10; count++) await produceTo(cluster, 't', { value });
    assert.equal(log.startOffset, 0n);
    await cluster.clock.advance(1_000);
    assert.ok(log.sizeBytes >= 1_000 && log.sizeBytes < 1_400, `${log.sizeBytes} bytes`);
    assert.equal(log.endOffset, 10n);
  });

  it('notices a setting that is changed later', async () => {
    const cluster = clusterWith({});
    const { log } = partitionOf(cluster, 't');
    await produceTo(cluster, 't', { value });
    await cluster.clock.advance(10_000);
    assert.equal(log.startOffset, 0n);
    cluster.state.topics.get('t')?.configs.set('retention.ms', '1');
    cluster.state.changed.notify();
    await cluster.clock.advance(1_000);
    assert.equal(log.startOffset, 1n);
  });

  it('compacts, then removes tombstones when delete.retention.ms is over', async () => {
    const cluster = clusterWith({
      'cleanup.policy': 'compact',
      'segment.bytes': '400',
      'min.cleanable.dirty.ratio': '0.01',
      'delete.retention.ms': '60000',
    });
    const { log } = partitionOf(cluster, 't');
    const batches = [
      { keys: ['a'], value },
      { keys: ['a'], value: null },
      { keys: ['b'], value },
      { keys: ['c'], value },
    ];
    for (const batch of batches) await produceTo(cluster, 't', batch);
    const keys = (): number => log.segments.reduce((sum, segment) => sum + [...segment.headers()].length, 0);
    assert.equal(keys(), 4);
    await cluster.clock.advance(1_000);
    await settle();
    assert.equal(keys(), 3);
    await cluster.clock.advance(59_000);
    assert.equal(keys(), 3);
    await cluster.clock.advance(2_000);
    assert.equal(keys(), 2);
    assert.equal(log.startOffset, 0n);
    assert.equal(cluster.clock.pending, 0, 'nothing is left to compact');
  });

  it('compacts and deletes where the policy is both', async () => {
    const cluster = clusterWith({
      'cleanup.policy': 'compact,delete',
      'segment.bytes': '400',
      'min.cleanable.dirty.ratio': '0.01',
      'retention.ms': '10000',
    });
    const { log } = partitionOf(cluster, 't');
    for (const key of ['a', 'a', 'b']) await produceTo(cluster, 't', { keys: [key], value });
    await cluster.clock.advance(2_000);
    assert.equal([...(log.segments[0]?.headers() ?? [])][0]?.baseOffset, 1n);
    assert.equal(log.startOffset, 0n);
    await cluster.clock.advance(20_000);
    assert.equal(log.startOffset, 3n);
  });

  it('leaves a log alone that cannot be read, and compacts the others', async () => {
    const cluster = clusterWith({ 'segment.bytes': '400', 'min.cleanable.dirty.ratio': '0.01' });
    const broken = batchOf({ keys: ['a'], value, timeMs: cluster.clock.wallMs() });
    broken.writeInt16BE(1, 21); // gzip, which it is not; the log does not look into what it stores
    const { log } = partitionOf(cluster, 't');
    for (let count = 0; count < 3; count++) log.append(broken, { leaderEpoch: 0, nowMs: 1, segmentBytes: 400 });
    const configs = new Map([
      ['cleanup.policy', 'compact'],
      ['segment.bytes', '400'],
    ]);
    cluster.state.topics.get('t')?.configs.set('cleanup.policy', 'compact');
    cluster.state.createTopic({ name: 'u', partitions: 1, replicationFactor: 1, configs });
    for (const key of ['a', 'a', 'b']) await produceTo(cluster, 'u', { keys: [key], value });
    await cluster.clock.advance(1_000);
    const first = (): bigint | undefined =>
      [...(partitionOf(cluster, 'u').log.segments[0]?.headers() ?? [])][0]?.baseOffset;
    await eventually(() => first() === 1n, 'the other log to be compacted');
    assert.equal(log.segments.length, 3);
  });
});
