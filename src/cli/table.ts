import { styled, type Terminal } from './terminal.ts';
import { cutToWidth, visible } from './visible-text.ts';

/** A column of a table. */
export interface Column {
  readonly title: string;
  /** Numbers stand at the right, and are never cut. */
  readonly isNumber?: boolean;
  /** For what matters less. */
  readonly isDim?: boolean;
}

/** What stands in a table; undefined shows as a dash. */
export type Cell = string | number | bigint | undefined;

const gap = '  ';
/** To this columns of text are cut where a line is too long; if that is not enough the terminal breaks the lines. */
const leastWidth = 12;

/** Rows below a head, as wide as they have to be and the terminal allows. */
export function table(
  terminal: Pick<Terminal, 'width' | 'hasColors'>,
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  indent = '',
): string {
  const titles = columns.map(({ title }) => title);
  const texts = rows.map((row) => row.map((cell) => (cell === undefined ? '-' : visible(String(cell)))));
  const natural = columns.map((_, index) =>
    Math.max(...[titles, ...texts].map((row) => displayWidth(row[index] ?? ''))),
  );
  const widths = narrowed(natural, columns, terminal.width - indent.length);
  const line = (row: readonly string[], style: (text: string, column: Column) => string): string => {
    const cells = columns.map((column, index) => {
      const isLast = index === columns.length - 1;
      return style(fitted(row[index] ?? '', widths[index] ?? 0, column, isLast), column);
    });
    return indent + cells.join(gap);
  };
  return [
    line(titles, (text) => styled(terminal, 'bold', text)),
    ...texts.map((row) => line(row, (text, { isDim }) => (isDim === true ? styled(terminal, 'dim', text) : text))),
  ].join('\n');
}

/** Takes width from the widest column of text, again and again, until the line fits. */
function narrowed(natural: readonly number[], columns: readonly Column[], available: number): readonly number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, width) => sum + width, gap.length * (widths.length - 1)) - available;
  for (; excess > 0; excess--) {
    const texts = widths.map((width, index) => (columns[index]?.isNumber === true ? 0 : width));
    const widest = Math.max(...texts);
    if (widest <= leastWidth) return widths;
    widths[texts.indexOf(widest)] = widest - 1;
  }
  return widths;
}

function fitted(text: string, width: number, { isNumber }: Column, isLast: boolean): string {
  const cut = cutToWidth(text, width);
  const padding = ' '.repeat(width - cut.columns);
  if (isNumber === true) return padding + cut.text;
  return isLast ? cut.text : cut.text + padding;
}

/** How many columns of a terminal a text takes. */
function displayWidth(text: string): number {
  return cutToWidth(text, Infinity).columns;
}
