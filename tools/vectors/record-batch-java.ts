import { execFile, spawn } from 'node:child_process';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { fetchJars } from '../protocol-generator/maven.ts';

/** The release whose classes make the vectors. */
export const vectorRelease = '4.4.0';

/** What kafka-clients of that release needs at run time for its codecs. */
const artifacts: readonly string[] = [
  `org.apache.kafka:kafka-clients:${vectorRelease}`,
  'org.slf4j:slf4j-api:1.7.36',
  'at.yawk.lz4:lz4-java:1.11.2',
  'org.xerial.snappy:snappy-java:1.1.10.7',
  'com.github.luben:zstd-jni:1.5.7-17',
];

/** Java 17 reads and prints in the locale's encoding, and on a bare machine that is ASCII. */
export const javaFlags: readonly string[] = ['-Dfile.encoding=UTF-8'];

const program = fileURLToPath(new URL('RecordBatchVectors.java', import.meta.url));

/** Whether there is a Java to run. */
export async function hasJava(): Promise<boolean> {
  return promisify(execFile)('java', ['-version']).then(
    () => true,
    () => false,
  );
}

/** Runs RecordBatchVectors.java and answers what it printed. */
export async function runRecordBatchJava(args: readonly string[], input = ''): Promise<string> {
  return runVectorJava(program, args, input);
}

/** Runs a Java file beside kafka-clients and answers what it printed. */
export async function runVectorJava(file: string, args: readonly string[], input = ''): Promise<string> {
  const jars = await fetchJars(artifacts);
  const child = spawn('java', [...javaFlags, '-cp', jars.join(delimiter), file, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  child.stdin.end(input);
  const exitCode = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (exitCode !== 0) throw new Error(`Java ended with ${String(exitCode)}: ${Buffer.concat(errors).toString('utf8')}`);
  return Buffer.concat(output).toString('utf8');
}
