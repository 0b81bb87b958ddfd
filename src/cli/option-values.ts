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
  return text === undefined ? undefined : wordIn(name, text, words);
}

/**
 * The word that an option's value is.
 *
 * @throws CliError as {@link wordOf} does
 */
export function wordIn<const Word extends string>(name: string, text: string, words: readonly Word[]): Word {
  const word = words.find((each) => each === text);
  if (word === undefined) throw new CliError(`Cannot use --${name} "${text}": give ${words.join(', ')}`);
  return word;
}

/** What a number may be. */
export interface NumberBounds {
  readonly min: number;
  /** @defaultValue none */
  readonly max?: number;
}

/**
 * The number that an option was given; undefined if it was not.
 *
 * @throws CliError as {@link integerIn} does
 */
export function integerOf(given: GivenArguments, name: string, bounds: NumberBounds): number | undefined {
  const text = given.text(name);
  return text === undefined ? undefined : integerIn(name, text, bounds);
}

/**
 * A whole number in an option's value.
 *
 * @throws CliError if it is none, or out of bounds
 */
export function integerIn(name: string, text: string, { min, max }: NumberBounds): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (number >= min && number <= (max ?? Infinity)) return number;
  throw new CliError(
    `Cannot use --${name} "${text}": give a whole number from ${min} ${max === undefined ? 'on' : `to ${max}`}`,
  );
}
