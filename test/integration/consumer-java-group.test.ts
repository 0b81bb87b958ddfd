import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Kafka, type Consumer } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

for (const version of ['4.3.1', '3.9.1']) {
  const broker = await kafkaUnderTest({ brokers: 1, version, needs: ['tools'] });

  describe(`Consumer in one group with a Java consumer on Kafka ${version}`, { skip: broker.skip }, () => {
    const property = version.startsWith('3.') ? '--consumer-property' : '--command-property';
    let kafka: Kafka;
    before(() => {
      kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
    });
    after(() => kafka.close());

    for (const first of ['ours', 'java'] as const) {
      it(`shares the partitions by range with ${first} as leader, each read by one member`, async () => {
        const topic = `java-group-${randomUUID()}`;
        const groupId = `group-${randomUUID()}`;
        await kafka.admin().createTopics({ topic, partitions: 5, replicationFactor: 1 });
        const consumer: Consumer = kafka.consumer({ groupId, autoOffsetReset: 'earliest', heartbeatIntervalMs: 200 });
        consumer.subscribe(topic);
        const seen: string[] = [];
        let loop: Promise<void> | undefined;
        const start = (): void => {
          loop = (async () => {
            for await (const record of consumer) seen.push(record.value?.toString() ?? '');
          })();
        };
        const runJava = (): ReturnType<typeof broker.tool> =>
          broker.tool(
            'console-consumer',
            [
              ...[
                '--bootstrap-server',
                '{bootstrap}',
                '--topic',
                topic,
                '--group',
                groupId,
                '--from-beginning',
                '--timeout-ms',
                '60000',
              ],
              ...[property, 'heartbeat.interval.ms=200', property, 'metadata.max.age.ms=1000'],
              // It ends when it has read this many, and leaves the group.
              ...['--max-messages', '2'],
            ],
            { timeoutMs: 120_000 },
          );
        const members = async (): Promise<number> => (await kafka.admin().describeGroups(groupId)).members.length;

        let java: ReturnType<typeof broker.tool>;
        if (first === 'ours') {
          start();
          await eventually(() => consumer.assignment().length === 5);
          java = runJava();
        } else {
          java = runJava();
          await eventually(async () => (await members()) === 1);
          start();
        }
        // 5 partitions for 2 members: 3 and 2, by the order of the member ids.
        await eventually(
          () => [2, 3].includes(consumer.assignment().length),
          'both members to have partitions',
          120_000,
        );
        const ours = consumer.assignment().map(({ partition }) => partition);
        assert.ok(['0,1,2', '3,4', '0,1', '2,3,4'].includes(ours.join()), `a range: ${ours.join()}`);

        const producer = kafka.producer();
        const values = [0, 1, 2, 3, 4].map((partition) => ({ topic, partition, value: `value-${partition}` }));
        await producer.send(values.filter(({ partition }) => ours.includes(partition)));
        await eventually(() => seen.length === ours.length);
        await producer.send(values.filter(({ partition }) => !ours.includes(partition)).slice(0, 2));
        const { stdout, stderr } = await java;
        const read = stdout.split('\n').filter((line) => line.startsWith('value-'));
        assert.equal(read.length, 2, stdout + stderr);
        // The Java member has left: everything is ours again, and what it committed does not come again.
        await eventually(() => consumer.assignment().length === 5, 'all partitions to be ours', 120_000);
        await producer.send([0, 1, 2, 3, 4].map((partition) => ({ topic, partition, value: `again-${partition}` })));
        await eventually(() => seen.filter((value) => value.startsWith('again-')).length === 5);
        const once = [...seen, ...read].filter((value) => value.startsWith('value-'));
        assert.equal(new Set(once).size, once.length, `each record is read once: ${once.join()}`);
        await producer.close();
        await consumer.close();
        await loop;
      });
    }
  });
}
