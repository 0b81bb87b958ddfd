import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** One file of an installed package. */
export interface PackageFile {
  readonly package: string;
  readonly path: string;
  readonly size: number;
}

/** Every file under a `node_modules` folder, with the package that it belongs to. */
export async function listPackageFiles(nodeModules: string): Promise<PackageFile[]> {
  const entries = await readdir(nodeModules, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
  return paths.map((path, index) => {
    const name = relative(nodeModules, path).replaceAll('\\', '/');
    return { package: packageOf(name), path: name, size: sizes[index] ?? 0 };
  });
}

/** `a/node_modules/@b/c/lib/d.js` belongs to `@b/c`: the innermost package. */
export function packageOf(path: string): string {
  const inner = path.slice(path.lastIndexOf('node_modules/') + (path.includes('node_modules/') ? 13 : 1));
  const parts = inner.split('/');
  return inner.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? inner);
}

/** What is added up per key. */
export interface Total {
  files: number;
  bytes: number;
}

/** Adds one file to its package's total. */
export function addFile(totals: Map<string, Total>, name: string, size: number): void {
  const total = totals.get(name);
  if (total === undefined) totals.set(name, { files: 1, bytes: size });
  else {
    total.files++;
    total.bytes += size;
  }
}

/** The totals, computed without Kafka. */
export function totalsOf(files: readonly PackageFile[]): Map<string, Total> {
  const totals = new Map<string, Total>();
  for (const file of files) addFile(totals, file.package, file.size);
  return totals;
}
