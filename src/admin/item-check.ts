import { adviceOn, describeValue, expectedInstead, object, type OptionRule } from '../util/option-rules.ts';

/** Looks at what a call was given for one item, before anything is sent; says what is wrong with it. */
export type ItemCheck = (item: unknown) => string | undefined;

/** The first that finds something wrong says so. */
export function allOf(...checks: ItemCheck[]): ItemCheck {
  return (item) => {
    for (const check of checks) {
      const problem = check(item);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

/** As {@link fields}; looks at the values as well. A field that is `undefined` counts as not given. */
export function checkedFields<Item>(
  what: string,
  rules: Readonly<Record<keyof Item, OptionRule>>,
  needed: readonly (keyof Item)[],
  otherNames: Readonly<Record<string, string>>,
): ItemCheck {
  const namesProblem = fields<Item>(what, rules, otherNames);
  const mustBeThere: readonly unknown[] = needed;
  return (item) => {
    const problem = namesProblem(item);
    if (problem !== undefined) return problem;
    for (const [name, rule] of Object.entries<OptionRule>(rules)) {
      const value = (item as Readonly<Record<string, unknown>>)[name];
      if (value === undefined && !mustBeThere.includes(name)) continue;
      if (!rule.accepts(value)) {
        return `${describeValue(name, value)} given for ${name}, where ${rule.expected} was expected`;
      }
    }
    return undefined;
  };
}

/**
 * What is wrong with values of configurations: one that is missing would be taken for the text `undefined`.
 *
 * @param field where they stand
 */
export function configValuesProblem(field: string, values: unknown): string | undefined {
  if (values === undefined) return undefined;
  if (!object.accepts(values))
    return `${expectedInstead("{ 'retention.ms': '86400000' }, by Kafka's names,", values)} for ${field}`;
  const wrong = Object.entries(values as Readonly<Record<string, unknown>>).find(([, value]) => !isConfigValue(value));
  if (wrong === undefined) return undefined;
  const [name, value] = wrong;
  return `${describeValue(name, value)} given for ${name} in ${field}, where text, a number or a boolean was expected`;
}

function isConfigValue(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'boolean' || typeof value === 'bigint' || Number.isFinite(value);
}

/** What a call does not know of an item it would leave out in silence. */
export function fields<Item>(
  what: string,
  fieldsOfItem: Readonly<Record<keyof Item, unknown>>,
  otherNames: Readonly<Record<string, string>>,
): ItemCheck {
  const known = Object.keys(fieldsOfItem);
  return (item) => {
    if (!object.accepts(item)) return expectedInstead(`{ ${known.join(', ')} }`, item);
    const name = Object.keys(item as object).find((each) => !known.includes(each));
    if (name === undefined) return undefined;
    const advice = adviceOn(name, known, otherNames) ?? `its fields are ${known.join(', ')}`;
    return `${what} has no field ${name}; ${advice}`;
  };
}
