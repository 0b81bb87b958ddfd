import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { condition, intersect, parseRange, printRange } from '../../../../tools/protocol-generator/version-range.ts';

describe('version ranges', () => {
  it('are read and written as Kafka does', () => {
    for (const text of ['0+', '3-5', '4', 'none']) assert.equal(printRange(parseRange(text)), text);
    assert.throws(() => parseRange('3-'), /Cannot read the versions "3-"/);
  });

  it('have nothing in common when they do not touch', () => {
    assert.equal(intersect({ min: 0, max: 2 }, { min: 3, max: 5 }), undefined);
    assert.deepEqual(intersect({ min: 0, max: 3 }, { min: 3, max: Infinity }), { min: 3, max: 3 });
  });

  it('become conditions only where the version is not known to hold', () => {
    const within = { min: 2, max: 8 };
    assert.equal(condition({ min: 0, max: Infinity }, within), true);
    assert.equal(condition({ min: 9, max: Infinity }, within), false);
    assert.equal(condition(undefined, within), false);
    assert.equal(condition({ min: 4, max: Infinity }, within), 'version >= 4');
    assert.equal(condition({ min: 0, max: 4 }, within), 'version <= 4');
    assert.equal(condition({ min: 4, max: 6 }, within), 'version >= 4 && version <= 6');
    assert.equal(condition({ min: 4, max: 4 }, within), 'version === 4');
  });
});
