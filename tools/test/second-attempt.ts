import { nothing, sum } from './counts.ts';
import type { Counts } from './counts.ts';

/** More unsteady files than this in one stage are no accident. */
const MAX_UNSTEADY = 2;

/**
 * Runs each file; one that failed runs once more, by itself, after all others. On a machine that is shared with brokers a deadline can pass for
 * reasons outside of the code. A file that passes then is not counted as failed, but told as unsteady, with what failed first: it is to be mended.
 */
export async function runWithSecondAttempt(
  files: readonly string[],
  concurrency: number,
  runFile: (file: string) => Promise<Counts>,
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
  if (failed.length > MAX_UNSTEADY) return sum([...results, ...failed.map(([, counts]) => counts)]);
  for (const [file, first] of failed) {
    const second = await runFile(file);
    results.push(second.failures.length > 0 ? first : sum([second, { ...nothing, unsteady: first.failures }]));
  }
  return sum(results);
}
