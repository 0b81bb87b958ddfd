/** The folder `definitions/`: release.txt, errors.txt, and one file per API or schema. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseDefinition, printDefinition } from './definition-text.ts';
import type { ErrorDefinition, Release, RemovedApi } from './definition.ts';
import { kebab } from './names.ts';

export const definitionsFolder: string = fileURLToPath(new URL('definitions', import.meta.url));

const HEAD = '# Facts of Apache Kafka, written by tools/protocol-generator/import-definitions.ts: do not edit.\n';

export async function writeRelease(folder: string, release: Release): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const removed = release.removed.map(({ key, name }) => `removed ${key} ${name}\n`);
  await writeFile(join(folder, 'release.txt'), [HEAD, `kafka ${release.version}\n`, ...removed].join(''));
  await writeFile(join(folder, 'errors.txt'), HEAD + printErrors(release.errors));
  for (const definition of release.definitions) {
    await writeFile(join(folder, `${kebab(definition.name)}.txt`), HEAD + printDefinition(definition));
  }
}

export async function readRelease(folder: string = definitionsFolder): Promise<Release> {
  const files = (await readdir(folder)).filter((file) => file !== 'release.txt' && file !== 'errors.txt').sort();
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
  const definitions = texts.map((text, index) => {
    try {
      return parseDefinition(text);
    } catch (error) {
      throw new Error(`Cannot read ${files[index]}`, { cause: error });
    }
  });
  const { version, removed } = parseReleaseText(await readFile(join(folder, 'release.txt'), 'utf8'));
  return { version, removed, definitions, errors: parseErrors(await readFile(join(folder, 'errors.txt'), 'utf8')) };
}

function parseReleaseText(text: string): { version: string; removed: RemovedApi[] } {
  const lines = text.split('\n').map((line) => line.split(' '));
  const version = lines.find(([keyword]) => keyword === 'kafka')?.[1];
  if (version === undefined) throw new Error('Cannot read release.txt: it names no Kafka version');
  const removed = lines
    .filter(([keyword]) => keyword === 'removed')
    .map(([, key, name = '']) => ({ key: Number(key), name }));
  return { version, removed };
}

function printErrors(errors: readonly ErrorDefinition[]): string {
  return errors.map(({ code, name, retriable }) => `${code} ${name}${retriable ? ' retriable' : ''}\n`).join('');
}

export function parseErrors(text: string): ErrorDefinition[] {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const [code, name, retriable] = line.split(' ');
    if (code === undefined || !/^-?\d+$/.test(code) || name === undefined)
      throw new Error(`Cannot read the error code ${JSON.stringify(line)}`);
    return { code: Number(code), name, retriable: retriable === 'retriable' };
  });
}
