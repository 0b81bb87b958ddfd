import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { exposition, prometheusContentType } from '../../../src/metrics/exposition.ts';
import { collectMetrics, type MetricFamily } from '../../../src/metrics/index.ts';
import { FakeMeasuredKafka } from '../../support/measured-kafka.ts';
import { parsePrometheusText } from '../../support/prometheus-text.ts';

const names = { name: 'a_total', help: 'What', unit: '1' };

describe('exposition', () => {
  it('writes a family with its comments, its samples, and the end of the last line', () => {
    const families: MetricFamily[] = [
      { ...names, type: 'counter', series: [{ labels: { client_id: 'a', topic: 'b' }, value: 3 }] },
      { ...names, name: 'b', type: 'gauge', series: [{ labels: {}, value: 0.5 }] },
    ];
    const text = [
      '# HELP a_total What',
      '# TYPE a_total counter',
      'a_total{client_id="a",topic="b"} 3',
      '# HELP b What',
      '# TYPE b gauge',
      'b{} 0.5',
      '',
    ];
    assert.equal(exposition(families), text.join('\n'));
  });

  it('writes a histogram with buckets up to +Inf, sum and count', () => {
    const series = [{ labels: { api: 'Fetch' }, count: 4, sum: 1.5, buckets: [{ upTo: 0.25, count: 3 }] }];
    const text = [
      '# HELP h_seconds What',
      '# TYPE h_seconds histogram',
      'h_seconds_bucket{api="Fetch",le="0.25"} 3',
      'h_seconds_bucket{api="Fetch",le="+Inf"} 4',
      'h_seconds_sum{api="Fetch"} 1.5',
      'h_seconds_count{api="Fetch"} 4',
      '',
    ];
    assert.equal(exposition([{ ...names, name: 'h_seconds', type: 'histogram', series }]), text.join('\n'));
  });

  it('escapes labels and help, each as the format has it', () => {
    const odd = 'a "quoted" \\ back\nnext {x="y"}, ü';
    const text = exposition([{ ...names, help: odd, type: 'counter', series: [{ labels: { odd }, value: 1 }] }]);
    assert.match(text, /^# HELP a_total a "quoted" \\\\ back\\nnext/);
    assert.match(text, /^a_total\{odd="a \\"quoted\\" \\\\ back\\nnext/m);
    const [family] = parsePrometheusText(text);
    assert.deepEqual([family?.help, family?.samples], [odd, [{ name: 'a_total', labels: { odd }, value: 1 }]]);
  });

  it('writes large, small and endless numbers so that they are read again', () => {
    const values = [1e21, 1.5e-9, 2 ** 53, Infinity, -Infinity, 0];
    const series = values.map((value, at) => ({ labels: { at: String(at) }, value }));
    const [family] = parsePrometheusText(exposition([{ ...names, name: 'g', type: 'gauge', series }]));
    assert.deepEqual(
      family?.samples.map(({ value }) => value),
      values,
    );
  });

  it('leaves out what has no series, and is empty without any', () => {
    assert.equal(exposition([{ ...names, type: 'counter', series: [] }]), '');
    assert.equal(exposition([]), '');
  });

  it('gives what a server can read, of all that happens', () => {
    const kafka = new FakeMeasuredKafka('a "client" \\ of\nmine');
    const metrics = collectMetrics(kafka, { labels: { service: 'a\\b"c' } });
    const request = { nodeId: 1, host: 'kafka', port: 9092, lane: 'control', version: 1, correlationId: 1, bytes: 9 };
    for (const api of ['Fetch', 'Produce'])
      kafka.events.publish('request.answered', { ...request, api, durationMs: 3, throttleTimeMs: 0 });
    kafka.events.publish('consumer.committed', { groupId: 'odd "group"\n', partitions: 1 });
    const families = parsePrometheusText(metrics.prometheus());
    const commits = families.find(({ name }) => name === 'kavka_consumer_commits_total');
    assert.deepEqual(commits?.samples[0]?.labels, {
      client_id: 'a "client" \\ of\nmine',
      group_id: 'odd "group"\n',
      outcome: 'ok',
      service: 'a\\b"c',
    });
    assert.equal(prometheusContentType, 'text/plain; version=0.0.4; charset=utf-8');
  });
});

describe('parsePrometheusText', () => {
  for (const [what, text] of Object.entries({
    'a line without an end': '# HELP a x\n# TYPE a gauge\na 1',
    'no HELP': '# TYPE a gauge\na 1\n',
    'no TYPE': '# HELP a x\na 1\n',
    'a family that comes twice': '# HELP a x\n# TYPE a gauge\na 1\n# HELP a x\n# TYPE a gauge\na 1\n',
    'a sample of another family': '# HELP a x\n# TYPE a gauge\nb 1\n',
    'the same sample twice': '# HELP a x\n# TYPE a gauge\na{b="1"} 1\na{b="1"} 2\n',
    'a quote that is not escaped': '# HELP a x\n# TYPE a gauge\na{b="1"2"} 1\n',
    'a value that is no number': '# HELP a x\n# TYPE a gauge\na one\n',
    'a counter without _total': '# HELP a x\n# TYPE a counter\na 1\n',
    'a histogram without +Inf': '# HELP h x\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 1\nh_count 1\n',
    'buckets that fall':
      '# HELP h x\n# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n',
  })) {
    it(`refuses ${what}`, () => assert.throws(() => parsePrometheusText(text)));
  }
});
