import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HeapCounterweight } from '../../../src/util/heap-counterweight.ts';
import { heapGrowthOf } from '../../support/heap-growth.ts';

/** A counterweight, and how many bytes it has put on the heap. */
function counted(): { readonly weight: HeapCounterweight; readonly bytes: () => number } {
  let bytes = 0;
  const weight = new HeapCounterweight();
  Object.defineProperty(weight, 'piece', { set: (piece: unknown[]) => (bytes += 8 * piece.length) });
  return { weight, bytes: () => bytes };
}

describe('HeapCounterweight', () => {
  it('puts as much on the heap as was taken outside of it', () => {
    const { weight, bytes } = counted();
    weight.add(960_000, 0);
    assert.equal(bytes(), 960_000);
  });

  it('adds up what is small', () => {
    const { weight, bytes } = counted();
    for (let turn = 0; turn < 100; turn++) weight.add(10_000, 1000);
    assert.equal(bytes(), 900_000);
  });

  it('keeps little alive of it', () => {
    const weight = new HeapCounterweight();
    weight.add(960_000, 0);
    assert.ok((weight.piece as unknown[]).length * 8 < 5000);
  });

  it('puts nothing where enough comes on the heap by itself, and does not count it for what comes later', () => {
    const { weight, bytes } = counted();
    weight.add(960_000, 960_000);
    weight.add(0, 5_000_000);
    assert.equal(bytes(), 0);
    weight.add(64_000, 0);
    assert.equal(bytes(), 64_000);
  });

  it('still does when V8 has made the most of it', () => {
    const weight = new HeapCounterweight();
    for (let turn = 0; turn < 10_000; turn++) weight.add(128_000, 0);
    const { most } = heapGrowthOf(() => weight.add(960_000, 0));
    assert.ok(most > 800_000, `${most} bytes`);
  });
});
