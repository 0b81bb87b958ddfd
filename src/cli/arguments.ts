import { parseArgs } from 'node:util';
import { nearestName } from '../util/nearest-name.ts';
import { CliError } from './cli-error.ts';

/** An option of a command. */
export interface CliOption {
  readonly type: 'string' | 'boolean';
  /** Whether it may be given more than once. */
  readonly multiple?: boolean;
  /** What stands for its value in the help. */
  readonly value?: string;
  /** Its line in the help. */
  readonly help: string;
}

/** Options by their names, without the dashes. */
export type CliOptions = Readonly<Record<string, CliOption>>;

/** What was given: the texts of each option; an option without a value has none. */
export interface GivenArguments {
  /** The last value of an option; undefined if it was not given. */
  text(name: string): string | undefined;
  /** All values of an option, in order. */
  texts(name: string): readonly string[];
  /** Whether an option was given. */
  has(name: string): boolean;
  readonly positionals: readonly string[];
}

/**
 * Takes the arguments of a command apart.
 *
 * @throws CliError for an option that does not exist, with the nearest name, or one that lacks its value
 */
export function parseArguments(args: readonly string[], options: CliOptions): GivenArguments {
  const known = Object.fromEntries(Object.entries(options).map(([name, { type }]) => [name, { type }]));
  // Strict parsing would refuse in words of its own.
  const { tokens, positionals } = parseArgs({
    args: [...args],
    options: known,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const texts = given.get(token.name) ?? [];
    given.set(token.name, [...texts, ...valueOf(token, options)]);
  }
  return {
    text: (name) => given.get(name)?.at(-1),
    texts: (name) => given.get(name) ?? [],
    has: (name) => given.has(name),
    positionals,
  };
}

function valueOf(
  { name, rawName, value }: { readonly name: string; readonly rawName: string; readonly value?: string | undefined },
  options: CliOptions,
): string[] {
  const option = Object.hasOwn(options, name) ? options[name] : undefined;
  if (option === undefined) throw new CliError(`Cannot use ${rawName}: there is no such option${hint(name, options)}`);
  if (option.type === 'boolean') {
    if (value !== undefined) throw new CliError(`Cannot use ${rawName} with a value: it takes none`);
    return [];
  }
  if (value === undefined || value === '')
    throw new CliError(`Cannot use ${rawName} without a value: give ${rawName} ${option.value ?? 'VALUE'}`);
  return [value];
}

function hint(name: string, options: CliOptions): string {
  const near = nearestName(name, Object.keys(options));
  return near === undefined ? '' : `; did you mean --${near}?`;
}

/** The lines of the help that describe options. */
export function describeOptions(options: CliOptions): string {
  const rows = Object.entries(options).map(([name, { value, help }]) => {
    return [`  --${name}${value === undefined ? '' : ` ${value}`}`, help] as const;
  });
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows.map(([left, help]) => `${left.padEnd(width)}${help}`).join('\n');
}

/**
 * What is given as `NAME=VALUE`.
 *
 * @param kind what it is, as it appears in the message
 * @throws CliError if it has no name or no equals sign
 */
export function parsePair(kind: 'setting' | 'header', text: string, example: string): [name: string, value: string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw new CliError(`Cannot use ${kind} "${text}": give NAME=VALUE, such as ${example}`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

/**
 * The names that a command takes, each once.
 *
 * @throws CliError if there is none
 */
export function namesOf({ positionals }: GivenArguments, command: string, what: string): string[] {
  if (positionals.length === 0 || positionals.includes(''))
    throw new CliError(`Cannot run ${command} without ${what}: see ${command} --help`);
  return [...new Set(positionals)];
}

/** @throws CliError if there are more words than a command takes */
export function refuseMore({ positionals }: GivenArguments, command: string, count: number): void {
  const next = positionals[count];
  if (next === undefined) return;
  throw new CliError(
    count === 0
      ? `Cannot use "${next}": ${command} takes options only, and words go before them`
      : `Cannot use "${next}": ${command} takes one name; options that are lists are given once for each value`,
  );
}
