/**
 * Reads a regular expression as brokers do, who use RE2 (KIP-848); undefined if it is not one. The whole name must match.
 *
 * What JavaScript knows and RE2 refuses (looking around, back-references) is refused, and the spellings that only RE2 has are
 * translated. RE2 promises linear time; this does not.
 */
export function topicRegex(pattern: string): RegExp | undefined {
  try {
    const { source, flags } = translate(pattern);
    return new RegExp(`^(?:${source})$`, `u${flags}`);
  } catch {
    return undefined;
  }
}

const asciiClasses: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  digit: '0-9',
  lower: 'a-z',
  upper: 'A-Z',
  space: '\\t\\n\\v\\f\\r ',
  word: '0-9A-Za-z_',
  punct: '!-\\/:-@\\[-`{-~',
};

/** Rules by what the rest of the pattern begins with; the first that fits is used. */
const rules: readonly (readonly [RegExp, (match: RegExpExecArray) => string])[] = [
  [/^\(\?(?:[=!]|<[=!]|>)/, refuse],
  [/^\\(?:[1-9]|k<)/, refuse],
  [/^\(\?P</, () => '(?<'],
  [/^\\Q([\s\S]*?)(?:\\E|$)/, ([, text = '']) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')],
  [/^\\A/, () => '^'],
  [/^\\z/, () => '$'],
  [/^\\p([A-Z])/, ([, name = '']) => `\\p{${name}}`],
  [/^\[:(\^?)(\w+):\]/, ([, negated = '', name = '']) => (negated === '' ? (asciiClasses[name] ?? fail()) : fail())],
  // RE2 lets any punctuation be escaped, JavaScript in its strict mode does not.
  [/^\\([-_ "'%&,:;<=>@`~!#])/, ([, text = '']) => (text === '-' ? '\\x2d' : text)],
  [/^\\[\s\S]/, ([text]) => text],
  [/^[*+?}][*+]/, (match) => (match[0].endsWith('+') ? refuse() : match[0])],
  [/^[\s\S]/, ([text]) => text],
];

function translate(pattern: string): { readonly source: string; readonly flags: string } {
  const leading = /^\(\?([is]+)\)/.exec(pattern);
  let rest = pattern.slice(leading?.[0].length ?? 0);
  let source = '';
  while (rest !== '') {
    for (const [start, replace] of rules) {
      const match = start.exec(rest);
      if (match === null) continue;
      source += replace(match);
      rest = rest.slice(match[0].length);
      break;
    }
  }
  return { source, flags: [...new Set(leading?.[1] ?? '')].join('') };
}

function refuse(): never {
  return fail();
}

function fail(): never {
  throw new SyntaxError('RE2 has no such expression');
}
