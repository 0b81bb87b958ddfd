import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

// The compiled test runs beside the compiled client.
const extension = path.extname(import.meta.filename);
const root = path.join(import.meta.dirname, '../..');
const entry = pathToFileURL(path.join(root, `src/index${extension}`)).href;

/**
 * Runs a module in a process of its own, in which `kafka` is a client of these brokers; gives what it prints.
 *
 * It stands in a file below the project, since Deno takes no module as an argument in the way of Node, and looks for packages from there.
 */
export async function runClientScript(
  bootstrapServers: readonly string[],
  body: string,
  flags: readonly string[] = [],
): Promise<{ stdout: string; stderr: string }> {
  const parent = path.join(root, '.cache/scripts');
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(path.join(parent, 'script-'));
  try {
    const file = path.join(folder, 'script.mjs');
    const head = `import { Kafka } from ${JSON.stringify(entry)}; const kafka = new Kafka({ bootstrapServers: ${JSON.stringify(bootstrapServers)} });`;
    await writeFile(file, `${head}\n${body}`);
    return await promisify(execFile)(process.execPath, [...flags, file], { timeout: 60_000 });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
