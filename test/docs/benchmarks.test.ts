import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { median } from '../../benchmarks/report.ts';
import { readResults, summaryTable, withSummary } from '../../benchmarks/write-summary.ts';
import { repository } from './snippets.ts';

/** The cells of the tables of a text, so that padding does not matter. */
function cells(text: string): string[][] {
  const lines = text.split('\n').filter((line) => line.startsWith('|'));
  return lines.map((line) => line.split('|').map((cell) => cell.trim().replace(/^-+:?$/, '-')));
}

describe('README.md', () => {
  it('shows the figures of benchmarks/results/latest.json', () => {
    const readme = readFileSync(join(repository, 'README.md'), 'utf8');
    const shown = readme.slice(readme.indexOf('<!-- benchmarks:begin -->'), readme.indexOf('<!-- benchmarks:end -->'));
    const summary = summaryTable(readResults());
    assert.deepEqual(cells(shown), cells(summary));
    assert.ok(shown.replaceAll(/\s+/g, ' ').includes(summary.slice(summary.lastIndexOf('\n') + 1)));
  });

  it('is not written to where the marks are missing', () => {
    assert.throws(() => withSummary('# No marks\n', 'table'), /no marks/);
  });
});

describe('median', () => {
  it('is the middle, or the mean of the two middles', () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 2, 3]), 2.5);
  });
});
