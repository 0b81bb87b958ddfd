/** The Node releases that the package is tested on, fetched into an ignored folder. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** One release of each supported line; the first is the oldest that may run the package's tests. */
export const nodeVersions: readonly string[] = ['20.20.2', '22.23.3', '24.21.0', '26.10.0'];

const folder = fileURLToPath(new URL('../.cache/nodes/', import.meta.url));

/** The path of the program `node` of this version, installed on first use. */
export async function nodeBinary(version: string): Promise<string> {
  const home = join(folder, version);
  const binary = join(home, 'node_modules/node/bin/node');
  if (existsSync(binary)) return binary;
  await mkdir(folder, { recursive: true });
  const scratch = await mkdtemp(join(folder, 'fetching-'));
  try {
    // The script of this package puts the right binary in place; npm runs it only where it is allowed by name.
    await writeFile(join(scratch, 'package.json'), JSON.stringify({ private: true, allowScripts: { node: true } }));
    const flags = ['install', '--no-audit', '--no-fund', '--no-save', `node@${version}`];
    await promisify(execFile)('npm', flags, { cwd: scratch });
    // Another process may have been faster: then its folder is as good as ours.
    await rename(scratch, home).catch((error: unknown) => {
      if (!existsSync(binary)) throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return binary;
}
