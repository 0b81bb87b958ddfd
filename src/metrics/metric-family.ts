/** One metric with all of its series, as {@link KafkaMetrics.collect} tells it: plain values, fit for JSON. */
export type MetricFamily = ValueFamily | HistogramFamily;

/** A metric whose series are numbers. */
export interface ValueFamily extends FamilyNames {
  /** A counter only rises; a gauge is what it is at the moment. */
  readonly type: 'counter' | 'gauge';
  /** One for each combination of labels. */
  readonly series: readonly ValueSeries[];
}

/** A metric that counts values by size. */
export interface HistogramFamily extends FamilyNames {
  /** How it is to be read. */
  readonly type: 'histogram';
  /** One for each combination of labels. */
  readonly series: readonly HistogramSeries[];
}

/** What is said of a metric. */
export interface FamilyNames {
  /** The name in Prometheus. */
  readonly name: string;
  /** What it tells. */
  readonly help: string;
  /** As OpenTelemetry writes units: `s`, `By`, and in braces what is counted. */
  readonly unit: string;
}

/** One number. */
export interface ValueSeries {
  /** What sets it apart from the others of its metric. */
  readonly labels: Readonly<Record<string, string>>;
  /** The number. */
  readonly value: number;
}

/** How many values there were, and of which size. */
export interface HistogramSeries {
  /** What sets it apart from the others of its metric. */
  readonly labels: Readonly<Record<string, string>>;
  /** How many values. */
  readonly count: number;
  /** What they add up to. */
  readonly sum: number;
  /** How many values were at most so large, in rising order; all of them, whatever their size, are `count`. */
  readonly buckets: readonly {
    /** The bound. */
    readonly upTo: number;
    /** How many were not above it. */
    readonly count: number;
  }[];
}
