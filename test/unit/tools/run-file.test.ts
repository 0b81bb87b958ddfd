import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import type { Counts } from '../../../tools/test/counts.ts';
import { runTestFile } from '../../../tools/test/run-file.ts';

const directory = mkdtempSync(path.join(os.tmpdir(), 'kavka-run-file-'));
after(() => {
  rmSync(directory, { recursive: true });
});

/** The planted file runs without what this process's own test runner put into the environment. */
async function runPlanted(source: string, timeoutMs = 60_000): Promise<Counts> {
  writeFileSync(path.join(directory, 'planted.test.mjs'), `import { describe, it } from 'node:test';\n${source}`);
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('NODE_TEST')));
  return await runTestFile('planted.test.mjs', { directory, env, timeoutMs });
}

describe('runTestFile', () => {
  it('counts what passed, and what was skipped with its reason', async () => {
    const counts = await runPlanted(
      `it('a', () => {}); describe('b', { skip: 'no broker' }, () => { it('c', () => {}); });`,
    );
    assert.equal(counts.passed, 1);
    assert.deepEqual(counts.failures, []);
    assert.deepEqual(
      counts.skips.map((skip) => skip.reason),
      ['no broker'],
    );
  });

  it('tells of a failed test what it threw and what the file printed', async () => {
    const counts = await runPlanted(`it('a', () => { console.log('seed 17'); throw new Error('planted defect'); });`);
    assert.equal(counts.failures.length, 1);
    assert.match(counts.failures[0]?.what ?? '', /planted defect[^]*seed 17/);
  });

  it('tells of a failed test the diagnostics that were its own', async () => {
    const counts = await runPlanted(
      `it('a', (context) => { context.diagnostic('told by a'); });
       it('b', (context) => { context.diagnostic('3 jobs left'); context.diagnostic('seed 4'); throw new Error('planted'); });`,
    );
    assert.match(counts.failures[0]?.what ?? '', /planted[^]*3 jobs left\nseed 4$/);
    assert.doesNotMatch(counts.failures[0]?.what ?? '', /told by a|duration_ms/);
  });

  it('fails a file that ran no test', async () => {
    const counts = await runPlanted('');
    assert.match(counts.failures[0]?.what ?? '', /ran no test/);
  });

  it('fails a file that cannot be loaded', async () => {
    const counts = await runPlanted(`throw new Error('not to be loaded');`);
    assert.match(counts.failures[0]?.what ?? '', /exit code 1[^]*not to be loaded/);
  });

  it('fails a file whose tests pass but that ends with another exit code', async () => {
    const counts = await runPlanted(`it('a', () => {}); process.on('exit', () => { process.exitCode = 3; });`);
    assert.equal(counts.failures.length, 1);
  });

  it('fails a file that leaves something open', async () => {
    const counts = await runPlanted(`it('a', () => {}); setInterval(() => {}, 1000);`, 3000);
    assert.match(counts.failures[0]?.what ?? '', /left open/);
  });
});
