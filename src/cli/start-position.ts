import type { Consumer, TopicPartition } from '../index.ts';
import { parseInt64 } from '../util/int64.ts';
import { parseIsoDurationMs } from '../util/iso-duration.ts';
import { CliError } from './cli-error.ts';

/** Where reading begins. */
export type StartPosition =
  | { readonly kind: 'beginning' }
  | { readonly kind: 'end' }
  | { readonly kind: 'offset'; readonly offset: bigint }
  | { readonly kind: 'time'; readonly timestampMs: number }
  | { readonly kind: 'ago'; readonly ms: number };

const isoTime = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?$/;

/** @throws CliError for what is none */
export function parseStartPosition(text: string): StartPosition {
  if (text === 'beginning' || text === 'end') return { kind: text };
  const offset = /^\d+$/.test(text) ? parseInt64(text) : undefined;
  if (offset !== undefined) return { kind: 'offset', offset };
  const ms = text.startsWith('-') ? parseIsoDurationMs(text.slice(1)) : undefined;
  if (ms !== undefined) return { kind: 'ago', ms };
  const timestampMs = isoTime.test(text) ? timeOf(text) : NaN;
  if (!Number.isNaN(timestampMs)) return { kind: 'time', timestampMs };
  throw new CliError(
    `Cannot begin at "${text}": give beginning, end, an offset, a time such as 2026-01-31T12:00, or a duration before now such as -PT1H`,
  );
}

/** A time without a zone is local, also where it is a whole day, which JavaScript takes for UTC. */
function timeOf(text: string): number {
  return Date.parse(text.length === 10 ? `${text}T00:00` : text.replace(' ', 'T'));
}

/** Takes partitions that were assigned to where reading begins; afterwards nothing that comes in is missed. */
export async function seekTo(
  consumer: Consumer,
  partitions: readonly TopicPartition[],
  start: StartPosition,
  signal: AbortSignal,
): Promise<void> {
  if (start.kind === 'beginning') return consumer.seekToBeginning();
  if (start.kind === 'time') return consumer.seekToTimestamp(start.timestampMs);
  if (start.kind === 'ago') return consumer.seekToTimestamp(Date.now() - start.ms);
  // Looked up now: else the end would be wherever it is when the first request for records has found its way.
  const ends = await consumer.endOffsets(partitions, { signal });
  if (start.kind === 'end') {
    for (const end of ends) consumer.seek(end);
    return;
  }
  const beginnings = await consumer.beginningOffsets(partitions, { signal });
  for (const [index, partition] of partitions.entries()) {
    const [from, to] = [beginnings[index]?.offset ?? 0n, ends[index]?.offset ?? 0n];
    const { topic } = partition;
    const offset = start.offset < from ? from : start.offset > to ? to : start.offset;
    consumer.seek({ topic, partition: partition.partition, offset });
  }
}
