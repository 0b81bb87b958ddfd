import type { GivenArguments } from './arguments.ts';
import { CliError } from './cli-error.ts';

/**
 * The value of an option that allows a few words only; undefined if it was not given.
 *
 * @throws CliError for another one, with those that there are
 */
export function wordOf<const Word extends string>(
  given: GivenArguments,
  name: string,
  words: readonly Word[],
): Word | undefined {
  const text = given.text(name);
  if (text === undefined) return undefined;
  const word = words.find((each) => each === text);
  if (word === undefined) throw new CliError(`Cannot use --${name} "${text}": give ${words.join(', ')}`);
  return word;
}

/**
 * A whole number in an option's value.
 *
 * @throws CliError for anything else
 */
export function wholeNumber(name: string, text: string, least: number): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (number >= least) return number;
  throw new CliError(`Cannot use --${name} "${text}": give a whole number from ${least} on`);
}
