import { abortSignal, duration } from '../cluster/call-options.ts';
import { ClosedError } from '../errors/kafka-error.ts';
import type { Clock } from '../util/clock.ts';
import { integer, type OptionRule } from '../util/option-rules.ts';
import { ConsumerBatch, pollResult, type PollResult } from './consumer-batch.ts';
import type { PartitionState } from './partition-state.ts';
import type { NoRecords, Reading, ReadState, TakeOptions } from './reading.ts';

/** How {@link Consumer.poll} waits. */
export interface PollOptions {
  /** It waits for so many; fewer come at the end of `timeoutMs`, or if the group rebalances. @defaultValue 1 */
  readonly minRecords?: number | undefined;
  /** It gives at most so many. @defaultValue maxPollRecords */
  readonly maxRecords?: number | undefined;
  /** How long it waits, in milliseconds; then it gives what there is, be it nothing. @defaultValue 1000 */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait: the poll rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What {@link PollOptions} accept. */
export const pollOptionRules: Readonly<Record<keyof PollOptions, OptionRule>> = {
  minRecords: integer(0, Number.MAX_SAFE_INTEGER),
  maxRecords: integer(1, Number.MAX_SAFE_INTEGER),
  timeoutMs: duration,
  signal: abortSignal,
};

/** One poll: waits for the first records, then takes what else is there. */
export async function pollRecords<K, V>(
  reading: Reading,
  clock: Clock,
  options: PollOptions & { readonly maxRecords: number },
): Promise<PollResult<K, V>> {
  const { minRecords = 1, maxRecords, timeoutMs = 1000, signal } = options;
  const deadlineMs = clock.nowMs() + timeoutMs;
  const batches: ConsumerBatch<K, V>[] = [];
  for (let count = 0; count < maxRecords;) {
    // Once there is enough, only what is ready at once is added.
    const untilMs = count >= minRecords ? -Infinity : deadlineMs;
    const taken = await (count === 0
      ? takeOrReject(reading, { signal, deadlineMs: untilMs })
      : takeMore(reading, untilMs));
    if (typeof taken === 'string') break;
    const records = reading.handOut(taken, maxRecords - count);
    batches.push(new ConsumerBatch<K, V>(taken, records));
    count += records.length;
  }
  return pollResult(batches);
}

/** What a call that is no loop does when it is stopped: it rejects. */
export async function takeOrReject<S extends ReadState = PartitionState>(
  reading: Reading<S>,
  options: TakeOptions<S>,
): Promise<S | NoRecords> {
  const taken = await reading.take(options);
  if (taken !== 'stopped') return taken;
  options.signal?.throwIfAborted();
  throw new ClosedError('the consumer');
}

/** More for a poll that has records already; an error is left for the next poll, so that those are not lost. */
async function takeMore(reading: Reading, deadlineMs: number): Promise<PartitionState | NoRecords> {
  try {
    return await reading.take({ more: true, deadlineMs });
  } catch {
    return 'stopped';
  }
}
