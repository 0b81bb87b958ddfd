import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { findDifferences } from '../../../../tools/protocol-generator/generate.ts';
import { printRelease } from '../../../../tools/protocol-generator/print-file.ts';
import { readCommittedRelease } from '../../../support/protocol/messages.ts';

describe('findDifferences', () => {
  it('finds none between the definitions and the committed files', async () => {
    const files = printRelease(await readCommittedRelease());
    assert.ok(files.length > 100);
    assert.deepEqual(await findDifferences(files, join(process.cwd(), 'src')), []);
  });

  it('exports every interface of a message, and each name once', async () => {
    const files = printRelease(await readCommittedRelease());
    const declared = files
      .filter(({ path }) => path.startsWith('protocol/'))
      .flatMap(({ text }) => [...text.matchAll(/^export interface (\w+)/gm)].map(([, name]) => name));
    const messages = files.find(({ path }) => path.endsWith('/messages.ts'))?.text ?? '';
    const exported = [...messages.matchAll(/^ {2}(\w+),$/gm)].map(([, name]) => name);
    assert.ok(declared.length > 500);
    assert.deepEqual(exported.sort(), declared.sort());
    assert.equal(new Set(exported).size, exported.length);
  });

  it('finds files that were edited, are missing, or should not be there', async () => {
    const root = await mkdtemp(join(tmpdir(), 'kavka-generate-'));
    try {
      await mkdir(join(root, 'protocol/generated'), { recursive: true });
      for (const name of ['same', 'edited', 'stranger'])
        await writeFile(join(root, `protocol/generated/${name}.ts`), name);
      const files = [
        { path: 'protocol/generated/same.ts', text: 'same' },
        { path: 'protocol/generated/edited.ts', text: 'original' },
        { path: 'protocol/generated/missing.ts', text: '' },
      ];
      assert.deepEqual(await findDifferences(files, root), [
        'protocol/generated/edited.ts',
        'protocol/generated/missing.ts',
        'protocol/generated/stranger.ts',
      ]);
    } finally {
      await rm(root, { recursive: true });
    }
  });
});

describe('docs/protocol.md', () => {
  it('shows a definition and its generated file as they are', async () => {
    const page = await readFile('docs/protocol.md', 'utf8');
    for (const shown of [
      'tools/protocol-generator/definitions/list-groups.txt',
      'src/protocol/generated/list-groups.ts',
    ]) {
      const text = await readFile(shown, 'utf8');
      assert.ok(page.includes(text.trim()), `docs/protocol.md does not show ${shown} as it is`);
    }
  });
});
