/** A sample of the text format: name, labels, value. */
export interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric of the text format with all of its samples. */
export interface ParsedFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly ParsedSample[];
}

const numbers: Readonly<Record<string, number>> = { '+Inf': Infinity, '-Inf': -Infinity, NaN: NaN };
const samplesOfHistogram = /_(bucket|sum|count)$/;

/**
 * Reads the text format of Prometheus, version 0.0.4, and throws at everything that a server would refuse or take for something else: a
 * family that comes twice or without its two comments, samples of another family or twice the same, buckets that do not add up.
 */
export function parsePrometheusText(text: string): ParsedFamily[] {
  if (text !== '' && !text.endsWith('\n')) throw new Error('The last line does not end');
  const families: { name: string; type: string; help: string; samples: ParsedSample[] }[] = [];
  let help: { name: string; text: string } | undefined;
  for (const line of text.split('\n').slice(0, -1)) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line);
    if (comment !== null) {
      const [, kind, name = '', rest = ''] = comment;
      if (kind === 'HELP') {
        if (help !== undefined) throw new Error(`HELP of ${help.name} has no TYPE`);
        help = { name, text: unescaped(rest, /\\[\\n]/g) };
        continue;
      }
      if (help?.name !== name) throw new Error(`TYPE of ${name} does not follow its HELP`);
      if (families.some((family) => family.name === name)) throw new Error(`${name} comes twice`);
      if (!/^(counter|gauge|histogram)$/.test(rest)) throw new Error(`${name} has the type ${rest}`);
      families.push({ name, type: rest, help: help.text, samples: [] });
      help = undefined;
      continue;
    }
    const family = families.at(-1);
    if (family === undefined || help !== undefined) throw new Error(`A sample before its TYPE: ${line}`);
    const sample = parseSample(line);
    const own = family.type === 'histogram' ? sample.name.replace(samplesOfHistogram, '') : sample.name;
    if (own !== family.name || (family.type === 'histogram') !== samplesOfHistogram.test(sample.name))
      throw new Error(`${sample.name} among the samples of ${family.name}`);
    if (family.samples.some((other) => keyOf(other) === keyOf(sample))) throw new Error(`Twice: ${line}`);
    family.samples.push(sample);
  }
  for (const family of families) checkFamily(family);
  return families;
}

function parseSample(line: string): ParsedSample {
  const [, name = '', inBraces, rest = ''] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  if (name === '') throw new Error(`No sample: ${line}`);
  const labels: Record<string, string> = {};
  let left = inBraces ?? '';
  while (left !== '') {
    const found = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/.exec(left);
    if (found === null) throw new Error(`No labels: ${left}`);
    const [whole, label = '', value = ''] = found;
    if (label in labels) throw new Error(`Label ${label} comes twice: ${line}`);
    labels[label] = unescaped(value, /\\["\\n]/g);
    left = left.slice(whole.length);
  }
  const value = numbers[rest] ?? Number(rest);
  if (Number.isNaN(value) && rest !== 'NaN') throw new Error(`No number: ${line}`);
  return { name, labels, value };
}

function checkFamily({ name, type, samples }: ParsedFamily): void {
  if (samples.length === 0) throw new Error(`${name} has no sample`);
  if (type === 'counter' && !name.endsWith('_total')) throw new Error(`The counter ${name} does not end with _total`);
  if (type === 'counter' && samples.some(({ value }) => value < 0)) throw new Error(`The counter ${name} is negative`);
  if (type !== 'histogram') return;
  const series = new Map<string, ParsedSample[]>();
  for (const sample of samples) {
    const { le: _, ...labels } = sample.labels;
    const key = JSON.stringify(labels);
    series.set(key, [...(series.get(key) ?? []), sample]);
  }
  for (const [labels, own] of series) {
    const buckets = own.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels: { le = '' } }) => numbers[le] ?? Number(le));
    const counts = buckets.map(({ value }) => value);
    const count = own.find((sample) => sample.name === `${name}_count`)?.value;
    const isRising = (list: readonly number[], least: number): boolean =>
      list.every((value, at) => at === 0 || value - (list[at - 1] ?? 0) >= least);
    if (!isRising(bounds, Number.MIN_VALUE) || bounds.at(-1) !== Infinity)
      throw new Error(`Buckets of ${name}${labels}`);
    if (!isRising(counts, 0) || counts.at(-1) !== count) throw new Error(`Counts of ${name}${labels}`);
    if (!own.some((sample) => sample.name === `${name}_sum`)) throw new Error(`No sum of ${name}${labels}`);
  }
}

function keyOf({ name, labels }: ParsedSample): string {
  return JSON.stringify([name, Object.entries(labels).sort()]);
}

function unescaped(text: string, escapes: RegExp): string {
  return text.replace(escapes, (escape) => (escape === '\\n' ? '\n' : escape.slice(1)));
}
