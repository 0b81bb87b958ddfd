import { conditionsOf, scenarioOf, type Scenario, type Workload } from './scenarios.ts';
import type { Measurement } from './workload.ts';

/** A round, with what the broker needed for it. */
export interface Round extends Measurement {
  /** Undefined where the broker's processes cannot be seen. */
  readonly brokerMicrosPerRecord?: number;
}

/** All rounds of one contender at one scenario. */
export interface Row {
  /** {@link Scenario.id} */
  readonly scenario: string;
  readonly contender: string;
  readonly rounds: readonly Round[];
}

/** Who was not measured, and why. */
export interface Skipped {
  readonly scenario?: string;
  readonly contender: string;
  readonly why: string;
}

/** The conditions of a run. */
export interface Conditions {
  readonly date: string;
  readonly node: string;
  readonly kafka: string;
  readonly cpus: string;
  readonly rounds: number;
  readonly measureMs: number;
}

/** Contenders that are no Node clients: they are left out where the best peer is looked for. */
export const others: readonly string[] = [
  'bare loop',
  'kavka',
  'kavka, CRC not checked',
  'kavka on Bun',
  'kavka on Deno',
  'franz-go',
  'librdkafka',
  'java',
];

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
  readonly brokerMicrosPerRecord?: number;
  readonly residentMb: number;
  readonly peakMb: number;
  readonly gcShare?: number;
  readonly latencyMs?: { readonly p50: number; readonly p99: number; readonly p999: number };
}

/** Takes the median of each figure over the rounds. */
export function summarize({ rounds }: Row): Summary {
  const of = (pick: (round: Round) => number): number => median(rounds.map(pick));
  const [first] = rounds;
  const latency = (name: 'p50' | 'p99' | 'p999'): number => of(({ latencyMs }) => latencyMs?.[name] ?? NaN);
  return {
    recordsPerSecond: of((round) => round.recordsPerSecond),
    cpuMicrosPerRecord: of((round) => round.cpuMicrosPerRecord),
    residentMb: of((round) => round.residentMb),
    peakMb: of((round) => round.peakMb),
    ...(first?.brokerMicrosPerRecord === undefined
      ? {}
      : { brokerMicrosPerRecord: of((round) => round.brokerMicrosPerRecord ?? NaN) }),
    ...(first?.gcShare === undefined ? {} : { gcShare: of((round) => round.gcShare ?? NaN) }),
    ...(first?.latencyMs === undefined
      ? {}
      : { latencyMs: { p50: latency('p50'), p99: latency('p99'), p999: latency('p999') } }),
  };
}

/** The rows of a run, to look into. */
export class Rows {
  readonly #rows: readonly Row[];

  constructor(rows: readonly Row[]) {
    this.#rows = rows;
  }

  find(scenario: string, contender: string): Row | undefined {
    return this.#rows.find((row) => row.scenario === scenario && row.contender === contender);
  }

  /** The Node client with the highest rate at a scenario, other than ours. */
  bestPeer(scenario: string): Row | undefined {
    const rate = (row: Row): number => median(row.rounds.map((round) => round.recordsPerSecond));
    const peers = this.#rows.filter((row) => row.scenario === scenario && !others.includes(row.contender));
    return peers.sort((a, b) => rate(b) - rate(a))[0];
  }
}

/** The median over the rounds of how one row compares with another: both sides of a ratio are of the same round. */
export function ratioOf(row: Row | undefined, to: Row | undefined, of: (round: Round) => number = rateOf): number {
  if (row === undefined || to === undefined) return NaN;
  const ratios = row.rounds.map((round, at) => {
    const other = to.rounds[at];
    return other === undefined ? NaN : of(round) / of(other);
  });
  return median(ratios.filter((ratio) => !Number.isNaN(ratio)));
}

function rateOf(round: Round): number {
  return round.recordsPerSecond;
}

