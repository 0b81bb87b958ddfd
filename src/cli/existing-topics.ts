import type { Kafka, TopicDescription } from '../index.ts';
import { nearestName } from '../util/nearest-name.ts';
import { CliError } from './cli-error.ts';

/**
 * What topics are like that must be there.
 *
 * @param doing what is done with them, for the message
 * @throws CliError one does not exist: it would be waited for, or even made
 */
export async function describeExisting(
  kafka: Kafka,
  topics: readonly string[],
  doing: string,
  signal: AbortSignal,
): Promise<TopicDescription[]> {
  const admin = kafka.admin();
  const results = await admin.describeTopics(topics, { settled: true, signal });
  const found: TopicDescription[] = [];
  for (const [index, result] of results.entries()) {
    if (result.status === 'fulfilled') {
      found.push(result.value);
      continue;
    }
    if (result.reason.code !== 'UNKNOWN_TOPIC_OR_PARTITION') throw result.reason;
    const topic = topics[index] ?? '';
    const near = nearestName(
      topic,
      (await admin.listTopics({ signal })).map((each) => each.topic),
    );
    const hint = near === undefined ? '' : `; did you mean ${near}?`;
    throw new CliError(`Cannot ${doing} "${topic}": there is no such topic${hint}`, { exitCode: 1 });
  }
  return found;
}
