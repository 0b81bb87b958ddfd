import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isKafkaError, Kafka, type Admin } from '../../../src/index.ts';
import { TestCluster } from '../../../src/testing/index.ts';

describe('Admin share groups of clusters without', () => {
  /** What each call about share groups is told. */
  async function refusals(admin: Admin): Promise<string[]> {
    const offset = { topic: 't', partition: 0, startOffset: 0n };
    const calls = [
      admin.describeShareGroups('g'),
      admin.listShareGroupOffsets('g'),
      admin.alterShareGroupOffsets('g', offset),
      admin.deleteShareGroupOffsets('g', 't'),
    ];
    const settled = await Promise.allSettled(calls);
    return settled.map((result) => {
      assert.ok(result.status === 'rejected' && isKafkaError(result.reason, 'UNSUPPORTED_VERSION'));
      return result.reason.message;
    });
  }

  it('calls about share groups say which feature is missing, where brokers know of share groups', async (test) => {
    const cluster = await TestCluster.start({ kafkaVersion: '4.1', topics: { t: 1 } });
    const kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
    test.after(async () => {
      await kafka.close();
      await cluster.close();
    });
    for (const message of await refusals(kafka.admin())) assert.match(message, /feature share\.version to 1/);
  });

  it('calls about share groups are refused by brokers that know of none', async (test) => {
    const cluster = await TestCluster.start({ kafkaVersion: '3.9', topics: { t: 1 } });
    const kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
    test.after(async () => {
      await kafka.close();
      await cluster.close();
    });
    for (const message of await refusals(kafka.admin())) assert.doesNotMatch(message, /share\.version/);
  });
});
