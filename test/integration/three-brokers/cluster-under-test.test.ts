import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { aliveBrokers } from '../../support/kafka/probe.ts';
import { kafkaUnderTest } from '../../support/kafka/under-test.ts';

const kafka = await kafkaUnderTest({ brokers: 3, needs: ['control'] });

function ask(index: number): Promise<number[]> {
  return aliveBrokers('127.0.0.1', Number(kafka.bootstrapServers[index]?.split(':').pop()));
}

describe('kafkaUnderTest with three brokers', { skip: kafka.skip }, () => {
  after(() => kafka.restore());

  it('counts all three before the first test', async () => {
    for (const index of [0, 1, 2]) assert.deepEqual(await ask(index), [1, 2, 3]);
  });

  it('notices the loss of one and takes it back', async () => {
    await kafka.kill(3);
    await assert.rejects(ask(2));
    await eventually(async () => (await ask(0)).join() === '1,2', 'the cluster to notice');
    await kafka.start(3);
    assert.deepEqual(await ask(2), [1, 2, 3]);
  });
});
