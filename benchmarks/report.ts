import type { Measurement, Workload } from './workload.ts';

/** All rounds of one contender at one workload. */
export interface Row {
  readonly workload: Workload;
  readonly contender: string;
  readonly rounds: readonly Measurement[];
}

/** The conditions of a run. */
export interface Conditions {
  readonly date: string;
  readonly node: string;
  readonly kafka: string;
  readonly cpus: string;
  readonly valueBytes: number;
  readonly partitions: number;
  readonly rounds: number;
  readonly measureMs: number;
}

/** The middle of some numbers: half of the sum of the two middle ones if their count is even. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** The medians of a row's rounds. */
export interface Summary {
  readonly recordsPerSecond: number;
  readonly cpuMicrosPerRecord: number;
  readonly residentMb: number;
  readonly latencyMs?: { readonly p50: number; readonly p99: number; readonly p999: number };
}

/** Takes the median of each figure over the rounds. */
export function summarize(row: Row): Summary {
  const of = (pick: (round: Measurement) => number): number => median(row.rounds.map(pick));
  const plain = {
    recordsPerSecond: of((round) => round.recordsPerSecond),
    cpuMicrosPerRecord: of((round) => round.cpuMicrosPerRecord),
    residentMb: of((round) => round.residentMb),
  };
  if (row.workload !== 'awaited') return plain;
  const latency = (pick: (latency: NonNullable<Measurement['latencyMs']>) => number): number =>
    of((round) => (round.latencyMs === undefined ? Number.NaN : pick(round.latencyMs)));
  return {
    ...plain,
    latencyMs: { p50: latency((l) => l.p50), p99: latency((l) => l.p99), p999: latency((l) => l.p999) },
  };
}

const titles: Record<Workload, string> = {
  bulk: 'Bulk produce: `send(array of 1,000)`, with keys',
  consume: 'Consume: batches, each value read',
  singles: 'Unawaited single sends: 10,000 in flight, a promise each',
  awaited: 'One awaited send at a time',
};

/** The whole run as Markdown: one table per workload, ratios to the bare loop and to the best peer. */
export function markdown(conditions: Conditions, rows: readonly Row[]): string {
  const lines = [
    `Kafka ${conditions.kafka}, Node ${conditions.node}, ${conditions.cpus}, broker and client on one machine, ${conditions.date}.`,
    `Values of ${conditions.valueBytes} bytes, ${conditions.partitions} partitions, acks=all, no compression.`,
    `Medians of ${conditions.rounds} interleaved rounds of ${conditions.measureMs / 1000} s, each in a process of its own; the broker's end offsets (produce) and the counts of records and bytes (consume) were checked in every round.`,
    '',
  ];
  for (const workload of Object.keys(titles) as Workload[]) {
    const ours = rows.filter((row) => row.workload === workload);
    if (ours.length > 0) lines.push(...table(workload, ours), '');
  }
  return `${lines.join('\n')}\n`;
}

function table(workload: Workload, rows: readonly Row[]): string[] {
  const summaries = new Map(rows.map((row) => [row.contender, summarize(row)]));
  const bare = summaries.get('bare loop');
  const peers = [...summaries]
    .filter(([name]) => name !== 'bare loop' && name !== 'kavka')
    .map(([, summary]) => summary);
  const bestPeer = Math.max(...peers.map((summary) => summary.recordsPerSecond));
  const head = ['', 'records/s', 'to bare loop', 'to best peer', 'CPU µs/record', 'resident MB', 'range of rounds'];
  const latency = workload === 'awaited' ? ['p50 ms', 'p99 ms', 'p99.9 ms'] : [];
  const lines = [
    `### ${titles[workload]}`,
    '',
    `| ${[...head, ...latency].join(' | ')} |`,
    `| --- |${' ---: |'.repeat(head.length - 1 + latency.length)}`,
  ];
  for (const row of rows) {
    const summary = summaries.get(row.contender) ?? summarize(row);
    const rates = row.rounds.map((round) => round.recordsPerSecond);
    const cells = [
      row.contender,
      thousands(summary.recordsPerSecond),
      bare === undefined ? '' : ratio(summary.recordsPerSecond / bare.recordsPerSecond),
      row.contender === 'bare loop' || !Number.isFinite(bestPeer) ? '' : ratio(summary.recordsPerSecond / bestPeer),
      summary.cpuMicrosPerRecord.toFixed(2),
      summary.residentMb.toFixed(0),
      `${thousands(Math.min(...rates))} – ${thousands(Math.max(...rates))}`,
      ...(summary.latencyMs === undefined ? [] : Object.values(summary.latencyMs).map((ms) => ms.toFixed(3))),
    ];
    lines.push(`| ${cells.join(' | ')} |`);
  }
  lines.push('', ...rows.map((row) => `- ${row.contender}: ${row.rounds[0]?.options ?? ''}`));
  return lines;
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function ratio(value: number): string {
  return Number.isFinite(value) ? `${value.toFixed(2)} ×` : '';
}
