import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { Kafka, string } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

// Features belong to the whole cluster: this one is nobody else's.
const broker = await kafkaUnderTest({ brokers: 1, own: true, needs: ['control', 'tools'] });

describe('A cluster that changes its transaction protocol', { skip: broker.skip }, () => {
  after(() => broker.release());

  async function changeTo(level: number, how: 'upgrade' | 'downgrade'): Promise<void> {
    const feature = ['--feature', `transaction.version=${level}`];
    const { code, stdout, stderr } = await broker.tool('org.apache.kafka.tools.FeatureCommand', [
      ...['--bootstrap-server', '{bootstrap}', how, ...feature],
    ]);
    assert.equal(code, 0, stdout + stderr);
  }

  it('is followed by a producer that lives on, with its next connection', async () => {
    const kafka = new Kafka({ bootstrapServers: broker.bootstrapServers, connectionsMaxIdleMs: 1000 });
    const topic = `protocols-${randomUUID()}`;
    await kafka.admin().createTopics({ topic, partitions: 2, replicationFactor: 1 });
    const protocols: number[] = [];
    kafka.on('producer.transaction.ended', ({ protocol }) => protocols.push(protocol));
    const producer = kafka.producer({ transactionalId: topic });
    let sent = 0;
    const transact = async (): Promise<number | undefined> => {
      await producer.transaction((tx) => tx.send({ topic, partition: sent % 2, value: `v${sent++}` }));
      return protocols.at(-1);
    };
    assert.equal(await transact(), 2);
    for (const [level, how] of [
      [1, 'downgrade'],
      [2, 'upgrade'],
    ] as const) {
      await changeTo(level, how);
      // What it knows is older than the change: it goes on as before, and the broker answers both ways.
      await transact();
      const id = broker.brokerIds[0] ?? 1;
      await broker.stop(id);
      await broker.start(id);
      await eventually(async () => (await transact()) === level, `protocol ${level}`);
    }
    const reader = kafka.consumer({ value: string, isolationLevel: 'read_committed', autoOffsetReset: 'earliest' });
    reader.assign([0, 1].map((partition) => ({ topic, partition })));
    const seen: (string | null)[] = [];
    while (seen.length < sent) seen.push(...(await reader.poll({ timeoutMs: 30_000 })).map(({ value }) => value));
    assert.deepEqual(seen.sort(), Array.from({ length: sent }, (_, at) => `v${at}`).sort());
    await kafka.close();
  });
});
