import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Runtime } from '../runtimes.ts';
import { countReport } from './count-report.ts';
import { countEvents, nothing, sum } from './counts.ts';
import type { Counts, TestDiagnostic, TestEvent } from './counts.ts';

export interface RunFileOptions {
  /** Where `file` is relative to, and where it runs. */
  readonly directory: string;
  readonly env: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
  /** What to run it on; default this Node. */
  readonly on?: { readonly runtime: Runtime['name']; readonly program: string; readonly flags: readonly string[] };
}

/** How a runtime is asked to run a file, and what it reports. */
interface Runner {
  arguments(file: string, reportFile: string): readonly string[];
  count(file: string, report: string): Counts;
}

const reporter = path.join(import.meta.dirname, 'reporter.mjs');

const runners: Readonly<Record<Runtime['name'], Runner>> = {
  Node: {
    arguments: (file, reportFile) => [`--test-reporter=${reporter}`, `--test-reporter-destination=${reportFile}`, file],
    count: (file, report) => countEvents(file, eventsOf(report)),
  },
  Bun: {
    // A test has five seconds there unless it is told otherwise; the file's own limit is enough.
    arguments: (file, reportFile) => [
      'test',
      '--timeout=3600000',
      '--reporter=junit',
      `--reporter-outfile=${reportFile}`,
      `./${file}`,
    ],
    count: countReport,
  },
  Deno: {
    arguments: (file, reportFile) => ['test', '--allow-all', '--no-check', `--junit-path=${reportFile}`, file],
    count: countReport,
  },
};

/**
 * Runs one test file in a process of its own.
 *
 * Not by `node --test`, which waits without end for a file that left a socket or timer open.
 */
export async function runTestFile(file: string, options: RunFileOptions): Promise<Counts> {
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'kavka-test-'));
  const reportFile = path.join(scratch, 'report');
  const { runtime, program, flags } = options.on ?? { runtime: 'Node', program: process.execPath, flags: [] };
  const runner = runners[runtime];
  try {
    const { code, output } = await run(program, [...flags, ...runner.arguments(file, reportFile)], options);
    if (options.env['SHOW_OUTPUT'] !== undefined) console.log(output);
    const report = readReport(reportFile);
    const counts = report === '' ? nothing : runner.count(file, report);
    const failure = verdict(counts, code, options.timeoutMs);
    if (failure === undefined && counts.failures.length === 0) return counts;
    const said = output === '' ? '' : `\n${output}`;
    if (failure !== undefined) return sum([counts, { ...nothing, failures: [{ where: file, what: failure + said }] }]);
    // What the file printed belongs to its first failure.
    const [first, ...rest] = counts.failures;
    return { ...counts, failures: first === undefined ? [] : [{ ...first, what: first.what + said }, ...rest] };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** What is wrong with the file as a whole. */
function verdict(counts: Counts, code: number | undefined, timeoutMs: number): string | undefined {
  if (code === undefined)
    return `did not end within ${timeoutMs / 1000} s: a test hangs, or something was left open (socket, timer, child process)`;
  if (counts.failures.length > 0) return undefined;
  if (code !== 0) return `ended with exit code ${code}, though no test failed`;
  if (counts.passed + counts.skips.length === 0) return 'ran no test';
  return undefined;
}

/** Nothing if it ended before the report began. */
function readReport(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function eventsOf(report: string): (TestEvent | TestDiagnostic)[] {
  const lines = report.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
  return lines.map((line) => JSON.parse(line) as TestEvent | TestDiagnostic);
}

export interface CommandOptions {
  readonly directory: string;
  readonly env: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
}

/** Runs a command with nothing on standard input; `code` is undefined if it had to be killed. */
export function run(
  command: string,
  args: readonly string[],
  { directory, env, timeoutMs }: CommandOptions,
): Promise<{ code: number | undefined; output: string }> {
  const child = spawn(command, args, { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    // Not `close`: a grandchild that outlives the test would keep the pipes open.
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      setImmediate(() => {
        child.stdout.destroy();
        child.stderr.destroy();
        resolve({
          code: isLate ? undefined : (code ?? (signal === null ? -1 : 128)),
          output: Buffer.concat(chunks).toString().trimEnd(),
        });
      });
    });
  });
}
