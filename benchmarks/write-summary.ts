/**
 * Writes the summary of benchmarks/results/latest.json into README.md, between its two marks.
 *
 *     node benchmarks/write-summary.ts
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Conditions, Summary } from './report.ts';
import type { Workload } from './workload.ts';

/** What a run leaves as JSON. */
export interface Results {
  readonly conditions: Conditions;
  readonly rows: readonly { readonly workload: Workload; readonly contender: string; readonly median: Summary }[];
}

const begin = '<!-- benchmarks:begin -->\n';
const end = '<!-- benchmarks:end -->';
const contenders = ['kavka', '@platformatic/kafka', 'kafka-ts', 'kafkajs', 'bare loop'];

/** The summary: one line per contender, rates and CPU of each story. */
export function summaryTable({ conditions, rows }: Results): string {
  const find = (workload: Workload, contender: string): Summary | undefined =>
    rows.find((row) => row.workload === workload && row.contender === contender)?.median;
  const rate = (summary: Summary | undefined): string =>
    summary === undefined
      ? ''
      : `${Math.round(summary.recordsPerSecond / 1000).toLocaleString('en-US')} k (${summary.cpuMicrosPerRecord.toFixed(2)})`;
  const lines = contenders.map((contender) => {
    const awaited = find('awaited', contender)?.latencyMs;
    const latency = awaited === undefined ? '' : `${awaited.p50.toFixed(2)} / ${awaited.p99.toFixed(2)}`;
    const cells = [
      contender,
      rate(find('bulk', contender)),
      rate(find('consume', contender)),
      rate(find('singles', contender)),
      latency,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| records/s (CPU µs per record) | bulk produce | consume | unawaited single sends | one awaited send, p50 / p99 ms |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...lines,
    '',
    `${conditions.date}: Kafka ${conditions.kafka}, Node ${conditions.node}, ${conditions.cpus}, broker on the same machine; ${conditions.partitions} partitions, acks=all, values of ${conditions.valueBytes} bytes; medians of ${conditions.rounds} rounds.`,
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
  writeFileSync(path, withSummary(readFileSync(path, 'utf8'), summaryTable(readResults())));
}
