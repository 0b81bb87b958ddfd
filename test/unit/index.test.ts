import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as front from '../../src/index.ts';
import * as metrics from '../../src/metrics/index.ts';
import * as protocol from '../../src/protocol/index.ts';
import { eventually } from '../support/eventually.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

// The names that users build on: one that comes or goes shows here, in review. Types stand in test/docs/public-types.test.ts.

describe('kavka', () => {
  it('exports these names and no others', () => {
    assert.deepEqual(Object.keys(front).sort(), [
      'AcknowledgeError',
      'Admin',
      'AdminError',
      'AuthenticationError',
      'AuthorizationError',
      'BrokerError',
      'ClosedError',
      'Consumer',
      'DelegationToken',
      'FencedError',
      'Kafka',
      'KafkaError',
      'NetworkError',
      'Producer',
      'ProtocolError',
      'RecordHeaders',
      'SchemaError',
      'SendError',
      'SendManyError',
      'ShareConsumer',
      'TimeoutError',
      'Transaction',
      'UsageError',
      'boolean',
      'brokerErrorByNumber',
      'brokerErrorCodes',
      'bytes',
      'clientErrorCodes',
      'defaultPartitioner',
      'defineTopics',
      'float32',
      'float64',
      'int16',
      'int32',
      'int64',
      'int8',
      'isKafkaError',
      'json',
      'partitionOfKey',
      'required',
      'roundRobinPartitioner',
      'string',
      'uuid',
    ]);
  });
});

describe('kavka/protocol', () => {
  it('exports these names and no others', () => {
    assert.deepEqual(Object.keys(protocol).sort(), [
      'BatchBuilder',
      'BatchReader',
      'Reader',
      'RecordCursor',
      'Writer',
      'ZERO_UUID',
      'apiByKey',
      'apis',
      'brokerErrorByNumber',
      'brokerErrorCodes',
      'checkVersion',
      'compressionNames',
      'compressionNumbers',
      'controlKey',
      'controlType',
      'controlValue',
      'decodeRequestHeader',
      'decodeResponseHeader',
      'encodeRequestFrame',
      'encodeResponseFrame',
      'lastVersion',
      'peekRequest',
      'readBatches',
      'readHeaders',
      'recordSizeBound',
      'restamp',
      'schemas',
      'stampStored',
    ]);
  });
});

describe('kavka/metrics', () => {
  it('exports these names and no others', () => {
    assert.deepEqual(Object.keys(metrics).sort(), ['KafkaMetrics', 'collectMetrics', 'prometheusContentType']);
  });
});

describe('Kafka', () => {
  it('statistics() lists the clients that are open, without connecting, and none after close()', async () => {
    const kafka = new front.Kafka({ clientId: 'shop', bootstrapServers: 'localhost:1' });
    const nothing = { clientId: 'shop', brokers: [], producers: [], consumers: [], shareConsumers: [] };
    assert.deepEqual(kafka.statistics(), nothing);
    const producer = kafka.producer({ transactionalId: 'tx' });
    kafka.consumer({ groupId: 'billing' });
    kafka.shareConsumer({ groupId: 'mailers' });
    kafka.producer();
    const { brokers, producers, consumers, shareConsumers } = kafka.statistics();
    assert.deepEqual(brokers, []);
    assert.deepEqual(
      producers.map(({ lane, transactionalId }) => [lane, transactionalId]),
      [
        ['produce-1', 'tx'],
        ['produce-4', undefined],
      ],
    );
    assert.deepEqual(
      consumers.map(({ groupId }) => groupId),
      ['billing'],
    );
    const [{ memberId, ...shared } = { memberId: '' }] = shareConsumers;
    assert.ok(memberId.length > 10);
    assert.deepEqual(shared, {
      lane: 'share-3',
      groupId: 'mailers',
      partitions: [],
      recordsInHand: 0,
      recordsUnread: 0,
      bufferedBytes: 0,
      maxBufferedBytes: 64 * 1024 * 1024,
    });
    await producer.close();
    assert.equal(kafka.statistics().producers.length, 1);
    await kafka.close();
    assert.deepEqual(kafka.statistics(), nothing);
  });

  it('forgets clients that were closed, so that a service may make and close many', async () => {
    const kafka = new front.Kafka({ bootstrapServers: 'localhost:1' });
    const refs: WeakRef<object>[] = [];
    await (async () => {
      for (const client of [kafka.producer(), kafka.consumer(), kafka.admin()]) {
        refs.push(new WeakRef(client));
        await client.close();
      }
    })();
    await eventually(() => {
      collectGarbage();
      return refs.every((ref) => ref.deref() === undefined);
    }, 'closed clients to be collected');
    await kafka.close();
  });
});
