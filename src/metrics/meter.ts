/**
 * What {@link KafkaMetrics.observe} needs of a `Meter` of OpenTelemetry (`@opentelemetry/api`, 1.3 and later). It is written down here, so that
 * no package is needed; the real one fits.
 */
export interface MeterLike {
  /** An instrument for values that are recorded as they come. */
  createHistogram(name: string, options?: InstrumentOptions): HistogramLike;
  /** An instrument whose value is asked for, and only rises. */
  createObservableCounter(name: string, options?: InstrumentOptions): object;
  /** An instrument whose value is asked for. */
  createObservableGauge(name: string, options?: InstrumentOptions): object;
  /** Has `callback` asked at each collection. */
  addBatchObservableCallback(callback: (result: ObservableResultLike) => void, observables: object[]): void;
  /** Ends that. */
  removeBatchObservableCallback(callback: (result: ObservableResultLike) => void, observables: object[]): void;
}

/** What is said of an instrument. */
export interface InstrumentOptions {
  /** What it tells. */
  description?: string;
  /** `s`, `By`, or in braces what is counted. */
  unit?: string;
  /** How it is best kept. */
  advice?: {
    /** The bounds of the buckets of a histogram. */
    explicitBucketBoundaries?: number[];
  };
}

/** A histogram of OpenTelemetry. */
export interface HistogramLike {
  /** Counts a value. */
  record(value: number, attributes?: Record<string, string>): void;
}

/** Where the values go that are asked for. */
export interface ObservableResultLike {
  /** Tells the value of an instrument. */
  observe(instrument: object, value: number, attributes?: Record<string, string>): void;
}