/** The story of each table. */
export const titles: Record<Workload, string> = {
  bulk: 'Bulk produce: arrays of 1,000 records with keys',
  singles: 'Unawaited single sends: 10,000 in flight, a promise or callback each',
  awaited: 'One awaited send at a time',
  consume: 'Consume: batches, each value read',
  lazy: 'Consume: batches, nothing looked at',
  each: 'Consume: `for await` over records, each value read',
  run: 'Consume: a handler called for each record',
  json: 'Consume: batches, each value parsed as JSON',
  group: 'Consume: a group of three in one process',
};

/** The whole run as Markdown: one table per scenario. */
export function markdown(conditions: Conditions, rows: readonly Row[], skipped: readonly Skipped[]): string {
  const scenarios = [...new Set(rows.map(({ scenario }) => scenario))].map(scenarioOf);
  const nowhere = skipped.filter(({ scenario }) => scenario === undefined);
  return [
    `Kafka ${conditions.kafka}, Node ${conditions.node}, ${conditions.cpus}, broker and client on one machine, ${conditions.date}; acks=all.`,
    `Medians of ${conditions.rounds} interleaved rounds of ${conditions.measureMs / 1000} s, each in a process of its own; ratios are medians of the ratios within a round.`,
    "The broker's end offsets (produce) and the counts of records and bytes (consume) were checked in every round.",
    '"Collector" is the share of garbage collections in the CPU time; the broker\'s CPU is that of its whole round, warm-up included.',
    ...nowhere.map(({ contender, why }) => `Not measured: ${contender} (${why}).`),
    '',
    ...scenarios.flatMap((scenario) => [...table(scenario, new Rows(rows), rows, skipped), '']),
  ].join('\n');
}

