import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The files of the artifacts (`group:artifact:version`), fetched through Maven where the local repository lacks them. */
export async function fetchJars(artifacts: readonly string[]): Promise<string[]> {
  const jars: string[] = [];
  for (const artifact of artifacts) {
    const jar = jarPath(artifact);
    const there = await access(jar).then(
      () => true,
      () => false,
    );
    if (!there) await run('mvn', ['-q', '-B', 'dependency:get', '-Dtransitive=false', `-Dartifact=${artifact}`]);
    await access(jar);
    jars.push(jar);
  }
  return jars;
}

function jarPath(artifact: string): string {
  const [group = '', name = '', version = ''] = artifact.split(':');
  return join(homedir(), '.m2', 'repository', ...group.split('.'), name, version, `${name}-${version}.jar`);
}
