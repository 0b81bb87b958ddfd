import { expectedInstead, object, quote } from './option-rules.ts';

const maxPartition = 0x7fff_ffff;

/**
 * Why something that was given for a partition names none, as the end of a sentence; undefined if it names one.
 *
 * @param fields what it must have, as the message tells it
 */
export function partitionProblem(given: unknown, fields = '{ topic, partition }'): string | undefined {
  if (!object.accepts(given)) return expectedInstead(fields, given);
  const { topic, partition, partitions } = given as Readonly<Record<string, unknown>>;
  if (typeof topic !== 'string' || topic === '') return `${expectedInstead('the name of a topic', topic)} for topic`;
  if (Number.isInteger(partition) && Number(partition) >= 0 && Number(partition) <= maxPartition) return undefined;
  // Other clients take all partitions of a topic together.
  if (partition === undefined && partitions !== undefined)
    return `partitions given for topic ${quote(topic)}; give ${fields} for each of them`;
  return `${quote(partition)} given for the partition of topic ${quote(topic)}, where a number from 0 on was expected`;
}
