import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brokerProperties, propertiesFile } from '../../support/kafka/broker-settings.ts';
import type { BrokerPlan, ClusterPlan } from '../../support/kafka/broker-settings.ts';

function plan(count: number): ClusterPlan & { readonly first: BrokerPlan } {
  const brokers = Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    rack: `rack-${index + 1}`,
    internalHost: `inside-${index + 1}`,
    internalPort: 9094,
    controllerPort: 9093,
    ports: { plaintext: 20_000 + index, saslSsl: 21_000 + index },
  }));
  const [first] = brokers;
  assert.ok(first !== undefined);
  return {
    first,
    brokers,
    clusterId: 'AAAAAAAAAAAAAAAAAAAAAA',
    bindHost: '0.0.0.0',
    dataDirectory: (id) => `/data/${id}`,
    secretsDirectory: '/secrets',
    config: { 'log.segment.bytes': '1048576' },
    javaOptions: [],
  };
}

describe('brokerProperties', () => {
  it('lets one broker be the only replica of everything internal', () => {
    const { first, ...cluster } = plan(1);
    const properties = brokerProperties(cluster, first);
    for (const topic of ['offsets.topic', 'transaction.state.log', 'share.coordinator.state.topic'])
      assert.equal(properties[`${topic}.replication.factor`], '1');
    assert.equal(properties['transaction.state.log.min.isr'], '1');
    assert.equal(properties['group.initial.rebalance.delay.ms'], '0');
  });

  it('makes three brokers notice a loss within seconds, and never elects an unclean leader', () => {
    const { first, ...cluster } = plan(3);
    const properties = brokerProperties(cluster, first);
    assert.equal(properties['transaction.state.log.min.isr'], '2');
    assert.equal(properties['broker.session.timeout.ms'], '3000');
    assert.equal(properties['unclean.leader.election.enable'], 'false');
    assert.equal(properties['controller.quorum.voters'], '1@inside-1:9093,2@inside-2:9093,3@inside-3:9093');
  });

  it('tells clients a name where a certificate is checked, and the other brokers the inner address', () => {
    const { first, ...cluster } = plan(1);
    const { 'advertised.listeners': told } = brokerProperties(cluster, first);
    assert.equal(told, 'INTERNAL://inside-1:9094,PLAINTEXT://127.0.0.1:20000,SASLSSL://localhost:21000');
  });

  it('lets the given settings win', () => {
    const { first, ...cluster } = plan(1);
    assert.equal(brokerProperties(cluster, first)['log.segment.bytes'], '1048576');
    assert.equal(brokerProperties(cluster, first)['broker.rack'], 'rack-1');
  });
});

describe('propertiesFile', () => {
  it('keeps a backslash one', () => {
    assert.equal(propertiesFile({ a: 'b\\c' }), 'a=b\\\\c\n');
  });
});
