/**
 * A reporter of node:test that writes what the runner needs as lines of JSON. Plain JavaScript, as it also runs on the
 * oldest supported Node.
 */
import { inspect } from 'node:util';

/** @param {AsyncIterable<{ type: string, data: any }>} source */
// eslint-disable-next-line no-restricted-syntax -- node:test looks for a default export
export default async function* reporter(source) {
  for await (const { type, data } of source) {
    // What a test told; it follows upon its end.
    if (type === 'test:diagnostic')
      yield `${JSON.stringify({ diagnostic: data.message, nesting: data.nesting, line: data.line })}\n`;
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const error = data.details.error;
    yield `${JSON.stringify({
      passed: type === 'test:pass',
      name: data.name,
      nesting: data.nesting,
      line: data.line,
      isSuite: data.details.type === 'suite',
      skip: reason(data.skip),
      todo: reason(data.todo),
      failureType: error?.failureType,
      error: error === undefined ? undefined : inspect(error.cause ?? error, { depth: 4 }),
    })}\n`;
  }
}

function reason(value) {
  if (value === undefined || value === false) return undefined;
  return value === true || value === '' ? 'no reason given' : value;
}
