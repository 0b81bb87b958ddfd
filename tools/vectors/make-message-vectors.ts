/**
 * Makes the golden messages of `test/conformance/vectors/` with Kafka's own classes, and docs/protocol-versions.md.
 *
 * Needs Java and Maven; the tests that read the vectors do not.
 *
 *     node tools/vectors/make-message-vectors.ts           writes
 *     node tools/vectors/make-message-vectors.ts --check   exits 1 if what is committed differs
 */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzipSync, gzipSync } from 'node:zlib';
import { fetchJars } from '../protocol-generator/maven.ts';
import { readRelease } from '../protocol-generator/release-folder.ts';
import { javaFlags } from './record-batch-java.ts';
import { parseReleaseApis, printVersionsPage } from './versions-page.ts';

/** Every vector is made from it; it stands in the first line of the file. */
const SEED = 20_260_101;

/** The newest release that there is a complete broker of. */
const BROKER_VERSION = '4.3.1';

const run = promisify(execFile);
const repository = new URL('../../', import.meta.url);

interface Output {
  readonly path: string;
  readonly text: string;
}

async function makeOutputs(): Promise<Output[]> {
  const release = await readRelease();
  const vectors = await runJava(release.version, ['vectors', String(SEED)]);
  const brokerApis = await runJava(BROKER_VERSION, ['versions']);
  const head = JSON.stringify({ kafka: release.version, seed: SEED });
  const page = printVersionsPage(release, BROKER_VERSION, parseReleaseApis(brokerApis));
  return [
    { path: 'test/conformance/vectors/messages.jsonl.gz', text: `${head}\n${vectors}` },
    { path: `test/conformance/vectors/kafka-${BROKER_VERSION}-apis.jsonl`, text: brokerApis },
    { path: 'docs/protocol-versions.md', text: page },
  ];
}

async function runJava(kafkaVersion: string, args: readonly string[]): Promise<string> {
  const jackson = ['databind', 'core', 'annotations'].map(
    (part) => `com.fasterxml.jackson.core:jackson-${part}:2.19.0`,
  );
  const jars = await fetchJars([
    `org.apache.kafka:kafka-clients:${kafkaVersion}`,
    'org.slf4j:slf4j-api:1.7.36',
    ...jackson,
  ]);
  const program = fileURLToPath(new URL('MessageVectors.java', import.meta.url));
  // Without a logging backend slf4j says so on standard error, which is not looked at.
  const { stdout } = await run('java', [...javaFlags, '-cp', jars.join(delimiter), program, ...args], {
    maxBuffer: 256 * 1024 * 1024,
  });
  return stdout;
}

async function main(): Promise<void> {
  const outputs = await makeOutputs();
  if (process.argv.includes('--check')) {
    const differing: string[] = [];
    for (const { path, text } of outputs) if ((await readCommitted(path)) !== text) differing.push(path);
    for (const path of differing)
      console.error(`${path} differs from what Kafka's classes make; run tools/vectors/make-message-vectors.ts`);
    if (differing.length > 0) process.exitCode = 1;
    else console.log(`${outputs.length} files are as Kafka's classes make them`);
    return;
  }
  for (const { path, text } of outputs) {
    await writeFile(new URL(path, repository), path.endsWith('.gz') ? gzipSync(text, { level: 9 }) : text);
    console.log(`Wrote ${path}`);
  }
}

// Compared unpacked: the same text may be packed differently by another zlib.
async function readCommitted(path: string): Promise<string | undefined> {
  const bytes = await readFile(new URL(path, repository)).catch(() => undefined);
  if (bytes === undefined) return undefined;
  return path.endsWith('.gz') ? gunzipSync(bytes).toString('utf8') : bytes.toString('utf8');
}

await main();
