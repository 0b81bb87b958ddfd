import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestCluster } from '../../src/testing/index.ts';
import { RawKafka } from '../support/answers/raw-kafka.ts';
import { areas } from '../support/answers/recordings.ts';
import type { Scenario } from '../support/answers/scenario.ts';

const user = { username: 'magpie', password: 'magpie-sesame' };

function kindOf({ brokers = 1, authorizer = false }: Scenario): string {
  return `${brokers} ${authorizer}`;
}

function clusterFor({ brokers = 1, authorizer = false }: Scenario): Promise<TestCluster> {
  return TestCluster.start({
    brokers,
    // As the brokers of the tests are set.
    configs: {
      'group.initial.rebalance.delay.ms': '0',
      'group.consumer.min.heartbeat.interval.ms': '300',
      'group.consumer.heartbeat.interval.ms': '300',
      'group.share.min.heartbeat.interval.ms': '300',
      'group.share.heartbeat.interval.ms': '300',
      'group.share.min.session.timeout.ms': '1000',
      'group.share.min.record.lock.duration.ms': '1000',
    },
    listeners: ['PLAINTEXT', 'SASL_PLAINTEXT'],
    sasl: { users: { [user.username]: user.password } },
    authorizer: authorizer ? { superUsers: ['User:ANONYMOUS'] } : false,
  });
}

/** What real Kafka was recorded to answer (test/integration/answers.test.ts), asked of the cluster inside the process. */
for (const area of await areas()) {
  describe(`TestCluster answers as Kafka: ${area.name}`, () => {
    const clusters = new Map<string, TestCluster>();
    before(async () => {
      for (const scenario of area.scenarios) {
        if (!clusters.has(kindOf(scenario))) clusters.set(kindOf(scenario), await clusterFor(scenario));
      }
    });
    after(() => Promise.all([...clusters.values()].map((cluster) => cluster.close())));
    for (const scenario of area.scenarios) {
      it(scenario.name, async () => {
        const cluster = clusters.get(kindOf(scenario));
        if (cluster === undefined) throw new Error('no cluster was started');
        const kafka = new RawKafka(cluster.bootstrapServers, {
          ...user,
          address: cluster.addresses('SASL_PLAINTEXT')[0] ?? '',
        });
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
