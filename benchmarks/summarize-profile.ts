/**
 * Sums a CPU profile up: where the time goes by function (self time), without the idle part.
 *
 *     node benchmarks/summarize-profile.ts <file.cpuprofile> [lines]
 */
import { readFileSync } from 'node:fs';

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
}

interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Self time per function in microseconds, largest first; `(idle)` and `(program)` are left out. */
export function selfTimes(profile: CpuProfile): [name: string, micros: number][] {
  const names = new Map(
    profile.nodes.map(({ id, callFrame }) => {
      const place = callFrame.url.replace(/^.*\/(dist|src|node_modules|benchmarks)\//, '$1/');
      const name = callFrame.functionName || '(anonymous)';
      return [id, place === '' ? name : `${name}  ${place}:${callFrame.lineNumber + 1}`];
    }),
  );
  const totals = new Map<string, number>();
  for (const [index, id] of profile.samples.entries()) {
    const name = names.get(id) ?? '?';
    if (name === '(idle)' || name === '(program)') continue;
    totals.set(name, (totals.get(name) ?? 0) + (profile.timeDeltas[index] ?? 0));
  }
  return [...totals].sort((a, b) => b[1] - a[1]);
}

if (import.meta.main) {
  const [file, lines = '25'] = process.argv.slice(2);
  if (file === undefined) throw new Error('Name a .cpuprofile file');
  const times = selfTimes(JSON.parse(readFileSync(file, 'utf8')) as CpuProfile);
  const all = times.reduce((sum, [, micros]) => sum + micros, 0);
  for (const [name, micros] of times.slice(0, Number(lines))) {
    console.log(`${((micros * 100) / all).toFixed(1).padStart(5)} %  ${name}`);
  }
}
