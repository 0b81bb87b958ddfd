import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
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
