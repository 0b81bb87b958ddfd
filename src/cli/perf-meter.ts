import { LatencyHistogram, type LatencySummary } from './latency-histogram.ts';
import type { Terminal } from './terminal.ts';

const intervalMs = 1000;

/** What was measured, all of it in this process; `undefined` where nothing was done. */
export interface PerfFigures {
  readonly records: number;
  /** Of keys and values, as they are given to the client. */
  readonly bytes: number;
  readonly seconds: number;
  readonly recordsPerSecond: number | undefined;
  /** Millions of bytes. */
  readonly megabytesPerSecond: number | undefined;
  /** Of all threads of this process, in this time, for each record. */
  readonly cpuMicrosecondsPerRecord: number | undefined;
  /** At the end. */
  readonly residentMegabytes: number;
}

/** Counts what is done, and shows once a second how it goes. */
export class PerfMeter {
  /** Of everything that was counted with a latency. */
  readonly latencies: LatencyHistogram = new LatencyHistogram();
  readonly startMs: number = performance.now();
  readonly #cpu = process.cpuUsage();
  readonly #terminal: Terminal;
  readonly #timer: NodeJS.Timeout;
  #records = 0;
  #bytes = 0;
  #interval = { startMs: this.startMs, records: 0, bytes: 0, latencies: new LatencyHistogram() };

  /** Its time begins now. */
  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    this.#timer = setInterval(() => this.#showProgress(), intervalMs);
    this.#timer.unref();
  }

  get records(): number {
    return this.#records;
  }

  /** How long it has been measuring. */
  get elapsedMs(): number {
    return performance.now() - this.startMs;
  }

  /** Counts records, with how long each of them took, where that is measured. */
  count(records: number, bytes: number, latencyMs?: number): void {
    this.#records += records;
    this.#bytes += bytes;
    this.#interval.records += records;
    this.#interval.bytes += bytes;
    if (latencyMs === undefined || records === 0) return;
    this.latencies.add(latencyMs, records);
    this.#interval.latencies.add(latencyMs, records);
  }

  /** @param endMs when it ended, if that was before */
  stop(endMs: number = performance.now()): PerfFigures {
    clearInterval(this.#timer);
    const { user, system } = process.cpuUsage(this.#cpu);
    const seconds = (endMs - this.startMs) / 1000;
    const each = (amount: number, of: number): number | undefined => (of === 0 ? undefined : rounded(amount / of));
    return {
      records: this.#records,
      bytes: this.#bytes,
      seconds: rounded(seconds),
      recordsPerSecond: each(this.#records, seconds),
      megabytesPerSecond: each(this.#bytes / 1e6, seconds),
      cpuMicrosecondsPerRecord: each(user + system, this.#records),
      residentMegabytes: rounded(process.memoryUsage.rss() / 1e6),
    };
  }

  #showProgress(): void {
    const { startMs, records, bytes, latencies } = this.#interval;
    const nowMs = performance.now();
    const seconds = (nowMs - startMs) / 1000;
    this.#interval = { startMs: nowMs, records: 0, bytes: 0, latencies: new LatencyHistogram() };
    const p99 = latencies.summary()?.p99;
    const parts = [
      `${Math.round(this.elapsedMs / 1000)} s: ${grouped(this.#records)} records`,
      `now ${grouped(records / seconds)} records/s, ${grouped(bytes / 1e6 / seconds, 1)} MB/s`,
      ...(p99 === undefined ? [] : [`p99 ${millisecondsText(p99)}`]),
    ];
    this.#terminal.showProgress(parts.join('; '));
  }
}

/** The lines that tell what was measured. */
export function figuresLines(
  { records, seconds, recordsPerSecond, megabytesPerSecond, ...process }: PerfFigures,
  latencies: readonly (readonly [title: string, summary: LatencySummary | undefined])[] = [],
): string[] {
  const cpu = process.cpuMicrosecondsPerRecord;
  return [
    `  records    ${grouped(records)} in ${grouped(seconds, 2)} s`,
    ...(recordsPerSecond === undefined || megabytesPerSecond === undefined
      ? []
      : [`  rate       ${grouped(recordsPerSecond)} records/s, ${grouped(megabytesPerSecond, 1)} MB/s`]),
    ...latencies.flatMap(([title, summary]) =>
      summary === undefined ? [] : [`  ${title.padEnd(9)}  ${latencyText(summary)}`],
    ),
    `  process    ${cpu === undefined ? '' : `${grouped(cpu, 2)} µs of CPU per record, `}${grouped(process.residentMegabytes)} MB resident`,
  ];
}

function latencyText({ p50, p95, p99, p999, max }: LatencySummary): string {
  const named = { p50, p95, p99, 'p99.9': p999, max };
  return Object.entries(named)
    .map(([name, ms]) => `${name} ${millisecondsText(ms)}`)
    .join(', ');
}

/** The same as JSON has it: no more digits than mean something. */
export function roundedLatencies(summary: LatencySummary | undefined): LatencySummary | undefined {
  if (summary === undefined) return undefined;
  const { p50, p95, p99, p999, max } = summary;
  return { p50: rounded(p50), p95: rounded(p95), p99: rounded(p99), p999: rounded(p999), max: rounded(max) };
}

function millisecondsText(ms: number): string {
  return `${grouped(ms, ms < 10 ? 2 : ms < 100 ? 1 : 0)} ms`;
}

/** A number for people: 1,234,567.8 */
function grouped(number: number, digits = 0): string {
  return number.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function rounded(number: number): number {
  return Math.round(number * 1000) / 1000;
}
