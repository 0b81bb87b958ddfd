import { UsageError } from '../errors/kafka-error.ts';
import { anyOf, boolean, findOptionProblem, integer, listOf, nonEmptyString } from '../util/option-rules.ts';
import type { OptionRule } from '../util/option-rules.ts';
import { metricNames, metricTable } from './metric-table.ts';

/** What may be said of metrics. */
export interface MetricsOptions {
  /** Labels that every series gets, such as the name of the service. @defaultValue none */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** What every name begins with: letters, digits and `_`. @defaultValue 'kavka' */
  readonly prefix?: string | undefined;
  /** Whether series are told apart by topic, or by which ones: then all others count as `(other)`. @defaultValue true */
  readonly topics?: boolean | readonly string[] | undefined;
  /** Whether the lag is told by partition; otherwise by topic. @defaultValue true */
  readonly partitions?: boolean | undefined;
  /** How many topics have series of their own: the first ones that come. All others count as `(other)`. @defaultValue 100 */
  readonly maxTopics?: number | undefined;
  /** The same for groups. @defaultValue 100 */
  readonly maxGroups?: number | undefined;
  /**
   * Up to how many seconds the values go that each bucket of a histogram counts, in rising order.
   *
   * @defaultValue 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30
   */
  readonly bucketsSeconds?: readonly number[] | undefined;
}

/** {@link MetricsOptions} as they are used. */
export interface ResolvedMetricsOptions {
  readonly labels: Readonly<Record<string, string>>;
  readonly prefix: string;
  readonly topics: boolean | readonly string[];
  readonly partitions: boolean;
  readonly maxTopics: number;
  readonly maxGroups: number;
  readonly bucketsSeconds: readonly number[];
}

const defaults: ResolvedMetricsOptions = {
  labels: {},
  prefix: 'kavka',
  topics: true,
  partitions: true,
  maxTopics: 100,
  maxGroups: 100,
  bucketsSeconds: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
};

/** Labels of ours, and those that mean something to Prometheus: buckets have `le`. */
const takenLabels = new Set<string>(['client_id', 'le', ...metricNames.flatMap((name) => metricTable[name].labels)]);

const labels: OptionRule = {
  expected: `an object of texts; a name has letters, digits and _, does not begin with a digit or __, and is none of ${[...takenLabels].sort().join(', ')}`,
  accepts: (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.entries(value).every(([name, text]) => isFreeLabel(name) && typeof text === 'string'),
};

const prefix: OptionRule = {
  expected: 'a name of letters, digits and _ that begins with a letter',
  accepts: (value) => typeof value === 'string' && /^[a-zA-Z][a-zA-Z0-9_]*$/.test(value),
};

const buckets: OptionRule = {
  expected: 'a list of one or more numbers, each above 0 and above the one before it',
  accepts: (value) => Array.isArray(value) && value.length > 0 && value.every(isNextBound),
};

const rules: Readonly<Record<keyof MetricsOptions, OptionRule>> = {
  labels,
  prefix,
  topics: anyOf(boolean, listOf(nonEmptyString)),
  partitions: boolean,
  maxTopics: integer(0, 1_000_000),
  maxGroups: integer(0, 1_000_000),
  bucketsSeconds: buckets,
};

/** What libraries for metrics call these. */
const otherNames: Readonly<Record<string, string>> = {
  defaultLabels: 'use labels',
  buckets: 'use bucketsSeconds',
  register: 'there is none to fill: print metrics.prometheus() beside it',
};

/** @throws UsageError UNKNOWN_OPTION, INVALID_OPTION */
export function resolveMetricsOptions(given: MetricsOptions = {}): ResolvedMetricsOptions {
  const problem = findOptionProblem(given, rules, 'the metrics', otherNames);
  if (problem !== undefined) throw new UsageError(problem.message, { code: problem.code });
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.freeze({ ...defaults, ...Object.fromEntries(set) });
}

function isFreeLabel(name: string): boolean {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) && !name.startsWith('__') && !takenLabels.has(name);
}

function isNextBound(bound: unknown, at: number, bounds: readonly unknown[]): boolean {
  return Number.isFinite(bound) && Number(bound) > (at === 0 ? 0 : Number(bounds[at - 1]));
}
