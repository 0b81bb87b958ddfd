import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MetadataSnapshot } from '../../../src/cluster/metadata-snapshot.ts';
import { TopicWait } from '../../../src/cluster/topic-wait.ts';

describe('TopicWait.reason', () => {
  it('says what to check where no broker has answered, whether or not topics are waited for', () => {
    const nothingKnown = MetadataSnapshot.empty;
    assert.equal(
      new TopicWait([]).reason(nothingKnown),
      'no broker has answered; check bootstrapServers, and that the ports are Kafka listeners',
    );
    assert.equal(
      new TopicWait(['orders', 'invoices']).reason(nothingKnown),
      'topic "orders" and 1 more: no broker described it; check bootstrapServers, and that the ports are Kafka listeners',
    );
  });
});
