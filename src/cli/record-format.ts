import type { ConsumerRecord } from '../index.ts';
import { jsonOfBytes, shown, type DataFormatName } from './data-format.ts';
import { styled, type Terminal, type TextStyle } from './terminal.ts';
import { cutToWidth, visible, visibleJson } from './visible-text.ts';

/** How records are written. */
export const recordFormatNames = ['json', 'value', 'text'] as const;
export type RecordFormatName = (typeof recordFormatNames)[number];

/** What of the command line says how records are written. */
export interface RecordFormatPlan {
  readonly format: RecordFormatName;
  readonly keyAs: DataFormatName;
  /** Undefined: bytes as they are, where the format has room for them. */
  readonly valueAs: DataFormatName | undefined;
  /** Whether lines for people are longer than theirs. */
  readonly isFull: boolean;
}

/** Gives the line of a record, with its end. */
export type RecordFormat = (record: ConsumerRecord) => string | Uint8Array;

export function recordFormat(plan: RecordFormatPlan, terminal: Terminal): RecordFormat {
  if (plan.format === 'json') return (record) => jsonLine(record, plan);
  if (plan.format === 'value') return (record) => valueLine(record, plan, terminal);
  return (record) => textLine(record, plan, terminal);
}

function jsonLine(record: ConsumerRecord, { keyAs, valueAs = 'string' }: RecordFormatPlan): string {
  const { topic, partition, offset, timestamp } = record;
  const key = shown(record, 'key', keyAs, 'json');
  const value = shown(record, 'value', valueAs, 'json');
  const time = timestamp < 0 ? null : timestamp;
  return visibleJson(
    `{"topic":${JSON.stringify(topic)},"partition":${partition},"offset":"${offset}","timestamp":${time},` +
      `"key":${key},"value":${value},"headers":${headersJson(record)}}`,
  ).concat('\n');
}

/** A name that occurs again has an array of its values. */
function headersJson({ headers }: ConsumerRecord): string {
  if (headers.size === 0) return '{}';
  const names = [...new Set([...headers].map(([name]) => name))];
  const members = names.map((name) => {
    const values = headers.getAll(name).map((value) => (value === null ? 'null' : jsonOfBytes(value)));
    return `${JSON.stringify(name)}:${values.length === 1 ? values[0] : `[${values.join()}]`}`;
  });
  return `{${members.join()}}`;
}

const lineEnd = Buffer.from('\n');

function valueLine(record: ConsumerRecord, { valueAs }: RecordFormatPlan, terminal: Terminal): string | Uint8Array {
  if (valueAs === undefined && !terminal.isInteractive)
    return Buffer.concat([record.valueBytes ?? Buffer.alloc(0), lineEnd]);
  const text = shown(record, 'value', valueAs ?? 'string', 'text') ?? '';
  return `${terminal.isInteractive ? visible(text, '\n\t') : text}\n`;
}

function textLine(
  record: ConsumerRecord,
  { keyAs, valueAs = 'string', isFull }: RecordFormatPlan,
  terminal: Terminal,
): string {
  const { topic, partition, offset, timestamp } = record;
  const pieces: readonly (readonly [text: string | null, style?: TextStyle])[] = [
    [`${topic}-${partition}@${offset}`, 'cyan'],
    [timeText(timestamp), 'dim'],
    [shown(record, 'key', keyAs, 'text'), 'bold'],
    [shown(record, 'value', valueAs, 'text')],
  ];
  let left = terminal.isInteractive && !isFull ? terminal.width : Infinity;
  const parts: string[] = [];
  for (const [text, style] of pieces) {
    const safe = visible(text ?? 'null');
    const cut = left === Infinity ? { text: safe, columns: 0 } : cutToWidth(safe, left);
    const used = text === null ? 'dim' : style;
    parts.push(used === undefined ? cut.text : styled(terminal, used, cut.text));
    // Two spaces stand between them.
    left -= cut.columns + 2;
    if (left <= 0) break;
  }
  return `${parts.join('  ')}\n`;
}

/** A record may have any number there, also one that is no time. */
function timeText(timestamp: number): string {
  if (timestamp < 0) return '-';
  const time = new Date(timestamp);
  return Number.isNaN(time.getTime()) ? String(timestamp) : time.toISOString();
}
