import assert from 'node:assert/strict';
import { existsSync, globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const pages = globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md', 'benchmarks/*.md', 'test/**/*.md'], {
  cwd: repository,
  exclude: (name) => name.includes('node_modules') || name === 'docs/api',
});

describe('Markdown pages', () => {
  it('link to files that exist', async () => {
    assert.ok(pages.length >= 10, `Only ${pages.length} pages were found`);
    const broken: string[] = [];
    for (const page of pages) {
      const text = await readFile(join(repository, page), 'utf8');
      for (const [, target = ''] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        if (!existsSync(join(repository, dirname(page), target))) broken.push(`${page} → ${target}`);
      }
    }
    assert.deepEqual(broken, []);
  });

  it('name files of the repository that exist', async () => {
    const gone: string[] = [];
    for (const page of pages) {
      const text = await readFile(join(repository, page), 'utf8');
      for (const [, path = ''] of text.matchAll(/`((?:src|test|tools|docs|examples|benchmarks)\/[\w./-]+)`/g)) {
        // Written by `npm run docs` and `npm run bench`.
        if (path.startsWith('docs/api') || path.startsWith('benchmarks/results')) continue;
        if (!existsSync(join(repository, path))) gone.push(`${page} → ${path}`);
      }
    }
    assert.deepEqual(gone, []);
  });
});
