import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { RawKafka } from '../support/answers/raw-kafka.ts';
import { areas, writeRecording } from '../support/answers/recordings.ts';
import type { Scenario } from '../support/answers/scenario.ts';
import { kafkaUnderTest, type KafkaUnderTest } from '../support/kafka/under-test.ts';

// A broker that is busy with other tests hands out assignments, metadata and coordinators later than one that is not.
const settleMs = [0, 0, 100, 400, 1000, 3000];
const updates = process.env['UPDATE_ANSWERS'] === '1';
const single = await kafkaUnderTest({ brokers: 1 });

let guarded: Promise<KafkaUnderTest> | undefined;

function clusterFor({ brokers, authorizer = false }: Scenario): KafkaUnderTest | Promise<KafkaUnderTest> {
  if (brokers === 3) return kafkaUnderTest({ brokers: 3 });
  if (!authorizer) return single;
  guarded ??= kafkaUnderTest({
    own: true,
    config: {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
    },
  });
  return guarded;
}

after(async () => {
  await (await guarded)?.release();
});

/** The recordings that the cluster inside the process is held against are what real Kafka answers; UPDATE_ANSWERS=1 records. */
for (const area of await areas()) {
  describe(`Kafka answers as recorded: ${area.name}`, { skip: single.skip }, () => {
    const answers: Record<string, unknown> = {};
    after(async () => {
      if (updates && Object.keys(answers).length > 0) await writeRecording(area, answers);
    });
    for (const scenario of area.scenarios) {
      it(scenario.name, async () => {
        const cluster = await clusterFor(scenario);
        const address = cluster.listeners.saslPlaintext?.[0];
        const user = cluster.users?.plain;
        const login = address === undefined || user === undefined ? undefined : { address, ...user };
        for (const [attempt, pause] of settleMs.entries()) {
          const kafka = new RawKafka(cluster.bootstrapServers, login, pause);
          try {
            const answered: unknown = JSON.parse(JSON.stringify(await scenario.run(kafka)));
            answers[scenario.name] = answered;
            if (!updates) assert.deepEqual(answered, area.recorded[scenario.name]);
            return;
          } catch (error) {
            if (attempt === settleMs.length - 1) throw error;
          } finally {
            kafka.close();
          }
        }
      });
    }
  });
}
