import { refuse } from './refuse.ts';

const EMPTY = {};

/** What was given for a struct; nothing given is a struct of defaults. */
export function struct<T extends object>(value: T | null | undefined, field: string): T | typeof EMPTY {
  if (value === null) throw refuse(field, value, 'a struct');
  return value ?? EMPTY;
}
