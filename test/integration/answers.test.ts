import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { RawKafka } from '../support/answers/raw-kafka.ts';
import { areas, writeRecording } from '../support/answers/recordings.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const updates = process.env['UPDATE_ANSWERS'] === '1';
const single = await kafkaUnderTest({ brokers: 1 });

/** The recordings that the cluster inside the process is held against are what real Kafka answers; UPDATE_ANSWERS=1 records. */
for (const area of await areas()) {
  describe(`Kafka answers as recorded: ${area.name}`, { skip: single.skip }, () => {
    const answers: Record<string, unknown> = {};
    after(async () => {
      if (updates && Object.keys(answers).length > 0) await writeRecording(area, answers);
    });
    for (const scenario of area.scenarios) {
      it(scenario.name, async () => {
        const cluster = scenario.brokers === 3 ? await kafkaUnderTest({ brokers: 3 }) : single;
        const kafka = new RawKafka(cluster.bootstrapServers);
        try {
          const answered: unknown = JSON.parse(JSON.stringify(await scenario.run(kafka)));
          answers[scenario.name] = answered;
          if (!updates) assert.deepEqual(answered, area.recorded[scenario.name]);
        } finally {
          kafka.close();
        }
      });
    }
  });
}
