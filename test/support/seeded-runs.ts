import { seededRandom } from './seeded-random.ts';

/** Runs a random test so many times, each with chance of its own. What fails names the seed; `SEED=` begins with it. */
export function seededRuns(runs: number, run: (random: () => number) => void): void {
  const first = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 32));
  for (let at = 0; at < runs; at++) {
    const seed = (first + at) >>> 0;
    try {
      run(seededRandom(seed));
    } catch (error) {
      throw new Error(`SEED=${seed}`, { cause: error });
    }
  }
}
