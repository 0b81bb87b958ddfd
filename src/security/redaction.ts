import type { InspectOptions } from 'node:util';

/** What stands where a secret was. */
export const REDACTED = '[redacted]';

/** The name under which Node's `util.inspect` looks for an object's own way of being shown. */
export const inspectSymbol: unique symbol = Symbol.for('nodejs.util.inspect.custom') as never;

/** Node's `util.inspect` hands itself to the method that it calls. */
export type Inspect = (value: unknown, options: InspectOptions) => string;

/** Shows `view` under the name `name`, whatever the object really holds. */
export function inspectAs(name: string, view: object, options: InspectOptions, inspect: Inspect): string {
  return `${name} ${inspect(view, options)}`;
}
