import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MarkedRecords } from '../../../src/consumer/marked-records.ts';

describe('MarkedRecords', () => {
  it('tells the first record that is not marked, and the epoch of the last before it', () => {
    const marks = new MarkedRecords();
    for (const offset of [3n, 4n, 9n]) marks.add(offset, Number(offset));
    marks.mark(4n);
    assert.deepEqual([marks.firstOpen, marks.lastEpoch], [3n, -1]);
    marks.mark(3n);
    assert.deepEqual([marks.firstOpen, marks.lastEpoch], [9n, 4]);
    marks.mark(9n);
    assert.deepEqual([marks.firstOpen, marks.lastEpoch], [undefined, 9]);
  });

  it('keeps to a plain list of offsets, whatever is marked and forgotten, in any order', () => {
    const step = fc.record({
      do: fc.constantFrom('add', 'add', 'add', 'mark', 'markBefore', 'forget'),
      offset: fc.nat(60),
      gap: fc.nat(2),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const marks = new MarkedRecords();
        let model: { offset: bigint; marked: boolean }[] = [];
        let next = 0n;
        for (const { do: action, offset, gap } of steps) {
          const at = BigInt(offset);
          if (action === 'add') {
            next += BigInt(gap);
            marks.add(next, 0);
            model.push({ offset: next++, marked: false });
          } else if (action === 'mark') {
            marks.mark(at);
            for (const each of model) if (each.offset === at) each.marked = true;
          } else if (action === 'markBefore') {
            marks.markBefore(at);
            for (const each of model) if (each.offset < at) each.marked = true;
          } else {
            marks.forgetFrom(at);
            model = model.filter((each) => each.offset < at);
          }
          assert.equal(marks.firstOpen, model.find(({ marked }) => !marked)?.offset);
          assert.equal(marks.firstOpenFrom(at), model.find((each) => !each.marked && each.offset >= at)?.offset);
        }
      }),
    );
  });

  it('does not grow with what is done', () => {
    const marks = new MarkedRecords();
    for (let offset = 0n; offset < 100_000n; offset++) {
      marks.add(offset, 0);
      if (offset >= 10n) marks.mark(offset - 10n);
    }
    assert.equal(marks.firstOpen, 99_990n);
    assert.ok(marks.size < 5000, `${marks.size} entries`);
  });
});
