import { after, before, describe } from 'node:test';
import { TestCluster } from '../../../../src/testing/index.ts';
import { itHandlesTransactions } from '../../../support/transaction-behaviours.ts';

// What is promised of transactions on real brokers, with the protocol of KIP-890 and with the one before.
for (const kafkaVersion of ['4.3', '3.9'] as const) {
  describe(`Transactions on a TestCluster as Kafka ${kafkaVersion}`, () => {
    let cluster: TestCluster | undefined;
    before(async () => {
      cluster = await TestCluster.start({ kafkaVersion, brokers: 3 });
    });
    after(() => cluster?.close());
    itHandlesTransactions(() => {
      if (cluster === undefined) throw new Error('the cluster has not started');
      return cluster;
    });
  });
}
