import { nothing, sum } from './counts.ts';
import type { Counts } from './counts.ts';

/** More unsteady files than this in one stage are no accident. */
const MAX_UNSTEADY = 2;
/**
 * The same where files use real brokers, as a part of all: a machine that stands still for seconds hits every file that runs then, and for
 * long those behind it, with brokers that must find together again. A real fault is not forgiven by that: its file fails again.
 */
const MAX_UNSTEADY_PART = 1 / 4;

/** How many files of a stage may fail at first, to be run once more. */
export function mayBeUnsteady(files: number, needsKafka: boolean): number {
  return needsKafka ? Math.max(MAX_UNSTEADY, Math.ceil(files * MAX_UNSTEADY_PART)) : MAX_UNSTEADY;
}

/**
 * Runs each file; one that failed runs once more, by itself, after all others. On a machine that is shared with brokers a deadline can pass for
 * reasons outside of the code. A file that passes then is not counted as failed, but told as unsteady, with what failed first: it is to be mended.
 */
export async function runWithSecondAttempt(
  files: readonly string[],
  concurrency: number,
  runFile: (file: string) => Promise<Counts>,
  maxUnsteady: number = MAX_UNSTEADY,
): Promise<Counts> {
  const waiting = [...files];
  const results: Counts[] = [];
  const failed: [string, Counts][] = [];
  const work = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const counts = await runFile(file);
      if (counts.failures.length === 0) results.push(counts);
      else failed.push([file, counts]);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  if (failed.length > maxUnsteady) return sum([...results, ...failed.map(([, counts]) => counts)]);
  for (const [file, first] of failed) {
    const second = await runFile(file);
    results.push(second.failures.length > 0 ? first : sum([second, { ...nothing, unsteady: first.failures }]));
  }
  return sum(results);
}
