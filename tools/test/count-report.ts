import { parseXml, XmlElement } from '@rgrove/parse-xml';
import { nothing, sum } from './counts.ts';
import type { Counts } from './counts.ts';

/** What Deno puts between the names of a suite and its test. */
const within = ' > ';

/**
 * Counts the tests of one file by a report in JUnit's format, which Bun and Deno write: tests, not the suites around them, which Deno lists as
 * well; a suite counts when it is skipped as a whole or fails by itself.
 */
export function countReport(file: string, xml: string): Counts {
  const cases = casesOf(parseXml(xml).root ?? undefined);
  const counts = cases.map((test): Counts => {
    const own = countCase(file, test);
    const inside = cases.filter((other) => nameOf(other).startsWith(nameOf(test) + within));
    if (inside.length === 0) return own;
    const isByItself = inside.every((other) => countCase(file, other).failures.length === 0);
    return { ...own, passed: 0, failures: isByItself ? own.failures : [] };
  });
  return sum(counts);
}

function countCase(file: string, test: XmlElement): Counts {
  const where = `${file} ${nameOf(test)}`;
  const failure = childOf(test, 'failure') ?? childOf(test, 'error');
  if (failure !== undefined) {
    const what = failure.text.trim() || (failure.attributes['message'] ?? 'failed without an error');
    return { ...nothing, failures: [{ where, what }] };
  }
  const skipped = childOf(test, 'skipped');
  if (skipped === undefined) return { ...nothing, passed: 1 };
  return { ...nothing, skips: [{ where, reason: skipped.attributes['message'] ?? 'the report does not say why' }] };
}

function casesOf(element: XmlElement | undefined): XmlElement[] {
  const elements = (element?.children ?? []).filter((child) => child instanceof XmlElement);
  return elements.flatMap((child) => (child.name === 'testcase' ? [child] : casesOf(child)));
}

function childOf(element: XmlElement, name: string): XmlElement | undefined {
  return element.children.find((child): child is XmlElement => child instanceof XmlElement && child.name === name);
}

function nameOf({ attributes }: XmlElement): string {
  return attributes['name'] ?? '';
}
