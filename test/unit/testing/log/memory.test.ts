import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import v8 from 'node:v8';
import vm from 'node:vm';
import { AskedCluster } from '../asked-cluster.ts';
import { partitionOf, produceTo } from '../handlers/asked-log.ts';

v8.setFlagsFromString('--expose-gc');
const collect = vm.runInNewContext('gc') as () => void;

/** What is held after a collection; memory of buffers is given back some turns of the event loop later. */
async function heldBytes(): Promise<number> {
  for (let turn = 0; turn < 3; turn++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

describe('The memory of a cluster', () => {
  it(
    'is bounded by retentionBytes, however much is produced: here thirty times as much',
    { timeout: 300_000 },
    async () => {
      const retentionBytes = 16 * 1024 * 1024;
      const cluster = new AskedCluster({ retentionBytes });
      for (const topic of ['a', 'b', 'c']) cluster.topic(topic, 4);
      const keys = Array.from({ length: 1_000 }, (_, index) => `key-${index}`);
      const value = 'x'.repeat(100);
      const before = await heldBytes();
      let producedBytes = 0;
      let highestBytes = 0;
      for (let round = 0; producedBytes < 30 * retentionBytes; round++) {
        const topic = ['a', 'b', 'c'][round % 3] ?? 'a';
        await produceTo(cluster, topic, { keys, value }, { partition: round % 4 });
        producedBytes += 110 * keys.length;
        if (round % 500 === 0) highestBytes = Math.max(highestBytes, (await heldBytes()) - before);
      }
      assert.ok(highestBytes > retentionBytes / 2, `only ${highestBytes} bytes were held`);
      assert.ok(highestBytes < 2 * retentionBytes, `${highestBytes} bytes were held`);
      assert.ok(cluster.state.storage.usedBytes <= retentionBytes);
      const { log } = partitionOf(cluster, 'a');
      assert.ok(log.startOffset > 0n && log.endOffset - log.startOffset < log.endOffset / 10n);
    },
  );
});
