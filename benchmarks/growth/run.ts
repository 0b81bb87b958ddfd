/**
 * How the client's cost grows with records, partitions, topics, brokers, sends in flight, the size of values, and members of a
 * group, against the in-process cluster, which runs in a process of its own.
 *
 *     node benchmarks/growth/run.ts [--only partitions,brokers] [--rounds 3] [--output growth]
 *
 * Each size in a new client process and on a new cluster; CPU time of the client alone is what is compared. Results go to
 * benchmarks/results/growth.md. It fails if a cost per unit grows faster than what grows.
 */
import { execFile, fork } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { median } from '../report.ts';
import { dimensions, type Dimension, type Point } from './dimensions.ts';
import type { Cost } from './point-child.ts';

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    output: { type: 'string', default: 'growth' },
  },
});

interface Measured {
  readonly size: number;
  readonly point: Point;
  readonly cost: Cost;
}

async function measure(point: Point): Promise<Cost> {
  const cluster = fork(path.join(import.meta.dirname, 'cluster-child.ts'), [JSON.stringify(point)]);
  try {
    const servers = await new Promise((resolve, reject) => {
      cluster.once('message', resolve);
      cluster.once('exit', (code) => reject(new Error(`The cluster ended with ${code}`)));
    });
    const child = path.join(import.meta.dirname, 'point-child.ts');
    const args = [child, JSON.stringify(servers), JSON.stringify(point)];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 300_000 });
    return JSON.parse(stdout) as Cost;
  } finally {
    cluster.kill();
  }
}

/** The sizes in turn, round by round. */
async function measureAll(dimension: Dimension): Promise<Measured[]> {
  const found = new Map<number, Cost[]>(dimension.sizes.map((size) => [size, []]));
  for (let round = 1; round <= Number(flags.rounds); round++) {
    for (const size of dimension.sizes) {
      const cost = await measure(dimension.point(size));
      found.get(size)?.push(cost);
      process.stderr.write(`${dimension.name} ${size}: ${JSON.stringify(cost)}\n`);
    }
  }
  return dimension.sizes.map((size) => {
    const costs = found.get(size) ?? [];
    const of = (name: keyof Cost): number => median(costs.map((cost) => cost[name]));
    const cost: Cost = {
      produceCpuMs: of('produceCpuMs'),
      produceMs: of('produceMs'),
      consumeCpuMs: of('consumeCpuMs'),
      consumeMs: of('consumeMs'),
      joinCpuMs: of('joinCpuMs'),
      joinMs: of('joinMs'),
      residentMb: of('residentMb'),
    };
    return { size, point: dimension.point(size), cost };
  });
}

function unitsOf({ unit }: Dimension, { records, members, valueBytes }: Point): number {
  if (unit === 'member') return members;
  return unit === 'MB' ? (records * valueBytes) / 1e6 : records;
}

/** Linear growth has exponent 1: of the whole cost, from the smallest to the largest size, by the size. */
function exponent(first: Measured, last: Measured, of: (measured: Measured) => number): number {
  return Math.log(of(last) / of(first)) / Math.log(last.size / first.size);
}

function report(dimension: Dimension, measured: readonly Measured[]): { lines: string[]; worst: number } {
  const [first, last] = [measured[0], measured.at(-1)];
  if (first === undefined || last === undefined) return { lines: [], worst: 0 };
  const costs: readonly [name: string, of: (measured: Measured) => number][] =
    dimension.unit === 'member'
      ? [
          ['join', ({ cost }) => cost.joinCpuMs],
          ['consume', ({ cost }) => cost.consumeCpuMs],
        ]
      : [
          ['produce', ({ cost }) => cost.produceCpuMs],
          ['consume', ({ cost }) => cost.consumeCpuMs + cost.joinCpuMs],
        ];
  const head = [dimension.name, ...costs.flatMap(([name]) => [`${name}, CPU ms`, `µs per ${dimension.unit}`])];
  head.push('join ms', 'resident MB');
  const rows = measured.map((each) => {
    const units = unitsOf(dimension, each.point);
    const cells = costs.flatMap(([, of]) => [of(each).toFixed(0), ((of(each) * 1000) / units).toPrecision(3)]);
    const { joinMs, residentMb } = each.cost;
    return `| ${[each.size.toLocaleString('en-US'), ...cells, joinMs.toFixed(0), residentMb.toFixed(0)].join(' | ')} |`;
  });
  const exponents = costs.map(([name, of]) => ({ name, value: exponent(first, last, of) }));
  const told = exponents.map(({ name, value }) => `${name} ${value.toFixed(2)}`).join(', ');
  const lines = [
    `## ${dimension.name}`,
    '',
    `| ${head.join(' | ')} |`,
    `| ${head.map(() => '---:').join(' | ')} |`,
    ...rows,
    '',
    `Exponent of the growth of the whole cost (1 is linear): ${told}.`,
    '',
  ];
  return { lines, worst: Math.max(...exponents.map(({ value }) => value)) };
}

// Above linear by so much is noise: a tenth over three orders of magnitude is a factor of two.
const tolerance = 1.1;

const only = flags.only?.split(',');
const text = [
  '# How cost grows',
  '',
  `CPU time of the client's process against the in-process cluster, which runs in a process of its own; medians of ${flags.rounds} interleaved rounds, Node ${process.version}.`,
  'Made by `node benchmarks/growth/run.ts`. Where nothing is said: one broker, one topic of 6 partitions, 300,000 records of 100 bytes in sends of 1,000, 20 of them in flight.',
  '',
];
const failed: string[] = [];
for (const dimension of dimensions) {
  if (only !== undefined && !only.some((word) => dimension.name.includes(word))) continue;
  const { lines, worst } = report(dimension, await measureAll(dimension));
  text.push(...lines);
  if (worst > tolerance) failed.push(`${dimension.name} (${worst.toFixed(2)})`);
}
await writeFile(new URL(`../results/${flags.output}.md`, import.meta.url), text.join('\n'));
process.stdout.write(text.join('\n'));
if (failed.length > 0) throw new Error(`The cost grows faster than linearly with ${failed.join(', ')}`);
