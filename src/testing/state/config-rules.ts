import type { ConfigRow } from './config-row.ts';

const ranges: Readonly<Record<string, readonly [min: number, max: number]>> = {
  int: [-(2 ** 31), 2 ** 31 - 1],
  short: [-(2 ** 15), 2 ** 15 - 1],
};

const least: Readonly<Record<string, number>> = {
  'delete.retention.ms': 0,
  'file.delete.delay.ms': 0,
  'flush.messages': 1,
  'flush.ms': 0,
  'index.interval.bytes': 0,
  'max.compaction.lag.ms': 1,
  'max.message.bytes': 0,
  'message.timestamp.after.max.ms': 0,
  'message.timestamp.before.max.ms': 0,
  'min.cleanable.dirty.ratio': 0,
  'min.compaction.lag.ms': 0,
  'min.insync.replicas': 1,
  'retention.ms': -1,
  'local.retention.bytes': -2,
  'local.retention.ms': -2,
  'segment.bytes': 1_048_576,
  'segment.index.bytes': 4,
  'segment.jitter.ms': 0,
  'segment.ms': 1,
};

const words: Readonly<Record<string, readonly string[]>> = {
  'cleanup.policy': ['compact', 'delete'],
  'compression.type': ['uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'],
  'message.timestamp.type': ['CreateTime', 'LogAppendTime'],
  'share.auto.offset.reset': ['latest', 'earliest'],
  'share.isolation.level': ['read_committed', 'read_uncommitted'],
};

/** A length of time as ISO 8601 writes it, up to days (KIP-1106). */
const isDuration = /^by_duration:P(?=\d|T\d)(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?$/i;

/** What is wrong with the value of a setting, by Kafka's rules; undefined if nothing. */
export function configProblem([name, type]: ConfigRow, value: string): string | undefined {
  const allowed = words[name];
  if (allowed !== undefined) return wordProblem(name, type === 'list' ? listOf(value) : [value], allowed);
  if (type === 'boolean')
    return /^(true|false)$/i.test(value) ? undefined : `"${value}" of ${name} is neither true nor false`;
  if (type === 'int' || type === 'short' || type === 'long' || type === 'double')
    return numberProblem(name, type, value);
  return undefined;
}

/** The items of a setting that is a list. */
export function listOf(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function wordProblem(name: string, given: readonly string[], allowed: readonly string[]): string | undefined {
  const wrong = given.find(
    (word) => !allowed.includes(word) && !(name === 'share.auto.offset.reset' && isDuration.test(word)),
  );
  return wrong === undefined ? undefined : `"${wrong}" is not a value of ${name}: ${allowed.join(', ')}`;
}

function numberProblem(name: string, type: string, value: string): string | undefined {
  const pattern = type === 'double' ? /^[+-]?\d*\.?\d+([eE][+-]?\d+)?$/ : /^[+-]?\d+$/;
  const number = Number(value.trim());
  const [min, max] = ranges[type] ?? [-(2 ** 63), 2 ** 63];
  if (!pattern.test(value.trim()) || number < min || number > max)
    return `"${value}" of ${name} is not a number of type ${type}`;
  const lowest = least[name];
  if (lowest !== undefined && number < lowest) return `${value} of ${name} is less than ${lowest}`;
  return undefined;
}
