import { brokerConfigTable } from './broker-config-table.ts';
import type { ConfigRow } from './config-row.ts';
import { groupConfigTable } from './group-config-table.ts';
import { topicConfigTable } from './topic-config-table.ts';

/** Settings by Kafka's names, with the values that Kafka takes where nothing is said. */
export const configDefaults: Readonly<Record<'broker' | 'topic' | 'group', ReadonlyMap<string, ConfigRow>>> = {
  broker: byName(brokerConfigTable),
  topic: byName(topicConfigTable),
  group: byName(groupConfigTable),
};

function byName(table: readonly ConfigRow[]): ReadonlyMap<string, ConfigRow> {
  return new Map(table.map((row) => [row[0], row]));
}
