/** Up to this many microseconds each has a bucket of its own. */
const exact = 128;
/** Above, each doubling has so many buckets: none is wider than 1.6 % of what it holds. */
const bucketsPerDoubling = exact / 2;
/** Longer ones, of half an hour and more, count as this long. */
const longestMicros = 2 ** 31 - 1;

/** What is told of latencies, in milliseconds. */
export interface LatencySummary {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  /** Of a thousand, the longest but one. */
  readonly p999: number;
  readonly max: number;
}

/** Counts latencies in the same memory however many they are: quantiles are at most 1.6 % above what they stand for, the maximum is exact. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(bucketOf(longestMicros) + 1);
  #total = 0;
  #maxMs = 0;

  /** Counts a latency, which `count` things had. */
  add(ms: number, count = 1): void {
    const bucket = bucketOf(Math.min(longestMicros, Math.max(0, Math.round(ms * 1000))));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
    this.#total += count;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  /** Undefined if there are none. */
  summary(): LatencySummary | undefined {
    if (this.#total === 0) return undefined;
    return {
      p50: this.#quantile(0.5),
      p95: this.#quantile(0.95),
      p99: this.#quantile(0.99),
      p999: this.#quantile(0.999),
      max: this.#maxMs,
    };
  }

  /** The latency that this share of all was not above. */
  #quantile(share: number): number {
    const wanted = Math.ceil(share * this.#total);
    let seen = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= wanted) return Math.min(this.#maxMs, lastOf(bucket) / 1000);
    }
    return this.#maxMs;
  }
}

function bucketOf(micros: number): number {
  if (micros < exact) return micros;
  // So many times it is halved until it is one of the upper half of the exact ones.
  const halvings = 31 - Math.clz32(micros) - Math.log2(bucketsPerDoubling);
  return bucketsPerDoubling * halvings + (micros >>> halvings);
}

/** The most microseconds that a bucket holds. */
function lastOf(bucket: number): number {
  if (bucket < exact) return bucket;
  const halvings = Math.floor(bucket / bucketsPerDoubling) - 1;
  return (bucket - bucketsPerDoubling * halvings + 1) * 2 ** halvings - 1;
}
