import { execFile } from 'node:child_process';
import { existsSync, globSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/** Builds `dist`, which examples and README use as users do, unless it is newer than everything it is made from. */
export async function ensureBuilt(): Promise<void> {
  const entry = join(repository, 'dist/index.js');
  const sources = globSync(['src/**/*.ts', 'tsconfig*.json'], { cwd: repository });
  const newest = Math.max(...sources.map((source) => statSync(join(repository, source)).mtimeMs));
  if (existsSync(entry) && statSync(entry).mtimeMs > newest) return;
  await promisify(execFile)(process.execPath, ['tools/build.ts'], { cwd: repository });
}
