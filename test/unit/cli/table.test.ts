import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { table } from '../../../src/cli/table.ts';
import { FakeTerminal } from '../../support/cli/fake-terminal.ts';

const columns = [{ title: 'name' }, { title: 'lag', isNumber: true }, { title: 'note', isDim: true }];

describe('table', () => {
  it('aligns text at the left, numbers at the right, and leaves no blanks at the ends of lines', () => {
    const rows = [
      ['orders', 12n, 'a'],
      ['b', 3, undefined],
    ];
    const expected = ['  name    lag  note', '  orders   12  a', '  b         3  -'];
    assert.deepEqual(table(new FakeTerminal(), columns, rows, '  ').split('\n'), expected);
  });

  it('has a bold head and dim cells where there are colours, without an influence on widths', () => {
    const plain = table(new FakeTerminal(), columns, [['orders', 1, 'a']]);
    const coloured = table(new FakeTerminal({ hasColors: true }), columns, [['orders', 1, 'a']]);
    assert.ok(coloured.startsWith('\u001b[1mname'));
    assert.ok(coloured.endsWith('\u001b[2ma\u001b[22m'));
    assert.equal(coloured.replace(/\u001b\[\d+m/g, ''), plain);
  });

  it('cuts the widest text until lines fit, and never a number', () => {
    const rows = [['n'.repeat(50), 123_456_789, 'm'.repeat(20)]];
    for (const width of [60, 45]) {
      const lines = table(new FakeTerminal({ width }), columns, rows).split('\n');
      assert.ok(
        lines.every((line) => line.length <= width),
        lines.join('\n'),
      );
      assert.match(lines[1] ?? '', /^n+… {2}123456789 {2}m+…?$/);
    }
    assert.match(table(new FakeTerminal({ width: 10 }), columns, rows), /^n{11}… {2}123456789 {2}m{11}…$/m);
  });

  it('counts characters that take two columns', () => {
    const rows = [
      ['注文', 1, ''],
      ['abcd', 2, ''],
    ];
    const [, wide = '', narrow = ''] = table(new FakeTerminal(), columns, rows).split('\n');
    assert.equal(wide.indexOf('1'), narrow.indexOf('2') - 2);
    assert.match(
      table(new FakeTerminal({ width: 24 }), columns, [['注'.repeat(20), 1, '']]).split('\n')[1] ?? '',
      /^注{6}… /,
    );
  });

  it('shows what a terminal would obey', () => {
    const [, line = ''] = table(new FakeTerminal(), columns, [['a\u001b[2J\nb', 1, '\u202ex']]).split('\n');
    assert.equal(line, 'a\\u001b[2J\\nb    1  \\u202ex');
  });
});
