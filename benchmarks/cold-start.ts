/**
 * What it takes to begin: how long `import` takes, until the first record is acknowledged and read on a real broker, how large the
 * package is, and what comes with it.
 *
 *     npm run build && node benchmarks/cold-start.ts [--rounds 9] [--output cold-start]
 *
 * Each round in a process of its own, as users have it: compiled, without a compile cache. Results go to
 * benchmarks/results/cold-start.md.
 */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import type * as Front from '../src/index.ts';
import { startKafka } from '../test/support/kafka/start-kafka.ts';
import { installPeers } from './install-peers.ts';
import type { Start } from './cold-start-child.ts';
import { median } from './report.ts';

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    output: { type: 'string', default: 'cold-start' },
  },
});
const run = promisify(execFile);
const root = path.resolve(import.meta.dirname, '..');
const child = path.join(import.meta.dirname, 'cold-start-child.ts');
const entry = new URL(process.env['KAVKA_ENTRY'] ?? '../dist/index.js', import.meta.url);

async function packed(folder: string): Promise<{ packedKb: number; unpackedKb: number; files: number }> {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: folder });
  const [{ size, unpackedSize, entryCount }] = JSON.parse(stdout) as [
    { size: number; unpackedSize: number; entryCount: number },
  ];
  return { packedKb: size / 1024, unpackedKb: unpackedSize / 1024, files: entryCount };
}

async function main(): Promise<void> {
  await installPeers();
  const cluster = await startKafka({ brokers: 1, listeners: ['plaintext'] });
  try {
    const bootstrap = cluster.description.listeners.plaintext?.join(',') ?? '';
    const { Kafka } = (await import(entry.href)) as typeof Front;
    const kafka = new Kafka({ bootstrapServers: bootstrap.split(',') });
    const found = new Map<string, Start[]>(['kavka', 'kafkajs'].map((name) => [name, []]));
    for (let round = 0; round < Number(flags.rounds); round++) {
      for (const [name, starts] of found) {
        const topic = `cold-${Date.now().toString(36)}-${name}`;
        await kafka.admin().createTopics({ topic, partitions: 1, replicationFactor: 1 });
        const { stdout } = await run(process.execPath, [child, name, bootstrap, topic]);
        starts.push(JSON.parse(stdout) as Start);
      }
    }
    await kafka.close();
    const text = await report(found, cluster.description.version);
    await writeFile(new URL(`results/${flags.output}.md`, import.meta.url), text);
    process.stdout.write(text);
  } finally {
    await cluster.close();
  }
}

async function report(found: ReadonlyMap<string, readonly Start[]>, version: string): Promise<string> {
  const rows = [...found].map(([name, starts]) => {
    const of = (figure: keyof Start): string => median(starts.map((start) => start[figure])).toFixed(0);
    return `| ${name} | ${of('imported')} | ${of('acknowledged')} | ${of('read')} | ${of('residentMb')} |`;
  });
  const { packedKb, unpackedKb, files } = await packed(root);
  return [
    '# Cold start',
    '',
    `Medians of ${flags.rounds} interleaved rounds, each in a process of its own; Kafka ${version} on the same machine, Node ${process.version}, no compile cache.`,
    'Made by `node benchmarks/cold-start.ts`. In milliseconds from the beginning of the import; kafkajs reads in groups only, so its first record comes after joining one.',
    '',
    '| | imported | first record acknowledged | first record read | resident MB after the import |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...rows,
    '',
    `The package: ${packedKb.toFixed(0)} KiB packed, ${unpackedKb.toFixed(0)} KiB unpacked, ${files} files.`,
    '',
  ].join('\n');
}

await main();
