import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { ensureBuilt } from '../support/built.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';
import { repository, snippets } from './snippets.ts';

const kafka = await kafkaUnderTest({ brokers: 1 });
const stories = snippets().filter(({ page, language }) => page === 'README.md' && language === 'js');
const expected = [
  /^orders-\w+ has 6 partitions$/m,
  /o-1 is in partition \d at offset 0/,
  /3 orders, 61 in all/,
  /^written once$/m,
];

describe('README.md', { skip: kafka.skip }, () => {
  const run = Date.now().toString(36);
  let folder = '';
  before(async () => {
    await ensureBuilt();
    // Inside of the repository, so that `kavka` is the package that this is.
    await mkdir(join(repository, '.cache'), { recursive: true });
    folder = await mkdtemp(join(repository, '.cache/readme-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('tells four stories', () => assert.equal(stories.length, expected.length));

  // In their order: the second writes into the topic that the first makes, the third reads it.
  for (const [index, story] of stories.entries()) {
    it(`story ${index + 1} (line ${story.line}) does what it says`, async () => {
      const code = story.code
        .replaceAll('localhost:9092', kafka.bootstrapServers[0] ?? '')
        .replaceAll("'orders'", `'orders-${run}'`)
        .replaceAll("'billing'", `'billing-${run}'`);
      const file = join(folder, `story-${index}.mjs`);
      await writeFile(file, code);
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [file], { timeout: 120_000 });
      assert.equal(stderr, '');
      assert.match(stdout, expected[index] ?? /never/);
    });
  }
});
