import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BufferViews } from '../../../src/util/buffer-views.ts';

describe('BufferViews', () => {
  const memory = Buffer.alloc(64);
  for (let at = 0; at < memory.length; at++) memory[at] = at;
  // Like a frame, it begins somewhere inside of its memory.
  const bytes = memory.subarray(16, 48);

  it('gives what subarray gives', () => {
    const view = new BufferViews(bytes).view(3, 5);
    assert.deepEqual(view, bytes.subarray(3, 8));
    assert.deepEqual([...view], [19, 20, 21, 22, 23]);
    assert.equal(Object.getPrototypeOf(view), Buffer.prototype);
    assert.deepEqual(new BufferViews(bytes).view(32, 0), Buffer.alloc(0));
  });

  it('counts positions from another place than its bytes begin at', () => {
    const views = new BufferViews(bytes, 1_000_000);
    assert.deepEqual([...views.view(1_000_003, 2)], [19, 20]);
  });

  it('copies nothing', () => {
    const copy = Buffer.from(bytes);
    const view = new BufferViews(copy).view(1, 1);
    copy[1] = 255;
    assert.equal(view[0], 255);
  });
});
