import path from 'node:path';
import { nothing, sum } from './counts.ts';
import type { Counts } from './counts.ts';
import { run, runTestFile } from './run-file.ts';
import { mayBeUnsteady, runWithSecondAttempt } from './second-attempt.ts';
import { filesOf, root } from './stages.ts';
import type { Check, Stage } from './stages.ts';

const TOLD_FROM_MS = 10_000;
const TOLD_FILES = 12;

export interface StageRun {
  readonly env: NodeJS.ProcessEnv;
  /** Part of the names of the files to run; checks are left out then. */
  readonly only: string | undefined;
}

/** Runs the checks of a stage, then its files. */
export async function runStage(stage: Stage, { env, only }: StageRun): Promise<Counts> {
  const files = filesOf(stage, only);
  const durations = new Map<string, number>();
  // The long forms of the tests take longer than any file of `npm test` may.
  const timeoutMs = Number(env['FILE_TIMEOUT_MS'] ?? stage.fileTimeoutMs ?? 300_000);
  const runFile = async (file: string): Promise<Counts> => {
    const begun = performance.now();
    const counts = await runTestFile(file, { directory: root, env, timeoutMs });
    durations.set(file, performance.now() - begun);
    return counts;
  };
  const maxUnsteady = mayBeUnsteady(files.length, stage.needsKafka === true);
  // Side by side: each is a process of one thread. Files may need what they leave, as the reference, and come after.
  const checks = await Promise.all(
    (only === undefined ? (stage.checks ?? []) : []).map((check) => runCheck(check, env)),
  );
  const results = await runWithSecondAttempt(inOrder(files, stage), stage.concurrency ?? 1, runFile, maxUnsteady);
  tellSlowest(durations);
  return sum([...checks, results]);
}

/** Those that take long come first, so that none of them is left alone at the end. */
function inOrder(files: readonly string[], { longest = [] }: Stage): string[] {
  const first = longest.flatMap((word) => files.filter((file) => file.includes(word)));
  return [...new Set([...first, ...files])];
}

/** What a stage spends its time on, where that is more than a moment. */
function tellSlowest(durations: ReadonlyMap<string, number>): void {
  const slow = [...durations].filter(([, ms]) => ms >= TOLD_FROM_MS).sort(([, a], [, b]) => b - a);
  if (slow.length === 0) return;
  const named = slow.slice(0, TOLD_FILES).map(([file, ms]) => `${path.basename(file)} ${(ms / 1000).toFixed(0)} s`);
  console.log(`  slowest: ${named.join(', ')}`);
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
