import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/**
 * Writes src/testing/releases/release-versions.ts: which versions of each API the brokers of old releases answer, by what the
 * kafka-clients jars of these releases say. Maven fetches the jars into a temporary folder; Java 17 looks into them.
 *
 * What it says of 3.9 and 4.3 was compared with real brokers' ApiVersions answers.
 */
const releases = [
  { name: '2.1', version: '2.1.1', zookeeper: true },
  { name: '2.8', version: '2.8.2', zookeeper: true },
  { name: '3.0', version: '3.0.2', zookeeper: true },
  { name: '3.5', version: '3.5.2', zookeeper: false },
  { name: '3.7', version: '3.7.2', zookeeper: false },
  { name: '3.9', version: '3.9.1', zookeeper: false },
  { name: '4.0', version: '4.0.1', zookeeper: false },
  { name: '4.1', version: '4.1.1', zookeeper: false },
  { name: '4.2', version: '4.2.0', zookeeper: false },
  { name: '4.3', version: '4.3.1', zookeeper: false },
] as const;

/** A broker lists them only where a reporter collects clients' metrics. */
const telemetry = new Set(['71', '72']);

const folder = mkdtempSync(path.join(tmpdir(), 'kafka-releases-'));
const target = path.resolve(import.meta.dirname, '../../src/testing/releases/release-versions.ts');
try {
  fetchJar('org.slf4j:slf4j-api:1.7.36');
  const sections = releases.map(({ name, version, zookeeper }) => {
    fetchJar(`org.apache.kafka:kafka-clients:${version}`);
    const listed = versionsOf(version, zookeeper);
    console.log(`${name}: ${listed.length} APIs`);
    return `  '${name}': \`\n${listed.map((line) => `    ${line}\n`).join('')}  \`,\n`;
  });
  writeFileSync(target, fileOf(sections.join('')));
} finally {
  rmSync(folder, { recursive: true });
}

function fetchJar(artifact: string): void {
  run('mvn', ['-q', '-B', 'dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${folder}`]);
}

function versionsOf(version: string, zookeeper: boolean): string[] {
  const jars = readdirSync(folder).filter((jar) => jar.includes(`clients-${version}`) || jar.startsWith('slf4j'));
  const classPath = jars.map((jar) => path.join(folder, jar)).join(path.delimiter);
  const program = path.join(import.meta.dirname, 'ApiVersionsOf.java');
  const text = run('java', [...(zookeeper ? ['-Dzookeeper=1'] : []), '-cp', classPath, program]);
  const lines = text.trim().split('\n');
  return lines.filter((line) => !telemetry.has(line.split(' ')[0] ?? ''));
}

function run(command: string, args: readonly string[]): string {
  const result = spawnSync(command, args, { encoding: 'utf8' });
  if (result.status !== 0)
    throw new Error(`"${command}" ended with ${result.status}\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

function fileOf(sections: string): string {
  return `// Facts of Apache Kafka, written by tools/kafka-releases/write-releases.ts: do not edit.

/** Key, name, lowest and highest version of each API that a broker of the release answers. */
export const releaseVersions = {
${sections}} as const;
`;
}
