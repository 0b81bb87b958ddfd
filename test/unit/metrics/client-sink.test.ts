import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClientSink } from '../../../src/metrics/client-sink.ts';
import { LabelRules } from '../../../src/metrics/label-rules.ts';
import { MetricStore } from '../../../src/metrics/metric-store.ts';
import { resolveMetricsOptions } from '../../../src/metrics/metrics-options.ts';

/** A sink, and how often labels had to be made for it. */
function setUp(): { sink: ClientSink; store: MetricStore; made: () => number } {
  const store = new MetricStore([1]);
  const rules = new LabelRules(resolveMetricsOptions());
  let made = 0;
  const labelsOf = rules.labelsOf.bind(rules);
  rules.labelsOf = (...args) => {
    made++;
    return labelsOf(...args);
  };
  return { sink: new ClientSink(store, rules, 'shop'), store, made: () => made };
}

describe('ClientSink', () => {
  it('makes labels once for what comes again', () => {
    const { sink, store, made } = setUp();
    for (let time = 0; time < 10; time++) {
      sink.add('producer.records', { topic: 'a' }, 2);
      sink.record('request.duration', 0.5, { api: 'Fetch', outcome: 'answered' });
      sink.record('request.duration', 0.5, { api: 'Fetch', outcome: 'failed' });
    }
    assert.equal(made(), 3);
    assert.deepEqual(store.values('producer.records'), [{ labels: { client_id: 'shop', topic: 'a' }, value: 20 }]);
    assert.deepEqual(
      store.histograms('request.duration').map(({ labels, count }) => [labels['outcome'], count]),
      [
        ['answered', 10],
        ['failed', 10],
      ],
    );
  });

  it('keeps a limited number of them, and counts what lies beyond all the same', () => {
    const { sink, store, made } = setUp();
    for (let number = 0; number < 3000; number++) sink.add('producer.records', { topic: `t-${number}` });
    assert.equal(made(), 3000);
    sink.add('producer.records', { topic: 't-0' });
    assert.equal(made(), 3000, 'the first is known');
    sink.add('producer.records', { topic: 't-2999' });
    assert.equal(made(), 3001, 'the last is not');
    const total = store.values('producer.records').reduce((sum, { value }) => sum + value, 0);
    assert.equal(total, 3002);
  });
});
