/**
 * Writes the summary of benchmarks/results/latest.json into README.md, between its two marks, and draws its chart.
 *
 *     node benchmarks/write-summary.ts
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chart, type Panel } from './chart.ts';
import type { Conditions, Row, Summary } from './report.ts';

/** What a run leaves as JSON. */
export interface Results {
  readonly conditions: Conditions;
  readonly rows: readonly (Row & { readonly median: Summary })[];
}

const begin = '<!-- benchmarks:begin -->\n';
const end = '<!-- benchmarks:end -->';

/** What the chart shows. */
export const panels: readonly Panel[] = [
  { title: 'Bulk produce, 100 B', scenario: 'bulk' },
  { title: 'Consume in batches, 100 B', scenario: 'consume' },
  { title: 'Bulk produce, 1 KiB', scenario: 'bulk@1KiB' },
  { title: 'Consume in batches, 1 KiB', scenario: 'consume@1KiB' },
  { title: 'Unawaited single sends, 100 B', scenario: 'singles' },
  { title: 'One awaited send at a time', scenario: 'awaited' },
];

/** The summary: one line per contender, rates and CPU of each story. */
export function summaryTable({ conditions, rows }: Results): string {
  const find = (scenario: string, contender: string): Summary | undefined =>
    rows.find((row) => row.scenario === scenario && row.contender === contender)?.median;
  const rate = (summary: Summary | undefined): string =>
    summary === undefined
      ? ''
      : `${Math.round(summary.recordsPerSecond / 1000).toLocaleString('en-US')} k (${summary.cpuMicrosPerRecord.toFixed(2)})`;
  const lines = [...new Set(rows.map(({ contender }) => contender))].map((contender) => {
    const awaited = find('awaited', contender)?.latencyMs;
    const latency = awaited === undefined ? '' : `${awaited.p50.toFixed(2)} / ${awaited.p99.toFixed(2)}`;
    const cells = [
      contender,
      rate(find('bulk', contender)),
      rate(find('consume', contender)),
      rate(find('bulk@1KiB', contender)),
      rate(find('consume@1KiB', contender)),
      rate(find('singles', contender)),
      latency,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| records/s (CPU µs per record) | bulk produce | consume | bulk, 1 KiB | consume, 1 KiB | unawaited single sends | one awaited send, p50 / p99 ms |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...lines,
    '',
    `${conditions.date}: Kafka ${conditions.kafka}, Node ${conditions.node}, ${conditions.cpus}, broker on the same machine; 6 partitions, acks=all, values of 100 bytes where nothing else is said; medians of ${conditions.rounds} rounds.`,
  ].join('\n');
}

/** README with the summary between its marks. */
export function withSummary(readme: string, summary: string): string {
  const from = readme.indexOf(begin);
  const to = readme.indexOf(end);
  if (from < 0 || to < from) throw new Error('README.md has no marks for the benchmarks');
  return `${readme.slice(0, from)}${begin}\n${summary}\n\n${readme.slice(to)}`;
}

/** The results that README.md shows. */
export function readResults(): Results {
  return JSON.parse(readFileSync(new URL('results/latest.json', import.meta.url), 'utf8')) as Results;
}

if (import.meta.main) {
  const path = fileURLToPath(new URL('../README.md', import.meta.url));
  const results = readResults();
  writeFileSync(new URL('results/latest.svg', import.meta.url), chart(panels, results.rows));
  writeFileSync(path, withSummary(readFileSync(path, 'utf8'), summaryTable(results)));
}
