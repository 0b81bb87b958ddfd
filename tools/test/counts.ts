/** A line of reporter.mjs: a test has ended. */
export interface TestEvent {
  readonly passed: boolean;
  readonly name: string;
  readonly nesting: number;
  readonly line?: number;
  readonly isSuite: boolean;
  readonly skip?: string;
  readonly todo?: string;
  readonly failureType?: string;
  readonly error?: string;
}

/** A line of reporter.mjs: what the test told that has ended last, or the runner at the end of all. */
export interface TestDiagnostic {
  readonly diagnostic: string;
  readonly nesting: number;
  readonly line?: number;
}

export interface Failure {
  readonly where: string;
  readonly what: string;
}

export interface Skip {
  readonly where: string;
  readonly reason: string;
}

/** What ran, of a file, a check, a stage or the whole run. */
export interface Counts {
  readonly passed: number;
  readonly failures: readonly Failure[];
  readonly skips: readonly Skip[];
  /** What failed at first and passed when its file ran again. */
  readonly unsteady: readonly Failure[];
}

export const nothing: Counts = { passed: 0, failures: [], skips: [], unsteady: [] };

export function sum(parts: readonly Counts[]): Counts {
  return {
    passed: parts.reduce((total, part) => total + part.passed, 0),
    failures: parts.flatMap((part) => part.failures),
    skips: parts.flatMap((part) => part.skips),
    unsteady: parts.flatMap((part) => part.unsteady),
  };
}

/**
 * Counts the tests of one file: tests, not the suites around them; a suite counts when it is skipped as a whole or fails
 * by itself (a hook, its body).
 */
export function countEvents(file: string, events: readonly (TestEvent | TestDiagnostic)[]): Counts {
  let passed = 0;
  const failures: Failure[] = [];
  const skips: Skip[] = [];
  for (const [index, event] of events.entries()) {
    if ('diagnostic' in event) continue;
    const where = `${file}:${event.line ?? 1} ${event.name}`;
    if (event.skip !== undefined) skips.push({ where, reason: event.skip });
    else if (event.todo !== undefined) skips.push({ where, reason: `to do: ${event.todo}` });
    else if (!event.passed && event.failureType !== 'subtestsFailed')
      failures.push({
        where,
        what: [event.error ?? 'failed without an error', ...toldBy(event, events, index)].join('\n'),
      });
    else if (event.passed && !event.isSuite) passed++;
  }
  return { ...nothing, passed, failures, skips };
}

/** What a test told, often the only trace of how it came to fail. */
function toldBy(test: TestEvent, events: readonly (TestEvent | TestDiagnostic)[], index: number): string[] {
  const told: string[] = [];
  for (const event of events.slice(index + 1)) {
    if (!('diagnostic' in event) || event.line !== test.line || event.nesting !== test.nesting) break;
    told.push(event.diagnostic);
  }
  return told;
}

/** The line that ends the run. */
export function closingLine(counts: Counts): string {
  return `${counts.passed} passed, ${counts.failures.length} failed, ${counts.skips.length} skipped`;
}
