import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestCluster } from '../../src/testing/index.ts';
import { RawKafka } from '../support/answers/raw-kafka.ts';
import { areas } from '../support/answers/recordings.ts';

/** What real Kafka was recorded to answer (test/integration/answers.test.ts), asked of the cluster inside the process. */
for (const area of await areas()) {
  describe(`TestCluster answers as Kafka: ${area.name}`, () => {
    const clusters = new Map<number, TestCluster>();
    before(async () => {
      for (const brokers of new Set(area.scenarios.map((scenario) => scenario.brokers ?? 1)))
        clusters.set(
          brokers,
          await TestCluster.start({ brokers, configs: { 'group.initial.rebalance.delay.ms': '0' } }),
        );
    });
    after(() => Promise.all([...clusters.values()].map((cluster) => cluster.close())));
    for (const scenario of area.scenarios) {
      it(scenario.name, async () => {
        const kafka = new RawKafka(clusters.get(scenario.brokers ?? 1)?.bootstrapServers ?? []);
        try {
          const answered: unknown = JSON.parse(JSON.stringify(await scenario.run(kafka)));
          assert.notEqual(area.recorded[scenario.name], undefined, 'not recorded yet: UPDATE_ANSWERS=1');
          assert.deepEqual(answered, area.recorded[scenario.name]);
        } finally {
          kafka.close();
        }
      });
    }
  });
}
