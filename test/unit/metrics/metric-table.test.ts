import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { metricNames, metricTable, openTelemetryName, prometheusName } from '../../../src/metrics/metric-table.ts';

describe('metricTable', () => {
  it('has names that Prometheus and OpenTelemetry take, each of them once', () => {
    for (const name of metricNames) {
      assert.match(prometheusName('kavka', name), /^[a-zA-Z_:][a-zA-Z0-9_:]*$/);
      assert.match(openTelemetryName('kavka', name), /^[A-Za-z][A-Za-z0-9_./-]{0,254}$/);
      // What a histogram's samples are called must not be another metric.
      assert.doesNotMatch(name, /(bucket|sum|count)$/);
    }
    assert.equal(new Set(metricNames.map((name) => prometheusName('kavka', name))).size, metricNames.length);
  });

  it('measures in base units, and says so in the name of Prometheus only', () => {
    for (const name of metricNames) {
      const { unit, type } = metricTable[name];
      assert.match(unit, /^(s|By|\{\w+\})$/);
      const full = prometheusName('kavka', name);
      assert.equal(/_seconds(_total)?$/.test(full), unit === 's', full);
      assert.equal(/_bytes(_total)?$/.test(full), unit === 'By', full);
      assert.equal(full.endsWith('_total'), type === 'counter', full);
      assert.doesNotMatch(name, /total|seconds|bytes|_ms/);
    }
  });

  it('explains each metric in one line', () => {
    for (const name of metricNames) {
      assert.match(metricTable[name].help, /^[A-Z][^\n]{10,}[^.]$/);
      assert.equal(new Set(metricTable[name].labels).size, metricTable[name].labels.length);
    }
  });
});
