import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cutToWidth, visible, visibleJson } from '../../../src/cli/visible-text.ts';

describe('visible', () => {
  it('writes out what a terminal obeys, and leaves text of any language as it is', () => {
    const text = visible('\u001b]0;title\u0007 \u009b2J \r\n \u2066', '\n');
    assert.equal(text, '\\u001b]0;title\\u0007 \\u009b2J \\r\n \\u2066');
    assert.equal(visible('größer 注文 🐦'), 'größer 注文 🐦');
  });
});

describe('visibleJson', () => {
  it('keeps what the JSON means', () => {
    const text = visibleJson(JSON.stringify(['\u009b2J\u202e']));
    assert.equal(text, '["\\u009b2J\\u202e"]');
    assert.deepEqual(JSON.parse(text), ['\u009b2J\u202e']);
  });
});

describe('cutToWidth', () => {
  it('counts what terminals show, and ends what it cuts with an ellipsis', () => {
    assert.deepEqual(cutToWidth('abc', 3), { text: 'abc', columns: 3 });
    assert.deepEqual(cutToWidth('abcd', 3), { text: 'ab…', columns: 3 });
    assert.deepEqual(cutToWidth('注文注文', 4), { text: '注…', columns: 3 });
    assert.deepEqual(cutToWidth('e\u0301', 1), { text: 'e\u0301', columns: 1 });
  });
});
