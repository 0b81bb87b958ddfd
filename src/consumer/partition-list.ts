import { UsageError } from '../errors/kafka-error.ts';
import type { TopicPartition } from '../model/topic-partition.ts';
import { partitionProblem } from '../util/partition-problem.ts';

/** One partition, or several. */
export type Partitions = TopicPartition | readonly TopicPartition[];

/**
 * What a call was given for partitions, as a list; looked at before any of it is used.
 *
 * @param doing what the call does, to follow "Cannot "
 * @param fields what each must have, as the message tells it
 * @throws UsageError INVALID_ARGUMENT
 */
export function partitionList<P extends TopicPartition>(
  given: P | readonly P[],
  doing: string,
  fields?: string,
): readonly P[] {
  const list = Array.isArray(given) ? (given as readonly P[]) : [given as P];
  return list.map((item) => onePartition(item, doing, fields));
}

/** The same for a call that takes one partition only. */
export function onePartition<P extends TopicPartition>(given: P, doing: string, fields?: string): P {
  const problem = partitionProblem(given, fields);
  if (problem === undefined) return given;
  throw new UsageError(`Cannot ${doing}: ${problem}`, { code: 'INVALID_ARGUMENT' });
}
