import { nearestName } from './nearest-name.ts';

/** What an option accepts: `expected` completes the sentence "it must be …". */
export interface OptionRule {
  readonly expected: string;
  accepts(value: unknown): boolean;
}

export function integer(min: number, max: number): OptionRule {
  const accepts = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= min && Number(value) <= max;
  return { expected: `an integer from ${min} to ${max}`, accepts };
}

export function oneOf(values: readonly unknown[]): OptionRule {
  return { expected: `one of ${values.map(quote).join(', ')}`, accepts: (value) => values.includes(value) };
}

export const boolean: OptionRule = { expected: 'true or false', accepts: (value) => typeof value === 'boolean' };

export const nonEmptyString: OptionRule = {
  expected: 'a string that is not empty',
  accepts: (value) => typeof value === 'string' && value.length > 0,
};

export const func: OptionRule = { expected: 'a function', accepts: (value) => typeof value === 'function' };

export const object: OptionRule = {
  expected: 'an object',
  accepts: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
};

export function anyOf(...rules: OptionRule[]): OptionRule {
  return {
    expected: rules.map((rule) => rule.expected).join(', or '),
    accepts: (value) => rules.some((rule) => rule.accepts(value)),
  };
}

export function listOf(rule: OptionRule): OptionRule {
  return {
    expected: `a list, each entry ${rule.expected}`,
    accepts: (value) => Array.isArray(value) && value.every((item) => rule.accepts(item)),
  };
}

/** Why options cannot be used; undefined where they can. */
export interface OptionProblem {
  readonly code: 'INVALID_OPTION' | 'UNKNOWN_OPTION';
  readonly message: string;
}

/**
 * Checks what a caller gave against a table of rules. An option that is `undefined` counts as not given.
 *
 * @param owner what the options are for, as it appears in the message: `the producer`
 * @param otherNames names that other clients use for an option of ours, or for one that we do not have: name -> advice
 */
export function findOptionProblem(
  given: unknown,
  rules: Readonly<Record<string, OptionRule>>,
  owner: string,
  otherNames: Readonly<Record<string, string>> = {},
): OptionProblem | undefined {
  if (given === undefined) return undefined;
  if (!object.accepts(given))
    return {
      code: 'INVALID_OPTION',
      message: `Cannot use ${describeValue(owner, given)} as options of ${owner}: it must be an object`,
    };
  for (const [name, value] of Object.entries(given as object)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule === undefined) return unknownOption(name, rules, owner, otherNames);
    if (value !== undefined && !rule.accepts(value)) {
      return {
        code: 'INVALID_OPTION',
        message: `Cannot use ${name} ${describeValue(name, value)}: it must be ${rule.expected}`,
      };
    }
  }
  return undefined;
}

function unknownOption(
  name: string,
  rules: Readonly<Record<string, OptionRule>>,
  owner: string,
  otherNames: Readonly<Record<string, string>>,
): OptionProblem {
  const known = Object.keys(rules).sort();
  const hint = adviceOn(name, known, otherNames) ?? `known options are ${known.join(', ')}`;
  return { code: 'UNKNOWN_OPTION', message: `Cannot use option ${name} of ${owner}: there is no such option; ${hint}` };
}

/**
 * What to use in place of a name that is none of those known; undefined if there is nothing to be said.
 *
 * @param otherNames what other clients call these, and mistakes that are known: name -> advice
 */
export function adviceOn(
  name: string,
  known: readonly string[],
  otherNames: Readonly<Record<string, string>>,
): string | undefined {
  if (Object.hasOwn(otherNames, name)) return otherNames[name];
  const near = nearestName(name.replaceAll('.', ''), known);
  return near === undefined ? undefined : `did you mean ${near}?`;
}

/** Options that may hold a secret are named in an error, never shown. */
const SECRET = /pass|secret|token|assertion|key|sasl|tls|cert/i;

export function describeValue(name: string, value: unknown): string {
  return SECRET.test(name) && value !== undefined
    ? `(${typeof value === 'object' ? 'an' : 'a'} ${typeof value})`
    : quote(value);
}

/** That something else was given, as the end of a sentence. */
export function expectedInstead(what: string, given: unknown): string {
  return `${quote(given)} given, where ${what} was expected`;
}

/** A value as it appears in a message: short, quoted where it is text. */
export function quote(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}
