/** The chart of README: rates side by side, a panel per story, as SVG without scripts or fonts of its own. */
import { summarize, type Row } from './report.ts';

const width = 860;
const columns = 2;
const panelWidth = width / columns;
const barHeight = 16;
const barGap = 5;
const titleHeight = 34;
const nameWidth = 128;
const valueWidth = 66;
const colours: Readonly<Record<string, string>> = { kavka: '#d9730d', 'bare loop': '#b8bec6' };
const otherColour = '#5b7fa6';

/** One panel of the chart. */
export interface Panel {
  readonly title: string;
  readonly scenario: string;
}

/** Draws the rows of these scenarios; a scenario that was not measured has no panel. */
export function chart(panels: readonly Panel[], rows: readonly Row[]): string {
  const drawn = panels
    .map((panel) => ({ ...panel, rows: rows.filter((row) => row.scenario === panel.scenario) }))
    .filter((panel) => panel.rows.length > 0);
  const heights: number[] = [];
  for (const [at, panel] of drawn.entries()) {
    const line = Math.floor(at / columns);
    heights[line] = Math.max(heights[line] ?? 0, titleHeight + panel.rows.length * (barHeight + barGap) + 14);
  }
  let top = 0;
  const tops = heights.map((height) => (top += height) - height);
  const body = drawn.map((panel, at) => {
    const x = (at % columns) * panelWidth;
    return `<g transform="translate(${x + 12} ${tops[Math.floor(at / columns)] ?? 0})">${drawPanel(panel)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${top}" viewBox="0 0 ${width} ${top}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="${width}" height="${top}" fill="#ffffff" rx="6"/>`,
    ...body,
    '</svg>',
    '',
  ].join('\n');
}

function drawPanel({ title, rows }: Panel & { readonly rows: readonly Row[] }): string {
  const rates = rows.map((row) => ({ name: row.contender, rate: summarize(row).recordsPerSecond }));
  const most = Math.max(...rates.map(({ rate }) => rate));
  const longest = panelWidth - 24 - nameWidth - valueWidth;
  const bars = rates
    .sort((a, b) => b.rate - a.rate)
    .map(({ name, rate }, at) => {
      const y = titleHeight + at * (barHeight + barGap);
      const length = Math.max(1, (rate / most) * longest);
      const weight = name === 'kavka' ? ' font-weight="bold"' : '';
      return [
        `<text x="${nameWidth - 8}" y="${y + 12}" text-anchor="end" fill="#24292f"${weight}>${name}</text>`,
        `<rect x="${nameWidth}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}" rx="2" fill="${colours[name] ?? otherColour}"/>`,
        `<text x="${(nameWidth + length + 6).toFixed(1)}" y="${y + 12}" fill="#57606a"${weight}>${short(rate)}</text>`,
      ].join('');
    });
  return `<text x="0" y="22" font-size="14" font-weight="bold" fill="#24292f">${title}</text>${bars.join('')}`;
}

function short(rate: number): string {
  if (rate >= 1e6) return `${(rate / 1e6).toFixed(2)} M/s`;
  return rate >= 1e4 ? `${Math.round(rate / 1e3)} k/s` : `${(rate / 1e3).toFixed(1)} k/s`;
}
