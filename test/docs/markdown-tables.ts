/** The rows of every table of a page with such a head, as they are written. */
export function rowsOf(markdown: string, head: string): string[][] {
  const lines = markdown.split('\n');
  const rows: string[][] = [];
  for (const [at, line] of lines.entries()) {
    if (cells(line).join(' | ') !== head) continue;
    for (let row = at + 2; lines[row]?.startsWith('|') === true; row++) rows.push(cells(lines[row] ?? ''));
  }
  return rows;
}

function cells(line: string): string[] {
  if (!line.startsWith('|')) return [];
  return line
    .replaceAll('\\|', '\u0000')
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll('\u0000', '|'));
}
