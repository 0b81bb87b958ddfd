/**
 * How long a test waits for its Kafka: start of a `TestCluster` to the first record through a client, each round in a process of
 * its own, compiled as users have it (`npm run build` first).
 *
 *     node benchmarks/testing/start.ts [--rounds 5] [--dist dist]
 */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, dist: { type: 'string', default: 'dist' } },
});
const child = path.join(import.meta.dirname, 'start-child.ts');

const rounds: Record<string, number>[] = [];
for (let round = 0; round < Number(values.rounds); round++) {
  const { stdout } = await promisify(execFile)(process.execPath, [child, path.resolve(values.dist)]);
  rounds.push(JSON.parse(stdout) as Record<string, number>);
}

console.log(`| part | median of ${rounds.length}, ms |\n| --- | --- |`);
for (const part of Object.keys(rounds[0] ?? {})) {
  const sorted = rounds.map((round) => round[part] ?? 0).sort((a, b) => a - b);
  console.log(`| ${part} | ${(sorted[Math.floor(sorted.length / 2)] ?? 0).toFixed(1)} |`);
}
