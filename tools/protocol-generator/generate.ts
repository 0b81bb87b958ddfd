/**
 * Writes the protocol codec and the table of error codes from `definitions/`. Works offline.
 *
 *     node tools/protocol-generator/generate.ts           writes
 *     node tools/protocol-generator/generate.ts --check   exits 1 if a file differs from what would be written
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { printRelease, type GeneratedFile } from './print-file.ts';
import { readRelease } from './release-folder.ts';

const sourceFolder = fileURLToPath(new URL('../../src', import.meta.url));

/** The files below `root` that differ from the generated ones, are missing, or should not be there. */
export async function findDifferences(files: readonly GeneratedFile[], root: string): Promise<string[]> {
  const differing: string[] = [];
  for (const { path, text } of files) {
    const there = await readFile(join(root, path), 'utf8').catch(() => undefined);
    if (there !== text) differing.push(path);
  }
  return [...differing, ...(await findStrangers(files, root))];
}

async function findStrangers(files: readonly GeneratedFile[], root: string): Promise<string[]> {
  const expected = new Set(files.map(({ path }) => path));
  const there = await readdir(join(root, 'protocol/generated')).catch(() => []);
  return there.map((file) => `protocol/generated/${file}`).filter((path) => !expected.has(path));
}

async function write(files: readonly GeneratedFile[], root: string): Promise<void> {
  for (const path of await findStrangers(files, root)) await rm(join(root, path));
  for (const { path, text } of files) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
}

async function main(): Promise<void> {
  const files = printRelease(await readRelease());
  if (!process.argv.includes('--check')) {
    await write(files, sourceFolder);
    console.log(`Wrote ${files.length} files`);
    return;
  }
  const differing = await findDifferences(files, sourceFolder);
  if (differing.length === 0) {
    console.log(`All ${files.length} generated files are as the definitions say`);
    return;
  }
  console.error(
    `Generated files differ, run "npm run generate":\n${differing.map((path) => `  src/${path}`).join('\n')}`,
  );
  process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
