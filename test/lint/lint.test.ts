import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { withPlantedFolder } from '../support/planted-folder.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));

interface Outcome {
  readonly exitCode: number | string | null | undefined;
  readonly output: string;
}

function run(program: string, args: readonly string[], folder: string): Promise<Outcome> {
  const command = [join(repository, 'node_modules', program), ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: folder, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : error.code, output: stdout + stderr });
    });
  });
}

interface LintResult {
  readonly filePath: string;
  readonly messages: readonly { readonly ruleId: string | null; readonly message: string; readonly line: number }[];
}

/** The rules that ESLint reports, as `file:line rule`. */
async function lint(files: Readonly<Record<string, string>>): Promise<string[]> {
  return withPlantedFolder(files, async (folder) => {
    const { output } = await run('eslint/bin/eslint.js', ['src', '--format', 'json'], folder);
    const results = JSON.parse(output) as LintResult[];
    return results.flatMap(({ filePath, messages }) =>
      messages.map(({ ruleId, line, message }) => `${filePath.slice(folder.length + 1)}:${line} ${ruleId ?? message}`),
    );
  });
}

describe('eslint', { concurrency: 2 }, () => {
  it('reports nothing in clean code', async () => {
    assert.deepEqual(await lint({ 'src/clean.ts': 'export const clean = 1;\n' }), []);
  });

  it('finds a promise that nobody takes', async () => {
    const text = 'async function later(): Promise<void> {}\nexport function now(): void {\n  later();\n}\n';
    assert.deepEqual(await lint({ 'src/floating.ts': text }), [
      'src/floating.ts:3 @typescript-eslint/no-floating-promises',
    ]);
  });

  it('finds any, a non-null assertion, an enum and a default export', async () => {
    const text = [
      'export const loose: any = 1;',
      'export const first = (list: number[]): number => list[0]!;',
      'export enum Color {\n  Red,\n}',
      'export default loose;',
    ];
    assert.deepEqual(await lint({ 'src/loose.ts': `${text.join('\n')}\n` }), [
      'src/loose.ts:1 @typescript-eslint/no-explicit-any',
      'src/loose.ts:2 @typescript-eslint/no-non-null-assertion',
      'src/loose.ts:3 no-restricted-syntax',
      'src/loose.ts:6 no-restricted-syntax',
    ]);
  });

  it('finds a wait, a clock, chance, a timer and a Node module in a machine', async () => {
    const text = [
      "import { hostname } from 'node:os';",
      'export async function decide(answer: Promise<number>): Promise<number> {',
      '  return await answer;',
      '}',
      'export const now = (): number => Date.now();',
      'export const chance = (): number => Math.random();',
      'export const timer = (): unknown => setTimeout(hostname, 1);',
    ];
    assert.deepEqual(await lint({ 'src/network/handshake-machine.ts': `${text.join('\n')}\n` }), [
      'src/network/handshake-machine.ts:1 no-restricted-imports',
      'src/network/handshake-machine.ts:3 no-restricted-syntax',
      'src/network/handshake-machine.ts:5 no-restricted-properties',
      'src/network/handshake-machine.ts:6 no-restricted-properties',
      'src/network/handshake-machine.ts:7 no-restricted-globals',
    ]);
  });

  it('finds an enum and a default export in protocol code too', async () => {
    const text = 'export enum Color {\n  Red,\n}\nexport default Color;\n';
    assert.deepEqual(await lint({ 'src/protocol/color.ts': text }), [
      'src/protocol/color.ts:1 no-restricted-syntax',
      'src/protocol/color.ts:4 no-restricted-syntax',
    ]);
  });
});

describe('prettier', () => {
  async function check(text: string): Promise<Outcome> {
    return withPlantedFolder({ 'src/text.ts': text }, (folder) =>
      // The repository's .cache is ignored by git, and prettier heeds .gitignore: an empty one takes its place.
      run('prettier/bin/prettier.cjs', ['--check', 'src', '--ignore-path', join(folder, 'none')], folder),
    );
  }

  it('accepts what is formatted', async () => {
    assert.equal((await check("export const text = 'single';\n")).exitCode, 0);
  });

  it('finds what is not formatted', async () => {
    const { exitCode, output } = await check('export const text = "double"\n');
    assert.equal(exitCode, 1);
    assert.match(output, /src\/text\.ts/);
  });
});
