import type { Kafka } from '../index.ts';
import type { CliOptions, GivenArguments } from './arguments.ts';
import { CliFailure } from './cli-error.ts';
import { clientOptions, withClient } from './client-options.ts';
import { connectInTime, timeoutMsOf, timeoutOption } from './connect-in-time.ts';
import { jsonText } from './json-text.ts';
import { integerOf } from './option-values.ts';
import { styled, type Terminal } from './terminal.ts';

/** When measuring ends. */
export const perfEndOptions: CliOptions = {
  records: { type: 'string', value: 'N', help: 'end after so many records' },
  seconds: { type: 'string', value: 'N', help: 'end after so long' },
};

/** What everything that measures takes besides its own options. */
export const perfOptions: CliOptions = {
  ...timeoutOption('connecting'),
  json: { type: 'boolean', help: 'print JSON, as when the output is no terminal' },
  ...clientOptions,
  help: { type: 'boolean', help: 'show this' },
};

/** What is measured ends by these; undefined: not by that. */
export interface PerfEnd {
  readonly records: number | undefined;
  readonly ms: number | undefined;
}

/** @throws CliError for what is no number */
export function perfEndOf(given: GivenArguments): PerfEnd {
  const seconds = integerOf(given, 'seconds', { min: 1, max: 86_400 });
  return {
    records: integerOf(given, 'records', { min: 1 }),
    ms: seconds === undefined ? undefined : seconds * 1000,
  };
}

/** What is told at the end: one object for programs, lines for people. */
export interface PerfReport {
  /** What it is about. */
  readonly title: string;
  readonly figures: object;
  readonly lines: readonly string[];
  /** What went wrong and ended it; what was done until then is told all the same. */
  readonly failure?: string | undefined;
}

/** Connects, measures until it is done or interrupted, and prints what came of it. */
export async function measure(
  given: GivenArguments,
  terminal: Terminal,
  run: (kafka: Kafka, signal: AbortSignal) => Promise<PerfReport>,
): Promise<void> {
  const timeoutMs = timeoutMsOf(given);
  const asJson = given.has('json') || !terminal.isInteractive;
  await withClient(given, terminal, async (kafka, signal) => {
    await connectInTime(kafka, timeoutMs, signal);
    const { title, figures, lines, failure } = await run(kafka, signal);
    const isInterrupted = signal.aborted;
    const heading = styled(terminal, 'bold', isInterrupted ? `${title} (interrupted)` : title);
    terminal.print(asJson ? jsonText({ ...figures, isInterrupted }) : [heading, ...lines].join('\n'));
    if (failure !== undefined) throw new CliFailure(failure);
  });
}
