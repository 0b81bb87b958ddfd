/**
 * Runs before `npm test` and `npm start`, under any Node from 20 on and with nothing installed: installs when
 * node_modules is not what package-lock.json says, then makes sure that the scripts will run on the Node that came with it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** Why node_modules is not what the lock file says, or undefined. npm writes the second file at the end of an install. */
function whyInstall() {
  const installedFile = path.join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installedFile)) return 'nothing is installed yet';
  const wanted = packagesOf(path.join(root, 'package-lock.json'));
  const installed = packagesOf(installedFile);
  for (const [place, entry] of Object.entries(wanted)) {
    if (place === '') continue;
    const found = installed[place];
    if (found === undefined && entry.optional === true) continue;
    if (found?.version !== entry.version)
      return `${place} is ${found?.version ?? 'missing'} and should be ${entry.version}`;
  }
  return undefined;
}

function packagesOf(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages;
}

/** The version of the Node that npm puts first on the path of scripts. */
function scriptsNode() {
  const name = process.platform === 'win32' ? 'node.cmd' : 'node';
  const result = spawnSync(path.join(root, 'node_modules', '.bin', name), ['--version'], {
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

function npmCi() {
  // The npm that runs this script, if one does: the one on the path may be another.
  const own = process.env.npm_execpath;
  const [command, ...args] = own === undefined ? ['npm'] : [process.execPath, own];
  return spawnSync(command, [...args, 'ci', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: 'inherit',
    shell: own === undefined && process.platform === 'win32',
  });
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

const major = Number(process.versions.node.split('.')[0]);
if (major < 20) fail(`Cannot work on Node ${process.version}: install Node 20.19 or later`);

const reason = whyInstall();
if (reason !== undefined) {
  console.log(`Installing what package-lock.json names (${reason})`);
  const result = npmCi();
  if (result.status !== 0) fail('Cannot install: "npm ci" failed; see above');
}

const wantedNode = packagesOf(path.join(root, 'package-lock.json'))['node_modules/node'].version;
const node = scriptsNode();
if (node !== `v${wantedNode}`)
  fail(
    `Cannot use the Node ${wantedNode} that the package "node" brings: ${node === undefined ? 'it is not there' : `scripts would run on ${node}`}; ` +
      'let npm run its install script (allowScripts in package.json) and try "rm -rf node_modules && npm ci"',
  );
