import { cpSync, rmSync } from 'node:fs';
import path from 'node:path';
import { nodeBinary } from '../node-versions.ts';
import { nothing, sum } from './counts.ts';
import type { Counts, Failure } from './counts.ts';
import { run, runTestFile } from './run-file.ts';
import type { StageRun } from './run-stage.ts';
import { runWithSecondAttempt } from './second-attempt.ts';
import { filesOf, root } from './stages.ts';

const compiled = path.join(root, '.cache/matrix');

/** What is about the client, not about our tools, which run on the bundled Node only. */
const suites = {
  name: 'matrix',
  what: '',
  files: ['test/unit/**/*.test.ts', 'test/conformance/**/*.test.ts', 'test/behaviour/**/*.test.ts'],
  exclude: ['test/unit/tools/**', 'test/unit/support/**'],
};

/** Compiles everything once and runs the suites on each version. */
export async function runMatrix(versions: readonly string[], { env, only }: StageRun): Promise<Counts> {
  const failure = await compile(env);
  const results: Counts[] = failure === undefined ? [] : [failure];
  const files = filesOf(suites, only).map((file) => file.replace(/\.ts$/, '.js'));
  for (const version of versions) {
    const begun = performance.now();
    const counts = await runOn(version, files, env);
    console.log(
      `  Node ${version}: ${counts.passed} passed, ${counts.failures.length} failed, ${counts.skips.length} skipped (${((performance.now() - begun) / 1000).toFixed(1)} s)`,
    );
    results.push(counts);
  }
  return sum(results);
}

async function compile(env: NodeJS.ProcessEnv): Promise<Counts | undefined> {
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
  if (code === 0) return undefined;
  return { ...nothing, failures: [{ where: 'compiling the tests', what: output }] };
}

async function runOn(version: string, files: readonly string[], env: NodeJS.ProcessEnv): Promise<Counts> {
  let node: string;
  try {
    node = await nodeBinary(version);
  } catch (error) {
    const reason = `the npm package node@${version} cannot be fetched: ${error instanceof Error ? error.message.split('\n')[0] : ''}`;
    return { ...nothing, skips: [{ where: `Node ${version}`, reason }] };
  }
  const counts = await runWithSecondAttempt(files, 2, (file) =>
    runTestFile(file, {
      directory: compiled,
      env,
      timeoutMs: 600_000,
      node,
      nodeArguments: ['--enable-source-maps'],
    }),
  );
  return onVersion(counts, version);
}

function onVersion(counts: Counts, version: string): Counts {
  const named = (failures: readonly Failure[]): Failure[] =>
    failures.map((failure) => ({ ...failure, where: `Node ${version} ${failure.where}` }));
  return { ...counts, failures: named(counts.failures), unsteady: named(counts.unsteady) };
}
