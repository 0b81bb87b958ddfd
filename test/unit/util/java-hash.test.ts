import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { javaHash } from '../../../src/util/java-hash.ts';

describe('javaHash', () => {
  it('is what String.hashCode answers', () => {
    assert.equal(javaHash(''), 0);
    assert.equal(javaHash('abc'), 96_354);
    assert.equal(javaHash('polygenelubricants'), -(2 ** 31));
    assert.equal(javaHash('ü€😀'), 17_318_035, 'UTF-16 units count, not characters');
  });
});
