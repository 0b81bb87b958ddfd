import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/** Builds `dist`, which examples and README use as users do, unless it is newer than everything it is made from. */
export async function ensureBuilt(): Promise<void> {
  await promisify(execFile)(process.execPath, ['tools/build.ts', '--unless-built'], { cwd: repository });
}
