import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What came of a process. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program as users do, in a process of its own, against these brokers. */
export function kavkaProgram(
  bootstrapServers: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): (...args: readonly string[]) => Promise<Ran> {
  const program = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
  // The suites run compiled too.
  const file = program.replace(/\.ts$/, import.meta.url.endsWith('.ts') ? '.ts' : '.js');
  const env = { ...process.env, KAFKA_BOOTSTRAP: bootstrapServers.join(','), ...environment };
  return (...args) =>
    new Promise((resolve) => {
      const child = execFile(process.execPath, [file, ...args], { env, timeout: 60_000 }, (_error, stdout, stderr) => {
        resolve({ code: child.exitCode ?? -1, stdout, stderr });
      });
    });
}
