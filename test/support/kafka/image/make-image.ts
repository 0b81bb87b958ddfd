import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { cacheDirectory, kafkaJars } from '../jars.ts';

/** Everything that the image is made of; another recipe makes another image, and the old one is not used any more. */
const recipe = {
  suite: 'bookworm',
  packages: ['openjdk-17-jre-headless'],
  libs: '/opt/kafka/libs',
  revision: 1,
} as const;

export const recipeLabel = 'kavka.recipe';
export const recipeHash: string = createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 12);

export function localImage(version: string): string {
  return `kavka-test-broker:${version}`;
}

/**
 * Makes the local image with the broker of this version: a minimal Debian with Java, and the jars from Maven Central.
 *
 * For machines that reach no image registry. Takes about a minute the first time, seconds for a second version.
 */
export function makeImage(version: string, say: (line: string) => void): string {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    throw new Error('Cannot make the image: debootstrap needs root on Linux');
  const base = makeBase(say);
  const jars = kafkaJars(version, say);
  say(`Making the image ${localImage(version)}`);
  const container = docker('create', base, 'true');
  try {
    docker('cp', `${jars}/.`, `${container}:${recipe.libs}`);
    docker('commit', '--change', `LABEL ${recipeLabel}=${recipeHash}`, container, localImage(version));
  } finally {
    docker('rm', '--force', container);
  }
  return localImage(version);
}

/** Whether the image is there and of the recipe of today. */
export function isImageMade(version: string): boolean {
  return docker('images', '--quiet', '--filter', `label=${recipeLabel}=${recipeHash}`, localImage(version)) !== '';
}

function makeBase(say: (line: string) => void): string {
  const tag = `kavka-test-broker:base-${recipeHash}`;
  if (docker('images', '--quiet', tag) !== '') return tag;
  say(`Making a minimal Debian (${recipe.suite}) with Java`);
  mkdirSync(cacheDirectory, { recursive: true });
  const work = mkdtempSync(path.join(cacheDirectory, 'rootfs-'));
  const tree = path.join(work, 'tree');
  try {
    command('debootstrap', [
      '--variant=minbase',
      `--include=${recipe.packages.join(',')}`,
      recipe.suite,
      tree,
      ...debianMirror(),
    ]);
    const leaveOut = [
      './var/cache/apt/*',
      './var/lib/apt/lists/*',
      './usr/share/doc/*',
      './proc/*',
      './sys/*',
      './dev/*',
    ];
    // A name of its own until it is whole, so that one that was cut off is never taken for it.
    const partial = `${tag}-${randomBytes(4).toString('hex')}`;
    command('sh', [
      '-c',
      'tree=$1; tag=$2; dir=$3; shift 3; mkdir -p "$tree$dir"; tar -C "$tree" "$@" -cf - . | docker import - "$tag"',
      'import',
      tree,
      partial,
      recipe.libs,
      ...leaveOut.map((pattern) => `--exclude=${pattern}`),
    ]);
    docker('tag', partial, tag);
    docker('rmi', partial);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return tag;
}

/** The mirror that this machine's apt uses; without one debootstrap takes its own. */
function debianMirror(): string[] {
  const filters = ['--format', '$(REPO_URI)', `Codename: ${recipe.suite}`, 'Created-By: Packages'];
  const result = spawnSync('apt-get', ['indextargets', ...filters], { encoding: 'utf8' });
  const first = result.status === 0 ? result.stdout.split('\n')[0] : undefined;
  return first === undefined || first === '' ? [] : [first];
}

function docker(...args: readonly string[]): string {
  return command('docker', args);
}

function command(name: string, args: readonly string[]): string {
  const result = spawnSync(name, args, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (result.error !== undefined) throw new Error(`Cannot run "${name}": ${result.error.message}; install it`);
  if (result.status !== 0)
    throw new Error(
      `Cannot make the image: "${name} ${args[0] ?? ''}" failed\n${(result.stdout + result.stderr).slice(-3000)}`,
    );
  return result.stdout.trim();
}