function table(scenario: Scenario, all: Rows, rows: readonly Row[], skipped: readonly Skipped[]): string[] {
  const { id, workload } = scenario;
  const ours = rows.filter((row) => row.scenario === id);
  const references = { bare: all.find(id, 'bare loop'), go: all.find(id, 'franz-go'), peer: all.bestPeer(id) };
  const head = ['', 'records/s', 'to bare loop', 'to franz-go', 'to best Node peer', 'CPU µs/record', 'to bare loop'];
  head.push('broker CPU µs/record', 'resident MB (peak)', 'collector', 'range of rounds');
  if (workload === 'awaited') head.push('p50 ms', 'p99 ms', 'p99.9 ms');
  const lines = ours.map((row) => {
    const summary = summarize(row);
    const rates = row.rounds.map((round) => round.recordsPerSecond);
    const { brokerMicrosPerRecord: broker, gcShare, latencyMs } = summary;
    const cells = [
      row.contender,
      thousands(summary.recordsPerSecond),
      ratio(ratioOf(row, references.bare)),
      ratio(ratioOf(row, references.go)),
      ratio(ratioOf(row, references.peer)),
      micros(summary.cpuMicrosPerRecord),
      ratio(ratioOf(row, references.bare, (round) => round.cpuMicrosPerRecord)),
      broker === undefined ? '' : micros(broker),
      `${summary.residentMb.toFixed(0)} (${summary.peakMb.toFixed(0)})`,
      gcShare === undefined ? '' : `${(gcShare * 100).toFixed(1)} %`,
      `${thousands(Math.min(...rates))} – ${thousands(Math.max(...rates))}`,
      ...(latencyMs === undefined ? [] : Object.values(latencyMs).map((ms) => ms.toFixed(3))),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const without = skipped.filter((each) => each.scenario === id);
  return [
    `### ${titles[workload]} (${conditionsOf(scenario)})`,
    '',
    `| ${head.join(' | ')} |`,
    `| --- |${' ---: |'.repeat(head.length - 1)}`,
    ...lines,
    '',
    ...ours.map((row) => `- ${row.contender}: ${row.rounds[0]?.options ?? ''}`),
    ...without.map(({ contender, why }) => `- ${contender} not measured: ${why}`),
  ];
}

/** What the project wants to show of itself, and whether this run shows it. */
export function goals(list: readonly Row[]): string[] {
  const rows = new Rows(list);
  const ours = (scenario: string): Row | undefined => rows.find(scenario, 'kavka');
  const to = (scenario: string, other: string): number => ratioOf(ours(scenario), rows.find(scenario, other));
  const toPeer = (scenario: string): number => ratioOf(ours(scenario), rows.bestPeer(scenario));
  const cpu = (round: Round): number => round.cpuMicrosPerRecord;
  const toBatches = (scenario: string): number => ratioOf(ours(scenario), ours('consume'));
  const summary = (scenario: string): Summary | undefined => {
    const row = ours(scenario);
    return row === undefined ? undefined : summarize(row);
  };
  const resident = (scenario: string): number => summary(scenario)?.residentMb ?? NaN;
  const collector = (scenario: string): number => (summary(scenario)?.gcShare ?? NaN) * 100;
  const bestLatency = (name: 'p50' | 'p99'): number => {
    const peers = list.filter(({ scenario, contender }) => scenario === 'awaited' && !others.includes(contender));
    return (
      (summary('awaited')?.latencyMs?.[name] ?? NaN) /
      Math.min(...peers.map((row) => summarize(row).latencyMs?.[name] ?? NaN))
    );
  };
  const checked: readonly [goal: string, value: number, bound: string][] = [
    ['bulk, to franz-go', to('bulk', 'franz-go'), '≥ 1'],
    ['bulk, to the best Node peer', toPeer('bulk'), '≥ 4'],
    ['bulk, CPU per record to the bare loop', ratioOf(ours('bulk'), rows.find('bulk', 'bare loop'), cpu), '≤ 1.6'],
    ['consume, to the best Node peer', toPeer('consume'), '≥ 2.5'],
    ['consume, to the bare loop', to('consume', 'bare loop'), '≥ 0.8'],
    ['consume, to Java', to('consume', 'java'), '≥ 1'],
    ['`for await` over records, to batches', toBatches('each'), '≥ 0.6'],
    ['`run({ eachRecord })`, to batches', toBatches('run'), '≥ 0.6'],
    ['unawaited single sends, M/s', (summary('singles')?.recordsPerSecond ?? NaN) / 1e6, '≥ 1.5'],
    ['the same, to the best Node peer (or)', toPeer('singles'), '≥ 6'],
    ['one awaited send, p50 to the best Node peer', bestLatency('p50'), '≤ 1'],
    ['one awaited send, p99 to the best Node peer', bestLatency('p99'), '≤ 1'],
    ...['bulk@1KiB', 'consume@1KiB'].flatMap((id): [string, number, string][] => [
      [`${id}, to the best Node peer`, toPeer(id), '≥ 2'],
      [`${id}, to franz-go`, to(id, 'franz-go'), '≥ 0.8'],
    ]),
    ...['bulk', 'consume'].flatMap((story) =>
      ['lz4', 'zstd'].map((codec): [string, number, string] => {
        const id = `${story}@1KiB+${codec}`;
        return [`${id}, to the best Node peer`, toPeer(id), '≥ 1'];
      }),
    ),
    ...['bulk', 'consume', 'singles'].map((id): [string, number, string] => [
      `${id}, resident MB`,
      resident(id),
      '≤ 150',
    ]),
    ...['bulk', 'consume'].map((id): [string, number, string] => [`${id}, collector %`, collector(id), '≤ 5']),
  ];
  return [
    '### Goals',
    '',
    '| goal | wanted | measured | |',
    '| --- | ---: | ---: | --- |',
    ...checked
      .filter(([, value]) => !Number.isNaN(value))
      .map(
        ([goal, value, bound]) =>
          `| ${goal} | ${bound} | ${value.toFixed(2)} | ${isMet(value, bound) ? 'met' : 'missed'} |`,
      ),
    '',
  ];
}

function isMet(value: number, bound: string): boolean {
  const limit = Number(bound.slice(2));
  return bound.startsWith('≥') ? value >= limit : value <= limit;
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function micros(value: number): string {
  return value < 10 ? value.toFixed(2) : value.toFixed(0);
}

function ratio(value: number): string {
  return Number.isFinite(value) ? `${value.toFixed(2)} ×` : '';
}
