import { KafkaError } from '../errors/kafka-error.ts';
import type { Admin, CallOptions, SettledItem } from '../index.ts';
import type { CliOptions, GivenArguments } from './arguments.ts';
import { CliError, CliFailure } from './cli-error.ts';
import { clientOptions, withClient } from './client-options.ts';
import { connectInTime, timeoutMsOf, timeoutOption } from './connect-in-time.ts';
import { jsonText } from './json-text.ts';
import type { Terminal } from './terminal.ts';

/** What every administrative command takes besides its own options. */
export const adminOptions: CliOptions = {
  ...timeoutOption('connecting, and each call after that,'),
  json: { type: 'boolean', help: 'print JSON, as when the output is no terminal' },
  ...clientOptions,
  help: { type: 'boolean', help: 'show this' },
};

/** The option that answers what {@link confirm} would ask. */
export const yesOption: CliOptions = { yes: { type: 'boolean', help: 'do not ask' } };

/** What an administrative command works with. */
export interface AdminSession {
  readonly admin: Admin;
  /** For each call. */
  readonly limits: CallOptions;
  /** Prints an answer: for people if they read it, and if there is something to say to them, else as JSON. */
  readonly show: (value: unknown, text: () => string) => void;
}

/** Connects as the command line says, runs a command, and closes. */
export async function withAdmin(
  given: GivenArguments,
  terminal: Terminal,
  run: (session: AdminSession) => Promise<void>,
): Promise<void> {
  const timeoutMs = timeoutMsOf(given);
  const asJson = given.has('json') || !terminal.isInteractive;
  await withClient(given, terminal, async (kafka, signal) => {
    try {
      await connectInTime(kafka, timeoutMs, signal);
      await run({
        admin: kafka.admin(),
        limits: { signal, timeoutMs },
        show: (value, text) => {
          const shown = asJson ? jsonText(value) : text();
          if (shown !== '') terminal.print(shown);
        },
      });
    } catch (error) {
      if (signal.aborted && error === signal.reason) throw new CliFailure('Interrupted');
      throw error;
    }
  });
}

/** @throws CliError if it must be asked whether to delete, and there is nobody to ask */
export function requireConsent(given: GivenArguments, terminal: Terminal): void {
  if (given.has('yes') || terminal.isInputInteractive) return;
  throw new CliError('Cannot ask whether to delete, as this is no terminal: give --yes if that is what you want');
}

/**
 * Asks before something that cannot be taken back.
 *
 * @param expected the answer that means yes
 * @param signal takes the question back
 * @throws CliFailure for any other answer
 * @throws CliError as {@link requireConsent} does
 */
export async function confirm(
  given: GivenArguments,
  terminal: Terminal,
  question: string,
  expected: string,
  signal?: AbortSignal,
): Promise<void> {
  requireConsent(given, terminal);
  if (given.has('yes')) return;
  const answer = await terminal.ask(question, signal);
  if (answer.trim() !== expected) throw new CliFailure('Nothing was deleted');
}

/**
 * Asks before things are deleted: one is to be named once more, of several it is enough to say yes.
 *
 * @param kind what they are: `topic`
 * @param contents what goes with one of them, and with several
 * @throws as {@link confirm} does
 */
export function confirmDeletion(
  given: GivenArguments,
  terminal: Terminal,
  kind: string,
  names: readonly string[],
  contents: { readonly ofOne: string; readonly ofMany: string },
): Promise<void> {
  const [first = ''] = names;
  return names.length === 1
    ? confirm(given, terminal, `Delete ${kind} ${first} with ${contents.ofOne}? Type its name: `, first)
    : confirm(given, terminal, `Delete ${names.join(', ')} with ${contents.ofMany}? Type y: `, 'y');
}

/** What a call found or made, apart from why it could not for some items. */
export interface SortedOut<Result> {
  readonly done: readonly Result[];
  readonly failures: readonly string[];
}

/** Tells what was done from what was not, so that both can be shown. */
export function sortOut<Result>(results: readonly SettledItem<Result>[]): SortedOut<Result> {
  return {
    done: results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])),
    failures: results.flatMap((result) => (result.status === 'rejected' ? [result.reason.message] : [])),
  };
}

/** Does something for each item, side by side, and tells for each what came of it. */
export function settleEach<Item, Result>(
  items: readonly Item[],
  run: (item: Item) => Promise<Result>,
): Promise<SettledItem<Result>[]> {
  return Promise.all(
    items.map(async (item): Promise<SettledItem<Result>> => {
      try {
        return { status: 'fulfilled', value: await run(item) };
      } catch (error) {
        if (error instanceof KafkaError) return { status: 'rejected', reason: error };
        throw error;
      }
    }),
  );
}

/** @throws CliFailure if there are any */
export function failWith(failures: readonly string[]): void {
  if (failures.length > 0) throw new CliFailure(...failures);
}
