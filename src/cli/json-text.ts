import { visibleJson } from './visible-text.ts';

/**
 * A value as one line of JSON, for programs: bigint as text, and what is undefined as null, so that each object of a kind has
 * the same fields.
 */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value, (_name, item: unknown) => {
    if (typeof item === 'bigint') return item.toString();
    return item === undefined ? null : item;
  });
  return visibleJson(text);
}
