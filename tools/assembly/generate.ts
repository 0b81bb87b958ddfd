/**
 * Compiles the AssemblyScript of `assembly/` into WebAssembly, kept as text in TypeScript so that it goes wherever the code goes.
 *
 *     node tools/assembly/generate.ts           writes
 *     node tools/assembly/generate.ts --check   exits 1 if a file differs from what would be written
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const root = path.resolve(import.meta.dirname, '../..');
const compiler = path.join(root, 'node_modules/assemblyscript/bin/asc.js');

/** What is compiled, the folder of the layer that uses it, and what it is called there. */
const modules = [
  { source: 'crc32c-fold', folder: 'src/protocol/records/generated', name: 'crc32cFoldWasm' },
  { source: 'lz4-block', folder: 'src/compression/generated', name: 'lz4BlockWasm' },
  { source: 'snappy-block', folder: 'src/compression/generated', name: 'snappyBlockWasm' },
] as const;

/** Nothing is allocated in there, and nothing imported, not even what a failed assertion would call. */
const options = ['-O3', '--runtime', 'stub', '--enable', 'simd', '--initialMemory', '2', '--use', 'abort='];

async function compile(source: string): Promise<Buffer> {
  const outFile = path.join(root, '.cache/assembly', `${source}.wasm`);
  await mkdir(path.dirname(outFile), { recursive: true });
  await promisify(execFile)(
    process.execPath,
    [compiler, `assembly/${source}.ts`, '--outFile', path.relative(root, outFile), ...options],
    { cwd: root },
  );
  return readFile(outFile);
}

function print(source: string, name: string, wasm: Buffer): string {
  return `// Compiled from assembly/${source}.ts by tools/assembly/generate.ts: do not edit.\nexport const ${name} =\n  '${wasm.toString('base64')}';\n`;
}

const isCheck = process.argv.includes('--check');
for (const { source, folder, name } of modules) {
  const text = print(source, name, await compile(source));
  const file = path.join(folder, `${source}.ts`);
  const there = await readFile(path.join(root, file), 'utf8').catch(() => undefined);
  if (there === text) {
    console.log(`${file} is what assembly/${source}.ts becomes`);
  } else if (isCheck) {
    console.error(`${file} is not what assembly/${source}.ts becomes, run "npm run generate"`);
    process.exitCode = 1;
  } else {
    await mkdir(path.join(root, folder), { recursive: true });
    await writeFile(path.join(root, file), text);
    console.log(`Wrote ${file}`);
  }
}
