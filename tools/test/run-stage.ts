import path from 'node:path';
import { nothing, sum } from './counts.ts';
import type { Counts } from './counts.ts';
import { run, runTestFile } from './run-file.ts';
import { mayBeUnsteady, runWithSecondAttempt } from './second-attempt.ts';
import { filesOf, root } from './stages.ts';
import type { Check, Stage } from './stages.ts';

export interface StageRun {
  readonly env: NodeJS.ProcessEnv;
  /** Part of the names of the files to run; checks are left out then. */
  readonly only: string | undefined;
}

/** Runs the checks of a stage, then its files. */
export async function runStage(stage: Stage, { env, only }: StageRun): Promise<Counts> {
  const results: Counts[] = [];
  if (only === undefined) {
    for (const check of stage.checks ?? []) results.push(await runCheck(check, env));
  }
  const files = filesOf(stage, only);
  // The long forms of the tests take longer than any file of `npm test` may.
  const timeoutMs = Number(env['FILE_TIMEOUT_MS'] ?? stage.fileTimeoutMs ?? 300_000);
  const runFile = (file: string): Promise<Counts> => runTestFile(file, { directory: root, env, timeoutMs });
  const maxUnsteady = mayBeUnsteady(files.length, stage.needsKafka === true);
  results.push(await runWithSecondAttempt(files, stage.concurrency ?? 1, runFile, maxUnsteady));
  return sum(results);
}

async function runCheck(check: Check, env: NodeJS.ProcessEnv): Promise<Counts> {
  const reason = check.unless?.();
  if (reason !== undefined) return { ...nothing, skips: [{ where: check.name, reason }] };
  const [file, ...args] = check.run;
  const command = [path.join(root, file), ...args];
  const { code, output } = await run(process.execPath, command, { directory: root, env, timeoutMs: 1_200_000 });
  if (code === 0) return { ...nothing, passed: 1 };
  const how = code === undefined ? 'did not end within 20 minutes' : `ended with exit code ${code}`;
  return { ...nothing, failures: [{ where: check.name, what: `${how}\n${output}` }] };
}
