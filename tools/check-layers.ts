/**
 * Checks the import directions of src against .dependency-cruiser.js.
 *
 * Also fails when dependency-cruiser saw fewer modules than there are files: with a TypeScript release that it does not
 * know it sees none, and reports success.
 *
 *     node tools/check-layers.ts
 */
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One import that the rules forbid. */
export interface LayerViolation {
  readonly rule: string;
  readonly from: string;
  readonly to: string;
}

/** What the check saw. */
export interface LayerReport {
  readonly files: number;
  readonly modules: number;
  readonly violations: readonly LayerViolation[];
}

interface CruiseResult {
  readonly modules: readonly { readonly source: string }[];
  readonly summary: {
    readonly violations: readonly {
      readonly rule: { readonly name: string };
      readonly from: string;
      readonly to: string;
    }[];
  };
}

const repository = fileURLToPath(new URL('..', import.meta.url));

/** Runs the rules over `<root>/src`; `root` holds a tsconfig.json. */
export async function checkLayers(root: string = repository): Promise<LayerReport> {
  const files = await sourceFiles(root);
  const result = await cruise(root);
  const seen = new Set(result.modules.map((module) => module.source).filter((source) => source.startsWith('src/')));
  const missed = files.filter((file) => !seen.has(file));
  if (files.length === 0) throw new Error(`Cannot check the layers of ${root}: it has no source files`);
  if (missed.length > 0) {
    throw new Error(
      `Cannot check the layers: dependency-cruiser saw ${seen.size} of ${files.length} files, not for example ${missed[0]}`,
    );
  }
  const violations = result.summary.violations.map(({ rule, from, to }) => ({ rule: rule.name, from, to }));
  return { files: files.length, modules: seen.size, violations };
}

async function sourceFiles(root: string): Promise<string[]> {
  const entries = await readdir(join(root, 'src'), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'));
}

function cruise(root: string): Promise<CruiseResult> {
  const program = join(repository, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
  const config = join(repository, '.dependency-cruiser.js');
  const args = [program, 'src', '--config', config, '--output-type', 'json', '--no-progress'];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd: root, maxBuffer: 256 * 1024 * 1024 }, (error, stdout, stderr) => {
      try {
        resolve(JSON.parse(stdout) as CruiseResult);
      } catch {
        reject(new Error(`Cannot check the layers: dependency-cruiser failed; ${stderr}`));
      }
    });
  });
}

async function main(): Promise<void> {
  const report = await checkLayers();
  for (const { rule, from, to } of report.violations) console.error(`${rule}: ${from} → ${to}`);
  console.log(`layers: ${report.modules} modules of ${report.files} files, ${report.violations.length} violations`);
  if (report.violations.length > 0) process.exitCode = 1;
}

if (import.meta.main) await main();
