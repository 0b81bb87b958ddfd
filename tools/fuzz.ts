/**
 * Gives the decoders a million seeded, mutated inputs, every truncation of every vector, and measures the memory that hostile
 * messages keep. `npm test` runs the same with less.
 *
 *     npm run fuzz          SEED=7 npm run fuzz          INPUTS=10000000 npm run fuzz
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { tryMutations, tryTruncations } from '../test/support/protocol/fuzz.ts';
import { fuzzSubjects } from '../test/support/protocol/fuzz-subjects.ts';
import type { HostileMeasure } from '../test/support/protocol/measure-hostile-messages.ts';
import { readCommittedRelease } from '../test/support/protocol/messages.ts';
import { seededRandom } from '../test/support/seeded-random.ts';

const ROUND = 50_000;
const HOSTILE_BYTES = 256 * 1024;

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 32));
const inputs = Number(process.env['INPUTS'] ?? 1_000_000);
console.log(`SEED=${seed}`);

const subjects = fuzzSubjects(await readCommittedRelease());
const truncations = tryTruncations(subjects);
console.log(
  `${truncations.inputs} truncations of ${subjects.length} samples: ${truncations.refused} refused, the others parts of records`,
);

const random = seededRandom(seed);
for (let done = 0, refused = 0; done < inputs;) {
  const report = tryMutations(subjects, Math.min(ROUND, inputs - done), random);
  done += report.inputs;
  refused += report.refused;
  console.log(`${done} mutated inputs: ${refused} refused, ${done - refused} taken`);
}

console.log(`Measuring what hostile messages of ${HOSTILE_BYTES} bytes keep in memory`);
const measures = await measureAll();
const over = measures.filter(({ inputBytes, liveBytes }) => liveBytes >= 64 * inputBytes + 1024 * 1024);
const most = measures.reduce((a, b) => (a.liveBytes / a.inputBytes > b.liveBytes / b.inputBytes ? a : b));
console.log(
  `${measures.length} measured; the most: ${(most.liveBytes / most.inputBytes).toFixed(1)} times the input, ${most.label}`,
);
for (const { label, liveBytes } of over) console.error(`Over the limit: ${label}, ${liveBytes} bytes live`);
if (over.length > 0) process.exitCode = 1;

async function measureAll(): Promise<HostileMeasure[]> {
  const script = fileURLToPath(new URL('../test/support/protocol/measure-hostile-messages.ts', import.meta.url));
  const child = spawn(process.execPath, ['--expose-gc', script, String(HOSTILE_BYTES), String(seed), 'all'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const found: HostileMeasure[] = [];
  for await (const line of createInterface({ input: child.stdout })) found.push(JSON.parse(line) as HostileMeasure);
  if (found.length === 0) throw new Error('Cannot measure hostile messages: the process gave no result');
  return found;
}
