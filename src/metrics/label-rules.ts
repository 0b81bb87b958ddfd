import { metricTable, type LabelName, type MetricName } from './metric-table.ts';
import type { ResolvedMetricsOptions } from './metrics-options.ts';

/** What stands for the topics and groups that have no series of their own. No topic of Kafka's can have such a name. */
export const OTHER = '(other)';

/** The labels of one series. */
export type Labels = Readonly<Record<string, string>>;

/** What is known of an event, to be put into labels; the metric says which of them it has. */
export type LabelValues = Readonly<Partial<Record<LabelName, string | undefined>>>;

/**
 * Which labels series have, and how many different ones there may be: each series costs memory here, and more where metrics are kept. Of
 * what programs can make any number of, topics and groups, the first few that come keep a label of their own; all others share one.
 */
export class LabelRules {
  readonly #options: ResolvedMetricsOptions;
  readonly #topics = new Set<string>();
  readonly #groups = new Set<string>();

  constructor(options: ResolvedMetricsOptions) {
    this.#options = options;
  }

  labelsOf(name: MetricName, clientId: string, values: LabelValues): Labels {
    const labels: Record<string, string> = { client_id: clientId };
    for (const label of metricTable[name].labels) {
      const value = this.#valueOf(label, values);
      if (value !== undefined) labels[label] = value;
    }
    return Object.assign(labels, this.#options.labels);
  }

  #valueOf(label: LabelName, values: LabelValues): string | undefined {
    const value = values[label];
    if (value === undefined) return undefined;
    if (label === 'group_id') return within(this.#groups, value, this.#options.maxGroups);
    if (label === 'topic') return this.#topicOf(value);
    if (label === 'partition') return this.#partitionOf(value, values.topic);
    return value;
  }

  #topicOf(topic: string): string | undefined {
    const { topics, maxTopics } = this.#options;
    if (topics === false) return undefined;
    if (topics !== true) return topics.includes(topic) ? topic : OTHER;
    return within(this.#topics, topic, maxTopics);
  }

  /** A number says nothing where it is not known of which topic. */
  #partitionOf(partition: string, topic = ''): string | undefined {
    const label = this.#options.partitions ? this.#topicOf(topic) : undefined;
    return label === undefined || label === OTHER ? undefined : partition;
  }
}

/** The name itself while there is room for it. */
function within(known: Set<string>, name: string, limit: number): string {
  if (known.has(name)) return name;
  if (known.size >= limit) return OTHER;
  known.add(name);
  return name;
}
