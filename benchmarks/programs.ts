/** Contenders in other languages: each a program of ours around their client, made ready here, that takes a job and prints a measurement. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { javaArguments, kafkaJars } from '../test/support/kafka/jars.ts';
import { defaultKafkaVersion } from '../test/support/kafka/options.ts';

const run = promisify(execFile);
const sources = path.join(import.meta.dirname, 'contenders');
/** Ignored by git, beside the peers from npm. */
const built = path.join(import.meta.dirname, '../.cache/bench-peers');

/** The command of a program, to which the job is added. */
export type Command = readonly [program: string, ...args: string[]];

/** How each is made ready; what one throws says why it cannot be measured on this machine. */
export const programs: Readonly<Record<string, () => Promise<Command>>> = { 'franz-go': franzGo, librdkafka, java };

/** The stories that the programs have. */
export const programWorkloads: readonly string[] = ['bulk', 'singles', 'awaited', 'consume'];

/** The exact version of Python's binding; librdkafka is inside. */
const confluentKafka = 'confluent-kafka==2.16.1';

async function franzGo(): Promise<Command> {
  const source = path.join(sources, 'franz-go');
  const program = path.join(built, 'franz-go');
  if (await isOlder(program, path.join(source, 'main.go'), path.join(source, 'go.mod'))) {
    await mkdir(built, { recursive: true });
    await firstThatRuns(['go', '/usr/local/go/bin/go'], ['build', '-o', program, '.'], source);
  }
  return [program];
}

async function librdkafka(): Promise<Command> {
  const folder = path.join(built, 'python');
  const python = path.join(folder, 'bin/python');
  if (!existsSync(path.join(folder, 'ready'))) {
    await run('python3', ['-m', 'venv', folder]);
    // Only as a wheel: to compile it would need the library's headers.
    await run(python, ['-m', 'pip', 'install', '--quiet', '--only-binary', ':all:', confluentKafka]);
    await mkdir(path.join(folder, 'ready'));
  }
  return [python, path.join(sources, 'librdkafka/main.py')];
}

async function java(): Promise<Command> {
  const jars = kafkaJars(defaultKafkaVersion, (line) => console.error(line));
  const source = path.join(sources, 'java/Bench.java');
  const classes = path.join(built, 'java');
  if (await isOlder(path.join(classes, 'Bench.class'), source)) {
    await mkdir(classes, { recursive: true });
    await run('javac', ['-d', classes, '-cp', `${jars}/*`, source]);
  }
  const args = javaArguments(jars, '512m', 'warn');
  return ['java', ...args.slice(0, -1), `${classes}:${args.at(-1) ?? ''}`, 'Bench'];
}

async function isOlder(target: string, ...from: readonly string[]): Promise<boolean> {
  if (!existsSync(target)) return true;
  const madeMs = (await stat(target)).mtimeMs;
  const changed = await Promise.all(from.map(async (file) => (await stat(file)).mtimeMs));
  return changed.some((ms) => ms > madeMs);
}

/** The tool chain is often installed outside of PATH. */
async function firstThatRuns(names: readonly string[], args: readonly string[], cwd: string): Promise<void> {
  for (const [at, name] of names.entries()) {
    try {
      await run(name, args, { cwd, env: { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly' } });
      return;
    } catch (error) {
      const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (!isMissing || at === names.length - 1) throw error;
    }
  }
}
