import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Where the peers are installed: outside of the package, ignored by git. */
export const peersFolder: URL = new URL('../.cache/bench-peers/', import.meta.url);

/** The exact versions that are measured. */
export const peers: Readonly<Record<string, string>> = {
  '@platformatic/kafka': '2.12.1',
  'kafka-ts': '1.5.0',
  kafkajs: '2.2.4',
  // Not a client: the processor's own instruction for checksums.
  '@node-rs/crc32': '1.10.8',
};

/** Installs the peers unless they are there in the right versions. */
export async function installPeers(): Promise<void> {
  if (Object.entries(peers).every(([name, version]) => installedVersion(name) === version)) return;
  console.error('bench: installing the peers into .cache/bench-peers …');
  await mkdir(peersFolder, { recursive: true });
  await writeFile(
    new URL('package.json', peersFolder),
    JSON.stringify({ private: true, dependencies: peers }, null, 2),
  );
  const flags = ['install', '--no-audit', '--no-fund', '--ignore-scripts'];
  await promisify(execFile)('npm', flags, { cwd: fileURLToPath(peersFolder) });
}

function installedVersion(name: string): string | undefined {
  const path = new URL(`node_modules/${name}/package.json`, peersFolder);
  if (!existsSync(path)) return undefined;
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}
