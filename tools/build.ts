/**
 * Makes dist out of src, from nothing, so that no file of an earlier build stays in the package: the types file by file, the code bundled.
 *
 *     node tools/build.ts
 *     node tools/build.ts --unless-built    does nothing if dist is newer than all that it is made from
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, globSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { rollup, type Plugin } from '@rollup/wasm-node';

const root = path.resolve(import.meta.dirname, '..');
const dist = path.join(root, 'dist');
/** Where the compiler puts the modules that are bundled. */
const compiled = path.join(root, '.cache/build');

const { dependencies, peerDependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Record<
  'dependencies' | 'peerDependencies',
  Record<string, string>
>;
const packages = Object.keys({ ...dependencies, ...peerDependencies });

/** Hands the compiler's source maps on, so that those of the bundles lead to src. */
const withSourceMaps: Plugin = {
  name: 'source maps of the compiler',
  load: (file) => ({ code: readFileSync(file, 'utf8'), map: readFileSync(`${file}.map`, 'utf8') }),
};

/** One character beyond Latin-1, in a comment as well, and V8 keeps each character of the file in two bytes, for as long as the process lives. */
const inAscii: Plugin = {
  name: 'ASCII only',
  renderChunk: (code) => ({
    code: code.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
    map: null,
  }),
};

function isBuilt(): boolean {
  const entry = path.join(dist, 'index.js');
  const sources = globSync(['src/**/*.ts', 'tsconfig*.json', 'tools/build.ts'], { cwd: root });
  const newest = Math.max(...sources.map((source) => statSync(path.join(root, source)).mtimeMs));
  return existsSync(entry) && statSync(entry).mtimeMs > newest;
}

if (process.argv.includes('--unless-built') && isBuilt()) process.exit(0);

for (const folder of [dist, compiled]) rmSync(folder, { recursive: true, force: true });
const compiler = path.join(root, 'node_modules/typescript/bin/tsc');
const args = [compiler, '-p', 'tsconfig.build.json', '--outDir', compiled];
const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
cpSync(compiled, dist, { recursive: true, filter: (file) => statSync(file).isDirectory() || file.endsWith('.d.ts') });

const bundle = await rollup({
  // What package.json names. What several of them use goes into chunks, so that there is one of each class.
  input: Object.fromEntries(
    ['index', 'protocol/index', 'testing/index', 'metrics/index', 'cli/main'].map((entry) => [
      entry,
      path.join(compiled, `${entry}.js`),
    ]),
  ),
  external: (id) => id.startsWith('node:') || packages.some((name) => id === name || id.startsWith(`${name}/`)),
  plugins: [withSourceMaps, inAscii],
});
await bundle.write({
  dir: dist,
  format: 'es',
  entryFileNames: '[name].js',
  chunkFileNames: 'chunks/[name]-[hash].js',
  sourcemap: true,
  // Lines and names of src show in stack traces (node --enable-source-maps); its text is in the repository.
  sourcemapExcludeSources: true,
});
await bundle.close();
