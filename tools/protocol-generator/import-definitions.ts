/**
 * Imports the facts of a Kafka release's messages and error codes into `definitions/`: names, types, versions, defaults, tags.
 *
 * Needs Java, Maven and the network; everything after it works offline. No text of Kafka's is kept.
 *
 *     node tools/protocol-generator/import-definitions.ts 4.4.0 && npm run generate
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseMessageJson, toDefinitions } from './kafka-json.ts';
import { fetchJars } from './maven.ts';
import { definitionsFolder, parseErrors, writeRelease } from './release-folder.ts';

const run = promisify(execFile);

async function main(version: string): Promise<void> {
  console.log(`Fetching kafka-clients ${version}`);
  const jars = await fetchJars([`org.apache.kafka:kafka-clients:${version}`, 'org.slf4j:slf4j-api:1.7.36']);
  const [jar = ''] = jars;
  const messages = (await readMessageTexts(jar)).map(parseMessageJson);
  const { stdout } = await run('java', [
    '-cp',
    jars.join(delimiter),
    fileURLToPath(new URL('ReleaseFacts.java', import.meta.url)),
  ]);
  const { definitions, removed } = toDefinitions(messages);
  const errors = parseErrors(stdout);
  await writeRelease(definitionsFolder, { version, definitions, removed, errors });
  console.log(`Wrote ${definitions.length} definitions and ${errors.length} error codes of Kafka ${version}`);
}

async function readMessageTexts(jar: string): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'kavka-definitions-'));
  try {
    await run('jar', ['xf', jar, 'common/message'], { cwd: folder });
    const messages = join(folder, 'common/message');
    const files = (await readdir(messages)).filter((file) => file.endsWith('.json')).sort();
    return await Promise.all(files.map((file) => readFile(join(messages, file), 'utf8')));
  } finally {
    await rm(folder, { recursive: true });
  }
}

const version = process.argv[2];
if (version === undefined) throw new Error('Cannot import definitions: name the Kafka version, for example 4.4.0');
await main(version);
