import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdir, rm, symlink } from 'node:fs/promises';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const compiled = path.join(root, '.cache/bench-js');

/**
 * Makes JavaScript of the process that runs one round, and answers with its path: Node's own compiler for types would take 18 MB of what is
 * measured as resident, and no service runs so.
 */
export async function compileWorkload(): Promise<string> {
  console.error('bench: compiling the program of a round …');
  await rm(compiled, { recursive: true, force: true });
  const contenders = readdirSync(path.join(root, 'benchmarks/contenders')).filter((name) => name.endsWith('.ts'));
  const sources = ['workload.ts', ...contenders.map((name) => `contenders/${name}`)];
  const options = ['--outDir', compiled, '--rootDir', root, '--noCheck', '--skipLibCheck', '--types', 'node'];
  const language = [
    '--module',
    'nodenext',
    '--target',
    'es2023',
    '--rewriteRelativeImportExtensions',
    '--ignoreConfig',
  ];
  const compiler = path.join(root, 'node_modules/typescript/bin/tsc');
  const files = sources.map((name) => path.join(root, 'benchmarks', name));
  execFileSync(process.execPath, [compiler, ...options, ...language, ...files], { cwd: root, stdio: 'inherit' });
  // What the sources name beside themselves stands where they expect it.
  await mkdir(path.join(compiled, '.cache'));
  for (const folder of ['dist', '.cache/bench-peers'])
    await symlink(path.join(root, folder), path.join(compiled, folder));
  return path.join(compiled, 'benchmarks/workload.js');
}
