import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BrokerVersions } from '../../../src/network/broker-versions.ts';
import { chooseVersion } from '../../../src/network/version-rules.ts';
import {
  resolveProducerOptions,
  type ProducerOptions,
  type ResolvedProducerOptions,
} from '../../../src/producer/options.ts';
import { offsetsToSend } from '../../../src/producer/transaction-offsets.ts';
import { readTerm } from '../../../src/model/read-term.ts';
import { EndTxn } from '../../../src/protocol/generated/end-txn.ts';
import { Produce } from '../../../src/protocol/generated/produce.ts';
import { TxnOffsetCommit } from '../../../src/protocol/generated/txn-offset-commit.ts';

describe('ProducerOptions.transactionalId', () => {
  const resolve = (options: ProducerOptions): ResolvedProducerOptions<unknown, unknown> =>
    resolveProducerOptions<unknown, unknown>(options as ProducerOptions<unknown, unknown>, 30_000);

  it('ProducerOptions.transactionalId needs what transactions need, and has a time-out of a minute', () => {
    const { transactionalId, transactionTimeoutMs, idempotence, acks } = resolve({ transactionalId: 'orders' });
    assert.deepEqual(
      { transactionalId, transactionTimeoutMs, idempotence, acks },
      {
        transactionalId: 'orders',
        transactionTimeoutMs: 60_000,
        idempotence: true,
        acks: -1,
      },
    );
    assert.equal(resolve({}).transactionalId, undefined);
  });

  const refused: [ProducerOptions, RegExp][] = [
    [{ transactionalId: '' }, /transactionalId/],
    [{ transactionalId: 'x', acks: 1 }, /transactionalId with acks 1/],
    [{ transactionalId: 'x', idempotence: false }, /transactionalId with idempotence false/],
    [{ transactionTimeoutMs: 1000 }, /transactionTimeoutMs without transactionalId/],
    [{ transactionalId: 'x', transactionTimeoutMs: 0 }, /transactionTimeoutMs 0/],
  ];
  for (const [options, message] of refused) {
    it(`ProducerOptions refuses ${JSON.stringify(options)}`, () => {
      assert.throws(() => resolve(options), { code: 'INVALID_OPTION', message });
    });
  }
});

describe('chooseVersion in a transaction', () => {
  /** A broker of 4.x whose connection knows this level of transactions. */
  const versions = (level: number): BrokerVersions =>
    new BrokerVersions({
      apiKeys: [Produce, EndTxn, TxnOffsetCommit].map(({ key }) => ({ apiKey: key, minVersion: 0, maxVersion: 99 })),
      finalizedFeatures: [{ name: 'transaction.version', maxVersionLevel: level }],
    });

  it('chooseVersion keeps to the protocol that the transaction began with, whatever the connection knows', () => {
    for (const level of [1, 2]) {
      const chosen = (transactionVersion: number): number[] => {
        const limits = { transactional: true, transactionVersion, topicIdsKnown: true };
        return [Produce, EndTxn].map((api) => chooseVersion(api, versions(level), limits));
      };
      assert.deepEqual(chosen(1), [11, 4]);
      assert.deepEqual(chosen(2), [Produce.maxVersion, EndTxn.maxVersion]);
      assert.equal(chooseVersion(TxnOffsetCommit, versions(level), { transactionVersion: 1 }), 4);
      assert.equal(chooseVersion(TxnOffsetCommit, versions(level), { transactionVersion: 2 }), 5);
    }
  });

  it('chooseVersion refuses a broker that cannot take part in protocol 2', () => {
    const old = new BrokerVersions({ apiKeys: [{ apiKey: EndTxn.key, minVersion: 0, maxVersion: 4 }] });
    assert.throws(() => chooseVersion(EndTxn, old, { transactionVersion: 2 }), { code: 'UNSUPPORTED_VERSION' });
  });
});

describe('offsetsToSend', () => {
  const read = (
    partition: number,
    offset: bigint,
  ): Parameters<typeof offsetsToSend>[0] & { readonly offset: bigint } => ({
    topic: 't',
    partition,
    offset,
    timestamp: 1,
    leaderEpoch: 4,
  });

  it('offsetsToSend means the offset after a record, and the one that is given itself', () => {
    const after = { topic: 't', partition: 0, offset: 8n, leaderEpoch: 4, metadata: '' };
    assert.deepEqual(offsetsToSend(read(0, 7n)), [after]);
    assert.deepEqual(offsetsToSend({ topic: 't', partition: 0, records: [read(0, 6n), read(0, 7n)] as never }), [
      after,
    ]);
    assert.deepEqual(offsetsToSend([read(0, 7n), read(0, 3n)] as never), [after], 'the highest of a partition');
    assert.deepEqual(offsetsToSend([{ topic: 't', partition: 0, offset: '7', metadata: 'note' }]), [
      { topic: 't', partition: 0, offset: 7n, leaderEpoch: -1, metadata: 'note' },
    ]);
    assert.deepEqual(offsetsToSend([]), []);
  });

  it('offsetsToSend refuses nonsense, and what belongs to an assignment that has ended', () => {
    assert.throws(() => offsetsToSend([{ topic: 't', partition: 0, offset: -1 }]), { code: 'INVALID_ARGUMENT' });
    const ended = { ...read(0, 7n), [readTerm]: { ended: true } };
    assert.throws(() => offsetsToSend(ended), { code: 'PARTITION_NOT_OWNED' });
  });
});
