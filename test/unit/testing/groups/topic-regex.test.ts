import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { topicRegex } from '../../../../src/testing/groups/topic-regex.ts';

describe('topicRegex', () => {
  it('topicRegex matches whole names', () => {
    assert.equal(topicRegex('a|b')?.test('a'), true);
    assert.equal(topicRegex('a|b')?.test('xb'), false);
    assert.equal(topicRegex('orders-[0-9]+')?.test('orders-12'), true);
    assert.equal(topicRegex('orders-[0-9]+')?.test('orders-12x'), false);
  });

  it('topicRegex translates what only RE2 knows', () => {
    const cases: readonly (readonly [string, string, boolean])[] = [
      ['(?i)ORDERS', 'orders', true],
      ['[[:alpha:]]+', 'abc', true],
      ['[[:alpha:]]+', 'ab1', false],
      ['\\Qa.b\\E.*', 'a.b-c', true],
      ['\\Qa.b\\E.*', 'axb', false],
      ['\\Aab\\z', 'ab', true],
      ['(?P<n>a)b', 'ab', true],
      ['\\pLx', 'ax', true],
      ['a\\-b', 'a-b', true],
      ['a\\_b', 'a_b', true],
      ['a+?b', 'aab', true],
    ];
    for (const [pattern, name, matches] of cases) assert.equal(topicRegex(pattern)?.test(name), matches, pattern);
  });

  it('topicRegex refuses what RE2 refuses', () => {
    for (const pattern of ['(', '(?=a)', '(?!a)', '(?<=a)b', '(?<!a)b', '(a)\\1', 'a**', 'a++', '[', '[[:nonsense:]]'])
      assert.equal(topicRegex(pattern), undefined, pattern);
  });
});
