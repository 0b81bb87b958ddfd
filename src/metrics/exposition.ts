import type { MetricFamily } from './metric-family.ts';

/** What to answer as `content-type` with {@link KafkaMetrics.prometheus}. */
export const prometheusContentType = 'text/plain; version=0.0.4; charset=utf-8';

/** Families in the text format of Prometheus, 0.0.4; those without a series are left out. */
export function exposition(families: readonly MetricFamily[]): string {
  return families
    .filter(({ series }) => series.length > 0)
    .map(familyText)
    .join('');
}

function familyText(family: MetricFamily): string {
  const { name, type, help } = family;
  const lines = [`# HELP ${name} ${escape(help, /[\\\n]/g)}`, `# TYPE ${name} ${type}`];
  if (family.type !== 'histogram') {
    for (const { labels, value } of family.series) lines.push(sample(name, labels, value));
    return text(lines);
  }
  for (const { labels, count, sum, buckets } of family.series) {
    for (const bucket of buckets) {
      lines.push(sample(`${name}_bucket`, { ...labels, le: numberText(bucket.upTo) }, bucket.count));
    }
    lines.push(sample(`${name}_bucket`, { ...labels, le: '+Inf' }, count));
    lines.push(sample(`${name}_sum`, labels, sum), sample(`${name}_count`, labels, count));
  }
  return text(lines);
}

function text(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}

function sample(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  const pairs = Object.entries(labels).map(([label, labelValue]) => `${label}="${escape(labelValue, /[\\\n"]/g)}"`);
  return `${name}{${pairs.join(',')}} ${numberText(value)}`;
}

function escape(words: string, what: RegExp): string {
  return words.replace(what, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}

function numberText(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}
