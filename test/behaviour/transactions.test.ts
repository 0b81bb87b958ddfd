import { describe } from 'node:test';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';
import { itHandlesTransactions } from '../support/transaction-behaviours.ts';

const broker = await kafkaUnderTest({ brokers: 1 });

describe('Transactions', { skip: broker.skip }, () => {
  itHandlesTransactions(() => broker);
});
