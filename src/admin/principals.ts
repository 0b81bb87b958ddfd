import type { OptionRule } from '../util/option-rules.ts';

/** A principal as the text that Kafka writes for it, `User:alice`. */
export const principal: OptionRule = {
  expected: 'a type and a name, as in "User:alice",',
  accepts: (value) => typeof value === 'string' && /^[^:]+:.+$/s.test(value),
};

/** A principal in a message. */
export interface PrincipalParts {
  readonly principalType: string;
  readonly principalName: string;
}

/** The parts of a {@link principal} that was checked before. */
export function principalParts(text: string): PrincipalParts {
  const colon = text.indexOf(':');
  return { principalType: text.slice(0, colon), principalName: text.slice(colon + 1) };
}

/** The parts of a principal as one text. */
export function principalText({ principalType, principalName }: PrincipalParts): string {
  return `${principalType}:${principalName}`;
}
