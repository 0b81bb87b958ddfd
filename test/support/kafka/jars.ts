import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** The ignored folder for what is fetched or made on this machine. */
export const cacheDirectory: string = path.resolve(import.meta.dirname, '../../../.cache');

/**
 * The folder with the jars of Kafka's broker and tools, fetched by Maven if it is not there yet.
 *
 * Throws an error that says what is missing where neither the jars nor Java and Maven are there.
 */
export function kafkaJars(version: string, say: (line: string) => void): string {
  const target = path.join(cacheDirectory, 'kafka', version, 'libs');
  if (existsSync(target)) return target;
  requireCommand('mvn', ['--version'], 'Maven (it fetches the jars of the broker)');
  say(`Fetching the jars of Kafka ${version} with Maven`);
  const work = `${target}-${process.pid}`;
  mkdirSync(work, { recursive: true });
  writeFileSync(path.join(work, 'pom.xml'), pom(version));
  const result = spawnSync(
    'mvn',
    [
      '--quiet',
      '--batch-mode',
      '--file',
      path.join(work, 'pom.xml'),
      'dependency:copy-dependencies',
      `-DoutputDirectory=${path.join(work, 'jars')}`,
    ],
    { encoding: 'utf8' },
  );
  if (result.status !== 0)
    throw new Error(
      `Cannot fetch the jars of Kafka ${version}: Maven ended with ${result.status}\n${result.stdout}${result.stderr}`,
    );
  // Two bindings of slf4j would argue at every start; the simple one logs to standard error.
  for (const jar of readdirSync(path.join(work, 'jars'))) {
    if (/^(slf4j-reload4j|log4j-slf4j)/.test(jar)) rmSync(path.join(work, 'jars', jar));
  }
  moveUnlessThere(path.join(work, 'jars'), target);
  rmSync(work, { recursive: true });
  return target;
}

/** Another process may have put the same folder there meanwhile: then that one serves. */
function moveUnlessThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
  }
}

/** Throws unless the command can be run. */
export function requireCommand(command: string, args: readonly string[], what: string): void {
  const result = spawnSync(command, args, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`Cannot run "${command}": install ${what}`);
}

/** Without the second compiler and the parallel collector a JVM starts for two thirds of the CPU, and is slower once it is warm. */
export const quickStart: readonly string[] = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];

/** The arguments of `java` before the main class. */
export function javaArguments(
  classPath: string,
  heap: string,
  logLevel: string,
  options: readonly string[] = quickStart,
): string[] {
  return [
    `-Xmx${heap}`,
    ...options,
    `-Dorg.slf4j.simpleLogger.defaultLogLevel=${logLevel}`,
    '-Dorg.slf4j.simpleLogger.showDateTime=true',
    '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
    '-Dfile.encoding=UTF-8',
    '-cp',
    `${classPath}/*`,
  ];
}

function pom(version: string): string {
  const dependency = (group: string, artifact: string, v: string): string =>
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${v}</version></dependency>`;
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>kavka.test</groupId><artifactId>broker</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
${dependency('org.apache.kafka', 'kafka_2.13', version)}
${dependency('org.apache.kafka', 'kafka-tools', version)}
${dependency('org.slf4j', 'slf4j-simple', '1.7.36')}
</dependencies>
</project>
`;
}
