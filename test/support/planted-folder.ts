import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Makes a folder with the repository's own settings and the files given, calls `use` with its path, and removes it.
 *
 * It lies inside of the repository, so that the packages of node_modules are found from it.
 */
export async function withPlantedFolder<T>(
  files: Readonly<Record<string, string>>,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const parent = join(repository, '.cache/planted');
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, 'planted-'));
  try {
    for (const settings of ['tsconfig.json', 'eslint.config.js', '.prettierrc.json']) {
      await copyFile(join(repository, settings), join(folder, settings));
    }
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
    }
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
