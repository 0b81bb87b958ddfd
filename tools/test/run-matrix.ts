import { cpSync, rmSync } from 'node:fs';
import path from 'node:path';
import { programOf, type Runtime } from '../runtimes.ts';
import { nothing, sum } from './counts.ts';
import type { Counts, Failure } from './counts.ts';
import { run, runTestFile } from './run-file.ts';
import { runWithSecondAttempt } from './second-attempt.ts';
import { root } from './stages.ts';

const compiled = path.join(root, '.cache/matrix');
/** One more than the machines have cores: some of the files wait for brokers. */
const CONCURRENCY = 3;

export interface MatrixRun {
  readonly env: NodeJS.ProcessEnv;
  /** Test files below the repository. */
  readonly files: readonly string[];
}

let compilation: Promise<Counts> | undefined;

/** Compiles all tests once and runs these on each runtime. */
export async function runMatrix(runtimes: readonly Runtime[], { env, files }: MatrixRun): Promise<Counts> {
  const results = [await (compilation ??= compile(env))];
  const compiledFiles = files.map((file) => file.replace(/\.ts$/, '.js'));
  for (const runtime of runtimes) {
    const begun = performance.now();
    const counts = await runOn(runtime, compiledFiles, env);
    console.log(
      `  ${nameOf(runtime)}: ${counts.passed} passed, ${counts.failures.length} failed, ${counts.skips.length} skipped (${((performance.now() - begun) / 1000).toFixed(1)} s)`,
    );
    results.push(counts);
  }
  return sum(results);
}

async function compile(env: NodeJS.ProcessEnv): Promise<Counts> {
  rmSync(compiled, { recursive: true, force: true });
  // Whatever the tests read besides modules lies beside them; what is not the compiler's is copied.
  cpSync(path.join(root, 'test'), path.join(compiled, 'test'), {
    recursive: true,
    filter: (source) => !source.endsWith('.ts'),
  });
  const others = [
    'package.json',
    'tools/test/reporter.mjs',
    'tools/protocol-generator/definitions',
    'tools/vectors/RecordBatchVectors.java',
    'docs/protocol-versions.md',
  ];
  for (const file of others) cpSync(path.join(root, file), path.join(compiled, file), { recursive: true });
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
  const flags = [
    '-p',
    'tsconfig.json',
    '--noEmit',
    'false',
    '--declaration',
    'false',
    '--isolatedDeclarations',
    'false',
  ];
  const { code, output } = await run(process.execPath, [tsc, ...flags, '--outDir', compiled, '--rootDir', '.'], {
    directory: root,
    env,
    timeoutMs: 600_000,
  });
  if (code === 0) return nothing;
  return { ...nothing, failures: [{ where: 'compiling the tests', what: output }] };
}

async function runOn(runtime: Runtime, files: readonly string[], env: NodeJS.ProcessEnv): Promise<Counts> {
  let program: string;
  try {
    program = await programOf(runtime);
  } catch (error) {
    const reason = `its npm package cannot be fetched: ${error instanceof Error ? error.message.split('\n')[0] : ''}`;
    return { ...nothing, skips: [{ where: nameOf(runtime), reason }] };
  }
  const flags = runtime.name === 'Node' ? ['--enable-source-maps'] : [];
  const on = { runtime: runtime.name, program, flags };
  const counts = await runWithSecondAttempt(files, CONCURRENCY, (file) =>
    runTestFile(file, { directory: compiled, env: { ...env, NO_COLOR: '1' }, timeoutMs: 600_000, on }),
  );
  const named = (failures: readonly Failure[]): Failure[] =>
    failures.map((failure) => ({ ...failure, where: `${nameOf(runtime)} ${failure.where}` }));
  return { ...counts, failures: named(counts.failures), unsteady: named(counts.unsteady) };
}

function nameOf({ name, version }: Runtime): string {
  return `${name} ${version}`;
}
