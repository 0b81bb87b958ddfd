import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { withPlantedFolder } from '../support/planted-folder.ts';
import { repository } from './snippets.ts';

/** Writes the reference of a small package with the repository's own settings; answers with what typedoc says. */
function typedoc(source: string): Promise<{ readonly failed: boolean; readonly output: string }> {
  const files = {
    'src/index.ts': source,
    'src/protocol/index.ts': '/** The number. */\nexport const number = 1;\n',
    'src/testing/index.ts': '/** Another number. */\nexport const other = 2;\n',
    'src/metrics/index.ts': '/** A third number. */\nexport const third = 3;\n',
    'README.md': '# Planted\n',
    'package.json': '{ "name": "kavka", "version": "1.0.0", "type": "module" }\n',
    'tsconfig.build.json': '{ "extends": "./tsconfig.json", "include": ["src"] }\n',
  };
  return withPlantedFolder(files, async (folder) => {
    await copyFile(join(repository, 'typedoc.json'), join(folder, 'typedoc.json'));
    const program = join(repository, 'node_modules/typedoc/bin/typedoc');
    return new Promise((resolve) => {
      execFile(process.execPath, [program, '--emit', 'none'], { cwd: folder }, (error, stdout, stderr) => {
        resolve({ failed: error !== null, output: stdout + stderr });
      });
    });
  });
}

describe('typedoc.json', () => {
  it('accepts what is documented', async () => {
    const { failed, output } = await typedoc('/** Says hello. */\nexport function hello(): void {}\n');
    assert.equal(failed, false, output);
  });

  it('refuses an export without a doc comment', async () => {
    const { failed, output } = await typedoc('export function hello(): void {}\n');
    assert.equal(failed, true);
    assert.match(output, /hello.*does not have any documentation/);
  });

  it('refuses a property without a doc comment', async () => {
    const { failed, output } = await typedoc(
      '/** A shape. */\nexport interface Shape {\n  readonly size: number;\n}\n',
    );
    assert.equal(failed, true);
    assert.match(output, /Shape\.size.*does not have any documentation/);
  });

  it('refuses a link that leads nowhere', async () => {
    const { failed, output } = await typedoc('/** See {@link Nothing}. */\nexport function hello(): void {}\n');
    assert.equal(failed, true);
    assert.match(output, /Nothing/);
  });
});
