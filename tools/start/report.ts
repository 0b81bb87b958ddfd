import { styleText } from 'node:util';
import type { Total } from './package-files.ts';
import type { Outcome } from './pipeline.ts';

/** One package's total out of Kafka beside the one that was computed directly. */
export interface Row {
  readonly package: string;
  readonly files: number;
  readonly bytes: number;
  readonly matches: boolean;
}

/** Everything that a run says at its end. */
export interface Report {
  readonly ok: boolean;
  readonly records: number;
  readonly packages: number;
  readonly missing: number;
  readonly doubled: number;
  readonly wrongTotals: number;
  readonly producedPerSecond: number;
  readonly consumedPerSecond: number;
  readonly latencyMs: Outcome['latencyMs'];
  readonly maxLag: number;
  readonly finalLag: number;
  readonly recordsPerMember: readonly number[];
  readonly largest: readonly Row[];
}

/** Compares what came out of Kafka with the direct computation. */
export function makeReport(outcome: Outcome, expected: ReadonlyMap<string, Total>): Report {
  const names = new Set([...outcome.totals.keys(), ...expected.keys()]);
  const rows = [...names].map((name): Row => {
    const got = outcome.totals.get(name) ?? { files: 0, bytes: 0 };
    const want = expected.get(name);
    return { package: name, ...got, matches: got.files === want?.files && got.bytes === want.bytes };
  });
  rows.sort((a, b) => b.bytes - a.bytes);
  const records = [...expected.values()].reduce((sum, total) => sum + total.files, 0);
  const written = outcome.written.reduce((sum, count) => sum + count, 0);
  const wrongTotals = rows.filter((row) => !row.matches).length;
  // The broker has one record per file: a send that was repeated would show here even if no member had read it yet.
  const doubled = Math.max(outcome.doubled, written - records);
  return {
    ok: outcome.missing === 0 && doubled === 0 && wrongTotals === 0 && written === records && outcome.finalLag === 0,
    records,
    packages: rows.length,
    missing: Math.max(outcome.missing, records - written),
    doubled,
    wrongTotals,
    producedPerSecond: Math.round(records / outcome.produceSeconds),
    consumedPerSecond: Math.round(records / outcome.consumeSeconds),
    latencyMs: outcome.latencyMs,
    maxLag: outcome.maxLag,
    finalLag: outcome.finalLag,
    recordsPerMember: outcome.recordsPerMember,
    largest: rows.slice(0, 12),
  };
}

/** The report for a terminal. */
export function printable(report: Report): string {
  const count = (value: number): string => value.toLocaleString('en-US');
  const rows = report.largest.map((row) => [row.package, count(row.files), count(row.bytes), row.matches ? '✔' : '✘']);
  const title = styleText('bold', 'The largest packages, added up by the group');
  const verdict = report.ok
    ? styleText('green', `✔ ${count(report.records)} records: none missing, none doubled, all totals right`)
    : styleText(
        'red',
        `✘ ${report.missing} missing, ${report.doubled} doubled, ${report.wrongTotals} wrong totals, lag ${report.finalLag}`,
      );
  const facts = [
    ['packages (keys)', count(report.packages)],
    ['produced', `${count(report.producedPerSecond)} records/s`],
    ['through the group', `${count(report.consumedPerSecond)} records/s`],
    ['per member', report.recordsPerMember.map(count).join(' + ')],
    ['send to read', `p50 ${report.latencyMs.p50} ms, p99 ${report.latencyMs.p99} ms, max ${report.latencyMs.max} ms`],
    ['lag', `at most ${count(report.maxLag)} records in a partition, ${report.finalLag} at the end`],
  ];
  return [
    title,
    ...table([['package', 'files', 'bytes', ''], ...rows]),
    '',
    ...table(facts, ['left', 'left']),
    '',
    verdict,
  ].join('\n');
}

function table(rows: readonly (readonly string[])[], alignments: readonly ('left' | 'right')[] = []): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        const alignment = alignments[column] ?? (column === 0 ? 'left' : 'right');
        return alignment === 'left' ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd(),
  );
}
