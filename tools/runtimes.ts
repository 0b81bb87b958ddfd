/** What the package is tested on, fetched from npm into an ignored folder. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export interface Runtime {
  readonly name: 'Node' | 'Bun' | 'Deno';
  readonly version: string;
}

/** One release of each supported line of Node; the first is the oldest that may run the package's tests. */
export const nodes: readonly Runtime[] = ['20.20.2', '22.23.3', '24.21.0', '26.10.0'].map((version) => ({
  name: 'Node',
  version,
}));

/** What else the client runs on. */
export const otherRuntimes: readonly Runtime[] = [
  { name: 'Bun', version: '1.4.5' },
  { name: 'Deno', version: '2.9.6' },
];

const programs: Readonly<Record<Runtime['name'], string>> = {
  Node: 'node_modules/node/bin/node',
  Bun: 'node_modules/bun/bin/bun.exe', // so named on every system
  Deno: 'node_modules/.bin/deno',
};

/** A runtime as it is called on the command line: a Node by its version alone, the others as `bun` and `deno`. */
export function findRuntime(called: string): Runtime {
  const all = [...nodes, ...otherRuntimes];
  const found = all.find(({ name, version }) => [version, name.toLowerCase()].includes(called.toLowerCase()));
  return found ?? { name: 'Node', version: called };
}

/** The path of the program, installed on first use. */
export async function programOf({ name, version }: Runtime): Promise<string> {
  const folder = fileURLToPath(new URL(`../.cache/${name.toLowerCase()}s/`, import.meta.url));
  const home = join(folder, version);
  const program = join(home, programs[name]);
  if (existsSync(program)) return program;
  await mkdir(folder, { recursive: true });
  const scratch = await mkdtemp(join(folder, 'fetching-'));
  try {
    const packageName = name.toLowerCase();
    // The script of such a package puts the right program in place; npm runs it only where it is allowed by name.
    await writeFile(
      join(scratch, 'package.json'),
      JSON.stringify({ private: true, allowScripts: { [packageName]: true } }),
    );
    const flags = ['install', '--no-audit', '--no-fund', '--no-save', `${packageName}@${version}`];
    await promisify(execFile)('npm', flags, { cwd: scratch });
    // Another process may have been faster: then its folder is as good as ours.
    await rename(scratch, home).catch((error: unknown) => {
      if (!existsSync(program)) throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return program;
}
