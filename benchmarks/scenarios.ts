/** What is measured: a story, and under which conditions. */
import { parseArgs } from 'node:util';

/** The stories. */
export const workloads = ['bulk', 'singles', 'awaited', 'consume', 'lazy', 'each', 'run', 'json', 'group'] as const;
export type Workload = (typeof workloads)[number];

export const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
export type Codec = (typeof codecs)[number];

/** One table of the report. */
export interface Scenario {
  /** As it is chosen: `bulk`, `consume@1KiB`, `bulk@lz4+1KiB`. */
  readonly id: string;
  readonly workload: Workload;
  readonly valueBytes: number;
  readonly partitions: number;
  readonly compression: Codec;
  readonly tls: boolean;
}

const sizes: Readonly<Record<string, number>> = {
  '10B': 10,
  '100B': 100,
  '1KiB': 1024,
  '10KiB': 10_240,
  '1MiB': 1 << 20,
};

const basic = ['bulk', 'consume', 'each', 'run', 'singles', 'awaited'];
const each = (...variations: readonly string[]): string[] =>
  variations.flatMap((variation) => [`bulk@${variation}`, `consume@${variation}`]);

/** The scenarios that go by one name. */
export const sets: Readonly<Record<string, readonly string[]>> = {
  /** The figures of README. */
  default: [...basic, ...each('1KiB')],
  /** What the project wants to show of itself. */
  goals: [...basic, ...each('1KiB', '1KiB+lz4', '1KiB+zstd')],
  full: [
    ...basic,
    'lazy',
    'json',
    'group',
    ...each('10B', '1KiB', '10KiB', '1MiB'),
    ...each('1KiB+gzip', '1KiB+snappy', '1KiB+lz4', '1KiB+zstd'),
    ...each('p1', 'p100', 'p1000', 'tls'),
  ],
};

/**
 * Scenarios by their names, sets among them, each once.
 *
 * @throws Error for a name that is none
 */
export function scenariosOf(names: readonly string[]): Scenario[] {
  return [...new Set(names.flatMap((name) => sets[name] ?? [name]))].map(scenarioOf);
}

/** A scenario from `<workload>[@<variation>[+<variation>…]]`; a variation is a size, a codec, `p<partitions>` or `tls`. */
export function scenarioOf(id: string): Scenario {
  const [workload = '', variations] = id.split('@');
  if (!isOneOf(workloads, workload)) throw new Error(`Cannot measure "${id}": choose among ${workloads.join(', ')}`);
  let scenario: Scenario = { id, workload, valueBytes: 100, partitions: 6, compression: 'none', tls: false };
  for (const variation of variations?.split('+') ?? []) {
    const partitions = Number(/^p(\d+)$/.exec(variation)?.[1] ?? NaN);
    const valueBytes = sizes[variation];
    if (valueBytes !== undefined) scenario = { ...scenario, valueBytes };
    else if (isOneOf(codecs, variation)) scenario = { ...scenario, compression: variation };
    else if (variation === 'tls') scenario = { ...scenario, tls: true };
    else if (partitions > 0) scenario = { ...scenario, partitions };
    else throw new Error(`Cannot measure "${id}": ${variation} is no size, codec, p<partitions> or tls`);
  }
  return scenario;
}

/** Those under the same conditions are measured in turns, so that they can be compared with one another. */
export function conditionsOf({ valueBytes, partitions, compression, tls }: Scenario): string {
  const size = Object.entries(sizes).find(([, bytes]) => bytes === valueBytes)?.[0] ?? `${valueBytes} B`;
  const parts = [`values of ${size}`, `${partitions} ${partitions === 1 ? 'partition' : 'partitions'}`];
  if (compression !== 'none') parts.push(compression);
  if (tls) parts.push('TLS');
  return parts.join(', ');
}

/** Whether the story reads what is there already. */
export function isConsuming(workload: Workload): boolean {
  return workload !== 'bulk' && workload !== 'singles' && workload !== 'awaited';
}

function isOneOf<T extends string>(all: readonly T[], name: string): name is T {
  return all.some((each) => each === name);
}

/** What the command line asks for. */
export interface Settings {
  readonly scenarios: readonly Scenario[];
  readonly contenders: readonly string[];
  readonly rounds: number;
  readonly measureMs: number;
  readonly warmUpMs: number;
  /** How many bytes of values a topic that is read holds, at most; and at most `maxRecords` records. */
  readonly topicBytes: number;
  readonly maxRecords: number;
  readonly output: string;
  /** Where each round of a Node client leaves a CPU profile; benchmarks/summarize-profile.ts reads them. */
  readonly profileFolder: string | undefined;
}

/** Reads the command line. */
export function settings(allContenders: readonly string[], usualContenders: readonly string[]): Settings {
  const { values } = parseArgs({
    options: {
      full: { type: 'boolean', default: false },
      scenarios: { type: 'string' },
      contenders: { type: 'string', default: usualContenders.join(',') },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '2' },
      'warm-up': { type: 'string', default: '1.5' },
      records: { type: 'string', default: '2000000' },
      'topic-mb': { type: 'string', default: '256' },
      output: { type: 'string', default: 'latest' },
      'cpu-prof': { type: 'string' },
    },
  });
  const contenders = values.contenders.split(',');
  const unknown = contenders.find((name) => !allContenders.includes(name));
  if (unknown !== undefined) throw new Error(`Cannot measure "${unknown}": choose among ${allContenders.join(', ')}`);
  return {
    scenarios: scenariosOf((values.scenarios ?? (values.full ? 'full' : 'default')).split(',')),
    contenders,
    rounds: Number(values.rounds),
    measureMs: Number(values.seconds) * 1000,
    warmUpMs: Number(values['warm-up']) * 1000,
    maxRecords: Number(values.records),
    topicBytes: Number(values['topic-mb']) * 1e6,
    output: values.output,
    profileFolder: values['cpu-prof'],
  };
}
